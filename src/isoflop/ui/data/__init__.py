"""The Data page: how a table was read, and which rows are fitted."""

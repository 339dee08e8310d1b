"""Files with faults of every kind: each gives a clean table, a question, or an error."""

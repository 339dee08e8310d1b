"""The Fit page: whether to believe a fit."""

"""The Tour page: lessons with a figure each, then the app's own pages on small runs."""

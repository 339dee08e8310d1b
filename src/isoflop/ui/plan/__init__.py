"""The Plan and Reality check pages: from a budget to a run."""

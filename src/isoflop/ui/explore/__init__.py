"""The Explore page: what a budget would reach."""

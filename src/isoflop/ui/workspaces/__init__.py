"""The page Workspaces: what a person works on, saved, shared, opened again."""

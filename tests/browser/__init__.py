"""A package, so that its fixtures end with it: Playwright's loop runs for as long as they live."""

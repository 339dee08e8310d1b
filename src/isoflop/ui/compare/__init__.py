"""The Compare page: laws, families and published fits beside each other."""

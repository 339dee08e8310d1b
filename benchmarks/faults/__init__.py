"""Faults made on purpose: afterwards nothing saved is lost, and nobody is shown a traceback."""

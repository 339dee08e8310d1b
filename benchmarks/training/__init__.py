"""Live training beside nanoGPT's shapes, and forecasts by its scaling law."""

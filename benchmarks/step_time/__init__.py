"""How long a training step takes: the fit to measured steps, and its error on others."""

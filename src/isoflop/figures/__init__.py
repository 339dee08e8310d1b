"""Figures: one module each, returning a Plotly figure with an explicit template.

Every module has ``figure(...)``, which takes plain arrays and draws, and ``alt(...)``, which says
in a sentence what is seen. `isoflop.plot.theme` gives all of them one look.
"""

from plotly.graph_objects import Figure

__all__ = ["Figure"]

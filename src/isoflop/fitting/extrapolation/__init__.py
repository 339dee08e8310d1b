"""Prediction beyond the data: all suitable laws, weighted by how each did on the table itself."""

from isoflop.fitting.extrapolation.constants import Constants, Method, load_constants
from isoflop.fitting.extrapolation.extrapolate import extrapolate
from isoflop.fitting.extrapolation.result import Extrapolation, LawPrediction

__all__ = [
    "Constants",
    "Extrapolation",
    "LawPrediction",
    "Method",
    "extrapolate",
    "load_constants",
]

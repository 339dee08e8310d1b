"""Prediction beyond the data: all suitable laws, weighted by how each did on the table itself."""

from isoflop.fitting.extrapolation.constants import Constants, Method, load_constants
from isoflop.fitting.extrapolation.extrapolate import (
    Pool,
    extrapolate,
    pool,
    pool_of_fit,
    predict_with,
)
from isoflop.fitting.extrapolation.result import Extrapolation, LawPrediction

__all__ = [
    "Constants",
    "Extrapolation",
    "LawPrediction",
    "Method",
    "Pool",
    "extrapolate",
    "load_constants",
    "pool",
    "pool_of_fit",
    "predict_with",
]

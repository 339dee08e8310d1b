"""Fitting laws to loss tables, with uncertainty and a certificate of the optimum."""

from isoflop.fitting.fit import fit
from isoflop.fitting.options import OBJECTIVES, FitOptions, PredictOptions
from isoflop.fitting.predict import band, predict
from isoflop.fitting.result import Band, Certificate, Fit

__all__ = [
    "OBJECTIVES",
    "Band",
    "Certificate",
    "Fit",
    "FitOptions",
    "PredictOptions",
    "band",
    "fit",
    "predict",
]

"""The compute-optimal size by the three approaches of Hoffmann et al. (arXiv 2203.15556)."""

from isoflop.fitting.isoflop.approaches import compare_approaches
from isoflop.fitting.isoflop.budgets import DEFAULT_TOLERANCE, MAX_EPOCHS, without_repetition
from isoflop.fitting.isoflop.envelope import Corners, Envelope, lower_envelope
from isoflop.fitting.isoflop.line import PowerLine
from isoflop.fitting.isoflop.parametric import optimum_lines
from isoflop.fitting.isoflop.profiles import (
    CURVES,
    Curve,
    Profile,
    Profiles,
    approach_2,
    isoflop_profiles,
)
from isoflop.fitting.isoflop.summary import verdict
from isoflop.fitting.isoflop.types import Approach, Approaches, Bias

__all__ = [
    "CURVES",
    "DEFAULT_TOLERANCE",
    "MAX_EPOCHS",
    "Approach",
    "Approaches",
    "Bias",
    "Corners",
    "Curve",
    "Envelope",
    "PowerLine",
    "Profile",
    "Profiles",
    "approach_2",
    "compare_approaches",
    "isoflop_profiles",
    "lower_envelope",
    "optimum_lines",
    "verdict",
    "without_repetition",
]

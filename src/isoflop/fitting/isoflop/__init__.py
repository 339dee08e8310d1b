"""The compute-optimal size by the three approaches of Hoffmann et al. (arXiv 2203.15556)."""

from isoflop.fitting.isoflop.approaches import compare_approaches
from isoflop.fitting.isoflop.budgets import (
    COLUMNS,
    DEFAULT_TOLERANCE,
    MAX_EPOCHS,
    without_repetition,
)
from isoflop.fitting.isoflop.envelope import Corners, Envelope, lower_envelope
from isoflop.fitting.isoflop.line import PowerLine
from isoflop.fitting.isoflop.parametric import optimum_lines
from isoflop.fitting.isoflop.profiles import (
    CURVE_LABELS,
    CURVES,
    Curve,
    Profile,
    Profiles,
    fit_profiles,
    isoflop_profiles,
)
from isoflop.fitting.isoflop.summary import LEVEL
from isoflop.fitting.isoflop.types import Approach, Approaches, Bias

__all__ = [
    "COLUMNS",
    "CURVES",
    "CURVE_LABELS",
    "DEFAULT_TOLERANCE",
    "LEVEL",
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
    "compare_approaches",
    "fit_profiles",
    "isoflop_profiles",
    "lower_envelope",
    "optimum_lines",
    "without_repetition",
]

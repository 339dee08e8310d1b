"""How far a prediction extrapolates beyond the fitted rows, and what that does to its band."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.predict import band
from isoflop.fitting.result import Fit
from isoflop.language import in_a_sentence, lazy_gettext, listed
from isoflop.notices import Notice
from isoflop.planning.inputs import extrapolation_decades, inputs_at
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.planning.trajectory import line_of_models
from isoflop.tables.schema import said_response

FAR_DECADES = 1.0
VERY_FAR_DECADES = 2.0
WIDER = 2.0
"""How many times as wide as at the rows a band must be to be worth a notice."""


def extrapolation_notices(fit: Fit, decades: Mapping[str, float]) -> Iterator[Notice]:
    """Yield a notice if some input lies a decade or more beyond the fitted rows.

    Parameters
    ----------
    fit : Fit
    decades : mapping of str to float
        By symbol, as `extrapolation_decades` gives them.
    """
    labels = {item.symbol: item.label or item.column for item in fit.law.inputs}
    far = {symbol: value for symbol, value in decades.items() if abs(value) >= FAR_DECADES}
    if not far:
        return
    gaps = listed(
        lazy_gettext(
            "{decades:.1f} decades of {label} {side} the data",
            decades=abs(value),
            label=in_a_sentence(labels[symbol]),
            side=lazy_gettext("above") if value > 0 else lazy_gettext("below"),
        )
        for symbol, value in far.items()
    )
    yield Notice(
        code="extrapolating",
        severity="serious" if max(map(abs, far.values())) >= VERY_FAR_DECADES else "warning",
        text=lazy_gettext("This extrapolates to {gaps}.", gaps=gaps),
        remedy=lazy_gettext("Add a run nearer to this budget before you trust the prediction."),
    )


def point_notices(
    fit: Fit, inputs: Mapping[str, NDArray[np.float64]], level: float = 0.9
) -> tuple[Notice, ...]:
    """Say how far one point lies beyond the rows, and how much wider the band is there.

    Parameters
    ----------
    fit : Fit
    inputs : mapping of str to ndarray, shape (1,)
        Value of every input symbol.
    level : float
        Of the band.
    """
    decades = {symbol: float(v[0]) for symbol, v in extrapolation_decades(fit, inputs).items()}
    return (*extrapolation_notices(fit, decades), *_band_notices(fit, inputs, decades, level))


def _band_notices(
    fit: Fit,
    inputs: Mapping[str, NDArray[np.float64]],
    decades: Mapping[str, float],
    level: float,
) -> Iterator[Notice]:
    if not any(decades.values()):
        return
    both = {
        symbol: np.array([value[0], np.clip(value[0], *fit.input_ranges[symbol])])
        for symbol, value in inputs.items()
    }
    try:
        found = band(fit, both, level)
    except FitError:
        return
    here, nearest = (found.upper - found.lower) / np.abs(found.centre)
    if here > WIDER * nearest:
        yield Notice(
            code="band-beyond-data",
            severity="info",
            text=lazy_gettext(
                "The {level:.0%} band is {width:.1%} of the {response} wide at this "
                "budget, {ratio:.1f} times as wide as at the nearest fitted rows, "
                "and holds only if the law keeps its form beyond the data.",
                level=level,
                width=here,
                response=said_response(fit.law.response),
                ratio=here / nearest,
            ),
            remedy=lazy_gettext(
                "Train a run between the rows and the budget; see Next runs on the Fit page."
            ),
        )


def budget_notices(
    fit: Fit,
    compute_flop: float,
    *,
    fixed: Mapping[str, float] | None = None,
    rule: ComputeRule = SIX_ND,
    level: float = 0.9,
) -> tuple[Notice, ...]:
    """Say how far the models that a budget buys lie beyond the rows; see `point_notices`."""
    _, params, tokens, _ = line_of_models(fit, np.array([compute_flop]), fixed, rule=rule)
    return point_notices(fit, inputs_at(fit.law, params, tokens, fixed, rule=rule), level)

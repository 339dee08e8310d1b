"""A fit for a reader: its parameters with their uncertainty, as a frame, as text, as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from isoflop.errors import FitError
from isoflop.fitting.intervals import parameter_interval
from isoflop.fitting.options import BOOTSTRAPS
from isoflop.language import joined, lazy_gettext, lazy_ngettext
from isoflop.tables.catalog import title_of
from isoflop.text import aligned, as_html, with_notices

if TYPE_CHECKING:
    from isoflop.fitting.result import Fit

FIXED = lazy_gettext("Fixed at this value.")

LEVEL = 0.9
"""Coverage of the intervals in a summary."""


def params_frame(fit: Fit, level: float = LEVEL) -> pd.DataFrame:
    """Return each parameter with its standard error and interval.

    Both come from the bootstrap draws, else from the covariance, by `parameter_interval`; NaN where
    there is neither, and for parameters that were fixed, which stand last.

    Raises
    ------
    FitError
        If the level does not lie between 0 and 1.
    """
    if not 0 < level < 1:
        raise FitError(
            lazy_gettext(
                "The level of an interval must lie between 0 and 1, not {level:g}.", level=level
            )
        )
    theta = fit.theta
    error, lower, upper = parameter_interval(fit, level)
    fixed = dict(fit.law.fixed)
    no_error = np.full(len(fixed), np.nan)
    return pd.DataFrame(
        {
            "value": np.append(theta, list(fixed.values())),
            "std_error": np.append(error, no_error),
            "lower": np.append(lower, no_error),
            "upper": np.append(upper, no_error),
            "unit": [*(param.unit for param in fit.law.params), *("" for _ in fixed)],
            "help": [*(param.help for param in fit.law.params), *(FIXED for _ in fixed)],
        },
        index=pd.Index([*fit.law.param_names, *fixed], name="parameter"),
    )


def uncertainty(fit: Fit) -> str:
    """Say what standard errors and intervals rest on, or why there are none."""
    if fit.draws is not None:
        return lazy_gettext(
            "From {draws:,} resamples ({bootstraps}).",
            draws=len(fit.draws),
            bootstraps=BOOTSTRAPS[fit.options.bootstrap],
        )
    if fit.covariance is not None:
        return lazy_gettext("From the covariance of the residuals, without resampling.")
    return lazy_gettext(
        "No uncertainty: {covariance_reason}", covariance_reason=fit.covariance_reason
    )


def fit_text(fit: Fit, *, notices: bool) -> str:
    """Return a fit as text, with its notices if asked."""
    found = params_frame(fit)
    numbers = found[["value", "std_error", "lower", "upper"]].to_numpy(np.float64)
    parameters = [
        (
            name,
            f"{value:.6g}",
            _finite(error, ".3g"),
            "fixed"
            if name in dict(fit.law.fixed)
            else _finite(lower, ".4g")
            and lazy_gettext("{lower:.4g} to {upper:.4g}", lower=lower, upper=upper),
        )
        for name, (value, error, lower, upper) in zip(found.index, numbers, strict=True)
    ]
    lines = [
        _title(fit),
        _rows(fit),
        "",
        aligned(
            parameters,
            (
                "parameter",
                "value",
                lazy_gettext("std. error"),
                lazy_gettext("{level:.0%} interval", level=LEVEL),
            ),
        ),
        "",
        uncertainty(fit),
        _proof(fit),
    ]
    return with_notices(joined("\n", lines), fit.notices if notices else ())


def fit_html(fit: Fit) -> str:
    """Return a fit for a notebook."""
    return as_html(
        _title(fit),
        _rows(fit),
        params_frame(fit),
        uncertainty(fit),
        _proof(fit),
        notices=fit.notices,
    )


def _title(fit: Fit) -> str:
    return f"{fit.law.label}: {fit.law.response} = {' '.join(fit.law.formula.split())}"


def _rows(fit: Fit) -> str:
    rows = lazy_gettext(
        "{rows} of {table_id}",
        rows=lazy_ngettext("{n:,} row", "{n:,} rows", fit.n_rows),
        table_id=title_of(fit.table_id),
    )
    said = lazy_gettext("{rows}, objective {objective}", rows=rows, objective=fit.options.objective)
    column = fit.options.weights
    if not column:
        return said
    if fit.options.weight_kind == "standard_error":
        return lazy_gettext(
            "{said}, weighted by {column} as standard errors", said=said, column=column
        )
    return lazy_gettext("{said}, weighted by {column}", said=said, column=column)


def _proof(fit: Fit) -> str:
    """Say how sure it is that this is the global optimum."""
    certificate = fit.certificate
    if not certificate.n_starts:
        return lazy_gettext("Published parameters: nothing was searched for here.")
    return lazy_gettext(
        "Objective {objective_value:.10g}; {share_at_optimum:.0%} of "
        "{n_starts} starts reached it, {minima} found.",
        objective_value=fit.objective_value,
        share_at_optimum=certificate.share_at_optimum,
        n_starts=certificate.n_starts,
        minima=lazy_ngettext("{n:,} minimum", "{n:,} minima", certificate.n_minima),
    )


def _finite(value: float, spec: str) -> str:
    return f"{value:{spec}}" if np.isfinite(value) else ""

"""What a person should know of a fit that is nevertheless valid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from isoflop.fitting.intervals import parameter_interval
from isoflop.fitting.objective import Array
from isoflop.fitting.options import BY_ROW
from isoflop.fitting.result import BindingBound, Fit
from isoflop.fitting.row_notices import row_notices
from isoflop.fitting.weights import effective_rows
from isoflop.language import lazy_gettext, lazy_ngettext
from isoflop.laws.law import Law
from isoflop.notices import Notice

FEW_ROWS_PER_PARAM = 5
NEAR_SECOND_MINIMUM = 0.02
HIGH_CORRELATION = 0.98
OUTLIER_SIGMAS = 5.0
ILL_CONDITIONED = 1e9
NO_GAIN = 1e-6
"""Relative fall of the objective below which a bound decides nothing."""
MUCH_BETTER = 2.0
"""Ratio of objectives from which the fit without a bound is another fit."""
ROUNDING = 1e-6
"""Share of a loss that is rounding: losses are written with six digits at most."""
FLAT_ENOUGH = 1e-4
FEWEST_AGREEING = 3


def fit_notices(fit: Fit, inputs: Sequence[Array], clusters: Array, n_dropped: int) -> Fit:
    """Return the fit with everything worth knowing about it noted."""
    found = [
        *_about_rows(fit, inputs, clusters, n_dropped),
        *_about_optimum(fit),
        *_about_parameters(fit),
        *_about_residuals(fit),
        *_about_resampling(fit),
        *(row_notices(fit, fit.table) if fit.table is not None else ()),
    ]
    return replace(fit, notices=tuple(found))


def _about_rows(
    fit: Fit, inputs: Sequence[Array], clusters: Array, n_dropped: int
) -> Iterator[Notice]:
    n_params = len(fit.law.params)
    n_effective = fit.n_rows if fit.weights is None else effective_rows(fit.weights)
    if n_dropped:
        yield Notice(
            code="rows-without-values",
            severity="info",
            text=lazy_gettext(
                "{rows} left out because a column that the law needs is empty.",
                rows=lazy_ngettext("{n:,} row was", "{n:,} rows were", n_dropped),
            ),
            remedy=lazy_gettext("Fill in the column, or choose a law that does not need it."),
        )
    if n_effective < FEW_ROWS_PER_PARAM * n_params <= fit.n_rows:
        yield Notice(
            code="uneven-weights",
            severity="warning",
            text=lazy_gettext(
                "The weights are so uneven that {rows} say as much as "
                "{n_effective:.3g} of one weight, few for {parameters}.",
                rows=lazy_ngettext("{n:,} row", "{n:,} rows", fit.n_rows),
                n_effective=n_effective,
                parameters=lazy_ngettext("{n:,} parameter", "{n:,} parameters", n_params),
            ),
            remedy=lazy_gettext(
                "Trust the interval more than the number; check whether the smallest "
                "standard errors are real."
            ),
        )
    if fit.n_rows < FEW_ROWS_PER_PARAM * n_params:
        yield Notice(
            code="few-rows",
            severity="warning",
            text=lazy_gettext(
                "{rows} few for {parameters}.",
                rows=lazy_ngettext("{n:,} row is", "{n:,} rows are", fit.n_rows),
                parameters=lazy_ngettext("{n:,} parameter", "{n:,} parameters", n_params),
            ),
            remedy=lazy_gettext(
                "Trust the interval more than the number, add rows, or fit a smaller law."
            ),
        )
    for item, values in zip(fit.law.inputs, inputs, strict=True):
        if len(np.unique(values)) == 1:
            yield Notice(
                code="one-value",
                severity="serious",
                text=lazy_gettext(
                    "All rows have the same {column} ({values:.4g}).",
                    column=item.column,
                    values=values[0],
                ),
                remedy=lazy_gettext(
                    "Nothing can be learned about that input; add rows that vary it."
                ),
            )
    if {"N", "D"} <= set(fit.law.symbols):
        yield from _about_collinearity(fit, inputs)
    n_clusters = int(clusters.max()) + 1
    if n_clusters < fit.n_rows and fit.options.bootstrap in BY_ROW:
        yield Notice(
            code="clustered-rows",
            severity="warning",
            text=lazy_gettext(
                "The {rows} come from {runs} but are taken as independent, so the "
                "intervals are too narrow.",
                rows=lazy_ngettext("{n:,} row", "{n:,} rows", fit.n_rows),
                runs=lazy_ngettext("{n:,} run", "{n:,} runs", n_clusters),
            ),
            remedy=lazy_gettext("Resample whole runs (clusters)."),
        )


def _about_resampling(fit: Fit) -> Iterator[Notice]:
    if (
        fit.options.bootstrap == "wild"
        and fit.options.objective not in ("least_squares", "least_squares_log")
        and fit.draws is not None
    ):
        yield Notice(
            code="wild-under-huber",
            severity="warning",
            text=lazy_gettext(
                "The wild bootstrap is too narrow under a robust objective: in "
                "simulations its 90% bands held the truth in 60 to 80% of tables."
            ),
            remedy=lazy_gettext("Use it with least squares, or resample rows or whole runs."),
        )


def _about_collinearity(fit: Fit, inputs: Sequence[Array]) -> Iterator[Notice]:
    by_symbol = dict(zip(fit.law.symbols, inputs, strict=True))
    logs = np.log([by_symbol["N"], by_symbol["D"]])
    if np.min(np.ptp(logs, axis=1)) == 0:
        return
    correlation = float(np.corrcoef(logs)[0, 1])
    if abs(correlation) > HIGH_CORRELATION:
        yield Notice(
            code="collinear-inputs",
            severity="serious",
            text=lazy_gettext(
                "N and D rise together (correlation {correlation:.3f} of their "
                "logarithms), so their exponents can hardly be told apart.",
                correlation=correlation,
            ),
            remedy=lazy_gettext(
                "Add rows with other ratios of tokens to parameters, or tie the exponents."
            ),
        )


def _about_optimum(fit: Fit) -> Iterator[Notice]:
    certificate = fit.certificate
    binding = [bound for bound in certificate.bounds if _gain(bound) > 1 + NO_GAIN]
    if binding:
        hardest = max(binding, key=_gain)
        yield Notice(
            code="at-bound",
            severity="serious" if _gain(hardest) > MUCH_BETTER else "warning",
            text=" ".join(map(str, binding)),
            remedy=lazy_gettext(
                "The bound decides the value, not the rows: give other bounds where "
                "values beyond it are possible, such as {law}, or choose another law.",
                law=_wider(fit.law, hardest),
            ),
        )
    ran_off = [n for n in certificate.at_bound if n not in {b.name for b in certificate.bounds}]
    if ran_off:
        yield Notice(
            code="ran-off",
            severity="warning",
            text=lazy_ngettext(
                "{ran_off} ran off to where it changes nothing.",
                "{ran_off} ran off to where they change nothing.",
                len(ran_off),
                ran_off=", ".join(ran_off),
            ),
            remedy=lazy_gettext(
                "The rows do not determine it; choose a law without it, or add rows."
            ),
        )
    gap = certificate.gap_to_second
    if gap is not None and gap < NEAR_SECOND_MINIMUM:
        yield Notice(
            code="second-minimum-near",
            severity="warning",
            text=lazy_gettext(
                "Another minimum of the objective lies only {gap:.2%} above this one.", gap=gap
            ),
            remedy=lazy_gettext("Compare both; the rows hardly prefer one."),
        )
    if not certificate.gradient_norm <= FLAT_ENOUGH:  # nor is NaN flat
        is_number = np.isfinite(certificate.gradient_norm)
        size = lazy_gettext(
            "a scaled gradient of {gradient_norm:.1g}", gradient_norm=certificate.gradient_norm
        )
        yield Notice(
            code="not-polished",
            severity="serious",
            text=lazy_gettext(
                "The fit stopped with {size}.",
                size=size if is_number else lazy_gettext("a gradient that is no number"),
            ),
            remedy=lazy_gettext(
                "Its parameters are not a minimum. Try a smaller law, another "
                "objective or other starts, or fix a parameter that the rows hardly "
                "determine."
            )
            if is_number
            else lazy_gettext(
                "Look for the power or the logarithm of zero, or of a negative "
                "number, in the formula on these rows."
            ),
        )
    n_agreeing = round(certificate.share_at_optimum * certificate.n_starts)
    if certificate.n_starts > 0 and n_agreeing < FEWEST_AGREEING:
        yield Notice(
            code="optimum-unconfirmed",
            severity="warning",
            text=lazy_gettext(
                "Only {n_agreeing} of {n_starts} starts ended here, so a lower "
                "optimum may have been missed.",
                n_agreeing=n_agreeing,
                n_starts=certificate.n_starts,
            ),
            remedy=lazy_gettext(
                "Start from values that you think plausible, fix a parameter, or fit "
                "a law with fewer parameters."
            ),
        )
    if certificate.condition_number > ILL_CONDITIONED:
        yield Notice(
            code="ill-conditioned",
            severity="warning",
            text=lazy_gettext(
                "The parameters are nearly interchangeable (condition number "
                "{condition_number:.1g}).",
                condition_number=certificate.condition_number,
            ),
            remedy=lazy_gettext(
                "Trust predictions within the data more than individual parameters."
            ),
        )


def _gain(bound: BindingBound) -> float:
    """Return how many times lower the objective is without a bound."""
    return 1.0 if bound.objective_ratio is None else bound.objective_ratio


def _wider(law: Law, bound: BindingBound) -> str:
    """Write ends of a parameter that hold the fit without its bound, as options have them."""
    param = next(param for param in law.params if param.name == bound.name)
    nearest = bound.end if bound.value_without is None else bound.value_without
    end = float(f"{bound.end + 2 * (nearest - bound.end):.1g}")
    ends = (param.lower, end) if bound.is_upper else (end, param.upper)
    written = ("None" if np.isinf(value) else f"{value:g}" for value in ends)
    return f'params={{"{bound.name}": ({", ".join(written)})}}'


def _about_parameters(fit: Fit) -> Iterator[Notice]:
    if "E" not in fit.law.param_names or "E" in fit.certificate.at_bound:
        return
    ends = _floor_interval(fit)
    if ends is None:
        return
    low, high = ends
    if low < 0.05 * fit.values["E"] or high - low > fit.values["E"]:
        yield Notice(
            code="floor-not-identified",
            severity="warning",
            text=lazy_gettext(
                "The irreducible loss E is hardly determined: {low:.2f} to {high:.2f} at 90%.",
                low=low,
                high=high,
            ),
            remedy=lazy_gettext("Do not extrapolate far; runs at larger scale would pin it down."),
        )


def _floor_interval(fit: Fit) -> tuple[float, float] | None:
    """Return the 90% interval of E by draws, else by the covariance; None without either."""
    if fit.draws is None and fit.covariance is None:
        return None
    position = fit.law.param_names.index("E")
    _, lower, upper = parameter_interval(fit, 0.9)
    return float(lower[position]), float(upper[position])


def _about_residuals(fit: Fit) -> Iterator[Notice]:
    size = np.abs(fit.standardised_residuals)
    typical = max(1.4826 * float(np.median(size)), _rounding(fit))
    is_outlier = size > OUTLIER_SIGMAS * typical
    if is_outlier.any() and fit.n_rows > 2 * len(fit.law.params):
        worst = lazy_gettext("row {row_index}", row_index=int(fit.row_index[np.argmax(size)]))
        count = int(is_outlier.sum())
        yield Notice(
            code="outliers",
            severity="info",
            text=lazy_gettext(
                "{rows} more than {outlier_sigmas:.0f} robust standard deviations "
                "off the curve{furthest}{worst}.",
                rows=lazy_ngettext("{n:,} row lies", "{n:,} rows lie", count),
                outlier_sigmas=OUTLIER_SIGMAS,
                furthest=": " if count == 1 else lazy_gettext(", the furthest "),
                worst=worst,
            ),
            remedy=lazy_ngettext(
                "Check it, and see how the fit changes without it.",
                "Check them, and see how the fit changes without them.",
                count,
            ),
            rows=tuple(int(row) for row in fit.row_index[is_outlier]),
        )


def _rounding(fit: Fit) -> float:
    """Return the size of residuals that no measured loss has: rounding, of a law that is exact."""
    if fit.is_log:
        return ROUNDING
    inputs = fit.table.values(fit.law.response) if fit.table is not None else np.ones(1)
    return ROUNDING * float(np.nanmean(np.abs(inputs)))

"""The best size under a fitted law (approach 3 of Hoffmann et al.), in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.isoflop.line import Lines, PowerLine
from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext as _
from isoflop.laws import laws_for
from isoflop.tables.derive import FLOP_PER_PARAM_TOKEN


def optimum_lines(fit: Fit | None, flop_over_rule: float = 1.0) -> Lines:
    """Return the best size and tokens against compute of a parametric fit.

    Intervals come from the fit's draws.

    Parameters
    ----------
    fit : Fit or None
        Of a law that has the role ``parametric-fit``.
    flop_over_rule : float
        Compute over 6 N D, where a table counts it otherwise.

    Raises
    ------
    FitError
        If there is no fit, or its law has no such closed form.

    References
    ----------
    Hoffmann et al. 2022 (arXiv 2203.15556), equation 4.
    """
    if fit is None:
        fitted = laws_for("parametric-fit")[0].label
        raise FitError(_("The law {fitted} could not be fitted to these rows.", fitted=fitted))
    if "parametric-fit" not in fit.law.roles:
        raise FitError(
            _(
                "The best size under {label} is not a power of compute in closed form.",
                label=fit.law.label,
            ),
            hint=_(
                "Fit one of: {names}.",
                names=", ".join(law.label for law in laws_for("parametric-fit")),
            ),
        )
    centre = _closed_form(fit.law.param_names, fit.theta[None], flop_over_rule)[0]
    if not np.isfinite(centre).all():
        raise FitError(
            _("The fitted law has no compute-optimal size."),
            detail=_(
                "At a bound: {at_bound}.", at_bound=", ".join(fit.certificate.at_bound) or _("none")
            ),
        )
    draws = None
    reason = _("The fit carries no bootstrap draws.")
    if fit.draws is not None:
        draws = _closed_form(fit.law.param_names, fit.draws, flop_over_rule)
        draws, reason = draws[np.isfinite(draws).all(axis=(1, 2))], ""
    params_line, tokens_line = (
        PowerLine(
            exponent=float(centre[k, 0]),
            intercept=float(centre[k, 1]),
            draws=None if draws is None else draws[:, k],
            reason=reason,
        )
        for k in range(2)
    )
    return params_line, tokens_line


def _closed_form(
    names: Sequence[str], theta: NDArray[np.float64], flop_over_rule: float
) -> NDArray[np.float64]:
    """Return exponent and intercept of size and tokens, shape (n, 2, 2)."""
    by_name = dict(zip(names, theta.T, strict=True))
    alpha = by_name["alpha"]
    beta = by_name.get("beta", alpha)
    unit = np.log10(FLOP_PER_PARAM_TOKEN * flop_over_rule)
    with np.errstate(all="ignore"):
        size = np.log10(alpha * by_name["A"] / (beta * by_name["B"])) / (alpha + beta)
        a, b = beta / (alpha + beta), alpha / (alpha + beta)
        params = np.stack([a, size - a * unit], axis=1)
        tokens = np.stack([b, -size - b * unit], axis=1)
    return np.stack([params, tokens], axis=1)

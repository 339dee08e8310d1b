"""Predictions of a fit, with bands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import FitError
from isoflop.fitting.bands import Band, BandKind
from isoflop.fitting.intervals import small_sample
from isoflop.fitting.objective import Array
from isoflop.fitting.quantiles import t_quantile
from isoflop.language import lazy_gettext as _
from isoflop.language import sentences

if TYPE_CHECKING:
    from isoflop.fitting.options import PredictOptions
    from isoflop.fitting.result import Fit

_CHUNK = 400_000


def predict(fit: Fit, inputs: Mapping[str, ArrayLike]) -> Array:
    """Return the fitted loss.

    Parameters
    ----------
    fit : Fit
    inputs : mapping of str to array_like, shape (n,)
        Value of every input symbol.

    Returns
    -------
    ndarray, shape (n,)
    """
    return fit.law.loss(fit.theta, inputs)


def band(
    fit: Fit,
    inputs: Mapping[str, ArrayLike],
    level: float = 0.9,
    kind: BandKind = "confidence",
    *,
    is_simultaneous: bool = False,
) -> Band:
    """Return an interval around the predicted loss at each point.

    With bootstrap draws a confidence band reaches as far as the share ``level`` of the draws lies
    from the fitted curve (in log loss for log objectives): a symmetric percentile interval, whose
    error in coverage is smaller than that of one percentile on each side (Hall 1988), widened for
    small samples. A prediction band adds the residuals of single runs, which
    need not be symmetric. Without draws the interval comes from the covariance by the delta method.

    Parameters
    ----------
    fit : Fit
    inputs : mapping of str to array_like, shape (n,)
    level : float
        Nominal coverage, 0 to 1.
    kind : {"confidence", "prediction"}
    is_simultaneous : bool
        Let the level be that of the whole curve at once (sup-t over the points) instead of each
        point alone. Needs bootstrap draws and a confidence band.

    Raises
    ------
    FitError
        If there are neither draws nor a covariance, with the reason.

    References
    ----------
    Hall 1988, On symmetric bootstrap confidence intervals, Journal of the Royal Statistical
    Society B 50.
    """
    if not 0 < level < 1:
        raise FitError(
            _("The level of a band must lie between 0 and 1, not {level:g}.", level=level)
        )
    centre = predict(fit, inputs)
    points = {
        s: np.broadcast_to(np.asarray(inputs[s], float), centre.shape) for s in fit.law.symbols
    }
    if is_simultaneous:
        lower, upper = _simultaneous(fit, points, centre, level, kind)
    elif fit.draws is not None:
        lower, upper = _from_draws(fit, points, centre, level, kind)
    elif fit.covariance is not None:
        lower, upper = _from_covariance(fit, points, centre, level, kind)
    else:
        raise FitError(_("No band is available."), detail=fit.covariance_reason)
    outside = [
        (points[symbol] < low * (1 - 1e-9)) | (points[symbol] > high * (1 + 1e-9))
        for symbol, (low, high) in fit.input_ranges.items()
    ]
    return Band(
        lower=np.minimum(lower, centre),
        centre=centre,
        upper=np.maximum(upper, centre),
        level=level,
        kind=kind,
        is_extrapolation=np.any(outside, axis=0) if outside else np.zeros(len(centre), bool),
        is_simultaneous=is_simultaneous,
        inputs=points,
    )


def predicted(
    fit: Fit, inputs: Mapping[str, ArrayLike], options: PredictOptions
) -> tuple[Array, Band | None, str]:
    """Return the fitted loss with its band, or with the reason why there is none.

    Parameters
    ----------
    fit : Fit
    inputs : mapping of str to array_like, shape (n,)
    options : PredictOptions

    Returns
    -------
    (ndarray of shape (n,), Band or None, str)
    """
    losses = predict(fit, inputs)
    try:
        found = band(
            fit, inputs, options.level, options.kind, is_simultaneous=options.is_simultaneous
        )
    except FitError as error:
        return losses, None, sentences((error.summary, error.detail))
    return losses, found, ""


def _from_draws(
    fit: Fit, points: dict[str, Array], centre: Array, level: float, kind: BandKind
) -> tuple[Array, Array]:
    assert fit.draws is not None
    noise = _residual_noise(fit, 2 * len(fit.draws)) if kind == "prediction" else 0.0
    factor, tails = small_sample(fit, level), [50 * (1 - level), 50 * (1 + level)]
    size = max(1, _CHUNK // len(fit.draws))
    parts = []
    for i in range(0, len(centre), size):
        some = {symbol: values[i : i + size] for symbol, values in points.items()}
        losses, middle = fit.law.loss(fit.draws, some), centre[i : i + size]
        is_log = fit.is_log and bool((losses > 0).all() and (middle > 0).all())
        off = factor * (np.log(losses / middle) if is_log else losses - middle)
        scatter = noise if is_log or not fit.is_log else middle * np.expm1(noise)
        ends = np.percentile(np.concatenate([off, -off]) + scatter, tails, axis=0)
        parts.append(middle * np.exp(ends) if is_log else middle + ends)
    lower, upper = np.concatenate(parts, axis=1)
    return lower, upper


def _simultaneous(
    fit: Fit, points: dict[str, Array], centre: Array, level: float, kind: BandKind
) -> tuple[Array, Array]:
    """Return the sup-t band: the pointwise spread times one factor that covers whole curves.

    References
    ----------
    Montiel Olea and Plagborg-Moller 2019, Journal of Applied Econometrics 34.
    """
    if fit.draws is None or kind != "confidence":
        raise FitError(
            _("A simultaneous band needs bootstrap draws and is of the mean curve."),
            hint=_("Turn on the bootstrap and choose the confidence band."),
        )
    off = np.log(fit.law.loss(fit.draws, points) / centre)
    spread = off.std(axis=0)
    usable = spread > 0
    worst = np.max(np.abs(off[:, usable]) / spread[usable], axis=1, initial=0.0)
    reach = float(np.quantile(worst, level)) * spread * small_sample(fit, level)
    return centre * np.exp(-reach), centre * np.exp(reach)


def _residual_noise(fit: Fit, n_draws: int) -> Array:
    """Draw residuals for new runs, widened for the degrees of freedom that the fit used."""
    freedom = fit.n_rows - len(fit.law.params)
    if freedom <= 0:
        raise FitError(
            _("No prediction band is available."),
            detail=_("As many parameters as rows leave no residuals to judge a new run by."),
        )
    random = np.random.default_rng(fit.options.seed + 1)
    widened = fit.standardised_residuals * np.sqrt(fit.n_rows / freedom)
    return random.choice(widened, size=(n_draws, 1))


def _from_covariance(
    fit: Fit, points: dict[str, Array], centre: Array, level: float, kind: BandKind
) -> tuple[Array, Array]:
    assert fit.covariance is not None
    gradient = fit.law.gradient(fit.theta, points)
    covariance = np.nan_to_num(fit.covariance)
    variance = np.einsum("nj,jk,nk->n", gradient, covariance, gradient)
    if kind == "prediction":
        variance = variance + fit.residual_std**2 * (centre**2 if fit.is_log else 1.0)
    freedom = fit.n_rows - len(fit.law.params)
    reach = t_quantile(freedom, 0.5 + level / 2) * np.sqrt(np.maximum(variance, 0.0))
    return centre - reach, centre + reach

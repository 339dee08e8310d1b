"""The loss that so many accelerators reach in so long a time: P = f(S, R)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DoesNotFit
from isoflop.fitting import Fit
from isoflop.identity import Keyed
from isoflop.planning.constraints import (
    Setting,
    constraints_of,
    fixed_for,
    law_for,
    params_limit,
    tokens_along,
)
from isoflop.planning.frontier import SMALLEST_PARAMS, SMALLEST_TOKENS, best_along
from isoflop.planning.inputs import has_column, inputs_at
from isoflop.planning.rates import SIZES
from isoflop.units import HOUR_S, MONTH_S, YEAR_S

STEPS_AN_OCTAVE, N_TIMES = 2, 25
SPAN = 32.0
"""How far around the setting's own accelerators and time the surface reaches, as a factor."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface(Keyed):
    """The best loss over numbers of accelerators and times.

    Parameters
    ----------
    accelerators : ndarray, shape (n_counts,)
    wall_time_s : ndarray, shape (n_times,)
    loss, params, tokens : ndarray, shape (n_times, n_counts)
        NaN where nothing can be trained.
    response, loss_unit : str
        What is predicted, and in which unit.
    """

    accelerators: NDArray[np.float64]
    wall_time_s: NDArray[np.float64]
    loss: NDArray[np.float64]
    params: NDArray[np.float64]
    tokens: NDArray[np.float64]
    response: str = "loss"
    loss_unit: str = "unknown"
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        shape = f"{len(self.accelerators)} numbers of accelerators, {len(self.wall_time_s)} times"
        return f"<Surface: {shape}>"

    def to_frame(self) -> pd.DataFrame:
        """Return a row a point: accelerators, wall_time_s, params, tokens and the response."""
        counts, times = np.meshgrid(self.accelerators, self.wall_time_s)
        columns = {
            "accelerators": counts,
            "wall_time_s": times,
            "params": self.params,
            "tokens": self.tokens,
            self.response: self.loss,
        }
        return pd.DataFrame({name: values.ravel() for name, values in columns.items()})


def loss_surface(
    fit: Fit,
    setting: Setting,
    accelerators: ArrayLike | None = None,
    wall_time_s: ArrayLike | None = None,
    *,
    fixed: Mapping[str, float] | None = None,
) -> Surface:
    """Work out the best loss at every number of accelerators and time.

    Every other limit of the setting (money, disk, memory, unique tokens, FLOP) holds throughout.

    Parameters
    ----------
    fit : Fit
    setting : Setting
    accelerators : array_like, shape (n_counts,), optional
        By default around the setting's own, whole groups each.
    wall_time_s : array_like, shape (n_times,), optional
        By default around the setting's own, from an hour to five years.
    fixed : mapping of str to float, optional

    Returns
    -------
    Surface

    Raises
    ------
    PlanError
        If the MFU exceeds the ceiling, or money is to buy accelerators without a price.
    """
    counts = np.asarray(_counts(setting) if accelerators is None else accelerators, np.float64)
    times = np.asarray(_times(setting) if wall_time_s is None else wall_time_s, np.float64)
    settings = [
        replace(
            setting,
            budget=replace(
                setting.budget, accelerators=round(float(count)), wall_time_s=float(times[-1])
            ),
        )
        for count in counts
    ]
    loss, params, tokens = _best(fit, settings, times, fixed)
    return Surface(
        accelerators=counts,
        wall_time_s=times,
        loss=loss,
        params=params,
        tokens=tokens,
        response=fit.law.response,
        loss_unit=fit.loss_unit,
    )


def _counts(setting: Setting) -> NDArray[np.float64]:
    """Return numbers of accelerators around the setting's, whole groups each."""
    chosen, group = setting.budget.count, setting.group
    low, high = max(group, chosen / SPAN), chosen * SPAN
    # Powers of a fixed ratio, so that what is known of a number serves the next plan, too.
    first, last = (round(STEPS_AN_OCTAVE * np.log2(end)) for end in (low, high))
    counts = 2.0 ** (np.arange(first, last + 1) / STEPS_AN_OCTAVE)
    return np.unique(np.append(np.maximum(np.round(counts / group), 1) * group, chosen))


def _times(setting: Setting) -> NDArray[np.float64]:
    """Return times around the setting's, from an hour to five years."""
    chosen = setting.budget.wall_time_s or MONTH_S
    low, high = max(HOUR_S, chosen / SPAN), min(5 * YEAR_S, chosen * SPAN)
    around = np.geomspace(min(low, chosen), max(high, chosen), N_TIMES)
    return np.unique(np.append(around, chosen))


def _best(
    fit: Fit,
    settings: Sequence[Setting],
    times: NDArray[np.float64],
    fixed: Mapping[str, float] | None,
) -> NDArray[np.float64]:
    """Return the least loss, its params and tokens, shape (3, n_times, n_settings), as one batch.

    The settings differ in their accelerators alone.
    """
    found = np.full((3, len(times), len(settings)), np.nan)
    budget = settings[0].budget
    law = law_for(fit.law, budget)
    is_repeating = has_column(law, "unique_tokens")
    limits = [_limits(setting, times, is_repeating=is_repeating) for setting in settings]
    places = [place for place, limit in enumerate(limits) if limit is not None]
    able = [limit for limit in limits if limit is not None]
    if not able:
        return found
    largest = np.array([limit.largest for limit in able])[:, None]

    def tokens_of(params: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([limit.tokens(sizes) for limit, sizes in zip(able, params, strict=True)])

    known = fixed_for(budget, fixed)
    if budget.mfu is None and settings[0].rates is not None:
        # Speeds are kept at sizes a fifth apart: near its minimum the loss is level over more.
        sizes = np.broadcast_to(SIZES, (len(able), len(times), len(SIZES)))
        tokens = tokens_of(sizes)
        is_run = (tokens >= SMALLEST_TOKENS) & (sizes <= largest[..., None])
        asked = np.where(is_run, tokens, SMALLEST_TOKENS)
        loss = law.loss(fit.theta, inputs_at(law, sizes, asked, known, rule=settings[0].rule))
        loss = np.where(is_run, loss, np.inf)
        at = np.argmin(loss, axis=-1)[..., None]
        values = np.stack([np.take_along_axis(v, at, -1)[..., 0] for v in (loss, sizes, tokens)])
        found[:, :, places] = np.moveaxis(np.where(np.isfinite(values[0]), values, np.nan), 1, 2)
        return found
    best = best_along(
        law,
        fit.theta,
        tokens_of,
        rule=settings[0].rule,
        fixed=known,
        params_range=(SMALLEST_PARAMS, np.broadcast_to(largest, (len(able), len(times)))),
        may_be_empty=True,
    )
    values = np.array([best.loss, best.params, best.tokens])
    values = np.where(np.isfinite(best.loss), values, np.nan)
    found[:, :, places] = np.moveaxis(values, 1, 2)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """What some accelerators allow: the largest size, and at each time the tokens for a size.

    Parameters
    ----------
    largest : float
    tokens : callable
        Maps sizes, shape (n_times, m), to tokens of that shape.
    """

    largest: float
    tokens: Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _limits(setting: Setting, times: NDArray[np.float64], *, is_repeating: bool) -> _Limits | None:
    """Return what a number of accelerators allows at each time; None where it holds no model."""
    if setting.budget.count % setting.group:
        return None
    try:
        largest = params_limit(setting)
        found = constraints_of(setting, is_repeating=is_repeating, wall_time_s=times[:, None])
    except DoesNotFit:
        return None
    return _Limits(largest=largest, tokens=tokens_along(found))

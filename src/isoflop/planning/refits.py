"""Two fits of one law side by side: what changed from one to the other, and by how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.fitting import predict
from isoflop.fitting.diagnose import Diagnostics, bootstrap_interval, residuals
from isoflop.language import lazy_gettext as _
from isoflop.planning.inputs import inputs_at
from isoflop.planning.sensitivity import EXPONENT, SIZE, OptimumDraws, Target, optimum_draws
from isoflop.tables.schema import said_response
from isoflop.units import format_number

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One quantity under two fits.

    Parameters
    ----------
    name : str
    before, after : float
    before_interval, after_interval : (float, float) or None
        By the bootstrap.
    is_relative : bool
        Whether the change is a ratio.
    n_errors : float or None
        Change over the standard error of the first fit; None where there is none.
    digits : int
        That it is written with.
    """

    name: str
    before: float
    after: float
    before_interval: Interval | None = None
    after_interval: Interval | None = None
    is_relative: bool
    n_errors: float | None = None
    digits: int

    @property
    def change(self) -> float:
        """After minus before, or after over before minus 1; NaN where that is not defined."""
        if not self.is_relative:
            return self.after - self.before
        return self.after / self.before - 1 if self.before else float("nan")

    def write(self, value: float) -> str:
        """Write a value of it."""
        return format_number(value) if self.name == SIZE else f"{value:.{self.digits}g}"


def changes(
    before: Diagnostics, after: Diagnostics, target: Target, *, level: float = 0.9
) -> tuple[Change, ...]:
    """Return the optimum, the parameters and the typical residual under two fits of one law.

    Parameters
    ----------
    before, after : Diagnostics
    target : Target
        The budget of the optimum.
    level : float
        Of the intervals.
    """
    return (
        *_optimum(before, after, target, level),
        *_parameters(before, after, level),
        Change(
            name=_("residual SD"),
            before=residuals(before).scale,
            after=residuals(after).scale,
            is_relative=True,
            digits=3,
        ),
    )


def changes_frame(found: tuple[Change, ...]) -> pd.DataFrame:
    """Return changes as a table of numbers, a row each."""
    return pd.DataFrame(
        [
            {
                "before": item.before,
                "after": item.after,
                "change": item.change,
                "is_relative": item.is_relative,
                "standard_errors": item.n_errors,
            }
            for item in found
        ],
        index=pd.Index([item.name for item in found], name="quantity"),
    )


def _optimum(before: Diagnostics, after: Diagnostics, target: Target, level: float) -> list[Change]:
    first, second = (optimum_draws(setup, target) for setup in (before, after))
    if not (first.exists and second.exists):
        return []
    found = [
        Change(
            name=name,
            before=getattr(first, key),
            after=getattr(second, key),
            before_interval=first.interval(key, level),
            after_interval=second.interval(key, level),
            is_relative=is_relative,
            n_errors=_in_errors(
                getattr(first, key),
                getattr(second, key),
                None if first.draws is None else getattr(first.draws, key),
                is_log=is_relative,
            ),
            digits=5,
        )
        for name, key, is_relative in _OPTIMUM
    ]
    losses = [_loss(setup, one, target) for setup, one in ((before, first), (after, second))]
    name = _("{response} at N*", response=said_response(before.fit.law.response))
    return [
        *found,
        Change(name=name, before=losses[0], after=losses[1], is_relative=False, digits=5),
    ]


_OPTIMUM: tuple[tuple[str, Literal["params", "exponent"], bool], ...] = (
    (SIZE, "params", True),
    (EXPONENT, "exponent", False),
)


def _loss(setup: Diagnostics, optimum: OptimumDraws, target: Target) -> float:
    params = np.array([optimum.params])
    tokens = np.atleast_1d(target.rule.tokens(params, target.compute_flop))
    at = inputs_at(setup.fit.law, params, tokens, target.fixed, rule=target.rule)
    return float(predict(setup.fit, at)[0])


def _parameters(before: Diagnostics, after: Diagnostics, level: float) -> list[Change]:
    found = []
    for j, param in enumerate(before.fit.law.params):
        first, second = (setup.fit.values[param.name] for setup in (before, after))
        is_log = param.scale == "log" and first > 0 and second > 0
        draws = before.fit.draws
        found.append(
            Change(
                name=param.name,
                before=first,
                after=second,
                before_interval=bootstrap_interval(before.fit, param.name, level=level),
                after_interval=bootstrap_interval(after.fit, param.name, level=level),
                is_relative=is_log,
                n_errors=_in_errors(
                    first, second, None if draws is None else draws[:, j], is_log=is_log
                ),
                digits=5,
            )
        )
    return found


def _in_errors(
    before: float, after: float, draws: NDArray[np.float64] | None, *, is_log: bool
) -> float | None:
    """Return a change in standard errors of the first fit; None where there are none."""
    if draws is None:
        return None
    inward: Callable[..., NDArray[np.float64]] = np.log if is_log else np.asarray
    known = draws[np.isfinite(draws) & ((draws > 0) | (not is_log))]
    error = float(np.std(inward(known))) if len(known) > 1 else 0.0
    return float(inward(after) - inward(before)) / error if error > 0 else None

"""The limits of a budget, the most tokens each leaves to a model, and which of them bind.

Each limit's use grows with the tokens, so that for a model of N parameters all limits together
leave the least of the token counts that each leaves alone. The best plan lies on that edge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DoesNotFit, PlanError
from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext
from isoflop.laws import Law
from isoflop.options import option
from isoflop.planning import budget as sums
from isoflop.planning.cost import Site, usd_per_hour
from isoflop.planning.frontier import LARGEST_PARAMS, SMALLEST_PARAMS, best_along
from isoflop.planning.inputs import has_column, inputs_at, with_repetition
from isoflop.planning.rates import LayoutRates
from isoflop.planning.rule import FORWARD_SHARE, SIX_ND, ComputeRule, Correction
from isoflop.planning.schedule import Schedule
from isoflop.planning.serving import PricedInference, ServingCost
from isoflop.planning.speed import (
    Speed,
    batch_limit,
    is_batch_spent,
    nothing_fits,
    speed_of,
)
from isoflop.planning.storage import StorageNeed, StorageRule
from isoflop.planning.types import Accelerator, Budget, LimitKey, LimitUse, Optimum
from isoflop.units import HOUR_S, Dimension, format_number

Array = NDArray[np.float64]
Largest = Callable[[float, int], float]

RELAXATION = 1.1
TOUCHING = 1e-6
"""A limit binds when its use comes this close to it."""


_FIELD_OF: dict[LimitKey, str] = {
    "compute": "compute_flop",
    "time": "wall_time_s",
    "money": "usd",
    "storage": "storage_bytes",
    "unique_tokens": "unique_tokens",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One limit, as a bound on the tokens that a model of given size may be trained on.

    Parameters
    ----------
    key : str
    label : str
    dimension : str
        Of ``limit`` and of what ``use`` returns.
    limit : float
    use : callable
        Maps params and tokens to the amount used.
    largest_tokens : callable
        Maps params to the most tokens, infinite where the limit never binds.
    """

    key: LimitKey
    label: str
    dimension: Dimension
    limit: float
    use: Callable[[Array, Array], Array]
    largest_tokens: Callable[[Array], Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Everything that a plan's limits follow from, the law apart.

    Parameters
    ----------
    budget : Budget
    accelerator : Accelerator
    rule : ComputeRule
        How size and tokens make compute; its inference tokens are the budget's.
    site : Site
    storage : StorageRule
    total_params : callable, optional
        Maps N to all parameters, where N counts only some of them; checkpoints hold them all.
    largest_params : callable, optional
        Maps the memory of one accelerator, in bytes, and their number to the largest model that
        can be trained on all of them; without it memory is no limit.
    group : int
        Accelerators that share a copy of the model: their number is a multiple of it.
    rates : LayoutRates, optional
        To predict the utilisation by; without it the usual one is taken where none is given.
    batch_tokens : float, optional
        Tokens of a step; the critical batch limits them if absent.
    batch_factor : float
        Times the critical batch that a step may take.
    serving : ServingCost, optional
        What inference takes, where money pays for it; as its FLOP in training would if absent.
    schedule : Schedule
        Of the learning rate.
    """

    budget: Budget
    accelerator: Accelerator
    rule: ComputeRule = SIX_ND
    site: Site = field(default_factory=Site)
    storage: StorageRule = field(default_factory=StorageRule)
    total_params: Correction | None = None
    largest_params: Largest | None = None
    group: int = 1
    rates: LayoutRates | None = None
    batch_tokens: float | None = None
    batch_factor: float = 1.0
    serving: ServingCost | None = None
    schedule: Schedule = field(default_factory=Schedule)

    def inference_usd(self, params: float, speed: Speed) -> float | None:
        """Return what all inference of a model costs; None without a price."""
        demand = self.budget.lifetime_inference_tokens
        if not demand:
            return 0.0
        try:
            per_hour = usd_per_hour(self.budget, self.accelerator, self.site)
        except PlanError:
            return None
        if self.serving is not None:
            return float(self.serving(params)) * demand * per_hour / HOUR_S
        seconds = float(speed.seconds_per_token(params)) * self.budget.count
        return seconds * demand * FORWARD_SHARE * per_hour / HOUR_S

    def priced_rule(self, mfu: float) -> ComputeRule:
        """Return the rule with inference at its price, at one utilisation of training."""
        if self.serving is None:
            return self.rule
        device = self.accelerator.peak(self.budget.dtype) * mfu
        rate = device * sums.effective_goodput(self.budget)
        priced = PricedInference(serving=self.serving, rule=self.rule, flop_per_device_s=rate)
        return replace(self.rule, inference_ratio=priced)

    def resolved(self, params: float, speed: Speed) -> Budget:
        """Return the budget with the utilisation and goodput of one run, predicted or given."""
        return replace(
            self.budget,
            mfu=float(speed.share(params)),
            goodput=sums.effective_goodput(self.budget),
            accelerators=self.budget.count,
        )

    def __post_init__(self) -> None:
        inference = self.budget.lifetime_inference_tokens
        rule = replace(self.rule, lifetime_inference_tokens=inference)
        object.__setattr__(self, "rule", rule)

    def checkpoint_bytes(self, params: Array) -> Array:
        """Return the bytes of all checkpoints and logs kept of models of this size."""
        held = params if self.total_params is None else self.total_params(params)
        return np.asarray(held * self.storage.bytes_per_param + self.storage.logs_bytes)

    def storage_need(self, params: float, unique_tokens: float) -> StorageNeed:
        """Return the disk that a run takes, by component."""
        size = np.array([params])
        held = size if self.total_params is None else self.total_params(size)
        return self.storage.need(float(held[0]), unique_tokens)


def law_for(law: Law, budget: Budget) -> Law:
    """Return the law to plan with: with repetition where unique tokens are short and may repeat."""
    if budget.unique_tokens is None or not budget.may_repeat or not has_column(law, "tokens"):
        return law
    return with_repetition(law)


def fixed_for(budget: Budget, fixed: Mapping[str, float] | None) -> dict[str, float]:
    """Return the law's other inputs, with the budget's unique tokens."""
    known = dict(fixed or {})
    if budget.unique_tokens is not None:
        known.setdefault("unique_tokens", budget.unique_tokens)
    return known


def constraints_of(
    setting: Setting,
    *,
    is_repeating: bool,
    wall_time_s: Array | None = None,
    speed: Speed | None = None,
) -> tuple[Constraint, ...]:
    """Return every limit on the tokens that a budget sets.

    Parameters
    ----------
    setting : Setting
    is_repeating : bool
        Whether the law knows what repeated tokens are worth, so that unique tokens are no bound.
    wall_time_s : ndarray, shape (n, 1), optional
        Many times in place of the budget's: a batch of edges.
    speed : Speed, optional
        As `speed_along` gives it, where it is known already.

    Raises
    ------
    PlanError
        If the MFU exceeds the ceiling, or money is to buy accelerators without a price, or is the
        only limit on accelerators that cost nothing.
    """
    times = setting.budget.wall_time_s if wall_time_s is None else wall_time_s
    if speed is None:
        speed = speed_along(setting, is_repeating=is_repeating, wall_time_s=wall_time_s)
    return _limits(setting, speed, times, is_repeating=is_repeating)


def speed_along(setting: Setting, *, is_repeating: bool, wall_time_s: Array | None = None) -> Speed:
    """Return how fast models train that use all that the limits of a budget leave them.

    Parameters
    ----------
    setting, is_repeating, wall_time_s
        As `constraints_of`.

    Raises
    ------
    PlanError
        As `constraints_of`.
    """
    times = setting.budget.wall_time_s if wall_time_s is None else wall_time_s

    def edge(speed: Speed) -> Callable[[Array], Array]:
        return tokens_along(_limits(setting, speed, times, is_repeating=is_repeating))

    return speed_of(setting, edge)


def speed_at(setting: Setting, tokens: float) -> Speed:
    """Return how fast models train on so many tokens each.

    Raises
    ------
    PlanError
        As `constraints_of`.
    """
    return speed_of(setting, lambda _: lambda sizes: np.full_like(sizes, tokens))


def _limits(
    setting: Setting, speed: Speed, times: float | Array | None, *, is_repeating: bool
) -> tuple[Constraint, ...]:
    """Return every limit at some speed of training."""
    budget = setting.budget
    found = []
    if budget.compute_flop is not None:
        found.append(_compute(setting.rule, budget.compute_flop))
    if times is not None:
        found.append(_time(times, speed))
    if budget.usd is not None:
        found.append(_money(setting, budget.usd, speed, is_alone=not found))
    if budget.storage_bytes is not None:
        found.append(_storage(setting, budget.storage_bytes))
    if budget.unique_tokens is not None and not is_repeating:
        found.append(_unique(budget.unique_tokens))
    return tuple(found)


def _label(key: LimitKey) -> str:
    """Return a limit's name, which is that of the part of the budget."""
    return option(Budget, _FIELD_OF[key]).label


def _compute(rule: ComputeRule, limit: float) -> Constraint:
    """Return the limit on FLOP, which training and inference share."""
    return Constraint(
        key="compute",
        label=_label("compute"),
        dimension="flop",
        limit=limit,
        use=rule.lifetime_flop,
        largest_tokens=lambda params: rule.tokens(params, limit),
    )


def _time(limit: float | Array, speed: Speed) -> Constraint:
    """Return the limit on the time of training; inference comes after it."""
    return Constraint(
        key="time",
        label=_label("time"),
        dimension="seconds",
        limit=float(np.max(limit)),
        use=lambda params, tokens: speed.seconds_per_token(params) * tokens,
        largest_tokens=lambda params: np.asarray(limit / speed.seconds_per_token(params)),
    )


def _money(setting: Setting, limit: float, speed: Speed, *, is_alone: bool) -> Constraint:
    """Return the limit on money, which hours, people, data and checkpoints all cost."""
    rule, storage, budget = setting.rule, setting.storage, setting.budget
    per_hour = usd_per_hour(budget, setting.accelerator, setting.site)
    site = setting.site
    per_s = budget.count * per_hour * site.hours_bought / HOUR_S + site.staff_usd_per_s
    if is_alone and per_s == 0:
        raise sums.free_of_charge(setting.accelerator)

    def usd_per_token(params: Array) -> Array:
        return speed.seconds_per_token(params) * per_s

    def inference_usd(params: Array) -> Array:
        demand = rule.lifetime_inference_tokens
        if setting.serving is None or not demand:
            hourly = speed.seconds_per_token(params) * (budget.count * per_hour / HOUR_S)
            return np.asarray(hourly * demand * FORWARD_SHARE)
        return np.asarray(setting.serving(params) * demand * per_hour / HOUR_S)

    per_byte = setting.site.usd_per_byte
    unique = setting.budget.unique_tokens or np.inf
    per_token = per_byte * storage.bytes_per_token

    def use(params: Array, tokens: Array) -> Array:
        kept = setting.checkpoint_bytes(params)
        data = np.minimum(tokens, unique) * per_token
        used = inference_usd(params)
        used = used + site.data_usd + kept * per_byte
        return np.asarray(usd_per_token(params) * tokens + used + data)

    def largest_tokens(params: Array) -> Array:
        left = limit - site.data_usd - setting.checkpoint_bytes(params) * per_byte
        flop_usd = usd_per_token(params)
        left = left - inference_usd(params)
        with np.errstate(divide="ignore", invalid="ignore"):
            fresh = np.where(left > 0, left / (flop_usd + per_token), 0.0)
            repeated = np.where(
                left > per_token * unique, (left - per_token * unique) / flop_usd, 0
            )
        return np.where(fresh <= unique, fresh, repeated) if np.isfinite(unique) else fresh

    return Constraint(
        key="money", label=_label("money"), dimension="usd", limit=limit, use=use,
        largest_tokens=largest_tokens,
    )  # fmt: skip


def _storage(setting: Setting, limit: float) -> Constraint:
    """Return the limit on disk, which unique tokens and checkpoints fill."""
    rule = setting.storage
    unique = setting.budget.unique_tokens or np.inf

    def use(params: Array, tokens: Array) -> Array:
        data = np.minimum(tokens, unique) * rule.bytes_per_token
        return np.asarray(data + setting.checkpoint_bytes(params))

    def largest_tokens(params: Array) -> Array:
        tokens = (limit - setting.checkpoint_bytes(params)) / rule.bytes_per_token
        return np.where(tokens >= unique, np.inf, tokens)

    return Constraint(
        key="storage", label=_label("storage"), dimension="bytes", limit=limit, use=use,
        largest_tokens=largest_tokens,
    )  # fmt: skip


def _unique(limit: float) -> Constraint:
    """Return the limit on tokens where none may be seen twice."""
    return Constraint(
        key="unique_tokens",
        label=_label("unique_tokens"),
        dimension="tokens",
        limit=limit,
        use=lambda params, tokens: np.broadcast_arrays(tokens, params)[0],
        largest_tokens=lambda params: np.full_like(params, limit),
    )


def tokens_along(constraints: tuple[Constraint, ...]) -> Callable[[Array], Array]:
    """Return the function that maps a size to the most tokens that all limits leave it."""

    def tokens_of(params: Array) -> Array:
        allowed = [constraint.largest_tokens(params) for constraint in constraints]
        return np.asarray(np.minimum.reduce(np.broadcast_arrays(*allowed)), dtype=np.float64)

    return tokens_of


def best_plan(
    law: Law,
    theta: Array,
    setting: Setting,
    fixed: Mapping[str, float] | None = None,
    *,
    speed: Speed | None = None,
) -> Optimum:
    """Find the model of least loss that all limits of a budget allow.

    Parameters
    ----------
    law : Law
        As the user fitted it; repetition is added where the budget asks for it.
    theta : array_like, shape (..., n_params)
    setting : Setting
    fixed : mapping of str to float, optional
        The law's other inputs, by table column.
    speed : Speed, optional
        As `speed_along` gives it, where it is known already.

    Returns
    -------
    Optimum
        Where memory keeps the model from growing, it lies at the end of the range and
        ``is_interior`` is False.

    Raises
    ------
    DoesNotFit
        If the accelerators hold no model at all.
    PlanError
        If nothing can be trained within the limits, or an input is missing.
    """
    planned = law_for(law, setting.budget)
    is_repeating = has_column(planned, "unique_tokens")
    return best_along(
        planned,
        theta,
        tokens_along(constraints_of(setting, is_repeating=is_repeating, speed=speed)),
        rule=setting.rule,
        fixed=fixed_for(setting.budget, fixed),
        params_range=(SMALLEST_PARAMS, params_limit(setting)),
    )


def params_limit(setting: Setting) -> float:
    """Return the largest model that the memory allows.

    Raises
    ------
    DoesNotFit
        If that is none.
    """
    if setting.largest_params is None:
        return LARGEST_PARAMS
    largest = setting.largest_params(setting.accelerator.memory_bytes, setting.budget.count)
    if largest <= SMALLEST_PARAMS:
        raise nothing_fits(setting)
    return largest


def limit_uses(
    fit: Fit,
    setting: Setting,
    best: Optimum,
    fixed: Mapping[str, float] | None = None,
    *,
    speed: Speed,
    batch_tokens: float,
    is_size_held: bool = False,
    are_tokens_held: bool = False,
) -> tuple[LimitUse, ...]:
    """Say what a plan uses of every limit, which bind, and what a tenth more would buy.

    Parameters
    ----------
    fit : Fit
    setting : Setting
    best : Optimum
        As `best_plan` gives it for ``fit.theta``.
    fixed : mapping of str to float, optional
    speed : Speed
        Of models along the edge that the run lies on.
    batch_tokens : float
        Of a step.
    is_size_held : bool
        Whether the model keeps its size when a limit is relaxed: more tokens are all that it buys.
    are_tokens_held : bool
        Whether its tokens are held too: more of a limit buys nothing.
    """
    planned = law_for(fit.law, setting.budget)
    is_repeating = has_column(planned, "unique_tokens")
    limits = constraints_of(setting, is_repeating=is_repeating, speed=speed)
    found: list[_Found] = [
        (c.key, c.label, c.dimension, c.limit, float(c.use(best.params, best.tokens)))
        for c in limits
    ]
    if setting.budget.unique_tokens is not None and is_repeating:
        unique = setting.budget.unique_tokens
        found.append(
            ("unique_tokens", _label("unique_tokens"), "tokens", unique, float(best.tokens))
        )
    if setting.largest_params is not None:
        limit = params_limit(setting)
        found.append(("memory", lazy_gettext("Memory"), "params", limit, float(best.params)))
    if setting.budget.mfu is None and setting.rates is not None and setting.batch_tokens is None:
        limit = float(batch_limit(setting, best.tokens))
        found.append(("batch", lazy_gettext("Critical batch"), "tokens", limit, batch_tokens))
    # More of what is not used up buys nothing.
    spent = [] if are_tokens_held else [use[0] for use in found if _is_spent(setting, best, use)]
    settings = [_relaxed(setting, key) for key in spent]
    if is_size_held:
        losses = [_loss_of_size(fit, each, float(best.params), fixed) for each in settings]
    else:
        losses = _best_losses(fit.law, fit.theta, settings, fixed)
    relaxed = dict(zip(spent, losses, strict=True))
    loss = float(best.loss)
    return tuple(
        LimitUse(
            key=key,
            label=label,
            dimension=dimension,
            limit=limit,
            used=used,
            is_binding=relaxed.get(key, loss) < loss,
            relaxed_loss=relaxed.get(key, loss),
            gain=max(0.0, loss - relaxed.get(key, loss)),
        )
        for key, label, dimension, limit, used in found
    )


_Found = tuple[LimitKey, str, Dimension, float, float]
"""Key, label and dimension of a limit, how much there is, and how much is used."""


def _is_spent(setting: Setting, best: Optimum, found: _Found) -> bool:
    """Say whether all of a limit is used; of a batch, whether a tenth less would be slower."""
    key, *_, limit, used = found
    if key == "batch":
        return is_batch_spent(setting, float(best.params), float(best.tokens), RELAXATION)
    return used >= limit * (1 - TOUCHING)


def _loss_of_size(
    fit: Fit, setting: Setting, params: float, fixed: Mapping[str, float] | None
) -> float:
    """Return the loss of a model of one size on all tokens that a setting leaves it."""
    law = law_for(fit.law, setting.budget)
    edge = tokens_along(constraints_of(setting, is_repeating=has_column(law, "unique_tokens")))
    size = np.array([params])
    known = fixed_for(setting.budget, fixed)
    inputs = inputs_at(law, size, edge(size), known, rule=setting.rule)
    return float(law.loss(fit.theta, inputs)[0])


def _best_losses(
    law: Law, theta: Array, settings: Sequence[Setting], fixed: Mapping[str, float] | None
) -> list[float]:
    """Return the loss of the best plan in each of some settings that differ in a limit.

    All of them together, since each alone would take as many evaluations of the law.
    """
    if not settings:
        return []
    first = settings[0]
    planned = law_for(law, first.budget)
    is_repeating = has_column(planned, "unique_tokens")
    edges = [tokens_along(constraints_of(s, is_repeating=is_repeating)) for s in settings]

    def tokens_of(params: Array) -> Array:
        sizes = np.broadcast_to(params, (len(edges), params.shape[-1]))
        return np.stack([edge(row) for edge, row in zip(edges, sizes, strict=True)])

    known = [fixed_for(setting.budget, fixed) for setting in settings]
    best = best_along(
        planned,
        theta,
        tokens_of,
        rule=first.rule,
        fixed={name: np.array([[one[name]] for one in known]) for name in known[0]},
        params_range=(SMALLEST_PARAMS, np.array([params_limit(s) for s in settings])),
    )
    return [float(loss) for loss in best.loss]


def _relaxed(setting: Setting, key: LimitKey) -> Setting:
    """Return the setting with one limit a tenth higher."""
    if key == "memory":
        memory = setting.accelerator.memory_bytes * RELAXATION
        return replace(setting, accelerator=replace(setting.accelerator, memory_bytes=memory))
    if key == "batch":
        return replace(setting, batch_factor=setting.batch_factor * RELAXATION)
    name = _FIELD_OF[key]
    return replace(
        setting,
        budget=replace(setting.budget, **{name: getattr(setting.budget, name) * RELAXATION}),
    )


def require_within(setting: Setting, params: float) -> None:
    """Refuse a model size that the memory does not allow.

    Raises
    ------
    DoesNotFit
        With the largest size that fits.
    """
    largest = params_limit(setting)
    if params > largest:
        raise DoesNotFit(
            lazy_gettext(
                "A model of {params} parameters does not fit.", params=format_number(params)
            ),
            detail=lazy_gettext(
                "The largest for {count:,} x {label} has {largest}.",
                count=setting.budget.count,
                label=setting.accelerator.label,
                largest=format_number(largest),
            ),
            hint=lazy_gettext(
                "Shard more, split over more accelerators, recompute activations, or shrink it."
            ),
        )

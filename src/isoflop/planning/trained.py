"""How a planned run is trained: layout, batch, utilisation and goodput, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, hypot, log, log1p, sqrt

from isoflop.accounting import Architecture, Recompute, find_family
from isoflop.accounting.shapes import CountedParams, propose_shape
from isoflop.errors import PlanError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.planning import budget as sums
from isoflop.planning.constraints import Setting
from isoflop.planning.failures import Interruptions, interruptions
from isoflop.planning.layout_search import FoundLayout, LayoutSearch, best_layout, least_batch
from isoflop.planning.speed import FAST_ENOUGH, Speed, batch_limit
from isoflop.planning.step_constants import load_fitted_steps, load_step_error, step_class
from isoflop.planning.step_time import step_time, time_ratios
from isoflop.planning.types import SPREAD_LEVEL, Interval, Training
from isoflop.planning.whole_runs import LARGE_FLOP, load_whole_runs

SPREAD_SIGMA = 1.2816
"""Standard deviations on either side of the middle 80%."""

RECOMPUTED: dict[Recompute, str] = {
    "none": _("nothing recomputed"),
    "selective": _("norms and activation functions recomputed"),
    "full": _("all activations recomputed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a run is trained, and how far its hours may be off.

    Parameters
    ----------
    training : Training
    spread : (float, float) or None
        As `isoflop.planning.Cost`.
    wall_time_s : float
    """

    training: Training
    spread: tuple[float, float] | None
    wall_time_s: float


def laid_out(setting: Setting, params: float, batch_tokens: float) -> FoundLayout | None:
    """Return the fastest layout of a model of this size; None where it cannot be built or held.

    Parameters
    ----------
    setting : Setting
        With a search of layouts.
    params : float
    batch_tokens : float
        Most tokens of a step.
    """
    return (
        None if setting.rates is None else _found(setting, _search(setting), params, batch_tokens)
    )


def _search(setting: Setting) -> LayoutSearch:
    assert setting.rates is not None
    return setting.rates.on(setting.accelerator).search


def _found(
    setting: Setting, search: LayoutSearch, params: float, batch_tokens: float
) -> FoundLayout | None:
    shape = _shape(setting, search, params)
    if shape is None:
        return None
    return best_layout(search, shape, setting.budget.count, batch_tokens)


def _shape(setting: Setting, search: LayoutSearch, params: float) -> Architecture | None:
    """Return a model of the family of this size; None where there is none."""
    assert setting.rates is not None
    return _proposed(setting.rates.family, params, setting.rates.count, search.tensor or 1)


@once(max_entries=256)
def _proposed(
    family: str, params: float, count: CountedParams, heads_multiple: int
) -> Architecture | None:
    try:
        shape = propose_shape(
            find_family(family), params, count=count, heads_multiple=heads_multiple
        )
    except PlanError:
        return None
    return shape.architecture


def batch_of(setting: Setting, params: float, tokens: float) -> float:
    """Return the tokens of a step: the fewest nearly as fast as the most that are allowed."""
    limit = float(batch_limit(setting, tokens))
    if setting.batch_tokens is not None or setting.rates is None:
        return limit
    search = _search(setting)
    shape = _shape(setting, search, params)
    if shape is None:
        return limit
    return least_batch(search, shape, setting.budget.count, limit, FAST_ENOUGH) or limit


def training_of(
    setting: Setting, params: float, tokens: float, speed: Speed, batch_tokens: float
) -> Run:
    """Return how a run is trained.

    Parameters
    ----------
    setting : Setting
    params, tokens : float
    speed : Speed
        Of models along the edge that the run lies on.
    batch_tokens : float
        Of a step.
    """
    budget, batch = setting.budget, batch_tokens
    mfu = float(speed.share(params))
    failing = interruptions(budget.count, budget.failures)
    goodput = failing.goodput if budget.goodput is None else budget.goodput
    found = laid_out(setting, params, batch)
    is_moe = found is not None and found.step.architecture.is_moe
    is_own_mfu = budget.mfu is not None
    realised = 1.0 if is_own_mfu else sums.effective_realised(budget)
    flop = float(setting.rule.training_flop(params, tokens))
    ratios = None if is_own_mfu else _ratios(setting, flop, is_moe=is_moe)
    wall_s = float(speed.seconds_per_token(params)) * tokens
    training = Training(
        mfu=mfu,
        mfu_interval=None if ratios is None else _interval(mfu / ratios[1], mfu / ratios[0]),
        is_own_mfu=is_own_mfu,
        goodput=goodput,
        goodput_interval=(
            _interval(failing.goodput_lower, failing.goodput_upper)
            if budget.goodput is None
            else None
        ),
        is_own_goodput=budget.goodput is not None,
        realised=realised,
        batch_tokens=batch,
        batch_limit_tokens=float(batch_limit(setting, tokens)),
        step_s=wall_s * goodput / tokens * batch,
        layout="" if found is None else described(found),
        time_shares={} if found is None else _shares(found, realised),
        evidence="" if is_own_mfu else evidence(setting, flop),
        schedule=setting.schedule.described(tokens),
        save_interval_s=failing.interval_s,
        best_save_interval_s=failing.best_interval_s,
        saves=failing.saves(wall_s),
        expected_failures=failing.expected(wall_s),
    )
    if found is not None and not _search(setting).is_free:
        training = _beside_the_best(setting, training, params, batch, found)
    return Run(
        training=training, spread=_spread(ratios, failing, training, wall_s), wall_time_s=wall_s
    )


def _ratios(setting: Setting, flop: float, *, is_moe: bool) -> tuple[float, float]:
    """Return between which multiples of the predicted time 80% of runs should lie.

    Of tuned steps where the person says what the run makes of them; else of whole runs, and never
    narrower than of the steps.
    """
    lower, upper = time_ratios(setting.accelerator, is_moe=is_moe)
    if setting.budget.realised is not None:
        return lower, upper
    whole_lower, whole_upper = load_whole_runs().ratios(flop)
    return min(lower, whole_lower), max(upper, whole_upper)


def _interval(lower: float, upper: float) -> Interval:
    return Interval(lower=lower, upper=upper, level=SPREAD_LEVEL, kind="prediction")


def _shares(found: FoundLayout, realised: float) -> dict[str, float]:
    time = step_time(found.step)
    parts = time.by_component.items()
    shares = {name: realised * part / time.total_s for name, part in parts if part}
    return shares if realised == 1 else shares | {_("whole run"): 1 - realised}


def _beside_the_best(
    setting: Setting, training: Training, params: float, batch: float, found: FoundLayout
) -> Training:
    """Add what the best of all layouts would be, where some degrees were given."""
    search = _search(setting)
    free = LayoutSearch(
        accelerator=search.accelerator,
        dtype=search.dtype,
        sequence=search.sequence,
        sequence_parallel=search.sequence_parallel,
        flash_attention=search.flash_attention,
        fused_mlp=search.fused_mlp,
        optimizer=search.optimizer,
        headroom=search.headroom,
        must_fit=search.must_fit,
    )
    best = _found(setting, free, params, batch)
    if best is None or best.tokens_per_s <= found.tokens_per_s:
        return training
    faster = best.tokens_per_s / found.tokens_per_s
    shares = _shares(best, training.realised)
    return replace(
        training,
        best_layout=described(best),
        best_mfu=training.mfu * faster,
        best_time_shares={name: share / faster for name, share in shares.items()},
    )


def described(found: FoundLayout) -> str:
    """Write a layout in words."""
    step = found.step
    parts = [
        str(step.layout),
        _("micro-batch {size} x {count:,}", size=step.micro_batch, count=step.micro_batches),
        RECOMPUTED[step.recompute],
    ]
    if found.idle:
        parts.append(_("{idle:,} idle", idle=found.idle))
    return joined("; ", parts)


def evidence(setting: Setting, flop: float) -> str:
    """Say what a predicted utilisation rests on, and how far it is off elsewhere."""
    found, is_measured = step_class(setting.accelerator)
    known, other = load_step_error("tenth"), load_step_error("source")
    near = "" if is_measured else _(", of which none is this accelerator's")
    text = _(
        "the fastest layout by {n_rows} measured steps, {label}{near} "
        "({fitted}; off by {median:.0%}, at most {p90:.0%} for nine in ten, "
        "where a tenth was kept back, by {median2:.0%} and {p902:.0%} where "
        "a whole source was)",
        n_rows=other.n_rows,
        label=found.label,
        near=near,
        fitted=load_fitted_steps().fitted,
        median=known.median,
        p90=known.p90,
        median2=other.median,
        p902=other.p90,
    )
    if setting.budget.realised is not None:
        return _(
            "{text}, at {realised:.0%} of its speed, your own",
            text=text,
            realised=setting.budget.realised,
        )
    whole = load_whole_runs()
    text = _(
        "{text}, at {share:.0%} of its speed as {n_runs} published runs made",
        text=text,
        share=whole.share,
        n_runs=whole.n_runs,
    )
    if flop < LARGE_FLOP:
        return text
    return _(
        "{text}; of {n_large} runs as large as this one some made all of it, "
        "and took {large_lower:.0%} of the hours that it gives",
        text=text,
        n_large=whole.n_large,
        large_lower=whole.large_lower,
    )


def _spread(
    ratios: tuple[float, float] | None, failing: Interruptions, training: Training, wall_s: float
) -> tuple[float, float] | None:
    """Return the ends of the hours' interval, all errors taken as independent.

    They are those of the utilisation, of the rate of failures, and of how many come by chance: the
    root of those expected, each of which costs the restart and half of what is trained between
    saves.
    """
    if ratios is None and training.is_own_goodput:
        return None
    logs = [(0.0, 0.0)]
    if ratios is not None:
        logs.append((log(ratios[0]), log(ratios[1])))
    if not training.is_own_goodput:
        goodput = training.goodput
        logs.append((log(goodput / failing.goodput_upper), log(goodput / failing.goodput_lower)))
        lost_s = failing.failures.restart_s + failing.interval_s / 2
        by_chance = SPREAD_SIGMA * sqrt(training.expected_failures) * lost_s / wall_s
        logs.append((log1p(by_chance), log1p(by_chance)))
    lower, upper = (hypot(*(ends[side] for ends in logs)) for side in (0, 1))
    return exp(-lower), exp(upper)

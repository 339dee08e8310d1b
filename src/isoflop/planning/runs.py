"""Published training runs, and how our sums compare with what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoflop.accounting import Architecture, count_flop, find_family, find_model
from isoflop.accounting.shapes import propose_shape
from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError
from isoflop.language import lazy_gettext
from isoflop.once import once
from isoflop.planning.failures import interruptions
from isoflop.planning.hardware import find_accelerator
from isoflop.planning.hyperparameters import largest_batch_tokens
from isoflop.planning.layout_search import LayoutSearch, best_layout
from isoflop.planning.measured_steps import load_measured_steps
from isoflop.planning.rule import SIX_ND
from isoflop.planning.step_constants import INTERVAL_LEVEL
from isoflop.planning.types import Accelerator, Dtype, Interval
from isoflop.planning.usual import DEFAULT_FAMILY, usual_mfu
from isoflop.planning.whole_runs import load_whole_runs, shares_without_source
from isoflop.units import HOUR_S, MONTH_S

RUNS_FILE = "published_runs.toml"
CLOSE_RATIO = 1.05
"""Counts within 5% of each other agree, conventions being what they are."""
NEAR_RATIO = 2.0
"""Hours within a factor of two are near."""

_REQUIRED = frozenset({"label", "params", "tokens", "reason", "source", "retrieved"})
_OPTIONAL = frozenset(
    {
        "params_active", "model", "attention", "accelerator", "other_hardware", "accelerators",
        "accelerator_hours", "published_flop", "published_mfu", "loss", "loss_note", "unverified",
        "dtype",
    }
)  # fmt: skip
_ATTENTION = frozenset({"layers", "width", "context"})
FIGURES = frozenset(
    {"params", "tokens", "accelerators", "accelerator_hours", "published_flop", "published_mfu"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """One training run as its authors describe it.

    Parameters
    ----------
    key, label : str
    params, params_active : float
        The same for a dense model.
    tokens : float
    shape : Architecture or None
        None where it is not known.
    context : int or None
        Tokens of a sequence; None where neither shape nor attention is known.
    dtype : str or None
        Of the matrix products, where it is not the accelerator's usual one.
    attention_flop_per_token : float or None
        Training FLOP of attention by PaLM's appendix B; None where the shape is not known.
    exact_flop_per_token : float or None
        All training FLOP by Chinchilla's appendix F; None where the full shape is not known.
    accelerator : Accelerator or None
        None for hardware that the catalog lacks.
    hardware : str
        For a person.
    accelerators : int or None
    accelerator_hours : float or None
        Of all accelerators together.
    published_flop : float or None
    published_mfu : (float, float) or None
        Range of the utilisation reported.
    loss : float or None
    loss_note : str
    reason : str
        Why our sums and the published ones differ.
    source, retrieved : str
    unverified : tuple of str
        Figures that no source was seen for, or that were assumed there.
    """

    key: str
    label: str
    params: float
    params_active: float
    tokens: float
    shape: Architecture | None
    context: int | None
    dtype: Dtype | None
    attention_flop_per_token: float | None
    exact_flop_per_token: float | None
    accelerator: Accelerator | None
    hardware: str
    accelerators: int | None
    accelerator_hours: float | None
    published_flop: float | None
    published_mfu: tuple[float, float] | None
    loss: float | None
    loss_note: str
    reason: str
    source: str
    retrieved: str
    unverified: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCheck:
    """Our sums of one published run.

    Parameters
    ----------
    run : PublishedRun
    flop_6nd : float
        6 FLOP for each active parameter and token.
    flop_with_attention : float or None
    flop_exact : float or None
        By Chinchilla's appendix F: embeddings, attention, softmax and head.
    flop_ratio, attention_ratio, exact_ratio : float or None
        The three over the published FLOP.
    implied_mfu : float or None
        Share of the peak that ``flop_6nd`` makes over the published hours; restarts and all else
        that was not training lower it.
    implied_mfu_with_attention : float or None
    tuned_hours : float or None
        Accelerator-hours in the fastest layout within the critical batch, at the usual rate of
        failures; None where no layout fits or the hardware is not known.
    planned_hours : float or None
        Those at the speed that whole runs of other sources made of it: what a plan would have said.
    planned_interval : Interval or None
        Of the planned hours.
    planned_mfu : float or None
        6ND over the planned hours, as ``implied_mfu`` is over the published.
    is_held_out : bool
        Whether no step of this model is among those that the layout's speed was fitted to.
    hours_ratio : float or None
        ``planned_hours`` over the published hours.
    """

    run: PublishedRun
    flop_6nd: float
    flop_with_attention: float | None
    flop_exact: float | None
    flop_ratio: float | None
    attention_ratio: float | None
    exact_ratio: float | None
    implied_mfu: float | None
    implied_mfu_with_attention: float | None
    tuned_hours: float | None
    planned_hours: float | None
    planned_interval: Interval | None
    planned_mfu: float | None
    is_held_out: bool
    hours_ratio: float | None

    @property
    def closest_ratio(self) -> float | None:
        """Ratio of our FLOP to the published ones by the convention that comes closer."""
        every = (self.flop_ratio, self.attention_ratio, self.exact_ratio)
        ratios = [ratio for ratio in every if ratio is not None]
        return min(ratios, key=lambda ratio: max(ratio, 1 / ratio)) if ratios else None

    @property
    def is_inside(self) -> bool | None:
        """Whether the published hours lie in the interval of the planned; None without either."""
        interval, hours = self.planned_interval, self.run.accelerator_hours
        if interval is None or hours is None:
            return None
        return interval.lower <= hours <= interval.upper

    @property
    def agrees(self) -> bool | None:
        """Whether one of our conventions gives the published FLOP; None where there are none."""
        ratio = self.closest_ratio
        return None if ratio is None else max(ratio, 1 / ratio) <= CLOSE_RATIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How many published runs our sums meet, and how far the others are off.

    Parameters
    ----------
    n_runs : int
    n_counted, n_agreeing : int
        Those with a published count of FLOP, and those that ours meets.
    n_timed, n_near : int
        Those with published hours, and those that we plan within a factor of two.
    n_inside : int
        Those of them within the interval of the planned hours, which is for 80%.
    hours_error : HoursError
        Of all of these.
    held_out_error : HoursError
        Of those of which no step was seen.
    """

    n_runs: int
    n_counted: int
    n_agreeing: int
    n_timed: int
    n_near: int
    n_inside: int
    hours_error: HoursError
    held_out_error: HoursError


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursError:
    """How far planned hours lie from published ones.

    Parameters
    ----------
    n_runs : int
    median, p90 : float
        Of the larger over the smaller, less one; NaN for no runs.
    median_ratio : float
        Planned over published.
    """

    n_runs: int
    median: float
    p90: float
    median_ratio: float


def _hours_error(ratios: Sequence[float]) -> HoursError:
    logs = np.log(ratios)
    errors = np.expm1(np.abs(logs))
    return HoursError(
        n_runs=len(ratios),
        median=float(np.median(errors)) if len(logs) else np.nan,
        p90=float(np.quantile(errors, 0.9)) if len(logs) else np.nan,
        median_ratio=float(np.exp(np.median(logs))) if len(logs) else np.nan,
    )


def agreement(checks: Sequence[RunCheck]) -> Agreement:
    """Count the runs that our sums meet."""
    counts = [check.agrees for check in checks if check.agrees is not None]
    hours = [check.hours_ratio for check in checks if check.hours_ratio is not None]
    return Agreement(
        n_runs=len(checks),
        n_counted=len(counts),
        n_agreeing=sum(counts),
        n_timed=len(hours),
        n_near=sum(1 / NEAR_RATIO <= ratio <= NEAR_RATIO for ratio in hours),
        n_inside=sum(bool(check.is_inside) for check in checks),
        hours_error=_hours_error(hours),
        held_out_error=_hours_error(
            [c.hours_ratio for c in checks if c.hours_ratio is not None and c.is_held_out]
        ),
    )


@once
def load_runs() -> Mapping[str, PublishedRun]:
    """Return every published run that ships, by key, in the order of the file.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    return MappingProxyType({key: _run(key, entry) for key, entry in read_toml(RUNS_FILE).items()})


def check_runs() -> tuple[RunCheck, ...]:
    """Sum up every published run as Isoflop would and compare with what was published.

    What whole runs make of tuned steps is taken for each from the runs of other sources.
    """
    runs = list(load_runs().values())
    tuned = [_tuned_hours(run) for run in runs]
    timed = [i for i, run in enumerate(runs) if tuned[i] and run.accelerator_hours]
    ratios, groups, _ = hours_over_published()
    shares = dict(zip(timed, shares_without_source(ratios, groups), strict=True))
    usual = load_whole_runs().share
    return tuple(
        _check(run, hours, float(shares.get(i, usual)))
        for i, (run, hours) in enumerate(zip(runs, tuned, strict=True))
    )


def hours_over_published() -> tuple[NDArray[np.float64], list[str], NDArray[np.float64]]:
    """Return hours of published runs in their fastest layout over theirs, sources and FLOP."""
    found = [
        (hours / run.accelerator_hours, _publisher(run), _flop(run))
        for run in load_runs().values()
        if run.accelerator_hours and (hours := _tuned_hours(run))
    ]
    ratios, sources, flop = zip(*found, strict=True)
    return np.array(ratios), list(sources), np.array(flop)


def _flop(run: PublishedRun) -> float:
    return float(SIX_ND.training_flop(run.params_active, run.tokens))


def _publisher(run: PublishedRun) -> str:
    """Return the paper that a run was published in, or the run itself where it names none."""
    paper = run.source.split(",")[0]
    return paper if paper.startswith("arXiv") else run.key


def _check(run: PublishedRun, tuned_hours: float | None, share: float) -> RunCheck:
    flop = _flop(run)
    attention, exact = run.attention_flop_per_token, run.exact_flop_per_token
    with_attention = None if attention is None else flop + attention * run.tokens
    flop_exact = None if exact is None else exact * run.tokens
    peak_per_hour = None if run.accelerator is None else run.accelerator.peak() * HOUR_S
    capacity = planned_capacity = None
    planned = None if tuned_hours is None else tuned_hours / share
    if peak_per_hour is not None and run.accelerator_hours is not None:
        capacity = peak_per_hour * run.accelerator_hours
    if peak_per_hour is not None and planned is not None:
        planned_capacity = peak_per_hour * planned
    return RunCheck(
        run=run,
        flop_6nd=flop,
        flop_with_attention=with_attention,
        flop_exact=flop_exact,
        flop_ratio=_ratio(flop, run.published_flop),
        attention_ratio=_ratio(with_attention, run.published_flop),
        exact_ratio=_ratio(flop_exact, run.published_flop),
        implied_mfu=_ratio(flop, capacity),
        implied_mfu_with_attention=_ratio(with_attention, capacity),
        tuned_hours=tuned_hours,
        planned_hours=planned,
        planned_interval=None if planned is None else _around(planned, flop),
        planned_mfu=_ratio(flop, planned_capacity),
        is_held_out=run.shape is None or run.shape.name not in _measured_models(),
        hours_ratio=_ratio(planned, run.accelerator_hours),
    )


def _around(hours: float, flop: float) -> Interval:
    lower, upper = load_whole_runs().ratios(flop)
    return Interval(
        lower=hours * lower,
        upper=hours * upper,
        level=INTERVAL_LEVEL,
        kind="prediction",
    )


@once(max_entries=256)
def _hours(search: LayoutSearch, shape: Architecture, count: int, tokens: float) -> float | None:
    """Return the accelerator-hours in the fastest layout; None where nothing fits."""
    found = best_layout(search, shape, count, float(largest_batch_tokens(tokens)))
    if found is None:
        return None
    return tokens / found.tokens_per_s * count / HOUR_S / interruptions(count).goodput


def _tuned_hours(run: PublishedRun) -> float | None:
    accelerator = run.accelerator
    if accelerator is None:
        return None
    shape = run.shape
    if shape is None:
        shape = propose_shape(find_family(DEFAULT_FAMILY), run.params_active).architecture
    count = run.accelerators or _usual_count(run, accelerator)
    search = LayoutSearch(accelerator=accelerator, dtype=run.dtype, sequence=run.context)
    return _hours(search, shape, count, run.tokens)


def _usual_count(run: PublishedRun, accelerator: Accelerator) -> int:
    """Return as many accelerators as take a month, whole nodes; their number was not published."""
    flop = _flop(run)
    needed = flop / (accelerator.peak(run.dtype) * usual_mfu(accelerator, run.dtype) * MONTH_S)
    return 8 * max(1, round(needed / 8))


@once
def _measured_models() -> frozenset[str]:
    return frozenset(item.step.architecture.name for item in load_measured_steps())


def _ratio(ours: float | None, published: float | None) -> float | None:
    return None if ours is None or published is None else ours / published


def _run(key: str, entry: dict[str, Any]) -> PublishedRun:
    """Read one run; refuse what cannot be right."""
    where = lazy_gettext("{key} of {runs_file}", key=key, runs_file=RUNS_FILE)
    require_keys(entry, where=where, required=_REQUIRED, optional=_OPTIONAL)
    unknown = sorted(set(entry.get("unverified", ())) - FIGURES)
    if unknown or ("accelerator" in entry) == ("other_hardware" in entry):
        raise CatalogError(
            lazy_gettext("The data file entry {where} is malformed.", where=where),
            detail=lazy_gettext("unverified: {unknown}", unknown=", ".join(unknown))
            if unknown
            else lazy_gettext("It needs an accelerator or other hardware, not both."),
        )
    accelerator = find_accelerator(entry["accelerator"]) if "accelerator" in entry else None
    mfu = entry.get("published_mfu")
    shape = find_model(entry["model"]).architecture if "model" in entry else None
    attention = _attention_flop_per_token(entry, where)
    context = entry["attention"]["context"] if "attention" in entry else None
    return PublishedRun(
        key=key,
        label=entry["label"],
        params=float(entry["params"]),
        params_active=float(entry.get("params_active", entry["params"])),
        tokens=float(entry["tokens"]),
        shape=shape,
        context=context if shape is None else shape.context,
        dtype=entry.get("dtype"),
        attention_flop_per_token=attention,
        exact_flop_per_token=_exact_flop_per_token(entry),
        accelerator=accelerator,
        hardware=entry["other_hardware"] if accelerator is None else accelerator.label,
        accelerators=entry.get("accelerators"),
        accelerator_hours=entry.get("accelerator_hours"),
        published_flop=entry.get("published_flop"),
        published_mfu=None if mfu is None else (float(mfu[0]), float(mfu[1])),
        loss=entry.get("loss"),
        loss_note=entry.get("loss_note", ""),
        reason=entry["reason"],
        source=entry["source"],
        retrieved=entry["retrieved"],
        unverified=tuple(entry.get("unverified", ())),
    )


def _attention_flop_per_token(entry: dict[str, Any], where: str) -> float | None:
    """Return 12 L H Q T of the released model, or of the shape given (arXiv 2204.02311, app. B)."""
    if "model" in entry:
        shape = find_model(entry["model"]).architecture
        parts = count_flop(shape, convention="6N_attention").forward_by_component_flop
        return 3.0 * parts["attention_scores"]
    if "attention" in entry:
        given = entry["attention"]
        require_keys(
            given, where=lazy_gettext("{where}, attention", where=where), required=_ATTENTION
        )
        return 12.0 * float(given["layers"] * given["width"] * given["context"])
    return None


def _exact_flop_per_token(entry: dict[str, Any]) -> float | None:
    """Return all training FLOP of the released model (arXiv 2203.15556, appendix F)."""
    if "model" not in entry:
        return None
    shape = find_model(entry["model"]).architecture
    return count_flop(shape, convention="appendix_f").training_flop

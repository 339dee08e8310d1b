"""Published training runs, and how our sums compare with what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from isoflop.accounting import count_flop, find_model
from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError
from isoflop.planning.hardware import find_accelerator
from isoflop.planning.rule import SIX_ND
from isoflop.planning.types import DEFAULT_GOODPUT, Accelerator
from isoflop.units import HOUR_S

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
    planned_hours : float or None
        Accelerator-hours that we would have planned: ``flop_6nd`` at the accelerator's default MFU
        and goodput.
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
    planned_hours: float | None
    hours_ratio: float | None

    @property
    def closest_ratio(self) -> float | None:
        """Ratio of our FLOP to the published ones by the convention that comes closer."""
        every = (self.flop_ratio, self.attention_ratio, self.exact_ratio)
        ratios = [ratio for ratio in every if ratio is not None]
        return min(ratios, key=lambda ratio: max(ratio, 1 / ratio)) if ratios else None

    @property
    def agrees(self) -> bool | None:
        """Whether one of our conventions gives the published FLOP; None where there are none."""
        ratio = self.closest_ratio
        return None if ratio is None else max(ratio, 1 / ratio) <= CLOSE_RATIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How many published runs our sums meet.

    Parameters
    ----------
    n_runs : int
    n_counted, n_agreeing : int
        Those with a published count of FLOP, and those that ours meets.
    n_timed, n_near : int
        Those with published hours, and those that our defaults plan within a factor of two.
    """

    n_runs: int
    n_counted: int
    n_agreeing: int
    n_timed: int
    n_near: int


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
    )


@cache
def load_runs() -> Mapping[str, PublishedRun]:
    """Return every published run that ships, by key, in the order of the file.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    return MappingProxyType({key: _run(key, entry) for key, entry in read_toml(RUNS_FILE).items()})


def check_run(run: PublishedRun) -> RunCheck:
    """Sum up one run as Isoflop would and compare with what was published."""
    flop = float(SIX_ND.training_flop(run.params_active, run.tokens))
    attention, exact = run.attention_flop_per_token, run.exact_flop_per_token
    with_attention = None if attention is None else flop + attention * run.tokens
    flop_exact = None if exact is None else exact * run.tokens
    peak_per_hour = None if run.accelerator is None else run.accelerator.peak() * HOUR_S
    capacity = None
    if peak_per_hour is not None and run.accelerator_hours is not None:
        capacity = peak_per_hour * run.accelerator_hours
    planned = None
    if peak_per_hour is not None and run.accelerator is not None:
        planned = flop / (peak_per_hour * run.accelerator.default_mfu * DEFAULT_GOODPUT)
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
        planned_hours=planned,
        hours_ratio=_ratio(planned, run.accelerator_hours),
    )


def check_runs() -> tuple[RunCheck, ...]:
    """Sum up every published run."""
    return tuple(check_run(run) for run in load_runs().values())


def _ratio(ours: float | None, published: float | None) -> float | None:
    return None if ours is None or published is None else ours / published


def _run(key: str, entry: dict[str, Any]) -> PublishedRun:
    """Read one run; refuse what cannot be right."""
    where = f"{key} of {RUNS_FILE}"
    require_keys(entry, where=where, required=_REQUIRED, optional=_OPTIONAL)
    unknown = sorted(set(entry.get("unverified", ())) - FIGURES)
    if unknown or ("accelerator" in entry) == ("other_hardware" in entry):
        raise CatalogError(
            f"The data file entry {where} is malformed.",
            detail=f"unverified: {', '.join(unknown)}"
            if unknown
            else "It needs an accelerator or other hardware, not both.",
        )
    accelerator = find_accelerator(entry["accelerator"]) if "accelerator" in entry else None
    mfu = entry.get("published_mfu")
    return PublishedRun(
        key=key,
        label=entry["label"],
        params=float(entry["params"]),
        params_active=float(entry.get("params_active", entry["params"])),
        tokens=float(entry["tokens"]),
        attention_flop_per_token=_attention_flop_per_token(entry, where),
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
        require_keys(given, where=f"{where}, attention", required=_ATTENTION)
        return 12.0 * float(given["layers"] * given["width"] * given["context"])
    return None


def _exact_flop_per_token(entry: dict[str, Any]) -> float | None:
    """Return all training FLOP of the released model (arXiv 2203.15556, appendix F)."""
    if "model" not in entry:
        return None
    shape = find_model(entry["model"]).architecture
    return count_flop(shape, convention="appendix_f").training_flop

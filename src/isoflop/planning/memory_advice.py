"""Whether a training run fits the memory of an accelerator, and what would make it fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from isoflop.accounting import Architecture
from isoflop.errors import PlanError
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.language import sentences
from isoflop.planning.layout import ZERO_HELP, Layout, check_layout
from isoflop.planning.memory import (
    DEFAULT_HEADROOM,
    TrainingMemory,
    TrainingSetup,
    largest_micro_batch,
    training_memory,
)
from isoflop.text import as_html
from isoflop.units import format_quantity

MAX_TENSOR = 8
"""Accelerators that share one fast interconnect in common servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryAdvice:
    """One change, or several in a row, and the memory after it.

    Parameters
    ----------
    text : str
        What to change, for a person.
    price : str
        What it costs in speed or hardware.
    setup : TrainingSetup
        After the change.
    total_bytes : float
        Memory of the fullest accelerator after the change.
    """

    text: str
    price: str
    setup: TrainingSetup
    total_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryReport:
    """Whether a training run fits, and what would make it fit.

    Parameters
    ----------
    architecture : Architecture
    setup : TrainingSetup
    memory : TrainingMemory
        Of the fullest accelerator, as it is set up.
    alternatives : mapping of str to TrainingMemory
        Under every other ZeRO stage and way to recompute, by its name.
    capacity_bytes, usable_bytes : float
        Of one accelerator, and what the headroom leaves of it.
    largest_micro_batch : int
        Sequences; 0 if not even one fits.
    advice : tuple of MemoryAdvice
        Where it does not fit: every single change that suffices, cheapest first, or else the
        shortest row of changes that does; empty if none does on this number of accelerators.
    """

    architecture: Architecture
    setup: TrainingSetup
    memory: TrainingMemory
    alternatives: Mapping[str, TrainingMemory]
    capacity_bytes: float
    usable_bytes: float
    largest_micro_batch: int
    advice: tuple[MemoryAdvice, ...]

    @property
    def fits(self) -> bool:
        """Whether the run fits as it is set up."""
        return bool(self.memory.total_bytes <= self.usable_bytes)

    def summary(self) -> str:
        """Say in a sentence whether the run fits."""
        name, used = self.architecture.name, format_quantity(self.memory.total_bytes, "bytes")
        if not self.fits:
            return _(
                "{name} does not fit: it takes {used} on the fullest accelerator.",
                name=name,
                used=used,
            )
        return _(
            "{name} fits: {used} on the fullest accelerator, micro-batches of up to {sequences}.",
            name=name,
            used=used,
            sequences=n_("{n:,} sequence", "{n:,} sequences", self.largest_micro_batch),
        )

    def _repr_html_(self) -> str:
        return as_html(_("Memory"), self.to_frame(), self.summary())

    def to_frame(self) -> pd.DataFrame:
        """Return a row a layout, a column a component, in bytes."""
        rows = {_("as laid out"): self.memory, **self.alternatives}
        return pd.DataFrame([memory.by_component for memory in rows.values()], index=list(rows))


def report_memory(
    architecture: Architecture,
    setup: TrainingSetup,
    capacity_bytes: float,
    *,
    headroom: float = DEFAULT_HEADROOM,
) -> MemoryReport:
    """Say whether a training run fits an accelerator, and if not, what would make it fit.

    The number of accelerators stays: more tensor or pipeline parallelism means fewer replicas.

    Raises
    ------
    PlanError
        If the model cannot be cut as the layout says, or the memory is not positive.
    """
    micro_batch = largest_micro_batch(architecture, setup, capacity_bytes, headroom=headroom)
    memory = training_memory(architecture, setup)
    usable = capacity_bytes * (1 - headroom)
    advice: tuple[MemoryAdvice, ...] = ()
    if memory.total_bytes > usable:
        advice = _single_changes(architecture, setup, usable, micro_batch)
        advice = advice or _row_of_changes(architecture, setup, usable)
    return MemoryReport(
        architecture=architecture,
        setup=setup,
        memory=memory,
        alternatives=_alternatives(architecture, setup),
        capacity_bytes=capacity_bytes,
        usable_bytes=usable,
        largest_micro_batch=micro_batch,
        advice=advice,
    )


def _alternatives(architecture: Architecture, setup: TrainingSetup) -> dict[str, TrainingMemory]:
    """Return the memory under each other ZeRO stage and way to recompute."""
    layout = setup.layout
    others = {
        f"ZeRO {stage}": replace(setup, layout=replace(layout, zero_stage=stage))
        for stage in range(4)
        if stage != layout.zero_stage and layout.data > 1
    }
    if setup.recompute != "none":
        others[_("No recomputation")] = replace(setup, recompute="none")
    if setup.recompute != "full":
        others[_("Full recomputation")] = replace(setup, recompute="full")
    return {name: training_memory(architecture, other) for name, other in others.items()}


@dataclass(frozen=True, slots=True)
class _Change:
    text: str
    price: str
    setup: TrainingSetup


def _changes(
    architecture: Architecture, setup: TrainingSetup, *, micro_batch: int = 1
) -> Iterator[_Change]:
    """Yield every single change that a setup allows, cheapest in speed first."""
    layout = setup.layout
    if not setup.flash_attention:
        yield _Change(_("Use FlashAttention."), "none", replace(setup, flash_attention=True))
    if layout.tensor > 1 and not layout.sequence_parallel:
        sequence = replace(layout, sequence_parallel=True)
        yield _Change(_("Use sequence parallelism."), "none", replace(setup, layout=sequence))
    for stage in range(layout.zero_stage + 1, 4 if layout.data > 1 else 0):
        price = _("half as much communication again") if stage == 3 else "none"
        sharded = replace(layout, zero_stage=stage)
        text = _("Use ZeRO {stage}. {zero_help}", stage=stage, zero_help=ZERO_HELP[stage])
        yield _Change(text, price, replace(setup, layout=sharded))
    if setup.micro_batch > micro_batch:
        text = _(
            "Lower the micro-batch from {now} to {then}.", now=setup.micro_batch, then=micro_batch
        )
        yield _Change(text, _("smaller matrix products"), replace(setup, micro_batch=micro_batch))
    if setup.recompute == "none":
        selective = replace(setup, recompute="selective")
        kept, price = (_("attention scores"), _("a few % of FLOP"))
        if setup.flash_attention:
            kept, price = _("norms and activation functions"), _("a few passes over memory")
        yield _Change(_("Recompute {kept}.", kept=kept), price, selective)
    if setup.recompute != "full":
        full = replace(setup, recompute="full")
        yield _Change(_("Recompute all activations."), _("a third more FLOP"), full)
    yield from _layout_changes(architecture, setup)


def _layout_changes(architecture: Architecture, setup: TrainingSetup) -> Iterator[_Change]:
    """Yield the changes that give up replicas for a finer cut of the model."""
    layout, half = setup.layout, setup.layout.data // 2
    finer = [
        (
            _("Spread the experts over {expert} accelerators.", expert=layout.expert * 2),
            _("more all-to-all communication"),
            {"expert": layout.expert * 2},
        ),
        (
            _("Use tensor parallelism of {tensor}.", tensor=layout.tensor * 2),
            _("more communication in every layer"),
            {"tensor": layout.tensor * 2, "data": half},
        ),
        (
            _("Use {pipeline} pipeline stages.", pipeline=layout.pipeline * 2),
            _("idle time at the ends of each step"),
            {"pipeline": layout.pipeline * 2, "data": half},
        ),
    ]
    for text, price, degrees in finer:
        changed = _cut(architecture, layout, degrees)
        if changed is not None:
            yield _Change(text, price, replace(setup, layout=changed))


def _cut(architecture: Architecture, layout: Layout, degrees: dict[str, int]) -> Layout | None:
    """Return the layout with other degrees on as many accelerators; None if it is not possible."""
    if degrees.get("tensor", 1) > MAX_TENSOR:
        return None
    sizes = {
        "data": layout.data,
        "tensor": layout.tensor,
        "pipeline": layout.pipeline,
        "expert": layout.expert,
    } | degrees
    try:
        changed = Layout(
            data=sizes["data"],
            tensor=sizes["tensor"],
            pipeline=sizes["pipeline"],
            interleave=layout.interleave,
            expert=sizes["expert"],
            sequence_parallel=layout.sequence_parallel,
            zero_stage=layout.zero_stage,
        )
        check_layout(architecture, changed)
    except PlanError:
        return None
    return changed if changed.n_accelerators == layout.n_accelerators else None


def _single_changes(
    architecture: Architecture, setup: TrainingSetup, usable_bytes: float, micro_batch: int
) -> tuple[MemoryAdvice, ...]:
    advice = []
    # Never smaller a micro-batch than is needed.
    for change in _changes(architecture, setup, micro_batch=max(1, micro_batch)):
        total = training_memory(architecture, change.setup).total_bytes
        if total <= usable_bytes:
            advice.append(
                MemoryAdvice(
                    text=change.text, price=change.price, setup=change.setup, total_bytes=total
                )
            )
    return tuple(advice)


def _row_of_changes(
    architecture: Architecture, setup: TrainingSetup, usable_bytes: float
) -> tuple[MemoryAdvice, ...]:
    """Apply, again and again, the change that saves most, until the run fits or none is left."""
    texts: list[str] = []
    prices: list[str] = []
    current = training_memory(architecture, setup).total_bytes
    while current > usable_bytes:
        best: tuple[float, _Change] | None = None
        for change in _changes(architecture, setup):
            total = training_memory(architecture, change.setup).total_bytes
            if total < current and (best is None or total < best[0]):
                best = total, change
        if best is None:
            return ()
        current, change = best
        setup = change.setup
        texts.append(change.text)
        prices += [change.price] if change.price not in (*prices, "none") else []
    return (
        MemoryAdvice(
            text=sentences(texts),
            price="; ".join(prices) or "none",
            setup=setup,
            total_bytes=current,
        ),
    )

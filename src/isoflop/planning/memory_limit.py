"""The largest model of a family that a memory holds: memory as a limit on a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from isoflop.accounting import Architecture, Family, find_family
from isoflop.accounting.shapes import CountedParams, propose_shape
from isoflop.errors import PlanError
from isoflop.planning.memory import DEFAULT_HEADROOM, TrainingSetup, training_memory

SIZES = np.geomspace(1e6, 1e14, 1201)
"""Sizes tried: steps of 1.5%, about those in which padded shapes grow."""


def largest_params(
    family: Family,
    setup: TrainingSetup,
    memory_bytes: float,
    *,
    headroom: float = DEFAULT_HEADROOM,
    count: CountedParams = "total",
) -> float:
    """Return the largest model on a family's proportions that trains in a memory.

    Parameters
    ----------
    family : Family
        One that ships.
    setup : TrainingSetup
        Layout, optimiser, micro-batch, context and recomputation.
    memory_bytes : float
        Of one accelerator.
    headroom : float
        Share of it to leave free.
    count : {"total", "active", "nonembedding"}
        Which parameters to return.

    Returns
    -------
    float
        One of a grid of sizes 1.5% apart, of which the proposed shape fits; 0 where none does.

    Raises
    ------
    PlanError
        If no model of the family can be cut as the layout says.
    """
    usable = memory_bytes * (1 - headroom)

    def total_bytes(index: int) -> float:
        shape = _shape(family.key, index, count, setup.layout.tensor)
        return training_memory(shape, setup).total_bytes

    def fits(index: int) -> bool | None:
        """Say whether a size fits; None where the family or the layout has no such model."""
        try:
            return total_bytes(index) <= usable
        except PlanError:
            return None

    low, high = 0, len(SIZES)
    while high - low > 1:
        middle = (low + high) // 2
        # Only sizes too small for the family's vocabulary or the layout's cut have no model.
        if fits(middle) is False:
            high = middle
        else:
            low = middle
    if low == len(SIZES) - 1:
        total_bytes(low)  # not even the largest can be cut so: say why
    return float(SIZES[low]) if fits(low) else 0.0


@lru_cache(maxsize=4096)
def _shape(family_key: str, index: int, count: CountedParams, tensor: int) -> Architecture:
    """Return the family's shape of one of the sizes tried."""
    family = find_family(family_key)
    size = float(SIZES[index])
    return propose_shape(family, size, count=count, heads_multiple=tensor).architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLimit:
    """The largest model of a family that so many accelerators of a memory can train.

    Parameters
    ----------
    family : str
        Its key.
    setup : TrainingSetup
        How the model is trained; data parallelism takes the accelerators that remain.
    headroom : float
        Share of the memory to leave free.
    count : {"total", "active", "nonembedding"}
        What N counts.
    """

    family: str
    setup: TrainingSetup
    headroom: float = DEFAULT_HEADROOM
    count: CountedParams = "total"

    def __call__(self, memory_bytes: float, accelerators: int) -> float:
        """Return the largest model; 0 where none fits, or the accelerators cannot be cut so.

        Raises
        ------
        PlanError
            As `largest_params`.
        """
        layout = self.setup.layout
        group = layout.tensor * layout.pipeline
        data = accelerators // group
        if accelerators % group or data % layout.expert:
            return 0.0
        setup = replace(self.setup, layout=replace(layout, data=data))
        return _largest(self.family, setup, memory_bytes, self.headroom, self.count)


@lru_cache(maxsize=1024)
def _largest(
    family: str,
    setup: TrainingSetup,
    memory_bytes: float,
    headroom: float,
    count: CountedParams,
) -> float:
    """Find the largest size that fits, once for each way of training."""
    return largest_params(find_family(family), setup, memory_bytes, headroom=headroom, count=count)

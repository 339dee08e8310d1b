"""What a run is taken to be like where nothing is said of it."""

from __future__ import annotations

from isoflop.accounting import find_family
from isoflop.accounting.shapes import propose_shape
from isoflop.once import once
from isoflop.planning.layout_search import LayoutSearch, best_layout
from isoflop.planning.step_time import step_time
from isoflop.planning.types import Accelerator, Dtype

DEFAULT_FAMILY = "llama-3"
"""Whose shapes a model takes where no family is named."""
USUAL_PARAMS, USUAL_BATCH_TOKENS = 8e9, 4e6
USUAL_COUNTS = (64, 1024, 16384)
"""The first on which the usual model fits."""


def usual_mfu(accelerator: Accelerator, dtype: Dtype | None = None) -> float:
    """Return the MFU of a usual run in its fastest layout: 8B parameters on 64 accelerators.

    For sums that know no model; a plan predicts its own run's.
    """
    return _usual_mfu(LayoutSearch(accelerator=accelerator, dtype=dtype))


@once(max_entries=256)
def _usual_mfu(search: LayoutSearch) -> float:
    shape = propose_shape(find_family(DEFAULT_FAMILY), USUAL_PARAMS).architecture
    for count in USUAL_COUNTS:
        found = best_layout(search, shape, count, USUAL_BATCH_TOKENS)
        if found is not None:
            return min(step_time(found.step).mfu, search.accelerator.mfu_ceiling)
    return 0.3 * search.accelerator.mfu_ceiling

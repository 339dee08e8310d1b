"""What is kept between runs of a page: found again by content, the latest used last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from isoflop.identity import Keyed
from isoflop.ui import caching


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Numbers(Keyed):
    values: NDArray[np.float64]
    key: str = field(init=False, repr=False)


def numbers(*values: float) -> Numbers:
    return Numbers(values=np.array(values))


def test_results_are_told_apart_by_their_key() -> None:
    calls = []

    def total(given: Numbers, *, times: int = 1) -> float:
        calls.append(times)
        return times * float(given.values.sum())

    kept = caching.kept(total)
    assert [kept(numbers(1, 2)), kept(numbers(1, 2)), kept(numbers(1, 3))] == [3.0, 3.0, 4.0]
    assert kept(numbers(1, 2), times=2) == 6.0
    assert calls == [1, 1, 2]


def test_long_work_is_done_once_and_the_oldest_forgotten() -> None:
    calls = []

    def work(given: Numbers, progress: Callable[[float], object] | None = None) -> int:
        assert progress is not None
        progress(1.5)  # more than all is all
        calls.append(len(given.values))
        return len(calls)

    kept = caching.kept_with_progress(work, "Working", max_entries=2)
    assert [kept(numbers(1)), kept(numbers(1)), kept(numbers(1, 2))] == [1, 1, 2]
    assert kept(numbers(1)) == 1
    assert kept(numbers(1, 2, 3)) == 3  # forgets the one used longest ago
    assert [kept(numbers(1)), kept(numbers(1, 2))] == [1, 4]


def test_work_that_was_stopped_is_not_kept() -> None:
    is_stopped = [True, False]

    def work(progress: Callable[[float], object] | None = None) -> str:
        if is_stopped.pop(0):
            raise RuntimeError("stopped")
        return "done"

    kept = caching.kept_with_progress(work, "Working")
    with pytest.raises(RuntimeError, match="stopped"):
        kept()
    assert kept() == "done"

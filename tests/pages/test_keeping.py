"""What is kept between runs of a page: found again by content, the latest used last."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
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

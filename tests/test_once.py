"""What is kept is computed once, however many ask at the same time."""

import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from isoflop.once import once

N_THREADS = 8


def test_threads_that_ask_at_once_share_one_computation() -> None:
    asked: list[int] = []
    ready = Barrier(N_THREADS)

    @once
    def squared(number: int) -> int:
        asked.append(number)
        time.sleep(0.05)
        return number**2

    def ask(place: int) -> int:
        ready.wait()
        return squared(place % 2)

    with ThreadPoolExecutor(N_THREADS) as pool:
        found = list(pool.map(ask, range(N_THREADS)))
    assert found == [0, 1] * (N_THREADS // 2)
    assert sorted(asked) == [0, 1]


def test_an_error_is_not_kept() -> None:
    answers = iter([ValueError("not yet"), 7])

    @once
    def answer() -> int:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    with pytest.raises(ValueError, match="not yet"):
        answer()
    assert answer() == answer() == 7


def test_the_results_used_last_are_kept() -> None:
    asked: list[int] = []

    @once(max_entries=2)
    def same(number: int, *, offset: int = 0) -> int:
        asked.append(number)
        return number + offset

    for number in (1, 2, 1, 3, 1, 2):
        same(number)
    assert asked == [1, 2, 3, 2]
    assert same(2, offset=1) == 3


def test_results_are_forgotten_when_asked_to() -> None:
    asked: list[int] = []

    @once
    def same(number: int) -> int:
        asked.append(number)
        return number

    same(1), same(1)
    same.cache_clear()
    same(1)
    assert asked == [1, 1]


def test_a_function_may_ask_itself_for_less() -> None:
    @once
    def factorial(number: int) -> int:
        return number * factorial(number - 1) if number else 1

    assert factorial(5) == 120


@once
def _of_a_module(number: int) -> int:
    return number


def test_a_kept_function_goes_to_another_process_by_its_name() -> None:
    assert pickle.loads(pickle.dumps(_of_a_module)) is _of_a_module
    assert _of_a_module.__name__ == "_of_a_module"

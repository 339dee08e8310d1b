"""Whose turn it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isoflop.work import FairQueue


def taken(queue: FairQueue[str]) -> list[str]:
    return [item for item in iter(queue.take, None) if item is not None]


def test_owners_take_turns_and_keep_their_own_order() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.put(item, item[0])
    assert queue.order() == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert [queue.place("c1"), queue.place("a3"), queue.place("none")] == [3, 6, None]
    assert taken(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_who_has_less_running_comes_first() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "a3"):
        queue.put(item, "a")
    assert [queue.take(), queue.take()] == ["a1", "a2"]
    queue.put("b1", "b")
    queue.ended("a")
    assert taken(queue) == ["b1", "a3"]


def test_who_was_served_longest_ago_comes_first() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "b1", "b2"):
        queue.put(item, item[0])
    for _ in range(2):
        assert queue.take() is not None
    queue.ended("a")
    queue.ended("b")
    assert queue.take() == "a2"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30))
def test_nothing_is_lost_and_the_order_told_is_the_order_taken(
    steps: list[tuple[str, bool]],
) -> None:
    queue: FairQueue[str] = FairQueue()
    running: list[str] = []
    put = set()
    for i, (owner, is_end) in enumerate(steps):
        if is_end and running:
            queue.ended(running.pop(0)[0])
        else:
            put.add(f"{owner}{i}")
            queue.put(f"{owner}{i}", owner)
        if i % 3 == 0 and (item := queue.take()):
            running.append(item)
    told = queue.order()
    gone = put - set(told)
    assert taken(queue) == told
    assert len(gone) + len(told) == len(put)


def test_an_owner_at_their_limit_waits_and_others_do_not() -> None:
    queue: FairQueue[str] = FairQueue()
    for item, owner in (("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("c1", "")):
        queue.put(item, owner)

    def most(owner: str) -> float:
        return 2 if owner else 99

    assert [queue.take(most) for _ in range(5)] == ["a1", "b1", "c1", "a2", None]
    queue.ended("a")
    assert queue.take(most) == "a3"
    assert len(queue) == 0

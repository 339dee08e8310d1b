"""Texts are parsed safely from several threads."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from isoflop.syntax import syntax_tree

TEXT = "+".join(f"(a{i}*(x**b{i}+exp(-(c{i}*y))))" for i in range(60))


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(10)
    gc.callbacks.append(_visible)
    yield
    gc.callbacks.remove(_visible)
    sys.setswitchinterval(interval)
    gc.set_threshold(*thresholds)


def _visible(phase: str, info: dict[str, int]) -> None:
    """Run some Python while memory is collected, where threads can change."""


@pytest.mark.usefixtures("hasty_threads")
def test_two_threads_may_parse_at_once() -> None:
    with ThreadPoolExecutor(4) as threads:
        trees = list(threads.map(syntax_tree, [TEXT] * 40))
    assert {ast.dump(tree) for tree in trees} == {ast.dump(ast.parse(TEXT))}

"""Keep what a function returns, and compute it once however many threads ask at the same time.

`functools.lru_cache` lets each thread that finds nothing kept compute it: fifty people who open a
server that has just started would read the same files and fit the same laws fifty times.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import wraps
from threading import Lock, RLock
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Returned = TypeVar("Returned", covariant=True)


class Kept(Protocol[Arguments, Returned]):
    """A function whose results are kept."""

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Returned:
        """Return what is kept for these arguments, or compute it."""

    def cache_clear(self) -> None:
        """Forget all results."""


@dataclass(slots=True, eq=False)
class _Place:
    """Of one result: a thread that finds it not made makes it, and others wait."""

    lock: RLock = field(default_factory=RLock)  # a function may ask itself for something smaller
    is_made: bool = False
    value: Any = None


@overload
def once(function: Callable[Arguments, Result], /) -> Kept[Arguments, Result]: ...
@overload
def once(
    *, max_entries: int
) -> Callable[[Callable[Arguments, Result]], Kept[Arguments, Result]]: ...
def once(function: Callable[..., Any] | None = None, /, *, max_entries: int | None = None) -> Any:
    """Return a function that is computed once for equal arguments.

    An error is not kept: the next that asks tries again.

    Parameters
    ----------
    function : callable
        Of hashable arguments; its results are not changed later.
    max_entries : int, optional
        Results kept, those used last; all by default.
    """
    if function is None:
        return lambda function: _kept(function, max_entries)
    return _kept(function, max_entries)


def _kept(function: Callable[..., Any], max_entries: int | None) -> Kept[..., Any]:
    places: OrderedDict[Hashable, _Place] = OrderedDict()
    guard = Lock()

    @wraps(function)
    def asked(*args: Any, **kwargs: Any) -> Any:
        key = args, tuple(sorted(kwargs.items()))
        place = places.get(key)
        if place is None or max_entries is not None:
            with guard:
                place = places.setdefault(key, _Place())
                places.move_to_end(key)
                if max_entries is not None and len(places) > max_entries:
                    places.popitem(last=False)
        if not place.is_made:
            with place.lock:
                if not place.is_made:
                    place.value = function(*args, **kwargs)
                    place.is_made = True
        return place.value

    made = cast(Any, asked)
    made.cache_clear = places.clear
    return cast(Kept[..., Any], made)

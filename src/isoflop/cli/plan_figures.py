"""The figures of a plan, as files that a browser opens."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from isoflop import plot
from isoflop.cli import report
from isoflop.errors import IsoflopError, PlanError
from isoflop.fitting.extrapolation import Method
from isoflop.planning import Plan
from isoflop.planning.planned import Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A plan, and what is asked of it.

    Parameters
    ----------
    planned : Planned
    target : float or None
        Loss whose chance is drawn.
    by : {"average", "one"}
        What predicts the plan's loss.
    """

    planned: Planned
    target: float | None
    by: Method

    @property
    def plan(self) -> Plan:
        """The plan itself."""
        return self.planned.plan


def _laws(asked: Asked) -> Any:
    seen = asked.planned.outlook(asked.by)
    if seen.ahead is None:
        raise PlanError("Nothing can be predicted beyond the data.", detail=seen.reason)
    return plot.extrapolation(seen.ahead)


FIGURES: Mapping[str, Callable[[Asked], Any]] = {
    "surface": lambda a: plot.loss_surface(a.planned.surface(), plan=a.plan),
    "limits": lambda a: plot.limits(a.plan),
    "beyond": _laws,
    "frontier": lambda a: plot.frontier(a.planned.frontier(), plan=a.plan),
    "time": lambda a: plot.time_shares(a.plan),
    "money": lambda a: plot.money(a.planned.money()),
    "memory": lambda a: plot.memory(a.planned.memory()),
    "smaller": lambda a: plot.smaller_models(a.planned.smaller_models()),
    "lifetime": lambda a: plot.lifetime(a.planned.lifetime(), plan=a.plan),
    "risk": lambda a: plot.risk(a.planned.risk(a.target, a.by)),
    "tornado.loss": lambda a: plot.tornado(a.planned.tornado(a.by)),
    "tornado.usd": lambda a: plot.tornado(a.planned.tornado(a.by), of="usd"),
    "disk": lambda a: plot.disk(a.plan),
}
"""Every figure of the Plan page for one plan, named as the page names it."""


def write(planned: Planned, folder: Path, *, target: float | None, by: Method) -> None:
    """Write every figure of a plan into a folder; say which cannot be drawn, and why."""
    asked = Asked(planned=planned, target=target, by=by)
    for name, make in FIGURES.items():
        _write(name, partial(make, asked), folder)


def compare(plans: Mapping[str, Plan], folder: Path) -> None:
    """Write the figure of several plans into a folder."""
    _write("compare", lambda: plot.plans(plans), folder)


def _write(name: str, make: Callable[[], Any], folder: Path) -> None:
    path = report.folder(folder) / f"{name}.html"
    try:
        figure = make()
    except IsoflopError as problem:
        print(f"not drawn: {name}: {problem.summary}", file=sys.stderr)
        return
    figure.write_html(path, include_plotlyjs="directory", full_html=True)
    print(f"drawn: {path}", file=sys.stderr)

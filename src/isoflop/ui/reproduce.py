"""Files and code to take away: each makes again what the page shows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from isoflop import export
from isoflop.errors import PlanError
from isoflop.planning import compute_flop, find_accelerator
from isoflop.planning.scenario import Scenario
from isoflop.planning.trajectory import compute_range, curve
from isoflop.ui import resolve, table_snippet
from isoflop.ui.resolve import Fitted
from isoflop.ui.state import FitChoice, remembered


class File(NamedTuple):
    """One file to download, made when it is asked for."""

    label: str
    name: str
    mime: str
    make: Callable[[], str]


def files(choice: FitChoice, fitted: Fitted) -> list[File]:
    """Return what can be downloaded of a fit."""
    return [
        File("Data (CSV)", "isoflop-data.csv", "text/csv", lambda: export.table_csv(fitted.table)),
        File("Fit (JSON)", "isoflop-fit.json", "application/json", lambda: _fit(fitted)),
        File("Curve (CSV)", "isoflop-curve.csv", "text/csv", lambda: _curve(choice, fitted)),
        File("Python", "isoflop_fit.py", "text/x-python", lambda: script(choice, fitted)),
    ]


def script(choice: FitChoice, fitted: Fitted) -> str:
    """Return a Python script that makes the fit again with the package."""
    table_code = table_snippet.table_code(
        choice.table, choice.families, resolve.full_table(choice.table)
    )
    if fitted.published is not None:
        return export.published_snippet(fitted.published.key, table_code=table_code)
    return export.snippet(
        fitted.fit, table_code=table_code, law_code=export.law_snippet(fitted.fit.law)
    )


def plan_script(choice: FitChoice, fitted: Fitted, scenario: Scenario) -> str:
    """Return a Python script that makes the fit and the plan again with the package."""
    return f"{script(choice, fitted)}\n{export.plan_snippet(scenario, choice.fixed)}\n"


def _fit(fitted: Fitted) -> str:
    published = fitted.published
    if published is None:
        return fitted.fit.to_json()
    origin = {"published": {"key": published.key, "source": published.source}}
    return fitted.fit.to_json(derived=origin)


def _curve(choice: FitChoice, fitted: Fitted) -> str:
    """Return the curve over compute, up to the budget: sizes, tokens, loss and band."""
    last = remembered()
    flop = None
    if last is not None:
        with suppress(PlanError):
            flop = compute_flop(last.budget, find_accelerator(last.accelerator))
    span = compute_range(fitted.fit, fitted.table, flop)
    return curve(fitted.fit, span, fixed=choice.fixed).to_frame().to_csv(index=False)

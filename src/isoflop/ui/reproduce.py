"""Files and code to take away: each makes again what the page shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from isoflop import export, html_report, rendering
from isoflop.errors import PlanError
from isoflop.notices import Notice
from isoflop.planning import Plan, compute_flop, find_accelerator
from isoflop.planning.outlook import Outlook
from isoflop.planning.scenario import Scenario
from isoflop.planning.trajectory import compute_range, curve
from isoflop.ui import resolve, table_snippet, uploads
from isoflop.ui.panels import File
from isoflop.ui.resolve import Fitted
from isoflop.ui.state import FitChoice, remembered


def files(choice: FitChoice, fitted: Fitted) -> list[File]:
    """Return what can be downloaded of a fit."""
    return [
        File("Data (CSV)", "isoflop-data.csv", "text/csv", lambda: export.table_csv(fitted.table)),
        File("Fit (JSON)", "isoflop-fit.json", "application/json", lambda: _fit(fitted)),
        File("Curve (CSV)", "isoflop-curve.csv", "text/csv", lambda: _curve(choice, fitted)),
        File("Python", "isoflop_fit.py", "text/x-python", lambda: script(choice, fitted)),
    ]


def reports(make: Callable[[], str]) -> list[File]:
    """Return a report to download, as a page and as PDF.

    Parameters
    ----------
    make : callable
        Makes the page.
    """
    missing = rendering.missing()
    if missing:
        missing = f"{missing} Or print the HTML report from your browser: it is made for A4."
    return [
        File("Report (HTML)", "isoflop-report.html", "text/html", make),
        File(
            "Report (PDF)",
            "isoflop-report.pdf",
            "application/pdf",
            lambda: rendering.pdf(make()),
            missing,
        ),
    ]


def report(
    choice: FitChoice,
    fitted: Fitted,
    plan: Plan | None,
    outlook: Outlook,
    code: str,
    notices: Iterable[Notice] = (),
) -> str:
    """Return the report of what a page shows, as HTML."""
    return html_report.report(
        replace(fitted.fit, table=fitted.table),
        plan,
        outlook=outlook,
        fixed=choice.fixed,
        notices=(*notices, *uploads.notices(choice.table.id)),
        code=code,
    )


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

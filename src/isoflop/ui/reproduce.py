"""Files and code to take away: each makes again what the page shows.

A file is made when its button is clicked, outside the session: what it needs of that is put into a
`Taken` when the page is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from isoflop import export, html_report, rendering, work
from isoflop.language import gettext as _
from isoflop.notices import Notice
from isoflop.planning import Plan
from isoflop.planning.outlook import Outlook
from isoflop.planning.scenario import Scenario
from isoflop.planning.trajectory import compute_range, curve
from isoflop.ui import resolve, table_snippet, uploads, visitor
from isoflop.ui.panels import File
from isoflop.ui.resolve import Fitted
from isoflop.ui.state import FitChoice
from isoflop.ui.table_snippet import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A fit, and a plan, with where their table comes from.

    Parameters
    ----------
    choice : FitChoice
    fitted : Fitted
    origin : Origin
    reading : tuple of Notice
        Of how the table was read.
    scenario : Scenario or None
        What was planned.
    plan : Plan or None
    outlook : Outlook
        What is to be believed of it.
    """

    choice: FitChoice
    fitted: Fitted
    origin: Origin
    reading: tuple[Notice, ...]
    scenario: Scenario | None
    plan: Plan | None
    outlook: Outlook

    def script(self) -> str:
        """Return a Python script that makes the fit, and the plan, again with the package."""
        table_code = table_snippet.table_code(self.origin)
        fit, published = self.fitted.fit, self.fitted.published
        if published is not None:
            code = export.published_snippet(published.key, table_code=table_code)
        else:
            code = export.snippet(fit, table_code=table_code, law_code=export.law_snippet(fit.law))
        if self.scenario is None or self.plan is None:
            return code
        return f"{code}\n{export.plan_snippet(self.scenario, self.choice.fixed)}\n"

    def report(self, notices: Iterable[Notice] = ()) -> str:
        """Return all of it as one HTML page, with further notices."""
        return html_report.report(
            replace(self.fitted.fit, table=self.fitted.table),
            self.plan,
            outlook=self.outlook,
            fixed=self.choice.fixed,
            notices=(*notices, *self.reading),
            code=self.script(),
        )

    def fit_json(self) -> str:
        """Return the fit as JSON that `Fit.load` reads."""
        published = self.fitted.published
        if published is None:
            return self.fitted.fit.to_json()
        origin = {"published": {"key": published.key, "source": published.source}}
        return self.fitted.fit.to_json(derived=origin)

    def curve_csv(self) -> str:
        """Return the curve over compute, up to the plan: sizes, tokens, loss and band."""
        flop = None if self.plan is None else self.plan.compute_flop
        span = compute_range(self.fitted.fit, self.fitted.table, flop)
        found = curve(self.fitted.fit, span, fixed=self.choice.fixed)
        return found.to_frame().to_csv(index=False)


def taken(
    choice: FitChoice,
    fitted: Fitted,
    scenario: Scenario | None = None,
    plan: Plan | None = None,
    outlook: Outlook | None = None,
) -> Taken:
    """Return what the page shows, to be taken away."""
    full = resolve.full_table(choice.table)
    return Taken(
        choice=choice,
        fitted=fitted,
        origin=table_snippet.origin(choice.table, choice.families, full),
        reading=uploads.notices(choice.table.id),
        scenario=scenario,
        plan=plan,
        outlook=outlook or Outlook(ahead=None, sizes=None),
    )


@dataclass(slots=True)
class Latest:
    """What a page shows by now: a slider changes it, and leaves the buttons below as they are.

    Parameters
    ----------
    of : Taken
    notices : callable
        Makes what else is to be said in a report.
    """

    of: Taken
    notices: Callable[[], Iterable[Notice]] = tuple

    def report(self) -> str:
        """Return all of it as one HTML page."""
        return self.of.report(self.notices())


def fit_files(shown: Latest) -> list[File]:
    """Return what can be downloaded of a fit."""

    def table() -> str:
        return export.table_csv(shown.of.fitted.table)

    return [
        File(_("Data (CSV)"), "isoflop-data.csv", "text/csv", table),
        File(_("Fit (JSON)"), "isoflop-fit.json", "application/json", lambda: shown.of.fit_json()),
        File(_("Curve (CSV)"), "isoflop-curve.csv", "text/csv", lambda: shown.of.curve_csv()),
    ]


def script_file(shown: Latest, name: str) -> File:
    """Return the code that makes it again."""
    return File(_("Python"), name, "text/x-python", lambda: shown.of.script())


def report_files(shown: Latest) -> list[File]:
    """Return a report to download, as a page and as PDF, which a job of the person prints."""
    owner = visitor.turns()
    missing = rendering.missing()
    if missing:
        missing = _(
            "{missing} Or print the HTML report from your browser: it is made for A4.",
            missing=missing,
        )
    return [
        File(_("Report (HTML)"), "isoflop-report.html", "text/html", shown.report),
        File(
            _("Report (PDF)"),
            "isoflop-report.pdf",
            "application/pdf",
            lambda: work.submit(rendering.pdf, shown.report(), owner=owner).result(),
            missing,
        ),
    ]

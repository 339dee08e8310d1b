"""A fit without the rows that its notices name, beside the fit with them."""

from __future__ import annotations

from collections.abc import Iterable

from isoflop.fitting.fit import Progress, fit
from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext as _
from isoflop.notices import Notice
from isoflop.tables import LossTable
from isoflop.text import aligned

NAMED = _("named in a notice")
"""How the reason of a row begins that was left out since a notice names it; then its code."""


def named_rows(notices: Iterable[Notice]) -> dict[int, str]:
    """Return the rows that notices name, each with the code of the first that does."""
    found: dict[int, str] = {}
    for notice in notices:
        for row in notice.rows:
            found.setdefault(row, notice.code)
    return dict(sorted(found.items()))


def reason_of(code: str) -> str:
    """Return why rows are left out that a notice of this code names."""
    return f"{NAMED}: {code}"


def without_named(found: Fit, progress: Progress | None = None) -> Fit:
    """Return the fit again without the rows that its notices name; itself where there are none.

    Parameters
    ----------
    found : Fit
        With its rows.
    progress : callable, optional
        As of `fit`.

    Raises
    ------
    IsoflopError
        If the rows that are left cannot be fitted.
    """
    rows = named_rows(found.notices)
    if not rows or found.table is None:
        return found
    table = found.table
    for code in dict.fromkeys(rows.values()):
        named = [row for row, which in rows.items() if which == code]
        table = table.exclude(named, reason=reason_of(code))
    return fit(found.law, table, found.options, progress=progress)


def named_in_notices(table: LossTable) -> list[int]:
    """Return the rows of a table that `without_named` left out."""
    if "exclusion_reason" not in table.frame:
        return []
    reasons = table.frame["exclusion_reason"].astype(str)
    return [int(row) for row in table.frame.index[reasons.str.startswith(NAMED)]]


def before_and_after(before: Fit, after: Fit) -> str:
    """Say which rows were left out, and what that did to the parameters."""
    rows = named_rows(before.notices)
    listed = ", ".join(f"{row} ({code})" for row, code in rows.items())
    cells = [
        (name, f"{value:.5g}", f"{after.values[name]:.5g}") for name, value in before.values.items()
    ]
    cells.append(("rows", f"{before.n_rows}", f"{after.n_rows}"))
    header = ("", _("with them"), "without")
    return _(
        "Left out because notices name them: rows {listed}.\n\n{cells}",
        listed=listed,
        cells=aligned(cells, header),
    )

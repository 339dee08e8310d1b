"""How far planning's sums were found to be off, as ``python -m benchmarks.planning`` measured."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields

from isoflop.data import data_root
from isoflop.errors import CatalogError
from isoflop.language import lazy_gettext as _
from isoflop.once import once

ERRORS_FILE = "planning_errors.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredError:
    """How far predictions of one kind are off, with something kept back.

    Parameters
    ----------
    what, kept_back : str
    n_rows : int
    median, p90 : float
        Of the size of the error, as a share of what was measured; of goodput in points.
    bias : float
        Median, with its sign.
    ideal_median : float or None
        Of the plain roofline.
    made : str
        Date.
    """

    what: str
    kept_back: str
    n_rows: int
    median: float
    p90: float
    bias: float
    ideal_median: float | None
    made: str


COLUMNS = tuple(field.name for field in fields(MeasuredError))


@once
def load_measured_errors() -> tuple[MeasuredError, ...]:
    """Return every measured error, in the order of the file."""
    with (data_root() / ERRORS_FILE).open(encoding="utf-8", newline="") as file:
        return tuple(
            MeasuredError(
                what=row["what"],
                kept_back=row["kept_back"],
                n_rows=int(row["n_rows"]),
                median=float(row["median"]),
                p90=float(row["p90"]),
                bias=float(row["bias"]),
                ideal_median=float(row["ideal_median"]) if row["ideal_median"] else None,
                made=row["made"],
            )
            for row in csv.DictReader(file)
        )


def measured_error(what: str, kept_back: str) -> MeasuredError:
    """Return one measured error.

    Raises
    ------
    CatalogError
        If there is none.
    """
    for found in load_measured_errors():
        if (found.what, found.kept_back) == (what, kept_back):
            return found
    raise CatalogError(
        _("No error of {what} without {kept_back} was measured.", what=what, kept_back=kept_back)
    )

"""What extrapolating costs: errors and bands on held-out runs of public tables, by distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import pandas as pd

from isoflop.fitting.extrapolation.calibration import load_report
from isoflop.language import lazy_gettext as _
from isoflop.options import Option
from isoflop.tables import list_datasets

DECADES: Mapping[float, str] = {0.5: "0.5", 1.0: "1", 1.5: "1.5"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decade:
    """How far beyond the data.

    Parameters
    ----------
    decades : {0.5, 1.0, 1.5}
    """

    decades: Annotated[
        float,
        Option(
            label=_("Decades beyond the data"),
            help=_("How far the largest runs were held out, and then predicted from those below."),
            choices=DECADES,
            term="extrapolation",
        ),
    ] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DecadeCost:
    """How predictions did on public tables, at each distance.

    Parameters
    ----------
    decades : float
        The distance looked at.
    rows : DataFrame
        A row a table and distance: ``name``, ``decades``, ``mean_error``, ``half_width`` of log
        loss, ``coverage``.
    """

    decades: float
    rows: pd.DataFrame

    @property
    def there(self) -> pd.DataFrame:
        """Return the rows at the distance looked at."""
        return self.rows[self.rows["decades"] == self.decades]

    @property
    def facts(self) -> Mapping[str, str]:
        """What the sentences say, by name."""
        there = self.there
        return {
            "decades": DECADES[self.decades],
            "n_tables": f"{len(there)}",
            "median": f"{there['mean_error'].median():.1%}",
            "worst": f"{there['mean_error'].max():.1%}",
            "width": f"{there['half_width'].median():.1%}",
            "coverage": f"{there['coverage'].mean():.0%}",
        }


def decade_cost(distance: Decade) -> DecadeCost:
    """Return how the average of the laws did, from the measurements that ship."""
    made = load_report()
    rows = made.loc[made["method"] == "average"].reset_index(drop=True)
    titles = {dataset.id: dataset.title for dataset in list_datasets()}
    names = [titles.get(key, key) for key in rows["dataset"]]
    return DecadeCost(decades=distance.decades, rows=rows.assign(name=names))

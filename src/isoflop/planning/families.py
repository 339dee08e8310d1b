"""Two model families by the compute that each needs for the same loss, at its best sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop import document
from isoflop.errors import FitError
from isoflop.fitting import Fit, FitOptions, fit
from isoflop.fitting.compare import (
    SCALES,
    Group,
    Multiplier,
    SharedTest,
    compute_multiplier,
    exponents,
    exponents_summary,
    family_notices,
    loss_of_one_input,
    multiplier_summary,
    require_comparable,
    shared_test,
)
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext as _
from isoflop.language import listed
from isoflop.laws import Law, laws_for, rebind
from isoflop.notices import Notice
from isoflop.planning.frontier import compute_optimal
from isoflop.text import as_html, with_notices

Array = NDArray[np.float64]

FORMAT = "isoflop-family-comparison-1"
N_GRID = 60
BEYOND = 10.0
"""How far beyond the largest row families are compared, as a factor of the scale."""
FEWEST_DRAWS = 200
"""Resamples that a band of the multiplier takes at least."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FamilyComparison(Keyed):
    """Two families under one law.

    Parameters
    ----------
    labels : (str, str)
    fits : (Fit, Fit)
    ranges : ((float, float), (float, float))
        Scale of the rows of each.
    multiplier : Multiplier
    test : SharedTest or None
        None for a law without exponents.
    notices : tuple of Notice
    key : str
        Of all that is said above.
    """

    labels: tuple[str, str]
    fits: tuple[Fit, Fit]
    ranges: tuple[tuple[float, float], tuple[float, float]]
    multiplier: Multiplier
    test: SharedTest | None
    notices: tuple[Notice, ...] = ()
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<FamilyComparison: {' and '.join(self.labels)} under {self.fits[0].law.label}>"

    def summary(self, *, notices: bool = True) -> str:
        """Return what was found as text: the multiplier, and whether exponents are shared.

        Parameters
        ----------
        notices : bool
            Whether the notices stand below.
        """
        return with_notices("\n".join(self.sentences()), self.notices if notices else ())

    def to_frame(self) -> pd.DataFrame:
        """Return a row a scale: how many times as much the second family needs, with its band."""
        found = self.multiplier
        return pd.DataFrame(
            {
                found.column: found.scale,
                "loss": found.loss,
                "multiplier": found.centre,
                "lower": found.lower,
                "upper": found.upper,
                "is_extrapolation": found.is_extrapolation,
            }
        )

    def params(self) -> pd.DataFrame:
        """Return the parameters of both families side by side."""
        return pd.DataFrame(
            {
                label: one.params()["value"]
                for label, one in zip(self.labels, self.fits, strict=True)
            }
        )

    @property
    def law(self) -> Law:
        """The law that both are fitted by, each with parameters of its own."""
        return self.fits[0].law

    @property
    def column(self) -> str:
        """Table column of the scale that they are compared over."""
        return self.multiplier.column

    def sentences(self) -> list[str]:
        """Say how much more one family needs, and whether both share the law's exponents."""
        said = [multiplier_summary(self.multiplier, *self.labels)]
        return said if self.test is None else [*said, exponents_summary(self.test)]

    def to_json(self) -> str:
        """Return the comparison as JSON that `from_json` reads, with both fits."""
        return document.to_json(self, FORMAT, derived={"summary": self.summary()})

    @classmethod
    def from_json(cls, text: str | bytes) -> FamilyComparison:
        """Read what `to_json` wrote.

        Raises
        ------
        DocumentError
            If it is anything else, or of a newer version.
        """
        return document.from_json(cls, text, FORMAT)

    def _repr_html_(self) -> str:
        title = listed(self.labels)
        return as_html(title, *self.sentences(), self.params(), notices=self.notices)


def compare_families(
    groups: tuple[Group, Group],
    law: Law,
    options: FitOptions | None = None,
    *,
    column: str,
    reasons: Mapping[str, str] | None = None,
) -> FamilyComparison:
    """Fit one law to two families and compare them over a measure of scale.

    Parameters
    ----------
    groups : (Group, Group)
    law : Law
    options : FitOptions, optional
        With at least `FEWEST_DRAWS` resamples.
    column : str
        What the scale is, such as ``"compute_flop"``.
    reasons : mapping of str to str, optional
        Why a difference in loss unit, tokenizer or convention does no harm, by aspect.

    Raises
    ------
    FitError
        If the two are not known to be comparable and no reason is given.
    IsoflopError
        If the law cannot be fitted to either, or tells no loss from that scale.
    """
    given = require_comparable(groups, reasons)
    options = options or FitOptions()
    options = replace(options, n_bootstrap=max(options.n_bootstrap, FEWEST_DRAWS))
    one, other = (fit(law, group.table, options) for group in groups)
    first, second = (group.table.span(column) for group in groups)
    grid = np.geomspace(min(first[0], second[0]), max(first[1], second[1]) * BEYOND, N_GRID)
    multiplier = compute_multiplier(
        one, other, grid, column=column, ranges=(first, second), loss_at=best_loss
    )
    test = shared_test(law, groups, (one, other)) if exponents(law) else None
    return FamilyComparison(
        labels=(groups[0].label, groups[1].label),
        fits=(one, other),
        ranges=(first, second),
        multiplier=multiplier,
        test=test,
        notices=(*given, *family_notices(groups, test, multiplier)),
    )


def best_loss(fit: Fit, theta: Array, scale: Array) -> Array:
    """Return the loss at each scale: of the best size where the law trades it for data.

    Parameters
    ----------
    fit : Fit
    theta : ndarray, shape (n, n_params)
    scale : ndarray, shape (m,)

    Returns
    -------
    ndarray, shape (n, m)
    """
    if len(fit.law.inputs) == 1:
        return loss_of_one_input(fit, theta, scale)
    return compute_optimal(fit.law, theta[:, None], scale).loss


def shared_scales(groups: tuple[Group, Group]) -> tuple[str, ...]:
    """Return the columns of scale that both families have.

    Raises
    ------
    FitError
        If there is none, or one of them has no losses.
    """
    known = set(groups[0].table.included()) & set(groups[1].table.included())
    found = tuple(name for name in SCALES if name in known)
    if not found or "loss" not in known:
        raise FitError(
            _("The two have no column in common that a law needs."),
            detail=_(
                "Needed in both: loss, and one of {values}.", values=", ".join(SCALES.values())
            ),
        )
    return found


def family_laws(groups: tuple[Group, Group], column: str) -> tuple[Law, ...]:
    """Return the laws that both families can be fitted by and compared over a scale."""
    known = set(groups[0].table.included()) & set(groups[1].table.included())
    found = []
    for offered in laws_for("families"):
        law = rebind(offered, {"x": column}) if "x" in offered.symbols else offered
        gives_loss = column == "compute_flop" or len(law.inputs) == 1
        if gives_loss and {item.column for item in law.inputs} <= known:
            found.append(law)
    return tuple(found)

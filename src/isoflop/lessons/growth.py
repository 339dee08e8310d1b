"""Does growth speed up, is it exponential? Each form fitted below a cut, and what it says above."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting import fit, predict
from isoflop.fitting.compare import functional_forms
from isoflop.fitting.compare.held_out import split_by_scale
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.options import Option
from isoflop.tables import (
    LossTable,
    dataset_for_role,
    family_names,
    load_dataset,
    of_families,
)

Array = NDArray[np.float64]

N_POINTS = 80
DECADES: Mapping[float, str] = {0.5: "0.5", 1.0: "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """Which runs are predicted from which.

    Parameters
    ----------
    family : str
        Of the table; its last one where empty.
    decades : {0.5, 1.0}
        How far the part that is predicted reaches down from the largest run.
    """

    family: Annotated[
        str,
        Option(
            label=_("Series of models"),
            help=_("One law is fitted to one series: the same data, tokenizer and recipe."),
            term="model_family",
        ),
    ] = ""
    decades: Annotated[
        float,
        Option(
            label=_("Decades held out"),
            help=_("How far the part that is predicted reaches down from the largest run."),
            choices=DECADES,
            term="held_out",
        ),
    ] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One functional form as fitted below the cut.

    Parameters
    ----------
    label : str
    loss : ndarray, shape (n,)
        Along the curve.
    error : float
        Mean size of its error on the runs above the cut, as a share of their loss.
    """

    label: str
    loss: Array
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What every form says of runs that it has not seen.

    Parameters
    ----------
    table : LossTable
        The runs of the series.
    cut_flop : float
        Compute of the largest run that was fitted.
    n_fitted, n_held_out : int
    compute_flop : ndarray, shape (n,)
    forms : tuple of Form
        The nearest to the runs held out first.
    """

    table: LossTable
    cut_flop: float
    n_fitted: int
    n_held_out: int
    compute_flop: Array
    forms: tuple[Form, ...]

    @property
    def facts(self) -> Mapping[str, str]:
        """What the sentences say, by name."""
        return {
            "n_fitted": f"{self.n_fitted}",
            "n_held_out": f"{self.n_held_out}",
            "ranking": joined(
                ", ",
                [
                    _("{label} {error:.3g}%", label=form.label, error=100 * form.error)
                    for form in self.forms
                ],
            ),
            "best": self.forms[0].label,
        }


def families() -> tuple[str, ...]:
    """Return the series that there is to choose among."""
    return tuple(family_names(_table()))


def growth(held_back: HeldBack) -> Growth:
    """Return how the functional forms predict the larger runs of a series of language models."""
    return _growth(held_back.family or families()[-1], held_back.decades)


@once(max_entries=1)
def _table() -> LossTable:
    return load_dataset(dataset_for_role("plan-example").id)


@once(max_entries=16)
def _growth(family: str, decades: float) -> Growth:
    table = of_families(_table(), [family])
    column = "compute_flop"
    split = split_by_scale(table, decades, column)
    flop = np.geomspace(*table.span(column), N_POINTS)
    forms = []
    for law in functional_forms(column):
        found = fit(law, split.lower)
        predicted = predict(found, {law.symbols[0]: split.upper.values(column)})
        observed = split.upper.values("loss")
        forms.append(
            Form(
                label=law.label,
                loss=predict(found, {law.symbols[0]: flop}),
                error=float(np.mean(np.abs(predicted / observed - 1))),
            )
        )
    return Growth(
        table=table,
        cut_flop=split.cut,
        n_fitted=len(split.lower.included()),
        n_held_out=len(split.upper.included()),
        compute_flop=flop,
        forms=tuple(sorted(forms, key=lambda form: form.error)),
    )

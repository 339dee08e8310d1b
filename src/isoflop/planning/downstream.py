"""A downstream metric along the best runs: what compute buys of it, through the loss."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.downstream import (
    Downstream,
    MetricBand,
    error_source,
    predict_downstream,
)
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext as _
from isoflop.laws import Law, laws_for, rebind
from isoflop.once import once
from isoflop.planning.frontier import compute_optimal
from isoflop.planning.inputs import inputs_at
from isoflop.planning.rule import SIX_ND
from isoflop.tables import LossTable
from isoflop.units import format_quantity

N_POINTS = 80
BEYOND = 100.0
"""How far beyond the largest run the curve goes on, as a factor of compute."""
AHEAD = 10.0
"""How far beyond the largest run a prediction is put in words."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DownstreamCurve(Keyed):
    """A metric along the best runs of every compute.

    Parameters
    ----------
    downstream : Downstream
    compute_flop : ndarray, shape (n,)
        From the smallest run to `BEYOND` times the largest.
    band : MetricBand
        Of loss and metric along it.
    models : str
        Which runs they are, such as ``"best N and D"``; empty where the law does not care.
    """

    downstream: Downstream
    compute_flop: NDArray[np.float64]
    band: MetricBand
    models: str
    key: str = field(init=False, repr=False)

    def sentences(self) -> tuple[str, str]:
        """Say what is expected ten times beyond the rows, and which step is least certain."""
        largest = self.downstream.table.span("compute_flop")[1]
        at = int(np.argmin(np.abs(np.log(self.compute_flop / (AHEAD * largest)))))
        metric = self.band.metric
        expected = _(
            "At {compute_flop} the best run is expected to reach {centre:.1%} "
            "{name} ({lower:.1%} to {upper:.1%} at {level:.0%}), through a loss "
            "of {loss:.3f}.",
            compute_flop=format_quantity(self.compute_flop[at], "flop", 2),
            centre=metric.centre[at],
            name=self.downstream.name,
            lower=metric.lower[at],
            upper=metric.upper[at],
            level=metric.level,
            loss=self.band.loss.centre[at],
        )
        return expected, error_source(self.band, at)


@once(max_entries=16)
def downstream_curve(found: Downstream, level: float = 0.9) -> DownstreamCurve:
    """Return the metric of the best run at each compute, through its loss.

    Parameters
    ----------
    found : Downstream
    level : float
        Of the band.
    """
    low, high = found.table.span("compute_flop")
    flop = np.geomspace(low, high * BEYOND, N_POINTS)
    law = found.loss_fit.law
    models = ""
    if {item.column for item in law.inputs} == {"compute_flop"}:
        inputs = {law.symbols[0]: flop}
    else:
        best = compute_optimal(law, found.loss_fit.theta, flop)
        inputs, models = inputs_at(law, best.params, best.tokens, rule=SIX_ND), _("best N and D")
    band = predict_downstream(found, inputs, level=level)
    return DownstreamCurve(downstream=found, compute_flop=flop, band=band, models=models)


def first_step_laws(table: LossTable) -> tuple[Law, ...]:
    """Return the laws of the loss that a table has the inputs for.

    Raises
    ------
    FitError
        If there is none.
    """
    known = set(table.included())
    found = []
    for offered in laws_for("downstream-loss"):
        law = rebind(offered, {"x": "compute_flop"}) if "x" in offered.symbols else offered
        if {item.column for item in law.inputs} <= known:
            found.append(law)
    if not found:
        raise FitError(_("The table has no inputs that a law of the loss could take."))
    return tuple(found)

"""The loss of the compute-optimal models under two fits of one law."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from isoflop.errors import PlanError
from isoflop.fitting import Fit, predict
from isoflop.language import gettext, ngettext
from isoflop.planning.inputs import inputs_at
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.planning.trajectory import band_or_reason, compute_range, optimal_models
from isoflop.plot.axes import response_title
from isoflop.plot.states import Picture, State, draw
from isoflop.plot.theme import LIGHT, Theme
from isoflop.tables import LossTable

N_POINTS = 80


def before_after(
    before: Fit,
    after: Fit,
    *,
    compute_flop: float | None = None,
    table: LossTable | None = None,
    fixed: Mapping[str, float] | None = None,
    rule: ComputeRule = SIX_ND,
    level: float = 0.9,
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw what two fits of one law, to all rows and to fewer, predict over compute.

    Parameters
    ----------
    before, after : Fit
    compute_flop : float, optional
        The budget; by default the largest compute drawn.
    table : LossTable, optional
        The rows of the first fit; by default those that it still holds.
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.
    rule : ComputeRule
        How size and tokens make compute.
    level : float
        Nominal coverage of the bands.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    PlanError
        If the first fit has no compute-optimal models.
    """
    picture = _prepare(before, after, compute_flop, table or before.table, fixed or {}, rule, level)
    notes = [gettext("Along the models that are compute-optimal under the fit to all rows.")]
    return draw(picture, theme, notes=notes)


def _prepare(
    before: Fit,
    after: Fit,
    compute_flop: float | None,
    table: LossTable | None,
    fixed: Mapping[str, float],
    rule: ComputeRule,
    level: float,
) -> Picture:
    span = compute_range(before, table, compute_flop)
    models = optimal_models(before, np.geomspace(*span, N_POINTS), fixed, rule=rule)
    if models is None:
        raise PlanError(
            gettext(
                "{label} has no compute-optimal models over this range.", label=before.law.label
            )
        )
    flop, params, tokens = models
    at = inputs_at(before.law, params, tokens, fixed, rule=rule)
    n_left_out = before.n_rows - after.n_rows

    def state(name: str, fit: Fit) -> State:
        found, _ = band_or_reason(fit, at, level)
        return State(
            name=name,
            loss=predict(fit, at),
            lower=None if found is None else found.lower,
            upper=None if found is None else found.upper,
        )

    return Picture(
        compute_flop=flop,
        before=state(gettext("All rows"), before),
        after=state(
            gettext("Without {rows}", rows=ngettext("{n:,} row", "{n:,} rows", n_left_out)), after
        ),
        budget_flop=compute_flop or span[1],
        y_title=response_title(before),
        level=level,
    )

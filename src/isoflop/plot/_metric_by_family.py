"""A downstream metric by family where no loss was measured: against that of a reference law."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from isoflop.fitting.downstream import FamilyCurves, predict_family
from isoflop.language import gettext as _
from isoflop.language import kept_by_language
from isoflop.planning.inputs import inputs_at
from isoflop.planning.rule import SIX_ND
from isoflop.plot import metric
from isoflop.plot.theme import LIGHT, Theme, escaped

N_POINTS = 80
N_FIRST = 4
"""Families drawn unless named: those of most models."""
BELOW, BEYOND = 2.0, 10.0
"""How far curves go on below and above the models, as factors of the size."""


def metric_by_family(
    curves: FamilyCurves, *, families: Sequence[str] = (), theme: Theme = LIGHT
) -> go.Figure:
    """Draw the models of families and the curve of each, along its own tokens per parameter.

    Parameters
    ----------
    curves : FamilyCurves
        From `isoflop.fitting.downstream.fit_families`.
    families : sequence of str, optional
        By default those of most models. A family whose models do not determine its offset has no
        curve.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
    """
    chosen = tuple(families) or curves.by_size()[:N_FIRST]
    return metric.draw(_prepare(curves, chosen), theme)


def _prepare(curves: FamilyCurves, families: Sequence[str]) -> metric.Picture:
    drawn = [
        _curve(curves, family, place)
        for place, family in enumerate(families)
        if curves.has_offset(family)
    ]
    return metric.Picture(
        models=tuple(_models(curves, family) for family in families),
        curves=tuple(drawn),
        x_title=_(
            "Reference loss for size and tokens ({loss_unit})", loss_unit=curves.reference.loss_unit
        ),
        y_title=escaped(curves.metric),
    )


def _own(curves: FamilyCurves, family: str) -> pd.DataFrame:
    frame = curves.table.frame
    return frame[frame["family"].astype(str) == family]


def _models(curves: FamilyCurves, family: str) -> metric.Models:
    own = _own(curves, family)
    names = own["run_id"].astype(str).map(escaped) if "run_id" in own else [""] * len(own)
    return metric.Models(
        name=escaped(family),
        x=own["loss"].to_numpy(np.float64),
        metric=own[curves.metric].to_numpy(np.float64),
        labels=tuple(names),
    )


@kept_by_language(max_entries=64)
def _curve(curves: FamilyCurves, family: str, place: int) -> metric.Curve:
    own = _own(curves, family)
    params = own["params"].to_numpy(np.float64)
    ratio = np.exp(np.mean(np.log(own["tokens"].to_numpy(np.float64) / params)))
    grid = np.geomspace(params.min() / BELOW, params.max() * BEYOND, N_POINTS)
    inputs = inputs_at(curves.reference.law, grid, grid * ratio, rule=SIX_ND)
    band = predict_family(curves, family, inputs, kind="confidence")
    return metric.Curve(
        name=escaped(family),
        x=band.loss,
        metric=band.metric,
        lower=band.lower,
        upper=band.upper,
        level=band.level,
        place=place,
    )

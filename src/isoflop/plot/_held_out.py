"""How far laws are off each row that was held out."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from isoflop.errors import FitError
from isoflop.fitting.compare import HeldOut, LawComparison
from isoflop.language import gettext as _
from isoflop.plot import offsets
from isoflop.plot.axes import axis_of
from isoflop.plot.theme import LIGHT, Theme, escaped


def held_out(comparison: LawComparison, *, theme: Theme = LIGHT) -> go.Figure:
    """Draw the error of each held-out row by each law, hollow where its interval missed the row.

    Parameters
    ----------
    comparison : LawComparison
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If no row could be held out.
    """
    return offsets.draw(_prepare(comparison), theme)


def _prepare(comparison: LawComparison) -> offsets.Picture:
    groups = tuple(
        _errors(score.law.label, score.held_out)
        for score in comparison.fitted
        if score.held_out is not None and score.held_out.errors.is_relative
    )
    if not groups or comparison.split is None:
        raise FitError(
            _("No rows could be held out, so there is nothing to predict."),
            detail=comparison.split_refusal,
        )
    return offsets.Picture(
        axis=axis_of(comparison.split.column),
        y_title=_("Predicted / observed - 1 (%)"),
        groups=groups,
        exception=_("outside its 90% interval"),
    )


def _errors(label: str, held: HeldOut) -> offsets.Offsets:
    is_inside = np.ones(len(held.observed), dtype=bool)
    if held.lower is not None and held.upper is not None:
        is_inside = (held.observed >= held.lower) & (held.observed <= held.upper)
    return offsets.Offsets(
        name=escaped(label),
        x=held.scale,
        offset=held.errors.error,
        is_filled=is_inside,
        labels=tuple(_("loss {value:.4g}", value=value) for value in held.observed),
    )

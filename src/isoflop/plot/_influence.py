"""What leaving out each row, or each run, changes: the furthest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.fitting.diagnose import Unit, diagnostics
from isoflop.language import gettext as _
from isoflop.planning import sensitivity
from isoflop.planning.sensitivity import Influence, Quantity, target_of
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.theme import LIGHT, Theme, Trace, escaped
from isoflop.tables import LossTable

BAR_PX = 24
N_BARS = 12


def influence(
    fit: Fit,
    *,
    quantity: str | None = None,
    unit: Unit = "rows",
    compute_flop: float | None = None,
    fixed: Mapping[str, float] | None = None,
    found: Influence | None = None,
    table: LossTable | None = None,
    theme: Theme = LIGHT,
) -> go.Figure:
    """Draw by how much a quantity changes without each of the rows that change it most.

    Parameters
    ----------
    fit : Fit
    quantity : str, optional
        ``"N*"`` for the compute-optimal size, ``"a"`` for its exponent, or a parameter; by default
        the first that the law has.
    unit : {"rows", "runs"}
    compute_flop : float, optional
        Budget of the optimum; by default where a curve of the fit ends.
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.
    found : Influence, optional
        Where it was computed before; it takes seconds, and settles the three above.
    table : LossTable, optional
        The rows; by default those that the fit still holds.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If the rows are not at hand.
    """
    if found is None:
        target = target_of(fit, compute_flop, fixed=fixed, table=table)
        found = sensitivity.influence(diagnostics(fit, table), target, unit=unit)
    return _draw(_prepare(found, chosen_quantity(found, quantity)), theme)


def chosen_quantity(found: Influence, name: str | None) -> Quantity:
    """Return a quantity by name, or the first."""
    quantities = found.quantities
    return quantities[name] if name else next(iter(quantities.values()))


def change_title(quantity: Quantity) -> str:
    """Return what an axis of a quantity's change says."""
    return _(
        "Change of {name} when left out{is_relative}",
        name=quantity.name,
        is_relative=" (%)" if quantity.is_relative else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """Bars, the longest first: one a row or run, with its change and its hover text."""

    names: tuple[str, ...]
    change: NDArray[np.float64]
    labels: tuple[str, ...]
    x_title: str
    notes: tuple[str, ...]


def _prepare(found: Influence, quantity: Quantity) -> _Picture:
    order = np.argsort(-np.abs(np.nan_to_num(quantity.change, nan=np.inf)), kind="stable")[:N_BARS]
    names = [escaped(name) for name in found.unit_names(order)]
    is_exact = found.left_out.is_exact
    note = _(
        "The {sum} largest are exact refits; the others are first-order estimates.",
        sum=int(is_exact.sum()),
    )
    return _Picture(
        names=tuple(names),
        change=np.nan_to_num(quantity.change[order], nan=0.0),
        labels=tuple(
            _(
                "<b>without {row}</b><br>{quantity} {with_all} → {without}",
                row=name,
                quantity=quantity.name,
                with_all=quantity.write(quantity.with_all),
                without=quantity.write(float(quantity.without[i])),
            )
            for i, name in zip(order, names, strict=True)
        ),
        x_title=change_title(quantity),
        notes=() if is_exact.all() else (note,),
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    colours = [look.FAMILIES[0] if value >= 0 else look.ACCENT for value in picture.change]
    trace: Trace = {
        "type": "bar",
        "orientation": "h",
        "x": picture.change,
        "y": list(picture.names),
        "marker": {"color": colours},
        "text": picture.labels,
        "textposition": "none",
        "hovertemplate": "%{text}<extra></extra>",
    }
    layout = {
        "xaxis": look.axis(picture.x_title, "linear")
        | {"zeroline": True, "zerolinecolor": theme.ink},
        "yaxis": {"type": "category", "autorange": "reversed", "showgrid": False, "ticks": ""},
        "bargap": 0.3,
    }
    return assemble(
        [trace],
        theme=theme,
        height_px=BAR_PX * len(picture.names) + 70,
        layout=layout,
        alt=_(
            "{x_title}: most without {names}, {change:+.3g}.",
            x_title=picture.x_title,
            names=picture.names[0],
            change=picture.change[0],
        ),
        notes=picture.notes,
    )

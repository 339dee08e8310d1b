"""A prediction beyond the data: what each law says, the average with its band, and its width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from isoflop.errors import FitError
from isoflop.fitting.extrapolation.result import LEVEL, PARTS, Extrapolation
from isoflop.language import as_a_title, lazy_gettext, translated
from isoflop.language import gettext as _
from isoflop.plot import theme as look
from isoflop.plot._figure import BELOW_PX, assemble, names_px
from isoflop.plot.axes import predicted_title
from isoflop.plot.theme import LIGHT, Theme, Trace, short

ROW_PX, BAR_PX, TOP_PX = 34, 30, 8
GAP_PX = BELOW_PX + 12
WIDE_ENOUGH = 0.12
"""Share of the width from which on a part's name stands in the bar."""
SHORT = {
    "noise": lazy_gettext("scatter"),
    "draws": lazy_gettext("refits"),
    "disagreement": lazy_gettext("disagreement"),
    "distance": lazy_gettext("distance"),
}
"""What stands in the bar."""

AVERAGE = lazy_gettext("<b>Average</b>")
ONE = lazy_gettext("<b>Prediction</b>")


def extrapolation(ahead: Extrapolation, *, point: int = 0, theme: Theme = LIGHT) -> go.Figure:
    """Draw each law's prediction, the average with its band, and what makes the band wide.

    Parameters
    ----------
    ahead : Extrapolation
    point : int
        Which of its points.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    FitError
        If there is no such point.
    """
    if not 0 <= point < len(ahead.centre):
        raise FitError(
            _(
                "There is no point {point}: the prediction has {centre}.",
                point=point,
                centre=len(ahead.centre),
            )
        )
    return _draw(_prepare(ahead, point), theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Law:
    """One law: its name, weight, past error (NaN if unknown) and prediction."""

    label: str
    weight: float
    past_error: float
    loss: float

    @property
    def row(self) -> str:
        """What stands beside its tick."""
        past = (
            ""
            if np.isnan(self.past_error)
            else _(", past error {past_error:.1%}", past_error=self.past_error)
        )
        return f"{self.label}<br>{self.weight:.0%}{past}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The laws, the heaviest first; the prediction; each part's share of the squared width."""

    title: str
    name: str
    laws: tuple[_Law, ...]
    lower: float
    centre: float
    upper: float
    is_scenario: bool
    parts: tuple[tuple[str, str, float], ...]
    verdict: str
    notes: tuple[str, ...]


def _prepare(ahead: Extrapolation, point: int) -> _Picture:
    laws = [
        _Law(
            label=short(law.label),
            weight=law.weight,
            past_error=law.past_error,
            loss=float(law.loss[point]),
        )
        for law in ahead.laws_used
        if np.isfinite(law.loss[point])
    ]
    shares = ahead.width_parts_at(point)
    return _Picture(
        title=predicted_title("loss", ahead.loss_unit),
        name=translated(AVERAGE if ahead.method == "average" else ONE),
        laws=tuple(sorted(laws, key=lambda law: -law.weight)),
        lower=float(ahead.lower[point]),
        centre=float(ahead.centre[point]),
        upper=float(ahead.upper[point]),
        is_scenario=bool(ahead.is_scenario[point]),
        parts=tuple(
            (key, translated(as_a_title(name)), shares[key]) for key, name in PARTS.items()
        ),
        verdict=ahead.verdict(point),
        notes=ahead.notes,
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    rows = [picture.name, *(law.row for law in picture.laws)]
    plot_px = ROW_PX * len(rows) + GAP_PX + BAR_PX
    layout = {
        "barmode": "stack",
        "showlegend": False,
        # A browser that measures names takes three times as long for the whole figure.
        "margin": {"l": names_px(rows), "r": 16, "t": TOP_PX, "b": BELOW_PX},
        "xaxis": {
            "title": _title(picture.title),
            "anchor": "y",
            "automargin": False,
            "range": look.round_range(
                np.array([picture.lower, picture.upper, *(law.loss for law in picture.laws)])
            ),
        },
        "yaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": rows[::-1],
            "domain": [(BAR_PX + GAP_PX) / plot_px, 1],
            "automargin": False,
            "range": [-0.6, len(rows) - 0.4],
        },
        "xaxis2": {
            "title": _title(_("Share of squared width")),
            "automargin": False,
            "tickformat": ".0%",
            "range": [0, 1],
            "anchor": "y2",
        },
        "yaxis2": {
            "domain": [0, BAR_PX / plot_px],
            "showticklabels": False,
            "automargin": False,
            "range": [-0.5, 0.5],
        },
    }
    return assemble(
        [_band(picture), _laws(picture), *_parts(picture)],
        theme=theme,
        height_px=TOP_PX + plot_px + BELOW_PX,
        layout=layout,
        alt=_alt(picture),
        notes=picture.notes,
    )


def _title(text: str) -> dict[str, object]:
    return {"text": text, "standoff": look.STANDOFF_PX}


def _band(picture: _Picture) -> Trace:
    kind = _("Scenario, untested") if picture.is_scenario else _("{level:.0%} band", level=LEVEL)
    return {
        "type": "scatter",
        "x": [picture.centre],
        "y": [picture.name],
        "mode": "markers",
        "name": kind,
        "marker": {"color": look.ACCENT, "size": 13, "symbol": "diamond", "line": look.OUTLINE},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [picture.upper - picture.centre],
            "arrayminus": [picture.centre - picture.lower],
            "color": look.MUTED if picture.is_scenario else look.ACCENT,
            "thickness": 3,
        },
        "hovertemplate": _(
            "{lower:.4g} to {upper:.4g}<extra>{kind}</extra>",
            lower=picture.lower,
            upper=picture.upper,
            kind=kind,
        ),
    }


def _laws(picture: _Picture) -> Trace:
    return {
        "type": "scatter",
        "x": [law.loss for law in picture.laws],
        "y": [law.row for law in picture.laws],
        "mode": "markers",
        "name": _("Each law alone"),
        "marker": {
            "color": look.colour(0),
            "symbol": "line-ns",
            "size": 11,
            "line": {"width": 3, "color": look.colour(0)},
            "opacity": [0.35 + 0.65 * law.weight**0.5 for law in picture.laws],
        },
        "hovertemplate": "%{y}: %{x:.4g}<extra></extra>",
    }


def _parts(picture: _Picture) -> list[Trace]:
    return [
        {
            "type": "bar",
            "x": [share],
            "y": ["width"],
            "orientation": "h",
            "name": name,
            "xaxis": "x2",
            "yaxis": "y2",
            "marker": {"color": look.colour(index + 1)},
            "text": [SHORT[key] if share >= WIDE_ENOUGH else ""],
            "textposition": "inside",
            "insidetextanchor": "middle",
            "textangle": 0,
            "hovertemplate": f"{name}: %{{x:.0%}}<extra></extra>",
        }
        for index, (key, name, share) in enumerate(picture.parts)
    ]


def _alt(picture: _Picture) -> str:
    said = "; ".join(f"{law.label} {law.loss:.4g} ({law.weight:.0%})" for law in picture.laws)
    return _("{verdict} Laws: {said}.", verdict=picture.verdict, said=said)

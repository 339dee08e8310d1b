"""One look for every figure: palette, templates, axes.

Inside the app the browser replaces fonts, grid and background by those of the theme in use
(``.streamlit/config.toml``), so that a figure follows a switch between light and dark at once. A
figure made outside the app takes them from its template: `LIGHT` or `DARK`.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from isoflop.language import translated

Scale = Literal["log", "linear"]
Figure = go.Figure
Trace = dict[str, Any]
"""One trace as Plotly writes it: a dict is checked once, a graph object again in each figure."""

FAMILIES = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7F3C8D", "#666666",
    "#A6761D",
)  # fmt: skip
"""Colours of families, told apart by colour-blind readers too (Okabe and Ito, extended)."""

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "pentagon", "star", "hexagon")
"""Marker shapes of families, so that colour is never the only difference."""

ACCENT = "#D55E00"
"""What the reader chose: the budget and its model."""

MANY_POINTS = 2000
"""Above this many markers a chart draws with WebGL: an SVG element each would freeze it."""

BAND = "rgba(86, 160, 211, 0.32)"
BAND_BEYOND = "rgba(86, 160, 211, 0.55)"
CLEAR = "rgba(0, 0, 0, 0)"
MUTED = "rgba(128, 136, 144, 0.55)"
"""Translucent, so that they stand on light and dark alike."""

OUTLINE = {"width": 0.75, "color": "rgba(255, 255, 255, 0.8)"}
"""Around markers, which would else melt into each other and into bands."""

STANDOFF_PX = 8
"""Between the labels of an axis and its title."""

SEQUENTIAL = tuple(f"rgba(31, 132, 201, {alpha})" for alpha in (0.62, 0.48, 0.36, 0.25, 0.15, 0.06))
"""Areas from low loss to high."""

SEQUENTIAL_LINES = tuple(f"rgba(31, 132, 201, {alpha})" for alpha in (1.0, 0.75, 0.5))
"""Lines from low loss to high."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """What a figure takes from its surroundings.

    Parameters
    ----------
    ink : str
        Colour of the fitted curve and other lines that are neither family nor choice.
    template : plotly.graph_objects.layout.Template
    is_packed : bool
        Whether numbers go into a figure as a browser reads them fastest, in single precision: for
        drawing alone.
    """

    ink: str
    template: go.layout.Template
    is_packed: bool = False


def _template(ink: str, faint: str, paper: str) -> go.layout.Template:
    axis = {
        "gridcolor": faint,
        "linecolor": MUTED,
        "tickcolor": MUTED,
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "ticklen": 4,
        "automargin": True,
        "title": {"standoff": STANDOFF_PX},
    }
    return go.layout.Template(
        layout={
            "font": {"family": "Source Sans 3, Source Sans Pro, sans-serif", "color": ink},
            "paper_bgcolor": paper,
            "plot_bgcolor": paper,
            "colorway": FAMILIES,
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"align": "left"},
        }
    )


LIGHT = Theme(ink="#17212B", template=_template("#17212B", "#DDE3E9", "#FFFFFF"))
DARK = Theme(ink="#E6ECF2", template=_template("#E6ECF2", "#2C3946", "#0F1720"))
APP = Theme(ink="#000010", template=LIGHT.template, is_packed=True)
"""Inside the app: Streamlit's browser code puts the tenth chart colour of the theme in use, which
is its ink, where a figure says ``#000010``."""


def colour(index: int) -> str:
    """Return the colour of the family at ``index``."""
    return FAMILIES[index % len(FAMILIES)]


def shaded(index: int, share: float) -> str:
    """Return a family's colour for one of its sizes: from about half to all of its strength."""
    return translucent(colour(index), 0.45 + 0.55 * share)


def symbol(index: int) -> str:
    """Return the marker shape of the family at ``index``."""
    return SYMBOLS[index % len(SYMBOLS)]


def star(theme: Theme) -> dict[str, Any]:
    """Return the marker of what the reader chose."""
    return {
        "color": ACCENT,
        "symbol": "star-diamond",
        "size": 17,
        "line": {"width": 1.5, "color": theme.ink},
    }


def translucent(colour: str, alpha: float) -> str:
    """Return a colour of six hexadecimal digits with an opacity, 0 to 1."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha:g})"


def marker_type(n_points: int) -> str:
    """Return the type of a trace of this many markers."""
    return "scattergl" if n_points > MANY_POINTS else "scatter"


def axis(
    title: str, scale: Scale = "log", *, is_power: bool = False, span: ArrayLike = ()
) -> dict[str, Any]:
    """Return an axis with its unit in the title.

    Parameters
    ----------
    title : str
        With unit.
    scale : {"log", "linear"}
    is_power : bool
        Write ticks as powers of ten (FLOP) instead of 1M, 1B, 1T (parameters, tokens).
    span : array_like, optional
        Values shown; a logarithmic axis over three decades or more (two for powers of ten) is
        labelled at whole decades, a narrower one at a few round values.
    """
    settings: dict[str, Any] = {"title": {"text": title, "standoff": STANDOFF_PX}, "type": scale}
    if scale == "log":
        settings["exponentformat"] = "power" if is_power else "B"
        shown = np.asarray(span, dtype=np.float64)
        shown = shown[np.isfinite(shown) & (shown > 0)]
        decades = float(np.log10(shown.max() / shown.min())) if len(shown) else 0.0
        if decades >= (2 if is_power else 3):
            settings |= _decade_ticks(float(shown.min()), float(shown.max()), is_power=is_power)
        elif decades > 0:
            settings |= log_ticks(float(shown.min()), float(shown.max()), is_power=is_power)
    return settings


def _decade_ticks(low: float, high: float, *, is_power: bool) -> dict[str, Any]:
    """Return whole decades from the one below to the one above, not more than about nine."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    step = 1 + int(np.log10(high / low) // 9)
    powers = range(step * (first // step), last + 1, step)
    return _named_ticks([10.0**power for power in powers], is_power=is_power)


def _named_ticks(ticks: list[float], *, is_power: bool) -> dict[str, Any]:
    texts = [_power(value) if is_power else _short(value) for value in ticks]
    return {"tickmode": "array", "tickvals": ticks, "ticktext": texts}


def log_ticks(low: float, high: float, *, count: int = 6, is_power: bool = False) -> dict[str, Any]:
    """Return about ``count`` round ticks of a logarithmic axis, each written in full.

    Plotly labels the places between decades by their first digit alone.

    Parameters
    ----------
    low, high : float
        Smallest and largest value shown.
    count : int
    is_power : bool
        As for ``axis``.
    """
    return _named_ticks(_round_log_ticks(low, high, count), is_power=is_power)


def _round_log_ticks(low: float, high: float, count: int) -> list[float]:
    """Return fifths and halves of decades, or coarser, or multiples of a round step."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    grids = [
        [m * 10.0**p for p in powers for m in parts if low <= m * 10.0**p <= high]
        for parts in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
    ]
    for found in grids:
        if 3 <= len(found) <= count + 1:
            return found
    for found in reversed(grids):
        if len(found) >= 3:
            return found[:: -(-len(found) // (count + 1))]
    return [float(value) for value in round_ticks(low, high, count)]


def _short(value: float) -> str:
    """Write a tick as short as it reads back exactly: 0.02, 400, 20k, 3M, 1T, 1e15."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size <= value < 1e15:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def _power(value: float) -> str:
    """Write a tick by its power of ten: 10, 2 x 10 to the 20th."""
    exponent = int(np.floor(np.log10(value) + 1e-9))
    factor = f"{value / 10.0**exponent:.3g}"
    return f"10<sup>{exponent}</sup>" if factor == "1" else f"{factor}×10<sup>{exponent}</sup>"


def narrow_log_axis(title: str, span: NDArray[np.float64], *, count: int = 5) -> dict[str, Any]:
    """Return a logarithmic axis with a few round ticks, however narrow it is.

    Parameters
    ----------
    title : str
        With unit.
    span : ndarray
        Smallest and largest value shown, among others.
    count : int
        About how many ticks.
    """
    low, high = float(np.min(span)), float(np.max(span))
    ends = log_range(np.array([low, high]), share=0.03, least=0.01)
    settings = axis(title, "log") | {"range": ends}
    return settings | log_ticks(low, high, count=count)


def loss_axis(title: str, losses: NDArray[np.float64], scale: Scale = "log") -> dict[str, Any]:
    """Return an axis for losses, which span less than a decade: round ticks, a tight range.

    Parameters
    ----------
    title : str
        With unit.
    losses : ndarray
        Every loss that must be visible; those that are not positive and finite are left out.
    scale : {"log", "linear"}
    """
    shown = losses[np.isfinite(losses) & (losses > 0)]
    settings = axis(title, scale)
    if not len(shown):
        return settings
    if scale == "linear" or shown.max() > 10 * shown.min():
        return settings
    ends = log_range(shown)
    return settings | {
        "range": ends,
        "tickmode": "array",
        "tickvals": round_ticks(*10.0 ** np.array(ends)),
    }


def log_range(
    shown: NDArray[np.float64], *, share: float = 0.04, least: float = 0.004
) -> list[float]:
    """Return the ends of a logarithmic axis, in decades, just outside of positive values.

    An axis of given ends stands still while what lies between them moves.

    Parameters
    ----------
    shown : ndarray
    share, least : float
        How far outside: a share of the decades shown, and the fewest decades.
    """
    low, high = np.log10(shown.min()), np.log10(shown.max())
    margin = max(share * (high - low), least)
    return [float(low - margin), float(high + margin)]


def round_range(shown: NDArray[np.float64], *, share: float = 0.04) -> list[float]:
    """Return round ends of a linear axis, outside of values by at least a share of their span.

    An axis of such ends mostly stands still while the values move.

    Parameters
    ----------
    shown : ndarray
        Those that are not finite are left out; one at least is.
    share : float
    """
    finite = shown[np.isfinite(shown)]
    low, high = float(finite.min()), float(finite.max())
    margin = share * ((high - low) or abs(low) or 1.0)
    step = float(np.diff(round_ticks(low - margin, high + margin))[0])
    return [
        float(np.round(np.floor((low - margin) / step) * step, 12)),
        float(np.round(np.ceil((high + margin) / step) * step, 12)),
    ]


def round_ticks(low: float, high: float, count: int = 6) -> NDArray[np.float64]:
    """Return about ``count`` multiples of a round step between two values."""
    if not high > low:
        return np.array([low])
    rough = (high - low) / count
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * min((s for s in (1, 2, 2.5, 5, 10) if s * power >= rough), default=10)
    multiples = np.arange(np.ceil(low / step), np.floor(high / step) + 1)
    return np.asarray(np.round(multiples * step, 12))


def short(label: str) -> str:
    """Return a label in the language of its reader, without what stands in brackets."""
    return translated(label).partition(" (")[0].partition("（")[0]


def escaped(text: str) -> str:
    """Return a text as a figure draws it: in the language of its reader, without markup."""
    return html.escape(translated(text))

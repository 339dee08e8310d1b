"""How every figure is put together: common layout, and what it says in words."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from unicodedata import east_asian_width

import numpy as np
import plotly.graph_objects as go

from isoflop.plot.theme import STANDOFF_PX, Theme, Trace

COMMON: Mapping[str, Any] = {
    "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
    "legend": {
        "orientation": "h",
        "yref": "container",
        "yanchor": "bottom",
        "y": 0,
        "xanchor": "left",
        "x": 0,
    },
    "hovermode": "closest",
}
"""Legend below, tight margins."""

FEWEST_PACKED = 8
"""Numbers; fewer are as short in plain text."""

CHARACTER_PX = 7.0
"""A wide character of a tick label: digits take 5.6 px in the app, up to 7 elsewhere."""
BESIDE_LABEL_PX = 4 + 8
"""The tick, and what Streamlit puts between it and its label."""
LETTER_PX = 6.0
"""A letter of a name, on average."""
LABEL_HEIGHT_PX = 21
TITLE_HEIGHT_PX = 21
SHORTEST_PLOT = 0.55
"""Share of a figure's height that its plot has when the legend takes many lines."""
LONGEST_LABEL = 9
"""Characters; longer ones are names, which the browser measures."""


def assemble(
    traces: Sequence[Trace],
    *,
    theme: Theme,
    height_px: int,
    layout: Mapping[str, Any],
    alt: str,
    notes: Sequence[str] = (),
) -> go.Figure:
    """Return a figure with the common layout, an explicit template and its words.

    Parameters
    ----------
    traces : sequence of dict
    theme : Theme
    height_px : int
    layout : mapping
        Added to the common one.
    alt : str
        What the figure shows, in one sentence, for those who do not see it.
    notes : sequence of str
        What a reader must know of it, such as why it has no band.
    """
    layout = {**COMMON, **layout}
    layout = {
        "template": theme.template,
        "height": height_px,
        "meta": {"alt": _plain(alt), "notes": list(notes)},
        **layout,
        **_room_for_labels(layout, height_px),
    }
    if theme.is_packed:
        return Unmade([_packed(trace) for trace in traces], layout)
    # To validate is the dearest part of a drawing, so that only the tests do it.
    return go.Figure(data=list(traces), layout=layout, _validate=False)


class Unmade(go.Figure):  # type: ignore[misc]  # Plotly has no types
    """A figure on its way to a page: of Plotly's objects once somebody asks for one of them.

    Making them copies all parts of a figure, and `to_dict` copies them again, which takes half of
    the time of a drawing.
    """

    def __init__(self, data: list[Trace], layout: dict[str, Any]) -> None:
        self._parts = data, layout

    def __getattr__(self, name: str) -> Any:
        if "_parts" not in self.__dict__:  # made already: there is no such name
            raise AttributeError(name)
        data, layout = self.__dict__.pop("_parts")
        super().__init__(data=data, layout=layout, _validate=False)
        return getattr(self, name)

    def __reduce__(self) -> tuple[Any, ...]:
        """Be copied, or go to another process, as Plotly's own."""
        made: tuple[Any, ...] = go.Figure(data=self.data, layout=self.layout).__reduce__()
        return made

    def to_dict(self) -> dict[str, Any]:
        """Return ``data`` and ``layout``, whose parts are not to be changed."""
        if "_parts" not in self.__dict__:
            return dict(super().to_dict())
        data, layout = self._parts
        return {"data": data, "layout": layout}


def _packed(value: Any) -> Any:
    """Return a trace, or a part of it, with its longer arrays of numbers as Plotly's own bytes.

    In single precision: a screen shows no more, and half as much goes to the browser.
    """
    if isinstance(value, dict):
        return {name: _packed(part) for name, part in value.items()}
    is_long = isinstance(value, np.ndarray) and value.size >= FEWEST_PACKED
    if not is_long or value.dtype.kind != "f":
        return value
    with np.errstate(over="ignore"):
        single = value.astype(np.float32)
    if (np.isinf(single) & np.isfinite(value)).any():
        return value
    packed = {"dtype": "f4", "bdata": base64.b64encode(single.tobytes()).decode("ascii")}
    return packed if value.ndim == 1 else packed | {"shape": ", ".join(map(str, value.shape))}


def _room_for_labels(layout: Mapping[str, Any], height_px: int) -> dict[str, Any]:
    """Return axes and margins that leave the browser nothing to measure, where labels are known.

    Measuring labels and drawing again takes it half of its time for a chart. A figure of several
    panels is left to it.
    """
    names = [name for name in layout if re.match(r"[xy]axis\d*$", name)]
    if sorted(names) != ["xaxis", "yaxis"]:
        return {}
    texts = {name: _labels(layout[name]) for name in names}
    if not all(texts.values()) or layout["legend"] is not COMMON["legend"]:
        return {}
    width_px = {name: CHARACTER_PX * max(map(_characters, found)) for name, found in texts.items()}
    if max(width_px.values()) > LONGEST_LABEL * CHARACTER_PX:
        return {}
    title_px = BESIDE_LABEL_PX + STANDOFF_PX + TITLE_HEIGHT_PX
    margin = {
        **layout["margin"],
        "l": title_px + round(width_px["yaxis"]),
        "r": max(layout["margin"]["r"], round(width_px["xaxis"] / 2)),
        "b": BELOW_PX,
    }
    below = -margin["b"] / (SHORTEST_PLOT * height_px)
    return {
        "margin": margin,
        "legend": {"orientation": "h", "yanchor": "top", "y": below, "xanchor": "left", "x": 0},
        **{name: {**layout[name], "automargin": False} for name in names},
    }


def names_px(names: Iterable[str]) -> int:
    """Return the margin that an axis without a title needs for names, in lines of their own."""
    lines = [line for name in names for line in re.split("<br>", name)]
    longest = max(_characters(re.sub(r"<[^>]*>", "", line)) for line in lines)
    return BESIDE_LABEL_PX + round(LETTER_PX * longest)


BELOW_PX = BESIDE_LABEL_PX + LABEL_HEIGHT_PX + STANDOFF_PX + TITLE_HEIGHT_PX
"""The margin that an axis needs below, for labels of one line and its title."""


def _characters(text: str) -> int:
    """Return how many letters a text is as wide as: a Chinese character as two."""
    return len(text) + sum(east_asian_width(character) in "WF" for character in text)


def _labels(axis: Mapping[str, Any]) -> list[str]:
    """Return the labels of an axis without their markup; empty where Plotly chooses them."""
    texts = axis.get("ticktext")
    if texts is None:
        texts = [f"{value:.6g}" for value in axis.get("tickvals", ())]
    return [re.sub(r"<[^>]*>", "", text) for text in texts]


def _plain(text: str) -> str:
    """Return what a hover box writes in several lines and in bold as one line of text."""
    return html.unescape(re.sub(r"</?b>", "", text.replace("<br>", ", ")))

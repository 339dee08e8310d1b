"""A chart of ours, which the browser changes in place.

Streamlit's own chart is drawn anew, twice, whenever anything in it changes, and forgets what a
person zoomed or hid. This one hands the figure to ``assets/chart.js``, which lets Plotly change
what is drawn. What has not changed since the last time, such as the rows of a table beside a
budget that moves, goes there by its name alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import streamlit as st

from isoflop.language import ENGLISH, current, translated
from isoflop.once import once
from isoflop.ui import scripts

if TYPE_CHECKING:
    from isoflop.plot import Figure

SCRIPT = "chart.js"
TITLE_PX = 51
"""As a row of buttons above the chart beside it, and the gap below that: see ``style.css``."""

WORTH_KEEPING = 1000
"""Bytes of a trace from which on the browser keeps it."""
_KEPT = "traces"


@once(max_entries=1)
def _chart() -> Any:
    return st.components.v2.component(
        "isoflop.chart", js=scripts.loader(SCRIPT), isolate_styles=False
    )


def draw(
    figure: Figure,
    *,
    key: str,
    title: str = "",
    config: Mapping[str, Any],
    on_pick: Callable[[], None] | None = None,
) -> tuple[int, ...]:
    """Draw a figure, or change the one that is drawn under its key.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Made by `isoflop.plot`, which says in it what it shows.
    key : str
    title : str
        Stands above it.
    config : mapping
        Of Plotly: the toolbar.
    on_pick : callable, optional
        Called when points were clicked, or taken by a box or a lasso, before the page runs again;
        None for a figure whose points cannot be.

    Returns
    -------
    tuple of int
        The points that are picked, by the row that each holds as its ``customdata``.
    """
    parts = figure.to_dict()
    layout = dict(parts["layout"])
    alt, height_px = layout.pop("meta")["alt"], layout["height"]
    sent = {"data": parts["data"], "layout": layout, "title": title, "alt": alt, "config": config}
    if current() != ENGLISH:
        sent = _said(sent)
    calls = {} if on_pick is None else {"on_picked_change": on_pick}
    _chart()(
        key=key,
        data=_packed({**sent, "key": key, "data": list(_unchanged_by_name(key, sent["data"]))}),
        height=int(height_px) + (TITLE_PX if title else 0),
        on_lost_change=partial(_forget, key),
        **calls,
    )
    return picked(key)


def _unchanged_by_name(key: str, traces: Iterable[Any]) -> Iterator[Any]:
    """Yield traces as they are sent: those of the last time by the name that they had then."""
    held: dict[str, set[str]] = st.session_state.setdefault(_KEPT, {})
    known, held[key] = held.get(key, set()), set()
    for trace in traces:
        packed = _packed(trace)
        if len(packed) < WORTH_KEEPING:
            yield orjson.Fragment(packed)
            continue
        name = blake2b(packed, digest_size=12).hexdigest()
        held[key].add(name)
        yield {"kept": name} | ({} if name in known else {"trace": orjson.Fragment(packed)})


def _forget(key: str) -> None:
    """Send a chart whole the next time: its browser lacks something, as after a lost message."""
    st.session_state.get(_KEPT, {}).pop(key, None)


def _packed(part: Any) -> bytes:
    return orjson.dumps(part, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(part: Any) -> Any:
    """Return as plain values what else a figure holds: a template, names as an array."""
    return part.tolist() if isinstance(part, np.ndarray) else part.to_plotly_json()


def _said(part: Any) -> Any:
    """Return a figure, or a part of it, with its texts in the language of the page."""
    if isinstance(part, str):
        return translated(part)
    if isinstance(part, Mapping):
        return {name: _said(value) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [_said(value) for value in part]
    if isinstance(part, np.ndarray) and part.dtype == object:
        return _said(part.tolist())
    return part


def picked(key: str) -> tuple[int, ...]:
    """Return what is picked in a figure, by its key; a callback asks before the figure is drawn."""
    held = st.session_state.get(key) or {}
    return tuple(sorted({int(row) for row in held.get("picked") or ()}))

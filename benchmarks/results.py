"""Write what was measured to ``benchmarks/RESULTS.md``, and draw how costs grow beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import plotly.graph_objects as go
from playwright.sync_api import sync_playwright
from plotly.offline import get_plotlyjs

from benchmarks.browser import launch
from benchmarks.machine import in_words
from benchmarks.measured import Growth, Measured, Row, number
from isoflop.plot import LIGHT, theme

HERE = Path(__file__).parent
RESULTS, DRAWING = HERE / "RESULTS.md", HERE / "growth.svg"
PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "streamlit", "plotly")
SIZE_PX = (900, 420)


def write_results(found: Mapping[str, Sequence[Measured]]) -> None:
    """Write the table of every benchmark, and the drawing.

    Parameters
    ----------
    found : mapping of str to sequence of Row or Growth
        What each benchmark yielded, by its name.
    """
    growths = [item for items in found.values() for item in items if isinstance(item, Growth)]
    parts = [_head()]
    for name, items in found.items():
        parts.append(_table(name, [item for item in items if isinstance(item, Row)]))
    if growths:
        draw(growths, DRAWING)
        parts.append(_growth_table(growths))
    RESULTS.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _head() -> str:
    return (
        "# Results\n\n"
        "Written by `make bench`; do not edit. A ratio is Isoflop over its peer, measured in the\n"
        "same run. CPU times hold on a busy machine; wall times (s) need an idle one.\n\n"
        f"{in_words(PACKAGES)}; Chromium {_chromium()}\n"
        f"- Load when written: {os.getloadavg()[2]:.1f}"
    )


def _chromium() -> str:
    with sync_playwright() as driver:
        browser = launch(driver)
        try:
            return str(browser.version)
        finally:
            browser.close()


def _table(name: str, rows: Sequence[Row]) -> str:
    lines = [
        f"## benchmarks.{name}\n",
        "| Task | Isoflop | Peer | Peer's | Ratio | At most | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        theirs = "" if row.peer_value is None else f"{number(row.peer_value)} {row.unit}"
        ratio = "" if row.ratio is None else number(row.ratio)
        target = "" if row.at_most is None else f"{row.at_most:g}"
        words = "; ".join(part for part in ("**over**" if row.is_missed else "", row.note) if part)
        value = f"{number(row.value)} {row.unit}"
        lines.append(
            f"| {row.task} | {value} | {row.peer} | {theirs} | {ratio} | {target} | {words} |"
        )
    return "\n".join(lines)


def _growth_table(growths: Sequence[Growth]) -> str:
    lines = [
        "## Growth of cost\n",
        f"![CPU seconds by rows, draws and parameters]({DRAWING.name})\n",
        "| Task | Along | CPU s at |",
        "|---|---|---|",
    ]
    for item in growths:
        pairs = zip(item.at, item.cpu_s, strict=True)
        cells = ", ".join(f"{at:,.0f}: {number(cpu_s)}" for at, cpu_s in pairs)
        lines.append(f"| {item.task} | {item.along} | {cells} |")
    return "\n".join(lines)


def draw(growths: Sequence[Growth], path: Path) -> None:
    """Draw CPU seconds against each quantity, a panel each, as SVG by the browser's own Plotly."""
    kinds = list(dict.fromkeys(item.along for item in growths))
    width = 1 / len(kinds)
    layout = {
        "template": LIGHT.template,
        "width": SIZE_PX[0],
        "height": SIZE_PX[1],
        "margin": {"l": 60, "r": 10, "t": 10, "b": 120},
        "legend": {"orientation": "h", "y": -0.22},
    }
    traces = []
    for panel, kind in enumerate(kinds):
        number_of = str(panel + 1) if panel else ""
        layout[f"xaxis{number_of}"] = {
            "domain": [panel * width, (panel + 0.86) * width],
            "anchor": f"y{number_of}",
            "type": "log",
            "title": {"text": kind.capitalize()},
        }
        layout[f"yaxis{number_of}"] = {
            "anchor": f"x{number_of}",
            "type": "log",
            "title": {"text": "" if panel else "CPU s"},
        }
        for place, item in enumerate(found for found in growths if found.along == kind):
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "x": item.at,
                    "y": item.cpu_s,
                    "name": item.task,
                    "xaxis": f"x{number_of}",
                    "yaxis": f"y{number_of}",
                    "line": {"color": theme.colour(place + 3 * panel)},
                    "marker": {"symbol": theme.symbol(place)},
                }
            )
    figure = go.Figure(data=traces, layout=layout)
    with sync_playwright() as driver:
        browser = launch(driver)
        try:
            page = browser.new_page()
            page.add_script_tag(content=get_plotlyjs())
            data = page.evaluate(
                f"() => Plotly.toImage({figure.to_json()}, {{format: 'svg', imageDataOnly: true}})"
            )
        finally:
            browser.close()
    path.write_text(data, encoding="utf-8")

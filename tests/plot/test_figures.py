"""Every figure is found by its name, is typed there, looks the same, and is tested."""

from __future__ import annotations

import ast
import base64
import inspect
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from tests.plot.helpers import small_fit, small_plan

from isoflop import plot
from isoflop.plot import APP, LIGHT

FOLDER = Path(plot.__file__).parent
NOT_FIGURES = {"__init__", "_figure"}
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))


def test_every_module_with_an_underscore_is_listed() -> None:
    names = sorted(path.stem[1:] for path in FOLDER.glob("_*.py") if path.stem not in NOT_FIGURES)
    lacking = [name for name in names if name not in plot.FIGURES]
    assert not lacking, f"Add to FIGURES in plot/__init__.py: {', '.join(lacking)}"
    assert names == list(plot.FIGURES), (
        "FIGURES in plot/__init__.py should be in the order of the alphabet"
    )


def test_every_figure_is_imported_for_type_checkers() -> None:
    """Without its line, ``plot.NAME`` would be of type Any."""
    source = ast.parse((FOLDER / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        (node.module, alias.name, alias.asname)
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    lines = [
        f"from isoflop.plot._{name} import {name} as {name}"
        for name in plot.FIGURES
        if (f"isoflop.plot._{name}", name, name) not in imported
    ]
    assert not lines, "Under TYPE_CHECKING in plot/__init__.py add:\n" + "\n".join(lines)


@pytest.mark.parametrize("name", plot.FIGURES)
def test_every_figure_takes_a_theme_by_name(name: str) -> None:
    theme = inspect.signature(getattr(plot, name)).parameters["theme"]
    assert theme.kind is theme.KEYWORD_ONLY
    assert theme.default is plot.LIGHT


def test_every_figure_has_a_test() -> None:
    lacking = [name for name in plot.FIGURES if not re.search(rf"\bplot\.{name}\b", TESTS)]
    assert not lacking, f"No test in tests/plot draws {', '.join(lacking)}"


def test_a_figure_whose_labels_are_known_leaves_nothing_to_measure() -> None:
    layout = plot.loss_curve(small_fit(), plan=small_plan()).layout
    assert layout.xaxis.automargin is layout.yaxis.automargin is False
    longest = max(len(f"{value:.6g}") for value in layout.yaxis.tickvals)
    assert layout.margin.l > 7 * longest + 30
    assert layout.legend.y < 0


def test_labels_that_are_names_are_measured_by_the_browser() -> None:
    assert plot.contours(small_fit()).layout.xaxis.automargin is False
    assert plot.residuals(small_fit()).layout.yaxis.automargin is None


def test_inside_the_app_numbers_are_packed_in_single_precision() -> None:
    packed, plain = (plot.contours(small_fit(), theme=look).data[0] for look in (APP, LIGHT))
    assert packed.x["dtype"] == "f4"
    sent = np.frombuffer(base64.b64decode(packed.x["bdata"]), np.float32)
    np.testing.assert_allclose(sent, plain.x, rtol=1e-6)


def test_inside_the_app_a_figure_is_of_plotlys_objects_once_somebody_asks() -> None:
    figure = plot.loss_curve(small_fit(), plan=small_plan(), theme=APP)
    sent = figure.to_dict()
    assert sent["layout"]["height"] == figure.layout.height
    assert [trace["name"] for trace in sent["data"]] == [trace.name for trace in figure.data]
    assert not hasattr(figure, "no_such_part")
    again = pickle.loads(pickle.dumps(plot.loss_curve(small_fit(), theme=APP)))
    assert [trace.name for trace in again.data] == [
        trace.name for trace in plot.loss_curve(small_fit(), theme=APP).data
    ]
    assert figure.update_layout(height=300).to_dict()["layout"]["height"] == 300

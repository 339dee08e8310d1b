"""Two families under one law: their rows and curves, and the multiplier between them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.plot.helpers import n_markers, named, two_families

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting import FitOptions
from isoflop.fitting.compare import Group, subset
from isoflop.laws import load_laws
from isoflop.planning.families import (
    FamilyComparison,
    best_loss,
    compare_families,
    family_laws,
    shared_scales,
)
from isoflop.plot import _compute_multiplier
from isoflop.plot.theme import LIGHT

LABELS = ("one", "<two>")


@cache
def found(law: str = "power_floor") -> FamilyComparison:
    table = two_families()
    names = table.frame["family"].to_numpy()
    one, other = (Group(label=name, table=subset(table, names == name)) for name in LABELS)
    chosen = {law.key: law for law in family_laws((one, other), "compute_flop")}[law]
    options = FitOptions(objective="least_squares_log", n_bootstrap=200)
    return compare_families((one, other), chosen, options, column="compute_flop")


def test_families_take_the_colours_of_their_curves() -> None:
    figure = plot.families(found())
    law = found().law.label
    for name in ("one", "&lt;two&gt;"):
        (rows,) = named(figure, name)
        line = named(figure, f"{name}: {law}")[-1]
        assert rows.marker.color == line.line.color
    assert sum(trace.fill == "toself" for trace in figure.data) == 2
    assert n_markers(figure) == len(two_families().frame)
    assert "24 rows and 2 curves" in figure.layout.meta["alt"]


def test_a_law_of_size_and_data_is_drawn_at_the_best_size() -> None:
    comparison = found("chinchilla")
    figure = plot.families(comparison)
    line = named(figure, f"one: {load_laws()['chinchilla'].label}")[-1]
    fitted = comparison.fits[0]
    np.testing.assert_allclose(line.y, best_loss(fitted, fitted.theta[None], line.x)[0])


def test_the_multiplier_is_that_of_the_comparison() -> None:
    figure = plot.compute_multiplier(found())
    multiplier = found().multiplier
    (whole,) = named(figure, "beyond rows of either")
    shown = np.isfinite(multiplier.centre) & (multiplier.centre > 0)
    np.testing.assert_array_equal(whole.y[shown], multiplier.centre[shown])
    assert figure.layout.xaxis.title.text == "Compute of one (FLOP)"
    assert figure.layout.meta["alt"].startswith(
        "Compute that <two> needs over that of one for the same loss, from "
    )


def test_a_multiplier_without_end_is_not_drawn() -> None:
    centre = np.array([0.0, 0.5, 1.0, 2.0, np.inf])
    multiplier = replace(
        found().multiplier,
        scale=np.geomspace(1e18, 1e22, 5),
        centre=centre,
        lower=centre * 0.8,
        upper=np.where(np.isinf(centre), np.inf, centre * 1.2),
        is_extrapolation=np.array([True, False, False, True, True]),
    )
    picture = _compute_multiplier._Picture(
        found=multiplier, name="Compute", unit="FLOP", one="A", other="B"
    )
    figure = _compute_multiplier._draw(picture, LIGHT)
    (inside,) = named(figure, "within rows of both")
    np.testing.assert_array_equal(np.isfinite(inside.y), [False, True, True, False, False])
    (band,) = named(figure, "90% band")
    assert np.isfinite(band.y).all()
    nowhere = replace(picture, found=replace(multiplier, centre=np.full(5, np.inf)))
    (whole,) = named(_compute_multiplier._draw(nowhere, LIGHT), "beyond rows of either")
    assert not np.isfinite(whole.y).any()


def test_scales_and_laws_are_those_that_both_families_have() -> None:
    names = two_families().frame["family"].to_numpy()
    groups = [Group(label=name, table=subset(two_families(), names == name)) for name in LABELS]
    pair = (groups[0], groups[1])
    assert shared_scales(pair) == ("compute_flop", "tokens", "params")
    assert all(len(law.inputs) == 1 for law in family_laws(pair, "tokens"))
    bare = Group(label="bare", table=groups[0].table.with_frame(groups[0].table.frame[["loss"]]))
    with pytest.raises(FitError, match="no column in common"):
        shared_scales((groups[0], bare))

"""Plans and optima know themselves by their content, say what they are, and come back from JSON."""

import html
import json
from dataclasses import replace

import numpy as np
import pytest

from isoflop.errors import DocumentError, NoticeError
from isoflop.notices import Notice
from isoflop.planning import (
    Budget,
    Frontier,
    Optimum,
    Plan,
    compute_optimal,
    find_accelerator,
    frontier,
    plan,
)

H100 = find_accelerator("h100-sxm")
FLOP = [1e20, 1e22]


@pytest.fixture
def made(chinchilla, draws, make_fit) -> Plan:
    return plan(make_fit(chinchilla, draws=draws), Budget(compute_flop=1e23, usd=1e6), H100)


def test_a_plan_comes_back_equal(made, chinchilla, make_fit) -> None:
    again = Plan.from_json(made.to_json())
    assert again == made
    assert again.binding == made.binding
    other = plan(make_fit(chinchilla), Budget(compute_flop=1e23, usd=1e6), H100)
    assert Plan.from_json(other.to_json()) == other != made
    assert len({made, again, other}) == 2


def test_a_plan_as_json_says_what_follows(made) -> None:
    found = json.loads(made.to_json(), parse_constant=pytest.fail)
    assert found["format"] == "isoflop-plan-1"
    assert found["params"] == made.params
    assert found["loss_interval"]["level"] == 0.9
    assert found["derived"]["usd"] == made.cost.usd
    count = f'"accelerators": {made.cost.accelerators},'
    with pytest.raises(DocumentError, match=r"result\.cost"):
        Plan.from_json(made.to_json().replace(count, '"accelerators": "one",'))


def test_a_plan_says_what_to_train_and_what_it_takes(made) -> None:
    lines = dict(line.split("  ", 1) for line in made.summary().splitlines() if "  " in line)
    assert lines["accelerators"].strip() == f"{made.cost.accelerators} NVIDIA H100 SXM"
    assert "at 90%" in lines["parameters"]
    assert repr(made).startswith("<Plan: ")
    assert repr(made).endswith(f"loss {made.loss:.4g}>")
    (row,) = made.to_frame().to_dict("records")
    assert row["params"] == made.params
    assert row["loss_upper"] == made.loss_interval.upper


def test_a_plan_stops_a_pipeline_and_escapes_in_a_notebook(made) -> None:
    evil = "<img src=x onerror=alert(1)>"
    noticed = replace(
        made,
        accelerator=evil,
        notices=(Notice(code="bad", severity="serious", text=evil, remedy=""),),
    )
    with pytest.raises(NoticeError, match="The plan at 1e23 FLOP has 1 notice"):
        noticed.raise_for_notices()
    shown = noticed._repr_html_()
    assert "<img" not in shown
    assert shown.count(html.escape(evil)) == 2
    assert "[bad]" in noticed.summary()
    assert "[bad]" not in noticed.summary(notices=False)


def test_a_frontier_comes_back_and_shows_its_intervals(chinchilla, draws, make_fit) -> None:
    found = frontier(make_fit(chinchilla, draws=draws), FLOP)
    assert Frontier.from_json(found.to_json()) == found
    frame = found.to_frame()
    assert frame["compute_flop"].tolist() == FLOP
    assert (frame["params_lower"] < frame["params"]).all()
    assert (frame["loss_upper"] > frame["loss"]).all()
    assert "90% intervals" in found.summary()
    plain = frontier(make_fit(chinchilla), FLOP)
    assert "No intervals: The fit carries no bootstrap draws." in plain.summary()
    assert plain != found
    assert "params_lower" not in plain.to_frame()


@pytest.mark.parametrize("short", ["params", "is_extrapolation"])
def test_a_frontier_whose_parts_differ_in_length_is_refused(chinchilla, make_fit, short) -> None:
    found = json.loads(frontier(make_fit(chinchilla), FLOP).to_json())
    found[short] = found[short][:1]
    with pytest.raises(DocumentError, match=rf"does not hold together.*\n.*{short}: \(1,\)"):
        Frontier.from_json(json.dumps(found))


@pytest.mark.parametrize("flop", [1e21, FLOP])
def test_an_optimum_comes_back(chinchilla, make_fit, flop) -> None:
    fit = make_fit(chinchilla)
    found = compute_optimal(fit.law, fit.theta, flop)
    again = Optimum.from_json(found.to_json())
    assert again == found
    assert again.params.shape == np.shape(flop)
    assert found.to_frame()["params"].tolist() == np.ravel(found.params).tolist()

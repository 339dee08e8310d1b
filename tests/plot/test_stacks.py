"""Memory and disk by component, against what there is of them."""

from __future__ import annotations

import pytest
from tests.plot.helpers import limited_plan

from isoflop import plot
from isoflop.accounting import find_model
from isoflop.planning.layout import Layout
from isoflop.planning.memory import TrainingSetup, find_optimizer
from isoflop.planning.memory_advice import MemoryReport, report_memory
from isoflop.planning.money import Money
from isoflop.plot import LIGHT
from isoflop.plot.bars import Stacks, draw_stacks
from isoflop.store import Room

STACKS = Stacks(
    title="Memory",
    rows={
        "As laid out": {"weights": 40e9, "gradients": 0.0, "optimiser": 20e9},
        "ZeRO 0": {"weights": 80e9, "gradients": 0.0, "optimiser": 480e9},
    },
    lines=((80e9, "solid"), (72e9, "dot")),
)


def report() -> MemoryReport:
    setup = TrainingSetup(optimizer=find_optimizer("adam-16"), layout=Layout(data=8, zero_stage=3))
    return report_memory(find_model("Llama-3-8B").architecture, setup, 80e9)


def test_empty_components_are_left_out_and_limits_are_drawn() -> None:
    figure = draw_stacks(STACKS, LIGHT)
    assert [trace.name for trace in figure.data] == ["Weights", "Optimiser"]
    assert [shape.x0 for shape in figure.layout.shapes] == [80, 72]
    assert figure.layout.xaxis.title.text == "Memory (GB)"
    assert "As laid out: 60 GB" in figure.layout.meta["alt"]


def test_memory_is_drawn_as_laid_out_and_otherwise_and_adds_up() -> None:
    found = report()
    figure = plot.memory(found)
    assert list(figure.data[0].y) == ["As laid out", *found.alternatives]
    totals = sum(trace.x for trace in figure.data)
    assert totals[0] * 1e9 == pytest.approx(found.memory.total_bytes)
    assert figure.layout.xaxis.title.text == "Memory of the fullest accelerator (GB)"
    assert [shape.x0 for shape in figure.layout.shapes] == pytest.approx([80, 72])
    assert "the card, 80 GB" in figure.layout.meta["notes"][0]


def test_the_money_adds_up_by_every_way_to_pay() -> None:
    found = Money(
        by_way={
            "Rented": {"accelerators": 9e5, "staff": 1e5},
            "Bought": {"accelerators": 4e5, "electricity": 5e4, "staff": 1e5},
        },
        prices={"Rented": 2.5, "Bought": 1.1},
        limit_usd=2e6,
    )
    figure = plot.money(found)
    assert figure.layout.xaxis.title.text == "Money (million US dollars)"
    assert [trace.name for trace in figure.data] == ["Accelerators", "Staff", "Electricity"]
    assert sum(trace.x for trace in figure.data).tolist() == pytest.approx([1.0, 0.55])
    assert [shape.x0 for shape in figure.layout.shapes] == [2.0]
    assert "Bought: $550K" in figure.layout.meta["alt"]


def test_the_disk_adds_up_against_its_limit() -> None:
    plan = limited_plan()
    figure = plot.disk(plan)
    assert figure.layout.xaxis.title.text == "Disk (TB)"
    assert sum(trace.x[0] for trace in figure.data) * 1e12 == pytest.approx(
        plan.storage.total_bytes
    )
    assert [shape.x0 for shape in figure.layout.shapes] == pytest.approx([100])


def test_what_is_stored_adds_up_against_what_may_be() -> None:
    kept = Room(used_bytes={"documents": 2_000_000, "texts": 0}, allowed_bytes=5e6)
    figure = plot.room(kept)
    assert figure.layout.xaxis.title.text == "Stored (MB)"
    assert [(trace.name, *trace.x) for trace in figure.data] == [("Documents", 2.0)]
    assert [shape.x0 for shape in figure.layout.shapes] == [5.0]
    assert not plot.room(Room(used_bytes={"documents": 1}, allowed_bytes=None)).layout.shapes

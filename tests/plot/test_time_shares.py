"""Where the time of a planned run goes, as bars that add up to all of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import isoflop as iso
from isoflop.planning import Plan, PlanOptions, find_accelerator, plan


@pytest.fixture(scope="module")
def planned() -> Plan:
    fit = iso.fit("pile-cerebras-pythia", "chinchilla")
    budget = iso.Budget(wall_time_s=30 * 86400.0, accelerators=512)
    options = PlanOptions(tensor=8, pipeline=8)
    return plan(fit, budget, find_accelerator("h100-sxm"), options)


def test_the_shares_add_up_to_the_whole(planned: Plan) -> None:
    figure = iso.plot.time_shares(planned)
    rows = np.array([trace.x for trace in figure.data])
    whole = planned.training.mfu / planned.training.best_mfu
    assert rows.sum(axis=0) == pytest.approx([100, 100 * whole])
    assert figure.data[0].name == "Matrix products"
    assert "Whole run" in [trace.name for trace in figure.data]
    assert figure.layout.meta["alt"].startswith("Where the time goes: matrix products ")


def test_a_utilisation_of_ones_own_has_no_part_of_whole_runs(planned: Plan) -> None:
    fit = iso.fit("pile-cerebras-pythia", "chinchilla")
    own = plan(fit, replace(planned.budget, mfu=0.4), find_accelerator("h100-sxm"))
    names = [trace.name for trace in iso.plot.time_shares(own).data]
    assert "Whole run" not in names
    assert own.training.is_own_mfu
    assert own.training.mfu_interval is None

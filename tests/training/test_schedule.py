import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.training.config import RunConfig
from isoflop.training.schedule import rate_multiplier, segments, total_steps


def config(budgets, **changes):
    return RunConfig(family="lstm", width=32, depth=1, token_budgets=budgets, **changes)


def test_trunk_and_branches_by_hand():
    made = config((512 * 100, 512 * 200), decay_fraction=0.2)
    assert [(s.start, s.stop, s.budget) for s in segments(made)] == [
        (0, 80, None),
        (80, 100, 0),
        (80, 160, None),
        (160, 200, 1),
    ]
    assert total_steps(made) == 80 + 20 + 80 + 40


@given(
    steps=st.lists(st.integers(1, 3000), min_size=1, max_size=6, unique=True),
    decay_fraction=st.floats(0.05, 1.0),
)
def test_every_budget_is_reached_from_a_connected_trunk(steps, decay_fraction):
    made = config(tuple(512 * n for n in sorted(steps)), decay_fraction=decay_fraction)
    found = segments(made)
    assert [s.stop for s in found if s.is_decay] == sorted(steps)
    trunk_end = 0
    for segment in found:
        assert segment.start == trunk_end
        assert segment.stop > segment.start
        if not segment.is_decay:
            trunk_end = segment.stop


def test_all_budgets_cost_little_more_than_the_largest():
    made = config(tuple(2**n for n in range(17, 22)))
    assert total_steps(made) == pytest.approx(1.19 * made.budget_steps[-1], rel=0.01)
    separately = sum(made.budget_steps)
    assert total_steps(made) < 0.62 * separately


def test_the_rate_warms_up_stays_and_falls_to_nearly_zero():
    made = config((512 * 400,), warmup_steps=50, decay_fraction=0.25)
    trunk, branch = segments(made)
    assert rate_multiplier(made, trunk, 0) == pytest.approx(1 / 50)
    assert rate_multiplier(made, trunk, 49) == rate_multiplier(made, trunk, 299) == 1.0
    assert rate_multiplier(made, branch, 300) == 1.0
    assert rate_multiplier(made, branch, 399) == pytest.approx(1 / 100)


@given(smallest=st.integers(1, 300), step=st.integers(0, 900))
def test_a_single_run_warms_up_as_a_ladder_does(smallest, step):
    ladder, alone = config((512 * smallest, 512 * 2000)), config((512 * 2000,))
    trunk = next(one for one in segments(ladder) if not one.is_decay)
    assert rate_multiplier(ladder, trunk, step) == rate_multiplier(alone, segments(alone)[0], step)

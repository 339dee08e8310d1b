"""What the top of a page says of a plan."""

from __future__ import annotations

from dataclasses import replace

from tests.plot.helpers import limited_plan, small_plan

from isoflop.planning.sheets import unit_of
from isoflop.ui import headline


def plain(text: str) -> str:
    return text.replace("\\", "").replace("**", "")


def test_what_to_train_is_said_with_what_binds() -> None:
    plan = limited_plan()
    text = plain(headline.train(plan))
    assert "tokens with 64 NVIDIA H100 SXM for 10 days: the best plan within the limits" in text
    assert f"predicted loss {plan.loss:.3f} nats/token (" in text
    assert text.endswith(
        f"Time binds; a tenth more time would lower the loss by {plan.binding[0].gain:.4f}."
    )


def test_a_chosen_size_is_not_called_the_best() -> None:
    chosen = replace(limited_plan(), basis="chosen", limits=(), loss_interval=None)
    text = plain(headline.train(chosen))
    assert "the best" not in text
    assert text.endswith(f"predicted loss {chosen.loss:.3f} nats/token.")


def test_what_a_budget_reaches_is_said_with_how_far_it_extrapolates() -> None:
    far = small_plan(1e26)
    _, decades = far.furthest
    text = plain(headline.reach(far))
    assert text.endswith(f"That extrapolates {decades:.1f} decades beyond the fitted rows.")
    assert "the best model has" in text
    near = plain(headline.reach(replace(far, extrapolation_decades={"N": 0.0, "D": 0.0})))
    assert near.endswith("That is within the fitted rows.")


def test_another_response_has_no_unit_of_loss() -> None:
    accuracy = replace(limited_plan(), response="accuracy")
    assert unit_of(accuracy) == ""
    assert "predicted accuracy" in plain(headline.train(accuracy))
    assert unit_of(replace(limited_plan(), loss_unit="unknown")) == "(unit unknown)"

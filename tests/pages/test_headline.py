"""What the top of a page says of a plan."""

from __future__ import annotations

from dataclasses import replace

from tests.plot.helpers import limited_plan, small_fit, small_plan, two_families

from isoflop.laws import load_published_fits
from isoflop.planning.outlook import outlook
from isoflop.planning.sheets import unit_of
from isoflop.ui import headline
from isoflop.ui.resolve import Fitted

OF = Fitted(table=two_families(), fit=small_fit(), published=None)


def plain(text: str) -> str:
    return text.replace("\\", "").replace("**", "")


def test_what_to_train_is_said_with_law_table_and_what_binds() -> None:
    plan = limited_plan()
    text = plain(headline.train(plan, OF))
    assert "tokens with 64 NVIDIA H100 SXM for 10 days." in text
    assert (
        "By one law alone (Chinchilla) on Two families, this is the best plan within the limits: "
        f"predicted loss {plan.loss:.3f} nats/token ("
    ) in text
    assert text.endswith(
        "The limit that binds is time: 10% more time would lower the loss by "
        f"{plan.binding[0].gain:.4f}."
    )


def test_a_chosen_size_is_not_called_the_best() -> None:
    chosen = replace(limited_plan(), basis="chosen", limits=(), loss_interval=None)
    text = plain(headline.train(chosen, OF))
    assert "the best" not in text
    assert f"on Two families, predicted loss {chosen.loss:.3f} nats/token. That is" in text


def test_what_a_budget_reaches_is_said_with_how_far_it_extrapolates() -> None:
    far = small_plan(1e26)
    _, decades = far.furthest
    text = plain(headline.reach(far, OF))
    assert "By one law alone (Chinchilla) on Two families, the best model for" in text
    assert f"That is {decades:.1f} decades of" in text
    assert text.endswith("beyond the data.")
    near = replace(far, extrapolation_decades={"N": 0.0, "D": 0.0})
    assert plain(headline.reach(near, OF)).endswith("That is within the data.")


def test_the_laws_of_a_table_speak_with_the_gap_in_compute() -> None:
    far = small_plan(1e26)
    seen = outlook(two_families(), far, alone=small_fit())
    assert seen.ahead is not None
    text = plain(headline.reach(far, OF, seen))
    assert f"That is {seen.ahead.decades[0]:.2f} decades of compute beyond the data." in text
    assert f"predicted loss {seen.ahead.centre[0]:.3f} nats/token" in text


def test_a_published_fit_is_named_as_one() -> None:
    published = next(iter(load_published_fits().values()))
    text = plain(headline.reach(small_plan(), replace(OF, published=published)))
    assert text.startswith(f"By the published fit {published.label} on Two families, ")


def test_another_response_has_no_unit_of_loss() -> None:
    accuracy = replace(limited_plan(), response="accuracy")
    assert unit_of(accuracy) == ""
    assert "predicted accuracy" in plain(headline.train(accuracy, OF))
    assert unit_of(replace(limited_plan(), loss_unit="unknown")) == "(unit unknown)"

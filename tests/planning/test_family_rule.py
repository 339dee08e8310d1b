import numpy as np
import pytest

from isoflop.accounting import count_flop, find_family, find_model
from isoflop.identity import content_key
from isoflop.planning.family_rule import family_rule

LLAMA, MIXTRAL = find_family("llama-3"), find_family("mixtral")


def test_dense_six_nd_needs_no_correction() -> None:
    rule = family_rule(LLAMA, "6N")
    assert rule.correction is None
    assert rule.flop_per_token(7e9) == 42e9


def test_rules_of_one_family_and_count_are_equal_and_have_a_key() -> None:
    rules = [family_rule(LLAMA, "appendix_f", context=context) for context in (2048, 2048, 4096)]
    assert rules[0] == rules[1] != rules[2]
    keys = [content_key(rule) for rule in rules]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("convention", ["6N_attention", "appendix_f"])
@pytest.mark.parametrize("name", ["Llama-3-8B", "Llama-3-70B", "Llama-3.1-405B"])
def test_a_released_model_costs_what_its_own_shape_costs(convention, name) -> None:
    model = find_model(name)
    expected = count_flop(model.architecture, convention=convention).training_flop
    ours = family_rule(LLAMA, convention).flop_per_token(float(model.parameters.total))
    # A new shape on the family's proportions is not the released one to the layer.
    assert ours == pytest.approx(expected, rel=0.01)


def test_a_longer_context_costs_more_and_a_causal_count_less() -> None:
    short, long = (family_rule(LLAMA, "6N_attention", context=c) for c in (2048, 32768))
    causal = family_rule(LLAMA, "6N_attention", context=32768, causal=True)
    size = np.array([1e9, 1e11])
    assert np.all(short.flop_per_token(size) < causal.flop_per_token(size))
    assert np.all(causal.flop_per_token(size) < long.flop_per_token(size))
    extra = [float(rule.flop_per_token(8e9)) - 48e9 for rule in (causal, long)]
    assert extra[0] == pytest.approx(extra[1] / 2, rel=0.01)


def test_experts_compute_with_their_active_parameters() -> None:
    model = find_model("Mixtral-8x7B").parameters
    rule = family_rule(MIXTRAL, "6N")
    assert rule.flop_per_token(float(model.total)) == pytest.approx(6 * model.active, rel=0.02)
    active = family_rule(MIXTRAL, "6N", count="active")
    assert active.flop_per_token(float(model.active)) == pytest.approx(6 * model.active, rel=0.02)
    assert "Mixtral shapes" in rule.label

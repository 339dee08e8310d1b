import re
from dataclasses import replace

import numpy as np
import pytest
from tests.fitting.compare_helpers import floor_law, line_table
from tests.fitting.helpers import chinchilla_table, table_of

from isoflop.errors import FitError
from isoflop.fitting import FitOptions, fit
from isoflop.fitting.compare import (
    Group,
    compare_published,
    compute_multiplier,
    exponents,
    exponents_summary,
    family_notices,
    mismatches,
    multiplier_summary,
    require_comparable,
    shared_test,
    subset,
)
from isoflop.fitting.compare.exponents import joint_law, joint_table
from isoflop.laws import load_laws, load_published_fits, rebind
from isoflop.tables import load_dataset

LAWS = load_laws()


# --- May losses be compared?


def group(label, *, tokenizer="", loss_unit="nats/token", param_convention="total", id=""):
    table = line_table(floor_law(), name=id or label)
    table = replace(table, loss_unit=loss_unit, param_convention=param_convention)
    frame = table.frame.assign(tokenizer=tokenizer) if tokenizer else table.frame
    return Group(label=label, table=table.with_frame(frame))


def test_sides_that_agree_are_comparable():
    assert mismatches([group("a", tokenizer="GPT-2"), group("b", tokenizer="GPT-2")]) == ()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"loss_unit": "bits/byte"}, "loss unit"),
        ({"tokenizer": "Llama"}, "tokenizer"),
        ({"param_convention": "non-embedding"}, "counting of parameters"),
        ({"loss_unit": "unknown"}, "loss unit"),
    ],
)
def test_sides_that_differ_are_refused_unless_told_why(changes, what):
    groups = [group("a", tokenizer="GPT-2"), group("b", **({"tokenizer": "GPT-2"} | changes))]
    with pytest.raises(FitError, match="a and b cannot be compared as they stand") as caught:
        require_comparable(groups)
    assert f"The {what} differs or is not known to agree" in caught.value.detail
    (aspect,) = (mismatch.aspect for mismatch in mismatches(groups))
    with pytest.raises(FitError):
        require_comparable(groups, {aspect: "   "})
    (notice,) = require_comparable(groups, {aspect: "both were converted"})
    assert "because: both were converted" in notice.text
    assert notice.code == f"compared-across-{aspect.replace('_', '-')}"


def test_what_two_tables_do_not_state_is_not_taken_to_agree():
    found = mismatches([group("a"), group("b")])
    assert [mismatch.aspect for mismatch in found] == ["tokenizer"]
    assert "not stated" in found[0].text


def test_families_of_one_silent_table_agree():
    assert mismatches([group("a", id="one"), group("b", id="one")]) == ()


def test_the_shipped_families_have_different_tokenizers():
    table = load_dataset("pile-cerebras-pythia")
    family = table.frame["family"].to_numpy()
    groups = [Group(label=name, table=subset(table, family == name)) for name in set(family)]
    (found,) = mismatches(groups)
    assert found.aspect == "tokenizer"


# --- Multipliers


def fitted_pair(multiplier=3.0, a_other=0.16, noise=0.003, n_bootstrap=200, n_rows=24, seed=0):
    """Two families of which the second needs ``multiplier`` times the compute at 1e20 FLOP."""
    one = line_table(floor_law(), noise=noise, seed=2 * seed, n_rows=n_rows, name="one")
    scale = 1500.0 * (1e20 / multiplier) ** -0.16 / 1e20**-a_other
    law = floor_law(k=scale, a=a_other)
    other = line_table(law, noise=noise, seed=2 * seed + 1, n_rows=n_rows, name="other")
    groups = [Group(label="One", table=one), Group(label="Other", table=other)]
    options = FitOptions(objective="least_squares_log", n_bootstrap=n_bootstrap)
    return groups, [fit(LAWS["power_floor"], s.table, options) for s in groups]


RANGES = ((1e18, 1e22), (1e18, 1e22))


def test_a_constant_multiplier_is_found_with_its_band():
    _, fits = fitted_pair()
    found = compute_multiplier(*fits, np.geomspace(1e18, 1e23, 21), ranges=RANGES)
    inside = ~found.is_extrapolation
    assert inside.any()
    assert not inside.all()
    np.testing.assert_allclose(found.centre[inside], 3.0, rtol=0.2)
    assert np.mean((found.lower <= 3) & (found.upper >= 3)) > 0.8
    assert np.all(found.lower < found.upper)
    assert "Other needs" in multiplier_summary(found, "One", "Other")


@pytest.mark.slow
@pytest.mark.parametrize("n_rows", [10, 24])
def test_the_band_of_a_multiplier_covers_for_few_rows_too(n_rows):
    """Of 90% bands over 40 pairs of families: three standard errors are 0.14."""
    flop = np.array([1e19, 1e20, 1e21])
    held = []
    for seed in range(40):
        _, fits = fitted_pair(n_rows=n_rows, noise=0.005, seed=seed)
        found = compute_multiplier(*fits, flop, ranges=RANGES)
        held.append((found.lower <= 3) & (found.upper >= 3))
    assert 0.78 < np.mean(held) <= 1.0


def test_a_multiplier_may_be_of_data_or_size():
    groups, _ = fitted_pair()
    law = rebind(LAWS["power_floor"], {"x": "tokens"})
    tables = [
        s.table.with_frame(s.table.frame.rename(columns={"compute_flop": "tokens"})) for s in groups
    ]
    options = FitOptions(objective="least_squares_log", n_bootstrap=100)
    fits = [fit(law, table, options) for table in tables]
    found = compute_multiplier(*fits, np.array([1e20, 2e20]), column="tokens", ranges=RANGES)
    np.testing.assert_allclose(found.centre, 3.0, rtol=0.2)
    text = multiplier_summary(found, "One", "Other")
    assert re.match(r"For what One reaches with 2e20 tokens, Other needs [\d.]+ times", text)
    assert text.endswith("the tokens.")


def test_the_multiplier_the_other_way_round_is_its_inverse():
    _, (one, other) = fitted_pair()
    flop = np.geomspace(1e19, 1e21, 9)
    there = compute_multiplier(one, other, flop, ranges=RANGES)
    back = compute_multiplier(other, one, flop * there.centre, ranges=RANGES)
    np.testing.assert_allclose(back.centre, 1 / there.centre, rtol=2e-3)


def test_a_loss_below_the_others_floor_is_never_reached():
    _, (one, _) = fitted_pair()
    high = line_table(floor_law(E=2.4), noise=0.003, seed=9, name="high")
    other = fit(LAWS["power_floor"], high, one.options)
    found = compute_multiplier(one, other, np.geomspace(1e20, 1e22, 5), ranges=RANGES)
    assert np.isinf(found.centre[-1])
    assert found.is_extrapolation[-1]
    assert "more than 10,000" in multiplier_summary(found, "One", "Other")


def test_a_multiplier_changes_with_scale_where_exponents_differ():
    _, fits = fitted_pair(multiplier=2.0, a_other=0.13)
    found = compute_multiplier(*fits, np.geomspace(1e18, 1e22, 9), ranges=RANGES)
    assert found.centre[-1] > 3 * found.centre[0]
    assert "rises from" in multiplier_summary(found, "One", "Other")


def test_a_multiplier_needs_draws_and_a_law_of_one_input():
    _, (one, other) = fitted_pair()
    with pytest.raises(FitError, match="needs bootstrap draws"):
        compute_multiplier(replace(one, draws=None), other, np.array([1e20]), ranges=RANGES)
    table = chinchilla_table(noise=0.01)
    both = fit(LAWS["chinchilla"], table, FitOptions(n_bootstrap=20))
    with pytest.raises(FitError, match="does not give the loss from one measure of scale"):
        compute_multiplier(both, both, np.array([1e20]), ranges=RANGES)


# --- Equal exponents


def test_exponents_are_read_off_the_formula():
    assert exponents(LAWS["chinchilla"]) == ("alpha", "beta")
    assert exponents(LAWS["power_floor"]) == ("a",)
    assert exponents(LAWS["logarithmic"]) == ()


def test_a_joint_law_is_each_familys_own():
    law = joint_law(LAWS["chinchilla"], 2, ("alpha", "beta"))
    assert law.param_names == ("E_1", "E_2", "A_1", "A_2", "B_1", "B_2", "alpha", "beta")
    theta = [1.7, 1.9, 400.0, 500.0, 2000.0, 3000.0, 0.34, 0.37]
    inputs = {"N": 1e9, "D": 2e10}
    for group, own in ((1, [1.7, 400, 2000]), (2, [1.9, 500, 3000])):
        flags = {f"group_{k}": float(k == group) for k in (1, 2)}
        expected = LAWS["chinchilla"].loss([*own, 0.34, 0.37], inputs)
        np.testing.assert_allclose(law.loss(theta, inputs | flags), expected)


def test_a_joint_table_keeps_runs_of_different_families_apart():
    table = chinchilla_table()
    named = table.with_frame(table.frame.assign(run_id="run 1"))
    joint = joint_table(LAWS["chinchilla"], [Group(label="a", table=named)] * 2)
    assert set(joint.frame["run_id"]) == {"1: run 1", "2: run 1"}
    assert joint.frame["group_1"].sum() == 30


@pytest.mark.slow
def test_equal_exponents_are_rejected_as_often_as_promised():
    """A level of 10% over 40 pairs that share their exponent: three standard errors are 6."""
    rejected = 0
    for seed in range(40):
        groups, fits = fitted_pair(n_bootstrap=0, n_rows=14, seed=seed)
        rejected += shared_test(LAWS["power_floor"], groups, fits).p_value < 0.1
    assert rejected <= 10


def test_different_exponents_are_told_apart():
    groups, fits = fitted_pair(a_other=0.3, noise=0.002)
    found = shared_test(LAWS["power_floor"], groups, fits)
    assert found.p_value < 0.01
    (difference,) = found.differences
    assert difference.upper < 0
    assert difference.p_value < 0.02
    assert "do not share the exponent a" in exponents_summary(found)
    assert f"a is {fits[0].values['a']:.3f} for One" in exponents_summary(found)


def test_tests_that_disagree_leave_it_open():
    groups, fits = fitted_pair(a_other=0.3, noise=0.002)
    found = shared_test(LAWS["power_floor"], groups, fits)
    (difference,) = found.differences
    wide = replace(found, differences=(replace(difference, lower=-1.0, upper=1.0),))
    assert "It stays open whether the families share the exponent a" in exponents_summary(wide)
    none = replace(found, differences=(replace(difference, lower=np.nan, upper=np.nan),))
    assert "do not share the exponent a" in exponents_summary(none)


def test_equality_is_never_claimed():
    groups, fits = fitted_pair()
    text = exponents_summary(shared_test(LAWS["power_floor"], groups, fits))
    assert "do not tell the exponent a of the families apart" in text
    assert "no proof that they are equal" in text


def test_a_law_without_exponents_cannot_be_tested():
    groups, fits = fitted_pair()
    with pytest.raises(FitError, match="has no exponents to compare"):
        shared_test(LAWS["logarithmic"], groups, fits)


def test_clustered_rows_are_judged_by_the_bootstrap():
    groups, _ = fitted_pair()
    clustered = []
    for each in groups:
        frame = each.table.frame.assign(run_id=np.repeat([f"r{i}" for i in range(8)], 3))
        clustered.append(replace(each, table=each.table.with_frame(frame)))
    options = FitOptions(objective="least_squares_log", n_bootstrap=100, bootstrap="clusters")
    fits = [fit(LAWS["power_floor"], each.table, options) for each in clustered]
    found = shared_test(LAWS["power_floor"], clustered, fits)
    assert found.has_clusters
    assert "bootstrap, p =" in exponents_summary(found)
    codes = [notice.code for notice in family_notices(clustered, found, None)]
    assert codes == ["clustered-rows"]


def test_families_scaled_by_different_recipes_are_named():
    table = load_dataset("pile-cerebras-pythia")
    family = table.frame["family"].to_numpy()
    groups = [
        Group(label=name, table=subset(table, family == name))
        for name in ("Cerebras-GPT", "Pythia")
    ]
    (notice,) = family_notices(groups, None, None)
    assert notice.code == "recipes-differ"
    assert "Cerebras-GPT: D grows as N to the 1.0; Pythia: D grows as N to the 0.0" in notice.text


def test_families_without_a_common_loss_are_named():
    _, (one, _) = fitted_pair()
    high = line_table(floor_law(E=4.0), name="high")
    other = fit(LAWS["power_floor"], high, one.options)
    found = compute_multiplier(one, other, np.geomspace(1e20, 1e22, 5), ranges=RANGES)
    groups = [Group(label="One", table=high), Group(label="Other", table=high)]
    assert [n.code for n in family_notices(groups, None, found)] == ["no-common-loss"]


# --- Published fits


def test_published_fits_are_held_against_rows_with_range_and_conflicts():
    table = load_dataset("pile-cerebras-pythia")
    found = {over.published.key: over for over in compare_published(table).scores}
    hoffmann = found["hoffmann"]
    assert hoffmann.n_in_range == 14
    assert hoffmann.conflicts == {}
    assert found["abnar"].refusal == "The table pile-cerebras-pythia has no column sparsity."
    # Kaplan's N counts non-embedding parameters, which this table has.
    assert found["kaplan_n"].published.law.inputs[0].column == "params_nonembedding"
    assert found["kaplan_n"].conflicts == {}
    assert found["kaplan_d"].conflicts == {}
    assert found["kaplan_c"].conflicts == {
        "N": "N counts non-embedding parameters; the table's: total."
    }


def test_a_shift_is_a_share_and_an_unstated_unit_is_no_agreement():
    """Losses a tenth of the published ones lie 90% below them, not 230%."""
    published = load_published_fits()["kaplan_d"]
    tokens = np.geomspace(1e8, 1e10, 9)
    loss = 0.1 * published.law.loss(published.theta, {"D": tokens})
    (over,) = compare_published(table_of(tokens=tokens, loss=loss), [published]).scores
    assert over.shift == pytest.approx(-0.9)
    assert list(over.conflicts) == ["loss unit"]
    (notice,) = [n for n in over.fit.notices if n.code == "fitted-elsewhere"]
    assert "90.0% below it" in notice.text


def test_a_published_fit_on_its_own_data_has_no_shift():
    published = load_published_fits()["besiroglu"]
    params, tokens = np.geomspace(1e8, 1e10, 9), np.geomspace(6e9, 1e11, 9)
    loss = published.law.loss(published.theta, {"N": params, "D": tokens})
    found = compare_published(table_of(params=params, tokens=tokens, loss=loss), [published])
    (over,) = found.scores
    assert found.closest == (() if over.conflicts else ("besiroglu",))
    assert list(found.to_frame().index) == ["besiroglu"]
    assert over.shift == pytest.approx(0, abs=1e-12)
    assert over.spread == pytest.approx(0, abs=1e-12)
    assert over.n_in_range == 9

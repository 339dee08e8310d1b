from dataclasses import replace

import pytest

from isoflop.accounting import find_family
from isoflop.accounting.shapes import propose_shape
from isoflop.errors import CatalogError, PlanError
from isoflop.people import LOCAL
from isoflop.planning import Budget, PlanOptions, Site, find_accelerator, plan_within
from isoflop.planning import plan as best_plan
from isoflop.planning.layout import Layout
from isoflop.planning.rule import SIX_ND
from isoflop.planning.saved import (
    all_accelerators,
    own_accelerators,
    save_accelerator,
    save_scenario,
    saved_scenarios,
)
from isoflop.planning.scenario import (
    Scenario,
    from_document,
    hardware_utilisation,
    search_of,
    setting_of,
    to_document,
)
from isoflop.planning.step_work import TrainingStep
from isoflop.planning.storage import CheckpointPolicy
from isoflop.planning.trained import laid_out
from isoflop.store import Documents, Store

H100 = find_accelerator("h100-sxm")
DAY = 86400.0
SCENARIO = Scenario(
    accelerator=H100,
    budget=Budget(wall_time_s=30 * DAY, accelerators=512, usd=2e6, unique_tokens=5e12),
    options=PlanOptions(
        site=Site(pue=1.1),
        family="qwen-3",
        tensor=4,
        pipeline=2,
        zero_stage=1,
        checkpoints=CheckpointPolicy(n_saved=5),
    ),
)


def with_options(scenario: Scenario, **given: object) -> Scenario:
    return replace(scenario, options=replace(scenario.options, **given))


@pytest.fixture
def store(tmp_path) -> Documents:
    return Store(f"sqlite:///{tmp_path}/saved.db").of(LOCAL)


def test_a_scenario_survives_being_written_down() -> None:
    assert from_document(to_document(SCENARIO)) == SCENARIO
    plain = Scenario(accelerator=find_accelerator("tpu-v5e"), budget=Budget(compute_flop=1e22))
    assert from_document(to_document(plain)) == plain


def test_a_scenario_that_was_saved_before_a_plan_had_options_can_be_read() -> None:
    flat = {k: v for k, v in to_document(SCENARIO).items() if k not in {"params", "level"}}
    flat["checkpoints"].pop("keep_weights")
    assert from_document(flat) == SCENARIO


@pytest.mark.parametrize(
    "change",
    [
        {"budget": None},
        {"budget": {"mfu": 2}},
        {"budget": {}},
        {"colour": 3},
        {"accelerator": {}},
        {"zero_stage": "four"},
        {"convention": "6N_attention", "family": None},
    ],
)
def test_what_is_not_a_scenario_is_refused(change: dict) -> None:
    with pytest.raises(CatalogError):
        from_document(to_document(SCENARIO) | change)


def test_data_parallelism_takes_the_accelerators_that_remain() -> None:
    found = laid_out(setting_of(SCENARIO), 30e9, 4e6)
    assert (found.layout.data, found.layout.tensor, found.layout.pipeline) == (64, 4, 2)
    assert found.layout.n_accelerators == 512
    assert not search_of(SCENARIO).is_free


def test_accelerators_that_cannot_be_cut_are_refused() -> None:
    with pytest.raises(PlanError, match="512 accelerators cannot be cut into groups of 24"):
        search_of(with_options(SCENARIO, tensor=8, pipeline=3))


def test_memory_limits_the_size_unless_it_need_not_fit(chinchilla, make_fit) -> None:
    small = replace(
        with_options(SCENARIO, tensor=1, pipeline=1),
        budget=Budget(wall_time_s=3000 * DAY, accelerators=1),
    )
    fit = make_fit(chinchilla)
    bound = plan_within(fit, setting_of(small))
    assert {"memory", "time"} <= {limit.key for limit in bound.binding}
    free = plan_within(fit, setting_of(with_options(small, must_fit=False)))
    assert free.params > bound.params
    assert "memory" not in [limit.key for limit in free.limits]


def test_without_a_family_six_flop_a_parameter_and_token_and_no_limit_of_memory(
    chinchilla, make_fit
) -> None:
    plain = setting_of(with_options(SCENARIO, family=None))
    assert plain.rule == SIX_ND
    assert plain.largest_params is None
    assert plain.storage.policy.n_saved == 5
    fit, budget = make_fit(chinchilla), Budget(wall_time_s=300 * DAY, accelerators=4)
    none = PlanOptions(family=None)
    assert "memory" not in [limit.key for limit in best_plan(fit, budget, H100, none).limits]
    family = PlanOptions(family="qwen-3")
    assert "memory" in [limit.key for limit in best_plan(fit, budget, H100, family).limits]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"convention": "appendix_f", "family": None}, "for a model family only"),
        ({"causal": True, "family": None}, "for a model family only"),
        ({"params": -1.0}, "Parameters: a number of parameters above 0 is needed, got -1.0."),
        ({"level": 1.0}, "Level: a share above 0 and below 1 is needed, got 1.0."),
        ({"tensor": 0}, "Tensor parallel: a whole number at least 1 is needed, got 0."),
        ({"zero_stage": 4}, "ZeRO stage: 4 is none of 0, 1, 2, 3."),
    ],
)
def test_plan_options_that_cannot_be_are_refused(given: dict, message: str) -> None:
    with pytest.raises(PlanError, match="These plan options cannot be used") as error:
        PlanOptions(**given)
    assert message in error.value.detail


def test_the_vocabulary_of_the_family_decides_the_bytes_of_a_token() -> None:
    assert setting_of(SCENARIO).storage.bytes_per_token == 4
    assert setting_of(with_options(SCENARIO, family="gpt-2")).storage.bytes_per_token == 2


def test_experts_compute_and_predict_by_active_parameters_and_are_stored_in_full(
    chinchilla, make_fit
) -> None:
    mixtral = with_options(SCENARIO, family="mixtral", tensor=1, pipeline=1, must_fit=False)
    plan = plan_within(make_fit(chinchilla), setting_of(mixtral))
    assert plan.compute_flop == pytest.approx(6 * plan.params * plan.tokens, rel=0.01)
    shape = propose_shape(find_family("mixtral"), plan.params, count="active")
    assert shape.parameters.total > 3 * plan.params
    expected = 14 * shape.parameters.total
    assert plan.storage.resumable_checkpoint_bytes == pytest.approx(expected, rel=0.03)
    total = plan_within(make_fit(chinchilla), setting_of(mixtral, "active"))
    assert total.params == pytest.approx(plan.params)


def test_saved_scenarios_come_back_with_their_plans(store, chinchilla, draws, make_fit) -> None:
    plan = plan_within(make_fit(chinchilla, draws=draws), setting_of(SCENARIO))
    about = {"fit": "Pile, Chinchilla", "link": "?count=512"}
    save_scenario(store, " first ", SCENARIO, plan, **about)
    store.put("scenario", "broken", {"scenario": 3})
    found, unreadable = saved_scenarios(store)
    assert unreadable == ["broken"]
    (saved,) = found
    assert saved.name == "first"
    assert saved.scenario == SCENARIO
    assert saved.plan == plan
    assert saved.link == "?count=512"
    with pytest.raises(CatalogError, match="needs a name"):
        save_scenario(store, "  ", SCENARIO, plan, **about)


def test_own_accelerators_join_those_that_ship(store) -> None:
    mine = replace(H100, label="My H100, liquid cooled", power_w=600.0, price_usd_per_hour=1.9)
    mine = replace(mine, price_range_usd_per_hour=None)
    saved = save_accelerator(store, mine)
    assert saved.key == "own-my-h100-liquid-cooled"
    assert own_accelerators(store) == {saved.key: saved}
    assert saved.power_w == 600
    assert all_accelerators(store)["h100-sxm"] == H100
    assert all_accelerators(store)[saved.key] == saved


def test_an_impossible_accelerator_is_not_saved(store) -> None:
    with pytest.raises(CatalogError, match="memory must be positive"):
        save_accelerator(store, replace(H100, memory_bytes=0.0))
    with pytest.raises(CatalogError, match="needs a name"):
        save_accelerator(store, replace(H100, label=" - "))
    assert own_accelerators(store) == {}


def test_recomputed_activations_are_work_of_the_hardware() -> None:
    shape = find_family("llama-3").models[0].architecture
    step = TrainingStep(architecture=shape, layout=Layout(), accelerator=H100, context=8192)
    none, full = (
        hardware_utilisation(0.4, replace(step, recompute=name)) for name in ("none", "full")
    )
    assert none == pytest.approx(0.4)
    assert 1.2 * none < full < 4 / 3 * none  # the head is not computed again

"""The Plan page: what a person sees, changes, saves, and is told when it cannot be done."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import event
from streamlit.testing.v1 import AppTest
from tests.pages.helpers import button, figures, metrics, open_shipped

from isoflop.errors import AccessError
from isoflop.people import Actor
from isoflop.planning import find_accelerator
from isoflop.planning.hardware import describe_accelerator
from isoflop.ui import documents, visitor
from isoflop.ui.plan import saved as plan_saved

page = partial(open_shipped, "plan", bootstrap="200")


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("ISOFLOP_DATABASE_URL", f"sqlite:///{tmp_path}/saved.db")
    documents.store.clear()


def answer(at: AppTest) -> str:
    return at.main.markdown[0].value


def open_tab(name: str, **query: str) -> AppTest:
    at = page(**query)
    at.session_state["plan.tab"] = name
    return at.run()


def test_a_first_visit_shows_a_finished_plan() -> None:
    at = page()
    assert not at.exception
    assert not at.error
    assert "512 NVIDIA H100 SXM for 30 days" in answer(at)
    assert "The limit that binds is **time**" in answer(at)
    shown = metrics(at)
    assert shown["Wall time"] == "30 days"
    assert shown["Storage"].endswith("TB")
    assert len(figures(at)) == 4
    limits = set(figures(at)[1]["data"][0]["y"])
    assert limits == {"Time", "Money", "Storage", "Memory", "Critical batch"}


def test_the_link_reproduces_the_plan() -> None:
    at = page(count="64", time="10 days", **{"limit.money": "false"})
    assert "64 NVIDIA H100 SXM for 10 days" in answer(at)
    assert "Money" not in figures(at)[1]["data"][0]["y"]


def test_less_money_makes_money_bind() -> None:
    at = page(money="$100K")
    assert "The limit that binds is **money**" in answer(at)
    assert metrics(at)["Total cost"] == "$100K"


def test_few_unique_tokens_are_repeated_or_not() -> None:
    query = {"limit.unique": "true", "unique": "50B"}
    repeated = page(**query)
    assert not repeated.error
    once = page(repeat="false", **query)
    assert metrics(once)["Training data D"] == "50B"
    assert float(metrics(repeated)["Predicted loss"]) < float(metrics(once)["Predicted loss"])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"mfu": "90%"}, "An MFU of 90% is more than NVIDIA H100 SXM can reach"),
        ({"storage": "0.0001 TB"}, "This budget is below a single training step"),
        ({"count": "12", "tensor": "8"}, "12 accelerators cannot be cut into groups of 8"),
        ({"size": "chosen", "params": "900T"}, "does not fit"),
    ],
)
def test_what_cannot_be_planned_is_said(query: dict[str, str], message: str) -> None:
    at = page(**query)
    assert not at.exception
    assert message in at.error[0].value.replace("\\", "")


def test_a_chosen_size_is_planned() -> None:
    at = page(size="chosen", params="8B")
    assert metrics(at)["Model size N"] == "8B"
    assert "the best plan" not in answer(at)


@pytest.mark.parametrize(
    ("tab", "n_charts"),
    [
        ("Frontier", 3), ("Time and layout", 3), ("Memory", 3), ("Model shape", 2),
        ("Hyper-parameters", 2), ("Serving", 2), ("Smaller and longer", 4), ("Target loss", 3),
        ("Sensitivity", 4), ("Assumptions", 3), ("Save and compare", 2),
    ],
)  # fmt: skip
def test_every_tab_opens(tab: str, n_charts: int) -> None:
    at = open_tab(tab)
    assert not at.exception
    assert not at.error
    assert len(figures(at)) == n_charts + 1  # and what each law says


def test_memory_that_does_not_fit_says_what_would_help() -> None:
    at = open_tab("Memory", fit="false", zero="0")
    text = " ".join(element.value for element in at.markdown)
    assert "does not fit" in text
    assert "What would make it fit" in text
    changes = list(at.dataframe[-1].value["Change"])
    assert any("ZeRO 3" in change for change in changes)


def test_an_unreachable_loss_is_said_with_its_floor() -> None:
    at = open_tab("Target loss", law="published-hoffmann", target="1.5")
    assert "unreachable" in at.error[0].value
    assert "floor of Chinchilla is 1.693" in at.error[0].value.replace("\\", "")


def test_a_config_is_imported_counted_and_planned() -> None:
    at = open_tab("Model shape")
    config = {
        "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
        "vocab_size": 128256, "max_position_embeddings": 8192, "tie_word_embeddings": False,
    }  # fmt: skip
    at.text_area("plan.config.text").set_value(json.dumps(config)).run()
    assert not at.error
    assert "8,030,261,248" in list(at.dataframe[-1].value["Imported model"])
    at.text_area("plan.config.text").set_value('{"model_type": "mamba"}').run()
    assert "num\\_hidden\\_layers" in at.error[0].value


def test_saved_plans_come_back_side_by_side_and_can_be_deleted() -> None:
    at = open_tab("Save and compare")
    for name, count in (("small", "256"), ("large", "1024")):
        at.text_input("count").set_value(count).run()
        (field,) = [text for text in at.text_input if text.label == "Name of this scenario"]
        field.set_value(name)
        save = button(at, "Save this plan")
        save.click().run()
        assert not at.exception
        assert not at.error
    at.run()
    table = at.dataframe[-1].value
    assert sorted(table["Scenario"]) == ["large", "small"]
    losses = dict(zip(table["Scenario"], table["Loss"], strict=True))
    assert float(losses["large"].split()[0]) < float(losses["small"].split()[0])
    delete = button(at, "Delete small")
    delete.click().run()
    assert list(at.dataframe[-1].value["Scenario"]) == ["large"]


def test_without_a_price_money_is_no_limit_until_one_is_given() -> None:
    at = page(accelerator="h20")
    assert not at.error
    assert metrics(at)["Total cost"] == "no price"
    assert "Money" not in figures(at)[1]["data"][0]["y"]
    at = page(accelerator="h20", price="$1.5/h")
    assert metrics(at)["Total cost"].startswith("$")


def test_a_processor_at_home_can_be_planned_for() -> None:
    at = page(accelerator="cpu-laptop-8-core", count="1", time="12 h", family="gpt-2", fit="false")
    assert not at.error
    assert "1 CPU, 8 cores with AVX2 for 12 h" in answer(at).replace("\\", "")
    assert metrics(at)["Energy"] == "972 Wh"
    money = next(entry.proto.body for entry in at.get("html") if ">Total cost" in entry.proto.body)
    assert "compute $" not in money


def test_experts_are_planned_by_what_a_token_passes_through() -> None:
    at = page(family="mixtral")
    assert not at.error
    said = " ".join(m.value for m in at.markdown)
    assert "N counts the parameters that a token passes through" in said


def test_all_experts_are_held_where_the_model_is_served() -> None:
    at = open_tab("Serving", family="mixtral")
    assert not at.error
    assert metrics(at)["Under full load"].endswith("tokens/s")


def test_an_own_accelerator_is_saved_and_planned_with() -> None:
    at = page()
    assert "Name" not in [text.label for text in at.text_input]
    at.session_state[plan_saved.DETAILS] = True  # as a click opens the box
    at.run()
    (name,) = [text for text in at.text_input if text.label == "Name"]
    name.set_value("My fast card")
    (peak,) = [n for n in at.number_input if n.label == "Dense BF16 peak (TFLOP/s)"]
    peak.set_value(2000.0)
    save = button(at, "Save as my own")
    save.click().run()
    assert not at.error
    assert "512 My fast card" in answer(at)
    assert "512 My fast card" in answer(page(accelerator="own-my-fast-card"))


def test_counting_attention_costs_tokens_and_causal_attention_less() -> None:
    """At a utilisation of one's own: a predicted speed does not depend on what is counted."""
    plain, whole, causal = (
        page(**query)
        for query in (
            {"mfu": "40%"},
            {"mfu": "40%", "convention": "6N_attention", "context": "32768"},
            {"mfu": "40%", "convention": "6N_attention", "context": "32768", "causal": "true"},
        )
    )
    losses = [float(metrics(at)["Predicted loss"]) for at in (plain, causal, whole)]
    assert losses == sorted(losses)
    assert losses[0] < losses[2]


# --- Whose it is ----------------------------------------------------------------------------------

VIEWER = Actor(id="browser:looker", name="Looker")
ANNA = Actor(id="browser:anna", name="Anna", roles=frozenset({"viewer", "editor"}))
BEN = replace(ANNA, id="browser:ben", name="Ben")


def test_a_viewer_is_told_why_nothing_can_be_saved(monkeypatch) -> None:
    monkeypatch.setattr(visitor, "actor", lambda: VIEWER)
    at = page(**{"plan__tab": "Save and compare"})
    at.session_state[plan_saved.DETAILS] = True  # as a click opens the box
    at.run()
    said = " ".join(entry.value for entry in at.caption)
    assert "You cannot save a scenario" in said.replace("\\", "")
    assert "You cannot save an accelerator" in said.replace("\\", "")
    assert not {"Save this plan", "Save as my own"} & {entry.label for entry in at.button}


def test_of_another_persons_scenario_a_copy_is_all_that_can_be_made(monkeypatch) -> None:
    monkeypatch.setattr(visitor, "actor", lambda: ANNA)
    at = page(**{"plan__tab": "Save and compare"})
    at.text_input(key=next(e.key for e in at.text_input if "scenario" in e.label)).set_value("hers")
    button(at, "Save this plan").click().run()
    (saved,) = documents.mine().find("scenario")
    assert {"Delete hers", "Replace by the plan shown"} <= {entry.label for entry in at.button}
    documents.mine().share(saved.id, "everyone")
    monkeypatch.setattr(visitor, "actor", lambda: BEN)
    other = page(**{"plan__tab": "Save and compare"})
    labels = {entry.label for entry in other.button}
    assert not {"Delete hers (Anna)", "Replace by the plan shown"} & labels
    with pytest.raises(AccessError, match="shared with you to look at"):
        documents.mine().delete(saved.id)
    button(other, "Copy hers (Anna)").click().run()
    assert {(one.key, one.owner) for one in documents.mine().find("scenario")} == {
        ("hers", ANNA.id), ("hers (copy)", BEN.id),
    }  # fmt: skip


def save_as(at: AppTest, name: str) -> AppTest:
    (field,) = [text for text in at.text_input if text.label == "Name of this scenario"]
    field.set_value(name)
    return button(at, "Save this plan").click().run()


def test_what_was_saved_since_the_page_listed_it_is_not_replaced() -> None:
    first, second = (
        page(**{"plan__tab": "Save and compare", "count": count}) for count in ("64", "128")
    )
    assert not save_as(first, "ours").error
    told = save_as(second, "ours")
    assert "saved 'ours' after you opened it" in told.error[0].value.replace("\\", "")
    assert not save_as(second, "ours").error  # it is seen by now
    (saved,) = documents.mine().find("scenario")
    assert saved.version == 2


def test_a_scenario_that_one_may_edit_is_replaced_and_its_earlier_version_restored(
    monkeypatch,
) -> None:
    monkeypatch.setattr(visitor, "actor", lambda: ANNA)
    at = save_as(page(**{"plan__tab": "Save and compare"}), "ours")
    (saved,) = documents.mine().find("scenario")
    documents.mine().share(saved.id, "everyone", "editor")
    monkeypatch.setattr(visitor, "actor", lambda: BEN)
    theirs = page(**{"plan__tab": "Save and compare", "count": "64"})
    button(theirs, "Replace by the plan shown").click().run()
    assert not theirs.error
    changed = documents.mine().open(saved.id)
    assert (changed.version, changed.author_name, changed.owner) == (2, "Ben", ANNA.id)
    button(at, "Replace by the plan shown").click().run()  # of the version that Anna saw
    assert "Ben saved 'ours' after you opened it" in at.error[0].value.replace("\\", "")
    button(theirs, "Restore").click().run()
    assert documents.mine().open(saved.id).body == saved.body
    button(theirs, "Delete ours (Anna)").click().run()
    assert len(documents.mine().find("scenario")) == 0
    button(theirs, "Undo").click().run()
    assert documents.mine().open(saved.id).version == 3


def test_an_accelerator_of_ones_own_is_changed_shared_and_deleted(monkeypatch) -> None:
    monkeypatch.setattr(visitor, "actor", lambda: ANNA)
    kind, key = "accelerator", "own-my-card"
    entry = describe_accelerator(find_accelerator("h100-sxm")) | {"label": "My card"}
    documents.mine().put(kind, key, entry)
    documents.mine().put(kind, "own-broken", {"label": 3})

    def details(**query: str) -> AppTest:
        at = page(**query)
        at.session_state[plan_saved.DETAILS] = True
        return at.run()

    monkeypatch.setattr(plan_saved, "READ_EVERY_S", -1.0)  # however soon the page looks again
    at, stale = details(accelerator=key), details(accelerator=key)
    assert "Not readable: own-broken." in " ".join(c.value for c in at.caption).replace("\\", "")
    for one in (at, stale):
        (name,) = [text for text in one.text_input if text.label == "Name"]
        assert name.value == "My card"
        (power,) = [n for n in one.number_input if n.label == "Power (W)"]
        power.set_value(600.0 if one is at else 500.0)
        button(one, "Save").click().run()
    assert not at.error
    assert "saved 'own-my-card' after you opened it" in stale.error[0].value.replace("\\", "")
    shared = next(box for box in at.selectbox if box.label == "Shared with")
    assert shared.options == ["Only me", "Everyone here can view", "Everyone here can edit"]
    shared.set_value((ANNA.id, "everyone", "viewer", "")).run()
    monkeypatch.setattr(visitor, "actor", lambda: BEN)
    theirs = details(accelerator=key)
    assert "My card (Anna)" in " ".join(m.value for m in theirs.markdown).replace("\\", "")
    assert not {"Delete it", "Save"} & {entry.label for entry in theirs.button}
    monkeypatch.setattr(visitor, "actor", lambda: ANNA)
    button(at, "Delete it").click().run()
    assert documents.mine().get(kind, key) is None
    at.session_state[plan_saved.DETAILS] = True
    button(at.run(), "Undo").click().run()
    assert documents.mine().get(kind, key) is not None


def test_a_move_reads_nothing_from_the_database(monkeypatch) -> None:
    monkeypatch.setattr(plan_saved, "READ_EVERY_S", 3600.0)
    at = page()
    statements: list[str] = []
    engine = documents.store()._database._engine
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    at.text_input(key="time").set_value("40 days").run()
    assert not at.exception
    assert statements == []

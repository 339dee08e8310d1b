"""What laws and published fits of the catalog are for."""

from __future__ import annotations

from typing import Any

import pytest

from isoflop.errors import CatalogError
from isoflop.laws import (
    FIT_ROLES,
    ROLES,
    catalog,
    law_for_role,
    laws_for,
    load_laws,
    load_published_fits,
    published_fit_for_role,
    typed_law,
)

ENTRY: dict[str, Any] = {
    "label": "Line",
    "formula": "a + b*log(x)",
    "inputs": {"x": "compute_flop"},
    "params": {"a": {}, "b": {}},
    "help": "A line.",
    "source": "None",
}


def test_laws_of_a_role_come_in_the_order_of_the_catalog() -> None:
    keys = [law.key for law in laws_for("functional-form")]
    assert keys == ["power_floor", "power", "exponential", "logarithmic", "linear"]
    assert keys == [key for key in load_laws() if key in keys]


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_law_and_one_alone_where_it_says_so(role: Any) -> None:
    assert laws_for(role)
    if ROLES[role].endswith("One."):
        assert role in law_for_role(role).roles


@pytest.mark.parametrize("role", FIT_ROLES)
def test_every_role_of_a_published_fit_has_one(role: Any) -> None:
    assert role in published_fit_for_role(role).roles


def test_a_role_of_several_laws_is_not_for_one() -> None:
    with pytest.raises(CatalogError, match="is for one law; 2 have it") as caught:
        law_for_role("parametric-fit")
    assert "chinchilla, chinchilla_tied" in str(caught.value.detail)


def test_a_role_without_a_law_says_so() -> None:
    with pytest.raises(CatalogError, match="No law of the catalog has the role 'judge'"):
        laws_for("judge")  # type: ignore[arg-type]  # what a misspelled role gives


def test_an_entry_with_an_unknown_role_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"laws\.toml: line is malformed") as caught:
        catalog._law("line", ENTRY | {"roles": ["default", "judge"]})
    assert caught.value.detail == "Unknown roles: judge."


def test_roles_stand_in_one_order_whatever_the_file_says() -> None:
    law = catalog._law("line", ENTRY | {"roles": ["families", "default"]})
    assert law.roles == ("default", "families")


def test_a_typed_law_has_no_role_even_if_its_formula_ships() -> None:
    default = law_for_role("default")
    assert typed_law(default.formula, ["params", "tokens", "loss"]).roles == ()


def test_defaults_are_among_those_they_are_the_default_of() -> None:
    assert law_for_role("downstream-loss-default") in laws_for("downstream-loss")
    assert law_for_role("small-runs-default") in laws_for("small-runs")
    assert law_for_role("over-compute") in laws_for("families")


def test_laws_of_a_role_have_what_its_users_ask_of_them() -> None:
    for law in laws_for("functional-form"):
        assert law.symbols == ("x",)
    for role in ("size-and-data", "small-runs"):
        for law in laws_for(role):
            assert {item.column for item in law.inputs} >= {"params", "tokens"}
    for law in laws_for("parametric-fit"):
        assert {"A", "B", "alpha"} <= set(law.param_names)
    assert law_for_role("metric-of-scale").symbols == ("x",)
    assert [item.column for item in law_for_role("metric-of-loss").inputs] == ["loss"]


@pytest.mark.parametrize("reduces_to", [{"judge": {}}, {"power": {"beta": "alpha"}}])
def test_a_published_fit_cannot_become_just_any_law(reduces_to: dict[str, Any]) -> None:
    fit = published_fit_for_role("repetition")
    entry = {
        **dict.fromkeys(("label", "loss_unit", "param_convention", "data", "source"), "x"),
        **{"law": fit.law.key, "values": dict(fit.values), "range": {}, "verified": True},
        **{"retrieved": "2026-11", "reduces_to": reduces_to},
    }
    with pytest.raises(CatalogError, match=f"cannot become the law {next(iter(reduces_to))}"):
        catalog._published("x", entry)


def test_published_fits_reduce_to_laws_of_the_catalog() -> None:
    for fit in load_published_fits().values():
        assert set(fit.reduces_to) <= set(load_laws())


def test_a_law_has_a_short_name_and_the_catalog_is_a_frame():
    assert repr(load_laws()["chinchilla"]) == "<Law Chinchilla: loss = E + A/N**alpha + B/D**beta>"
    assert list(catalog.laws_frame().index) == list(load_laws())
    assert catalog.laws_frame().loc["kaplan_n", "inputs"] == "N: params"

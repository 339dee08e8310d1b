"""A result is known by its content, and by all of it."""

import pickle
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fitting.helpers import chinchilla_table

from isoflop.fitting import Fit, FitOptions, fit
from isoflop.identity import NOT_IDENTITY, Keyed, content_key
from isoflop.laws import load_laws

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Thing(Keyed):
    name: str
    size: float = 0.0
    rows: object = field(default=None, metadata=NOT_IDENTITY)
    key: str = field(init=False, repr=False)


@pytest.fixture(scope="module")
def made() -> Fit:
    options = FitOptions(n_bootstrap=20, bootstrap="smooth")
    return fit(load_laws()["chinchilla"], chinchilla_table(noise=0.01), options)


@given(PLAIN, PLAIN)
def test_values_that_differ_have_other_keys(one: object, other: object) -> None:
    assert (content_key(one) == content_key(other)) == (_typed(one) == _typed(other))


def _typed(value: object) -> object:
    """Tell True from 1, which Python holds equal."""
    if isinstance(value, bool):
        return ("flag", value)
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    return value


def test_equal_numbers_and_orders_are_alike() -> None:
    assert (
        content_key(1) == content_key(1.0) == content_key(np.float64(1)) == content_key(np.int8(1))
    )
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    assert content_key(0.0) == content_key(-0.0)
    assert content_key(np.array(1.5)) == content_key(1.5) != content_key(np.array([1.5]))
    assert content_key(2**60 + 1) != content_key(2**60)


def test_what_is_not_known_has_no_key() -> None:
    with pytest.raises(TypeError, match="A function has no key"):
        content_key(lambda: None)
    with pytest.raises(TypeError, match="An array of object has no key"):
        content_key(np.array([object()]))


def test_a_changed_copy_is_another_and_an_equal_one_the_same() -> None:
    thing = Thing(name="a", size=1.0, rows=[1])
    assert replace(thing, rows=[2]) == thing
    assert replace(thing, size=2.0) != thing
    assert len({thing, replace(thing), replace(thing, name="b")}) == 2
    assert thing != "a"


def test_every_field_of_a_fit_changes_its_key_but_the_rows(made: Fit) -> None:
    other = fit(load_laws()["chinchilla_tied"], chinchilla_table(noise=0.02))
    changed = {
        item.name: replace(made, **{item.name: getattr(other, item.name)})
        for item in fields(Fit)
        if item.init
        and item.name not in {"table", "draws", "options"}
        and not np.array_equal(getattr(made, item.name), getattr(other, item.name))
    }
    assert {"law", "values", "residuals", "certificate"} <= set(changed)
    assert all(copy != made for copy in changed.values())
    assert replace(made, draws=None) != made
    assert replace(made, draws=made.draws + 1e-9) != made
    assert replace(made, table=None) == made


def test_a_fit_leaves_its_rows_behind_in_another_process(made: Fit) -> None:
    assert made.table is not None
    there = pickle.loads(pickle.dumps(made))
    assert there == made
    assert there.table is None


def test_other_rows_make_another_table() -> None:
    table = chinchilla_table()
    fewer = table.with_frame(table.frame.iloc[1:])
    assert fewer != table
    assert fewer.fingerprint != table.fingerprint
    assert table.with_frame(table.frame) == table
    assert replace(table, loss_unit="nats/byte").fingerprint != table.fingerprint
    assert replace(table, id="another") != table
    assert repr(table) == "<LossTable test: 30 rows, 4 columns, loss in unknown>"


def test_making_the_same_fit_again_gives_an_equal_one(made: Fit) -> None:
    again = fit(made.law, chinchilla_table(noise=0.01), made.options)
    assert again == made
    assert hash(again) == hash(made)


def test_what_a_law_is_for_is_no_part_of_a_fit(made: Fit) -> None:
    assert replace(made, law=replace(made.law, roles=())) == made
    assert replace(made, law=replace(made.law, help="Another.")) != made

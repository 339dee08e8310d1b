"""Widgets for what a person says of a law's parameters, and of how much each row counts."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from isoflop.errors import UnitError
from isoflop.fitting import FitOptions
from isoflop.fitting.weights import is_spread, spread_columns
from isoflop.language import gettext as _
from isoflop.language import translated
from isoflop.laws import Law, ParamBounds, plain_bounds, read_bounds
from isoflop.options import option
from isoflop.tables import LossTable
from isoflop.ui import address, inputs, messages, option_inputs

ALIKE = "none"
"""Value of the choice of a column of weights where there is none."""


def weight_inputs(table: LossTable) -> dict[str, object]:
    """Draw the choice of a column of weights, and of what it holds, and return what was chosen."""
    spreads = spread_columns(table)
    columns = [*spreads, *(name for name in _numeric(table) if name not in spreads)]
    chosen = option_inputs.choice(
        FitOptions,
        "weights",
        key="weights",
        default=ALIKE,
        offered={ALIKE: _("Equal weights"), **{name: messages.plain(name) for name in columns}},
    )
    if chosen == ALIKE:
        if spreads:
            st.caption(
                messages.plain(
                    _(
                        "The table has standard errors that can weight the rows: {spreads}.",
                        spreads=", ".join(spreads),
                    )
                )
            )
        return {}
    kind = option_inputs.choice(
        FitOptions,
        "weight_kind",
        key="weight-kind",
        default="standard_error" if is_spread(chosen) else "weight",
        offered={
            value: label
            for value, label in option(FitOptions, "weight_kind").choices.items()
            if value != "auto"
        },
    )
    return {"weights": chosen, "weight_kind": kind}


def param_inputs(law: Law) -> dict[str, object]:
    """Draw a field for each parameter of a law, and return what is fixed, bounded or positive."""
    given: list[ParamBounds] = []
    place, is_drawn = inputs.folded(
        translated(option(FitOptions, "params").label),
        key="restrictions",
        icon=":material/lock:",
        holds=lambda name: name.startswith("param.") or name == "positive",
    )
    if not is_drawn:
        return {}
    with place:
        st.caption(
            _("A number fixes a parameter, 1.5:2 bounds it, and an empty field leaves it free.")
        )
        for param in law.params:
            given += _field(param.name, param.help)
        positive = _positive_input(law) if law.key == "typed" else ()
    return {"params": plain_bounds(given), "positive": positive}


def _field(name: str, help: str) -> Sequence[ParamBounds]:
    """Draw the field of one parameter, bound to the address."""
    try:
        return inputs.text(
            messages.plain(name),
            key=f"param.{name}",
            read=lambda text: read_bounds(f"{name}={text}") if text.strip() else (),
            help=help or None,
            placeholder="free",
            max_chars=60,
        )
    except UnitError as problem:
        st.caption(
            _(
                ":red[{summary} The parameter is left free.]",
                summary=messages.plain(problem.summary),
            )
        )
        return ()


def _positive_input(law: Law) -> tuple[str, ...]:
    """Draw which parameters of a typed law are positive."""
    entry = option(FitOptions, "positive")
    kept = [name for name in st.query_params.get_all("positive") if name in law.param_names]
    if "positive" not in st.session_state or address.is_anew():
        st.session_state["positive"] = kept
    st.session_state["positive"] = [
        name for name in st.session_state["positive"] if name in law.param_names
    ]
    chosen = st.pills(
        entry.label,
        list(law.param_names),
        selection_mode="multi",
        format_func=messages.plain_option,
        key="positive",
        help=entry.help,
        persist_state="session",
    )
    address.write("positive", tuple(chosen or ()))
    return tuple(chosen or ())


def _numeric(table: LossTable) -> list[str]:
    """Return the columns that may hold weights: numbers above zero somewhere."""
    frame = table.included().select_dtypes("number")
    return [str(name) for name in frame if name != "loss" and (frame[name] > 0).any()]

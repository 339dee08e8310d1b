"""The controls that several pages share: table, law, fit options."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields, replace

import numpy as np
import streamlit as st

from isoflop.errors import FormulaError
from isoflop.fitting import FitOptions
from isoflop.language import gettext as _
from isoflop.laws import (
    Law,
    NameQuestion,
    formula_names,
    law_for_role,
    load_laws,
    load_published_fits,
    parse,
    rename,
    typed_law,
)
from isoflop.options import from_mapping
from isoflop.planning import Accelerator, Budget
from isoflop.planning.inputs import other_inputs
from isoflop.plot import axes
from isoflop.tables import LossTable, family_names, list_datasets
from isoflop.tables.simulated import SimulationOptions
from isoflop.ui import (
    address,
    enter,
    inputs,
    messages,
    option_inputs,
    panels,
    resolve,
    restrictions,
    uploads,
)
from isoflop.ui.data import understood
from isoflop.ui.state import (
    DEFAULT_OPTIONS,
    PUBLISHED_PREFIX,
    SIMULATED,
    TYPED_LAW,
    UPLOAD_PREFIX,
    FitChoice,
    Selection,
    TableChoice,
    remember,
)

PARAMETERS = "parameter"
"""Of the address: names of a typed formula that are parameters, though they read like a column."""
_DECLARED = "formula.parameters"
_APPLIED = "formula.applied"
"""Of the session: the page is to run again with the formula as it is."""
_FOLLOWS = "law.follows"
"""Of the session: the law is to be that of the table just chosen."""
FREE_INPUT = "x"
"""Symbol of the input that may stand for any column."""

FOLDED = ("objective", "delta", "asymmetry", "bootstrap", "resample", "weights", "weight-kind")
"""Parameters of the address that say how to fit."""

RESAMPLES = {"0": "None", "200": "200", "1000": "1000", "4000": "4000"}
ASYMMETRY = replace(
    inputs.DELTA, stops=(1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0), upper=1e6
)


def fit_choice() -> FitChoice:
    """Draw what is fitted to what: table, families, law and options.

    Raises
    ------
    IsoflopError
        If the table cannot be had, or a typed formula is not a law.
    """
    st.header(_("Data"), anchor=False)
    table = table_input()
    whole = resolve.table(table)
    families = family_input(whole)
    chosen_rows = resolve.rows_of(whole, families)
    st.header(_("Law"), anchor=False)
    law_key, formula, column, parameters = law_inputs(chosen_rows)
    choice = FitChoice(
        table=table,
        families=families,
        law=law_key,
        formula=formula,
        input_column=column,
        parameters=parameters,
        options=DEFAULT_OPTIONS,
    )
    law, published = resolve.law(choice, chosen_rows)
    fixed = fixed_inputs(law, chosen_rows)
    options = fit_options(chosen_rows, law if published is None else None)
    return replace(choice, fixed=fixed, options=options)


def selected(choice: FitChoice, given: tuple[Accelerator, Budget, float | None]) -> Selection:
    """Return the whole selection of a page, and keep it for the session's other pages."""
    accelerator, budget, params = given
    result = Selection(
        **{item.name: getattr(choice, item.name) for item in fields(choice)},
        accelerator=accelerator.key,
        budget=budget,
        params=params,
    )
    remember(result)
    return result


def fixed_inputs(law: Law, source: LossTable) -> dict[str, float]:
    """Draw a value for each input of the law that a budget does not settle."""
    return {
        column: inputs.quantity(
            axes.column_title(column),
            key=f"at.{column}",
            default=float(np.nanmedian(source.values(column))),
            kind=inputs.over(*source.span(column)),
            help=_("Curves, contours and the plan hold this input at this value."),
            is_default_fixed=False,
        )
        for column in other_inputs(law)
    }


def table_input() -> TableChoice:
    """Draw the choice of a table, with uploads, and return it.

    Raises
    ------
    Instead
        If a file was given that is not understood: the page shows that, and no table's answer.
    """
    options = {entry.id: entry.title for entry in list_datasets()}
    options |= {
        key: _("{name} (uploaded)", name=upload.name) for key, upload in uploads.kept().items()
    }
    options[SIMULATED] = _("Simulated: a known law")
    asked = st.session_state.get("table") or st.query_params.get("table", "")
    if asked.startswith(UPLOAD_PREFIX) and asked not in options:
        options[asked] = _("A table of another session")
    chosen = inputs.choice(
        _("Loss table"),
        options,
        key="table",
        default=resolve.opening_id(),
        help=_(
            "The runs that a law is fitted to. Some tables are downloaded when you choose them."
        ),
        is_default_fixed=False,
        on_change=_follow_table,
    )
    with st.popover(
        _("Upload a table"),
        icon=":material/upload:",
        width="stretch",
        key=uploads.MENU,
        on_change="rerun",
    ):
        uploads.uploader(_choose_upload)
    if uploads.failure() is not None:
        raise messages.Instead(understood.show_failure)
    if chosen != SIMULATED:
        return TableChoice(id=chosen)
    return simulated_input()


def _choose_upload(table_id: str, source: LossTable) -> None:
    st.session_state["table"] = table_id
    st.session_state[_FOLLOWS] = True


def _follow_table() -> None:
    """Take the law that suits the table just chosen; a person may change it."""
    uploads.put_aside()
    st.session_state[_FOLLOWS] = True
    for entry in list_datasets():
        if entry.id == st.session_state["table"] and FREE_INPUT in entry.law_inputs:
            st.session_state[FREE_INPUT] = entry.law_inputs[FREE_INPUT]


def simulated_input() -> TableChoice:
    """Draw how a simulated table is made, and return it."""
    given = {
        "design": option_inputs.choice(SimulationOptions, "design", key="design", style="row"),
        "noise": option_inputs.quantity(SimulationOptions, "noise", key="noise", kind=inputs.NOISE),
        "outliers": option_inputs.quantity(
            SimulationOptions, "outliers", key="outliers", kind=inputs.SMALL_COUNT
        ),
        "seed": option_inputs.quantity(
            SimulationOptions, "seed", key="seed", kind=inputs.SMALL_COUNT
        ),
    }
    asked = from_mapping(SimulationOptions, given)
    return TableChoice(
        id=SIMULATED,
        design=asked.design,
        noise=asked.noise,
        outliers=asked.outliers,
        seed=asked.seed,
    )


def family_input(source: LossTable) -> tuple[str, ...]:
    """Draw the choice of families to fit; nothing for a table that has at most one."""
    names = family_names(source)
    if len(names) < 2:
        return ()
    meant = resolve.meant_families(source)
    return inputs.several(
        _("Model families"),
        names,
        key="families",
        help=_(
            "The families that the law is fitted to. Families that differ, or "
            "may differ, in loss unit, tokenizer or counting of parameters are "
            "pooled only if you choose them."
        ),
        default=list(meant),
    )


def law_inputs(source: LossTable) -> tuple[str, str, str, tuple[str, ...]]:
    """Draw the choice of a law.

    Returns
    -------
    key, formula, column : str
        Key of the law; text of a typed one; column of the input of a law that has a free one.
    parameters : tuple of str
        Names of a typed formula that are parameters, though they read like a column.
    """
    laws, published = load_laws(), load_published_fits()
    options = {key: law.label for key, law in laws.items() if _suits(law, source)}
    options |= {
        PUBLISHED_PREFIX + key: _("Published: {label}", label=fit.label)
        for key, fit in published.items()
        if _suits(fit.law, source, may_lack=frozenset({"unique_tokens"}))
    }
    options[TYPED_LAW] = _("Type a formula")
    suggested = _suggested(source)
    if suggested in options and st.session_state.pop(_FOLLOWS, False):
        st.session_state["law"] = suggested
    chosen = inputs.choice(
        _("Scaling law"),
        options,
        key="law",
        default=suggested if suggested in options else next(iter(options)),
        help=_(
            "The formula that is fitted. A published fit is drawn over the rows "
            "with its published parameters."
        ),
    )
    formula = column = ""
    parameters: tuple[str, ...] = ()
    if chosen == TYPED_LAW:
        formula, parameters = formula_input(source)
    elif chosen in laws:
        st.caption(messages.plain(laws[chosen].help))
        if laws[chosen].symbols == (FREE_INPUT,):
            column = column_input(source)
    else:
        fit = published[chosen.removeprefix(PUBLISHED_PREFIX)]
        st.caption(
            messages.plain(_("{source}. Fitted to {data}.", source=fit.source, data=fit.data))
        )
    address.write(PARAMETERS, parameters)
    return chosen, formula, column, parameters


def _suggested(source: LossTable) -> str:
    """Return the key of the law of most evidence on the rows, else the catalog's or the usual."""
    found = resolve.suggested_law(source)
    if found is not None:
        return found.key
    named = (entry.law for entry in list_datasets() if entry.id == source.id)
    return next(named, law_for_role("default").key)


def _suits(law: Law, source: LossTable, may_lack: frozenset[str] = frozenset()) -> bool:
    """Say whether a table has the columns of a law."""
    needed = {item.column for item in law.inputs if item.symbol != FREE_INPUT} - may_lack
    return {*needed, law.response} <= set(source.frame)


def column_input(source: LossTable) -> str:
    """Draw the choice of the column that a law of one free input runs over."""
    options = {name: axis.title for name, axis in axes.table_axes(source).items()}
    return inputs.choice(
        _("Input x"),
        options,
        key="x",
        default=next(iter(options)),
        help=_("The column that x stands for in the law."),
    )


def formula_input(source: LossTable) -> tuple[str, tuple[str, ...]]:
    """Draw the field for a typed formula with its preview.

    Returns
    -------
    formula : str
    parameters : tuple of str
        Names in it that are parameters, though they read like a column.
    """
    if _DECLARED not in st.session_state or address.is_anew():
        st.session_state[_DECLARED] = tuple(st.query_params.get_all(PARAMETERS))
    usual = law_for_role("default").formula
    inputs.text_of("formula", usual)
    _formula_field(source, usual)
    formula = str(st.session_state.get("formula") or usual)
    with suppress(FormulaError):  # which whoever makes a law of it says
        parse(formula)
        address.write("formula", () if formula == usual else (formula,))
    return formula, _declared(formula)


def _declared(formula: str) -> tuple[str, ...]:
    """Return which names of a formula a person said to be parameters."""
    try:
        names = parse(formula).names
    except FormulaError:  # which whoever makes a law of it says
        return ()
    return tuple(name for name in st.session_state[_DECLARED] if name in names)


@st.fragment
def _formula_field(source: LossTable, usual: str) -> None:
    """Preview the formula while it is typed; the page follows when it is applied."""
    if st.session_state.pop(_APPLIED, False):
        st.rerun()
    text = st.text_input(
        _("Formula"),
        value=usual,
        key="formula",
        persist_state="session",
        live="300ms",
        max_chars=500,
        help=_(
            "N, D, C, the table's columns and its file's headers are inputs; "
            "every other name is fitted. Enter fits the law."
        ),
    )
    enter.applies("formula", _apply)
    try:
        found = formula_names(text or "", source, params=_declared(text or ""))
        if found.questions:
            _ask(text or "", found.questions)
            return
        law = typed_law(text or "", source, params=_declared(text or ""))
    except FormulaError as error:
        messages.show_briefly(error)
        return
    panels.law(law)
    renamed = [
        _("{symbol} stands for {column}.", symbol=i.symbol, column=i.column)
        for i in law.inputs
        if i.symbol != i.column
    ]
    st.caption(
        messages.plain(
            " ".join(
                [
                    _("Fitted parameters: {param_names}.", param_names=", ".join(law.param_names)),
                    *renamed,
                ]
            )
        )
    )
    if st.button(_("Fit this law"), type="primary", icon=":material/play_arrow:", width="stretch"):
        st.rerun()


def _apply() -> None:
    st.session_state[_APPLIED] = True


def _ask(formula: str, questions: Sequence[NameQuestion]) -> None:
    """Ask what names of a formula stand for, one click an answer."""
    for question in questions:
        name = question.name
        st.markdown(f":orange[**{messages.plain(name)}** {messages.plain(question.why)}.]")
        for written in question.instead:
            st.button(
                _(
                    "Use {what}{written}",
                    what=_("the column ") if written.isidentifier() else "",
                    written=messages.plain(written),
                ),
                key=f"formula.use.{name}.{written}",
                on_click=_write_column,
                args=(formula, name, written),
                width="stretch",
            )
        st.button(
            _("It is a parameter"),
            key=f"formula.fit.{name}",
            help=_(
                "Fit {name} as a number that is the same in all rows.", name=messages.plain(name)
            ),
            on_click=_declare,
            args=(name,),
            width="stretch",
        )


def _write_column(formula: str, name: str, written: str) -> None:
    st.session_state["formula"] = rename(formula, name, written)
    _apply()


def _declare(name: str) -> None:
    st.session_state[_DECLARED] = (*st.session_state[_DECLARED], name)
    _apply()


def fit_options(source: LossTable, law: Law | None = None) -> FitOptions:
    """Draw how to fit, folded away, and return it.

    Parameters
    ----------
    source : LossTable
        Whose columns may weigh the rows.
    law : Law, optional
        Whose parameters may be fixed or bounded; without it, nothing is asked of them.
    """
    given: dict[str, object] = {
        name: getattr(DEFAULT_OPTIONS, name) for name in ("n_bootstrap", "bootstrap")
    }
    place, is_drawn = inputs.folded(
        _("Fit options"), key="options", icon=":material/tune:", holds=FOLDED.__contains__
    )
    if is_drawn:
        with place:
            given |= _ways_to_fit(source)
    if law is not None:
        given |= restrictions.param_inputs(law)
    return from_mapping(FitOptions, given)


def _ways_to_fit(source: LossTable) -> dict[str, object]:
    """Draw how to fit, and return it."""
    given: dict[str, object] = {
        "objective": option_inputs.choice(FitOptions, "objective", key="objective")
    }
    if given["objective"] in {"huber_log", "huber"}:
        given["huber_delta"] = option_inputs.quantity(
            FitOptions, "huber_delta", key="delta", kind=inputs.DELTA
        )
    if given["objective"] == "asymmetric_mae":
        given["asymmetry"] = option_inputs.quantity(
            FitOptions, "asymmetry", key="asymmetry", kind=ASYMMETRY
        )
    given["n_bootstrap"] = option_inputs.choice(
        FitOptions,
        "n_bootstrap",
        key="bootstrap",
        default=DEFAULT_OPTIONS.n_bootstrap,
        offered=RESAMPLES,
        style="row",
    )
    given["bootstrap"] = option_inputs.choice(
        FitOptions, "bootstrap", key="resample", default=DEFAULT_OPTIONS.bootstrap
    )
    return given | restrictions.weight_inputs(source)

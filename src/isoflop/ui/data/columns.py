"""The mapping of a file's columns: what was understood and why, to be changed with one click."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import pandas as pd
import streamlit as st

from isoflop import settings
from isoflop.errors import IsoflopError, TableError
from isoflop.language import gettext, lazy_gettext, ngettext, translated
from isoflop.tables import (
    COLUMNS,
    ColumnMapping,
    LossUnit,
    ParamConvention,
    Question,
    RawTable,
    ReadResult,
    build_table,
    checked,
    guess_mapping,
    mapping_from_json,
)
from isoflop.tables.convert import sample_values
from isoflop.tables.load import table_id as file_stem
from isoflop.tables.mapping import own_name
from isoflop.tables.problems import shorten
from isoflop.tables.remembered import Remembered
from isoflop.ui import documents, messages, panels, prepared, uploads
from isoflop.ui.uploads import Pending

OWN, LEFT_OUT = lazy_gettext("(its own name)"), lazy_gettext("(left out)")
LINEAR = "linear"
SCALES = (LINEAR, "log10", "log2", "ln", "index")
FROM_HEADER = lazy_gettext("as its header says")
MAX_COLUMNS_SHOWN = 200
_N_SAMPLE = 4


def show_pending() -> None:
    """Draw the columns of a file that is not understood yet."""
    pending = uploads.pending()
    if pending is not None:
        _show(pending.raw, pending.mapping, table_id="")


def show(table_id: str, result: ReadResult) -> None:
    """Draw how a table's columns were understood."""
    ask(result.raw, result.mapping, table_id)
    _show(result.raw, result.mapping, table_id=table_id)
    panels.unusable_cells(table_id)


def ask(raw: RawTable, mapping: ColumnMapping, table_id: str) -> None:
    """Ask what is open of a file, with a button for each likely answer."""
    for question in mapping.questions:
        _ask(raw, mapping, question, table_id)


def _show(raw: RawTable, mapping: ColumnMapping, *, table_id: str) -> None:
    facts = [
        gettext(
            "{format}, {rows}, {columns}",
            format=raw.format,
            rows=ngettext("{n:,} row", "{n:,} rows", len(raw.frame)),
            columns=ngettext("{n:,} column", "{n:,} columns", len(raw.headers)),
        ),
        *raw.notes,
    ]
    st.caption(messages.plain(" · ".join(facts)))
    changed = _editor(raw, mapping, table_id)
    changed = _conventions(changed, table_id)
    if changed != mapping:
        _offer(raw, mapping, changed, table_id)
    _files(raw, mapping, table_id)


def _ask(raw: RawTable, mapping: ColumnMapping, question: Question, table_id: str) -> None:
    """Ask what cannot be known, with a button for each likely answer."""
    icon = ":material/help:" if question.is_blocking else ":material/info:"
    with st.container(border=question.is_blocking):
        st.markdown(f"{icon} **{messages.plain(question.text)}** {messages.plain(question.why)}")
        with st.container(horizontal=True):
            for position, choice in enumerate(question.choices):
                st.button(
                    messages.plain(choice.label),
                    type="primary" if position == 0 else "secondary",
                    key=f"data.answer.{question.header}.{choice.unit or choice.header}",
                    on_click=_answer,
                    args=(raw, mapping.answered(choice), table_id),
                )


def _answer(raw: RawTable, changed: ColumnMapping, table_id: str) -> None:
    """Take a mapping with an answer; once none is open, the table is made."""
    try:
        result = build_table(raw, changed, id=_id_of(table_id), provenance=_provenance(table_id))
    except TableError as problem:
        uploads.set_pending(Pending(raw=raw, mapping=changed, failure=problem))
        return
    _apply(raw, changed, result, table_id)


# --- The table of columns ---


def _editor(raw: RawTable, mapping: ColumnMapping, table_id: str) -> ColumnMapping:
    """Draw one line a column, and return the mapping as edited."""
    roles = mapping.roles[:MAX_COLUMNS_SHOWN]
    names = _column_names()
    shown = pd.DataFrame(
        {
            "header": [role.header for role in roles],
            "meaning": [_meaning(role.column, role.header) for role in roles],
            "unit": [role.unit for role in roles],
            "scale": [role.transform or LINEAR for role in roles],
            "cells": [_cells(raw, role.header) for role in roles],
            "become": [sample_values(raw, role, mapping, _N_SAMPLE) for role in roles],
            "why": [translated(role.reason) for role in roles],
            "rivals": [", ".join(role.rivals) for role in roles],
        }
    )
    known = {column.name: translated(column.label) for column in COLUMNS.values()}
    known |= {name: translated(name) for name in (OWN, LEFT_OUT)}
    edited = st.data_editor(
        shown,
        key=f"data.columns.{table_id}.{hash(mapping)}",
        hide_index=True,
        disabled=["header", "cells", "become", "why", "rivals"],
        column_config={
            "header": st.column_config.TextColumn(names["header"]),
            "meaning": st.column_config.SelectboxColumn(
                names["meaning"],
                options=list(known),
                format_func=lambda name: known.get(str(name), str(name)),
                required=True,
                width="medium",
                help=gettext(
                    "What the column means. Under its own name it can be a metric or an input."
                ),
            ),
            "unit": st.column_config.TextColumn(
                names["unit"],
                help=gettext(
                    "Unit of numbers that have none: B, M, 1E21, h, bits per byte, "
                    "perplexity; empty for the canonical unit."
                ),
            ),
            "scale": st.column_config.SelectboxColumn(
                names["scale"],
                options=list(SCALES),
                required=True,
                help=gettext("Whether the numbers are logarithms, or count from 0."),
            ),
            "cells": st.column_config.TextColumn(names["cells"], width="medium"),
            "become": st.column_config.TextColumn(
                names["become"],
                width="medium",
                help=gettext("What the first cells become, in canonical units."),
            ),
            "why": st.column_config.TextColumn(names["why"], width="large"),
            "rivals": st.column_config.TextColumn(
                names["rivals"], help=gettext("Other columns that might have been it.")
            ),
        },
        alt=gettext("Columns of the file with their meaning, unit, sample and the reason"),
    )
    if len(mapping.roles) > MAX_COLUMNS_SHOWN:
        st.caption(
            gettext(
                "The first {max_columns_shown} of {roles:,} columns are shown.",
                max_columns_shown=MAX_COLUMNS_SHOWN,
                roles=len(mapping.roles),
            )
        )
    changed = mapping
    for role, (_, line) in zip(roles, edited.iterrows(), strict=True):
        changes = _changes(role.header, line)
        if any(getattr(role, name) != value for name, value in changes.items()):
            changed = changed.with_role(role.header, **changes)
    return changed


def _column_names() -> dict[str, str]:
    return {
        "header": gettext("Column in the file"),
        "meaning": gettext("Meaning"),
        "unit": gettext("Unit"),
        "scale": gettext("Scale"),
        "cells": gettext("Cells"),
        "become": gettext("Become"),
        "why": gettext("Why"),
        "rivals": gettext("Rivals"),
    }


def _meaning(column: str, header: str) -> str:
    if not column:
        return LEFT_OUT
    return column if column in COLUMNS else OWN


def _changes(header: str, line: Mapping[str, Any] | pd.Series) -> dict[str, str]:
    meaning = line["meaning"]
    column = {OWN: own_name(header), LEFT_OUT: ""}.get(meaning, meaning)
    return {
        "column": column,
        "unit": str(line["unit"] or "").strip(),
        "transform": "" if line["scale"] == LINEAR else str(line["scale"]),
    }


def _cells(raw: RawTable, header: str) -> str:
    cells = raw.frame[header].dropna().head(_N_SAMPLE)
    return ", ".join(f"{c:.5g}" if isinstance(c, float) else shorten(c, 20) for c in cells)


# --- What is true of the whole table ---


def _conventions(mapping: ColumnMapping, table_id: str) -> ColumnMapping:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        units = ["", *(unit for unit in get_args(LossUnit))]
        unit = st.selectbox(
            gettext("Unit of the loss"),
            units,
            index=units.index(mapping.loss_unit or ""),
            format_func=lambda name: name or translated(FROM_HEADER),
            key=f"data.loss unit.{table_id}",
            help=gettext("Losses of different units are never compared."),
        )
        counts = list(get_args(ParamConvention))
        count = st.selectbox(
            gettext("N counts"),
            counts,
            index=counts.index(mapping.param_convention),
            key=f"data.count.{table_id}",
            help=gettext("Which parameters the params column counts."),
        )
        responses = ["loss", *(r.column for r in mapping.roles if r.kind == "own")]
        response = st.selectbox(
            gettext("Column to predict"),
            responses,
            index=responses.index(mapping.response) if mapping.response in responses else 0,
            key=f"data.response.{table_id}",
            help=gettext("The loss, or a score such as an accuracy in a table without losses."),
        )
        size = st.number_input(
            gettext("Bytes per token"),
            min_value=0.0,
            max_value=100.0,
            value=mapping.bytes_per_token,
            step=0.1,
            placeholder=gettext("not known"),
            key=f"data.bytes.{table_id}",
            help=gettext("Converts a loss per byte into nats per token; empty leaves it per byte."),
        )
    return replace(
        mapping,
        loss_unit=unit or None,
        param_convention=count,
        response=response,
        bytes_per_token=size or None,
    )


# --- Applying, remembering, taking away ---


def _offer(raw: RawTable, before: ColumnMapping, changed: ColumnMapping, table_id: str) -> None:
    """Say what the change would give, and apply it when asked."""
    try:
        changed = checked(raw, changed)
        result = build_table(raw, changed, id=_id_of(table_id), provenance=_provenance(table_id))
    except TableError as problem:
        if any(question.is_blocking for question in changed.questions):
            new = [q for q in changed.questions if q not in before.questions]
            ask(raw, replace(changed, questions=tuple(new)), table_id)
        else:
            messages.show(problem)
        if table_id == "":
            uploads.set_pending(Pending(raw=raw, mapping=changed, failure=problem))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            gettext(
                "Use these columns: {rows}",
                rows=ngettext("{n:,} row", "{n:,} rows", len(result.table.included())),
            ),
            type="primary",
            icon=":material/check:",
            key="data.apply",
            on_click=_apply,
            args=(raw, changed, result, table_id),
        )
        n_faults = len(result.problems)
        if n_faults:
            st.caption(
                gettext(
                    "{cells} cannot be used.", cells=ngettext("{n:,} cell", "{n:,} cells", n_faults)
                )
            )


def _id_of(table_id: str) -> str:
    upload = uploads.kept().get(table_id)
    return upload.result.table.id if upload else ""


def _provenance(table_id: str) -> Any:
    upload = uploads.kept().get(table_id)
    return upload.result.table.provenance if upload else None


def _apply(raw: RawTable, mapping: ColumnMapping, result: ReadResult, table_id: str) -> None:
    """Keep the table, let it be chosen, and remember the mapping."""
    old = table_id if table_id in uploads.kept() else ""
    new_id = uploads.keep(raw.name, result, instead_of=old, is_new=False)
    prepared.carry_over(table_id, new_id)
    uploads.choose(new_id)
    try:
        documents.remember(raw, mapping)
    except IsoflopError as problem:
        messages.show(problem)
    else:
        st.toast(
            gettext("Remembered for files with the same columns."), icon=":material/bookmark_added:"
        )


def _files(raw: RawTable, mapping: ColumnMapping, table_id: str) -> None:
    """Offer the mapping as a file, take one, and go back to what is guessed."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            gettext("Mapping"),
            mapping.to_json,
            file_name=f"{file_stem(raw.name)}-mapping.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
            key="data.mapping.download",
        )
        with st.popover(
            gettext("Give a mapping"),
            icon=":material/upload:",
            disabled=not settings.takes_uploads(),
        ):
            file = st.file_uploader(
                gettext("Mapping (JSON)"),
                key=f"data.mapping.{table_id}",
                max_upload_size=1,
                help=gettext(
                    "A mapping downloaded here before: which header is which column, and units."
                ),
            )
            if file is not None and settings.takes_uploads():
                _given(raw, file.getvalue(), table_id)
        st.button(
            gettext("Detect again"),
            icon=":material/refresh:",
            key="data.guess",
            help=gettext("Forget what was remembered for these columns."),
            on_click=guess_again,
            args=(raw, table_id),
        )


def _given(raw: RawTable, content: bytes, table_id: str) -> None:
    try:
        mapping = checked(raw, mapping_from_json(content))
        result = build_table(raw, mapping, id=_id_of(table_id), provenance=_provenance(table_id))
    except TableError as problem:
        messages.show(problem)
        return
    st.button(
        gettext(
            "Use this mapping: {rows}",
            rows=ngettext("{n:,} row", "{n:,} rows", len(result.table.included())),
        ),
        type="primary",
        key="data.given",
        on_click=_apply,
        args=(raw, mapping, result, table_id),
    )


def guess_again(raw: RawTable, table_id: str) -> None:
    """Read a file anew, and forget what the person confirmed for its columns."""
    _read(raw, guess_mapping(raw), table_id, forgets=True)


def read_again(raw: RawTable, table_id: str) -> None:
    """Read a file anew by what is remembered for its columns."""
    remembered = documents.mapping_for(raw)
    if remembered is not None:
        _read(raw, remembered.mapping, table_id, remembered=remembered)


def _read(
    raw: RawTable,
    mapping: ColumnMapping,
    table_id: str,
    *,
    forgets: bool = False,
    remembered: Remembered | None = None,
) -> None:
    try:
        if forgets:
            documents.forget(raw)
        result = build_table(raw, mapping, id=_id_of(table_id), provenance=_provenance(table_id))
    except TableError as problem:
        uploads.set_pending(Pending(raw=raw, mapping=mapping, failure=problem))
        return
    except IsoflopError as problem:
        messages.show(problem)
        return
    old = table_id if table_id in uploads.kept() else ""
    uploads.choose(uploads.keep(raw.name, result, instead_of=old, remembered=remembered))

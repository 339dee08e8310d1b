"""Parts of a page below the answer: charts, tables, evidence, downloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from math import isnan
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from isoflop.fitting import Certificate, Fit
from isoflop.language import ENGLISH, Text, current, sentences, translated
from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.laws import Law
from isoflop.plot import Figure
from isoflop.tables import LossTable
from isoflop.tables.schema import said_count, said_loss_unit
from isoflop.ui import chart, language, messages, number_columns, uploads
from isoflop.units import format_number

CHART_CONFIG = {
    "displaylogo": False,
    # It would send the chart to a host of Plotly's.
    "showSendToCloud": False,
    "modeBarButtonsToRemove": [
        "select2d",
        "lasso2d",
        "autoScale2d",
        "zoom2d",
        "pan2d",
        "zoomIn2d",
        "zoomOut2d",
    ],
    "toImageButtonOptions": {"format": "svg", "filename": "isoflop"},
}


def drawn(
    figure: Figure,
    *,
    key: str,
    title: str = "",
    has_notes: bool = True,
    config: Mapping[str, Any] = CHART_CONFIG,
    on_pick: Callable[[], None] | None = None,
) -> tuple[int, ...]:
    """Draw a figure with the app's toolbar, which saves it as SVG, and its notes under it.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Made by `isoflop.plot`, which says in it what it shows.
    key : str
    title : str
        Stands above it.
    has_notes : bool
        Whether its notes are shown; not where several figures share what is said once.
    config, on_pick
        As for `isoflop.ui.chart.draw`.

    Returns
    -------
    tuple of int
        As `isoflop.ui.chart.draw`.
    """
    notes = figure.to_dict()["layout"]["meta"]["notes"] if has_notes else ()
    with st.container() if notes else nullcontext():  # one place for it all, as in a grid
        picked = chart.draw(figure, key=key, title=title, config=config, on_pick=on_pick)
        for note in notes:
            st.caption(messages.plain(note))
    return picked


def chart_grid() -> DeltaGenerator:
    """Return a place for charts and what is said of them, two beside each other in turn.

    As wide as 3 to 2, below each other on a narrow page: see ``style.css``. It is one block, where
    as many columns would be one each and one for every row.
    """
    return st.container(key="charts")


def side_by_side() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Return two places for charts: beside each other, or one below the other on a narrow page."""
    grid = st.grid(2, min_column_width=400, gap="medium")
    return grid.cell(), grid.cell()


def law(shown: Law, values: Mapping[str, float] | None = None) -> None:
    """Write a law as an equation, with numbers in place of its parameters if given."""
    latex = shown.latex(values)
    response = "L" if shown.response == "loss" else rf"\mathrm{{{shown.response}}}"
    st.latex(latex if "aligned" in latex else f"{response} = {latex}")


def equation(fit: Fit) -> None:
    """Write the law, then the law with its numbers."""
    law(fit.law)
    law(fit.law, fit.values)
    meaning = ", ".join(f"${item.symbol}$: {messages.plain(item.label)}" for item in fit.law.inputs)
    counted = (said_loss_unit(fit.loss_unit), said_count(fit.param_convention))
    st.caption(translated(sentences([_("{sentence}.", sentence=meaning), *counted])))


def parameters(fit: Fit) -> None:
    """Draw the table of parameters: value, standard error, interval."""
    found = fit.params()
    # A column of text holds English alone.
    meanings = {param.name: param.help for param in fit.law.params}
    listed(
        {
            _("Parameter"): list(found.index),
            _("Value"): [f"{value:.6g}" for value in found["value"]],
            _("Standard error"): [_or_none(value) for value in found["std_error"]],
            "90% interval": [
                _("none")
                if isnan(lower)
                else _("{lower:.4g} to {upper:.4g}", lower=lower, upper=upper)
                for lower, upper in zip(found["lower"], found["upper"], strict=True)
            ],
            _("Unit"): list(found["unit"]),
            _("Meaning"): [meanings[name] for name in found.index],
        },
        hide_index=True,
        alt=_("Fitted parameters with standard error and interval"),
    )
    st.caption(messages.plain(fit.uncertainty))


def _or_none(value: float) -> str:
    return _("none") if isnan(value) else f"{value:.3g}"


def certificate(fit: Fit) -> None:
    """Show the evidence that the fit is the global optimum."""
    proof = fit.certificate
    if not proof.n_starts:
        st.markdown(_("These parameters are as published: nothing was fitted here."))
        return
    with st.grid(4, min_column_width=150):
        st.metric(
            _("Starts at this optimum"),
            f"{proof.share_at_optimum:.0%}",
            help=_(
                "Share of the multistart search that ended here: {n_starts} starts, "
                "chosen from {n_grid:,} grid points.",
                n_starts=proof.n_starts,
                n_grid=proof.n_grid,
            ),
        )
        st.metric(
            _("Minima found"),
            f"{proof.n_minima}",
            help=_("Distinct local minima of the objective."),
        )
        st.metric(
            _("Gap to the next minimum"),
            gap_in_words(proof) or _("no other"),
            help=_("How much larger the objective is at the next best minimum."),
        )
        st.metric(
            _("Condition number"),
            format_number(proof.condition_number),
            help=_("If it is large, the rows can hardly tell some parameters apart."),
        )
    at_bound = ", ".join(proof.at_bound) or _("none")
    st.caption(
        _(
            "Objective {objective_value:.10g}, scaled gradient "
            "{gradient_norm:.1g}, {rows}, residual standard deviation "
            "{residual_std:.3g}. Parameters at a bound: {at_bound}.",
            objective_value=fit.objective_value,
            gradient_norm=proof.gradient_norm,
            rows=n_("{n:,} row", "{n:,} rows", fit.n_rows),
            residual_std=fit.residual_std,
            at_bound=messages.plain(at_bound),
        )
    )


def gap_in_words(proof: Certificate) -> str:
    """Say how far the next minimum lies above the reported one; empty where there is no other."""
    gap = proof.gap_to_second
    if gap is None:
        return ""
    return (
        _("{gap:.2%} higher", gap=gap)
        if gap < 1
        else _("{gap} times as high", gap=format_number(1 + gap))
    )


def data(table: LossTable) -> None:
    """Show the rows that were fitted and where they come from."""
    provenance(table)
    rows, config = number_columns.readable(table.frame)
    rows = rows.rename_axis(_("Row"))
    listed(rows, column_config=config, alt=_("Rows of the loss table"), height=320)


def provenance(table: LossTable) -> None:
    """Say where the rows come from and what is known to be wrong with them."""
    source = table.provenance
    lines = [f"**{messages.plain(source.title)}**"]
    if source.is_simulated:
        lines.append(_(":orange-badge[Simulated: nobody trained these models]"))
    lines += [messages.plain(text) for text in (source.source, source.citation) if text]
    if source.licence:
        lines.append(_("Licence: {licence}", licence=messages.plain(source.licence)))
    if source.derived_columns:
        derived = "; ".join(f"{name} = {how}" for name, how in source.derived_columns.items())
        lines.append(_("Derived: {derived}", derived=messages.plain(derived)))
    st.markdown("\n\n".join(lines))
    for problem in source.known_problems:
        st.markdown(f"- {messages.plain(problem)}")


def unusable_cells(table_id: str) -> None:
    """List what could not be used of an uploaded file; nothing for other tables."""
    upload = uploads.kept().get(table_id)
    if upload is None or not upload.result.problems:
        return
    problems = upload.result.problems
    with st.expander(
        _("{cells} could not be used", cells=n_("{n:,} cell", "{n:,} cells", len(problems))),
        icon=":material/rule:",
    ):
        listed(
            {
                _("Row"): [problem.row for problem in problems],
                _("Column"): [problem.column for problem in problems],
                _("Value"): [problem.value for problem in problems],
                _("Reason"): [problem.reason for problem in problems],
                _("Row left out"): [problem.excludes_row for problem in problems],
            },
            hide_index=True,
            alt=_("Cells of the file that could not be used, with the reason"),
        )


def listed(shown: Mapping[str, Any] | pd.DataFrame, **look: Any) -> Any:
    """Draw a table whose headers and cells are said in the language of the page.

    Parameters
    ----------
    shown : mapping of str to sequence, or pandas.DataFrame
    look : object
        As for `streamlit.dataframe`.
    """
    if current() == ENGLISH:
        return st.dataframe(shown, **look)
    # Columns of text lose what a text says in other languages: cells first.
    said = {_cell(name): _said(column) for name, column in shown.items()}
    index = shown.index if isinstance(shown, pd.DataFrame) else None
    return st.dataframe(pd.DataFrame(said, index=index), **look)


def _said(column: Any) -> Any:
    if isinstance(column, np.ndarray | pd.Series | pd.Index) and column.dtype != object:
        return column
    return [_cell(cell) for cell in column]


def _cell(value: Any) -> Any:
    return translated(value) if isinstance(value, Text) else value


class File(NamedTuple):
    """One file to download, made when it is asked for.

    Parameters
    ----------
    label : str
    name : str
        That it is saved under.
    mime : str
    make : callable
    missing : str
        Why it cannot be made; empty if it can.
    """

    label: str
    name: str
    mime: str
    make: Callable[[], str | bytes]
    missing: str = ""


def downloads(files: Sequence[File]) -> None:
    """Draw a row of download buttons; one of what cannot be made says why and cannot be clicked."""
    with st.container(horizontal=True):
        for file in files:
            st.download_button(
                translated(file.label),
                language.later(file.make),
                file_name=file.name,
                mime=file.mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"download.{file.name}",
                disabled=bool(file.missing),
                help=translated(file.missing) or None,
            )

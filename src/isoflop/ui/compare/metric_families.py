"""A metric by family where no loss was measured: a reference law says how much went into each."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.fitting import Fit, FitOptions
from isoflop.fitting.downstream import (
    FamilyCurves,
    families_held_out,
    family_curve_notices,
    fit_families,
)
from isoflop.language import all_translated, gettext, lazy_gettext, translated
from isoflop.laws import law_for_role
from isoflop.plot import APP
from isoflop.tables import LossTable, datasets_for
from isoflop.ui import inputs, messages, panels, resolve
from isoflop.ui.jobs import KeptByJob
from isoflop.ui.state import TableChoice

N_FIRST = 4
"""Families drawn at first: those of most models."""
MAX_FAMILIES = 6
HEADINGS = {
    "family": lazy_gettext("Family"),
    "n_models": lazy_gettext("Models"),
    "offset": lazy_gettext("Half-way at reference loss"),
    "lower": lazy_gettext("Lower 90%"),
    "upper": lazy_gettext("Upper 90%"),
}


def _effort(table: LossTable, *_: object, **__: object) -> float:
    return 1.0 + len(table.frame) / 1000


_fit_families = KeptByJob(
    fit_families, lazy_gettext("Fitting the families, draw by draw"), effort=_effort
)
_held_out = KeptByJob(
    families_held_out, lazy_gettext("Predicting the largest model of each family"), effort=_effort
)


def show(table: LossTable, metric: str) -> None:
    """Draw the curves of families, the largest models held out, and the table of offsets.

    Raises
    ------
    IsoflopError
        If the reference cannot be had, or the families cannot be fitted.
    """
    reference = _reference()
    found = _fit_families(table, metric, reference)
    held = _held_out(table, metric, reference)
    with st.container(key="answer"):
        st.markdown(messages.plain(f"{found.summary()} {held.summary()}"))
    chosen = _chosen_families(found)
    left, right = panels.side_by_side()
    with left:
        st.header(gettext("Families, each with its offset"), anchor=False)
        panels.drawn(
            plot.metric_by_family(found, families=chosen, theme=APP), key="compare.by-family"
        )
    with right:
        st.header(gettext("Largest of each family, held out"), anchor=False)
        panels.drawn(plot.metric_held_out(held, theme=APP), key="compare.proof")
    messages.notices(list(family_curve_notices(found)))
    _offsets(found)


def _reference() -> Fit:
    """Draw whose losses stand in, and return the law fitted to them."""
    references = {entry.id: entry.title for entry in datasets_for("reference-loss")}
    law = law_for_role("default")
    reference = inputs.choice(
        gettext("Reference loss by"),
        references,
        key="compare.reference",
        default=next(iter(references)),
        help=gettext(
            "No loss was measured: the law {label} fitted to these runs gives "
            "one for each model's size and tokens.",
            label=law.label,
        ),
    )
    table = resolve.table(TableChoice(id=reference))
    return resolve.fit_to(law, table, FitOptions(n_bootstrap=1000))


def _chosen_families(found: FamilyCurves) -> list[str]:
    chosen = inputs.few(
        gettext("Families to draw"),
        {name: name for name in found.families},
        key="compare.drawn",
        default=found.by_size()[:N_FIRST],
        help=gettext("All of them are fitted together."),
        most=MAX_FAMILIES,
    )
    return list(chosen)


def _offsets(found: FamilyCurves) -> None:
    """Draw how much effort each family needs to be half-way up, the least first."""
    panels.listed(
        found.to_frame().rename(columns=all_translated(HEADINGS)),
        column_config=dict.fromkeys(
            (translated(HEADINGS[name]) for name in ("offset", "lower", "upper")),
            st.column_config.NumberColumn(format="%.3f"),
        ),
        hide_index=True,
        alt=gettext("Half-way points of the families"),
    )
    left = ", ".join(f"{name} ({count})" for name, count in found.dropped)
    st.caption(
        gettext(
            "Half-way at a higher reference loss: the family makes more of the "
            "same size and tokens, by its data, tokenizer and recipe. Left out "
            "for fewer than 3 models: {left}.",
            left=messages.plain(left) or gettext("none"),
        )
    )

"""Which family: how much compute, or data, one saves over the other, and whether by one factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting.compare import ASPECTS, WHY, Group, mismatches, require_comparable
from isoflop.language import gettext, lazy_gettext, sentences, translated
from isoflop.laws import Law, law_for_role
from isoflop.planning.families import (
    FamilyComparison,
    compare_families,
    family_laws,
    shared_scales,
)
from isoflop.plot import APP, axes
from isoflop.tables import LossTable, family_names, list_datasets
from isoflop.ui import inputs, messages, panels, resolve, uploads
from isoflop.ui.compare.view import View
from isoflop.ui.jobs import KeptByJob
from isoflop.ui.state import TableChoice

WHOLE = lazy_gettext("(whole table)")
SAME = "same"


def _effort(groups: Sequence[Group], *_: object, **__: object) -> float:
    """Return the CPU seconds of comparing groups, as measured."""
    return 1.0 + sum(len(group.table.frame) for group in groups) / 1000


def _with_rows(
    made: FamilyComparison, groups: Sequence[Group], *_: object, **__: object
) -> FamilyComparison:
    """Return the comparison with the rows of both, which fits leave behind on their way."""
    one, other = (
        replace(fitted, table=group.table) for fitted, group in zip(made.fits, groups, strict=True)
    )
    return replace(made, fits=(one, other))


_compare_families = KeptByJob(
    compare_families, lazy_gettext("Comparing the families"), effort=_effort, finish=_with_rows
)


def show(shown: View) -> None:
    """Draw the choice of two groups, then their comparison, or why it is refused.

    Raises
    ------
    IsoflopError
        If the law does not fit the groups.
    """
    groups = _groups(shown)
    law, column = _law(groups)
    place = st.container()
    reasons = _reasons(groups)
    try:
        require_comparable(groups, reasons)
    except FitError as refusal:
        with place:
            messages.refusal(refusal)
        return
    found = _compare_families(groups, law, shown.options, column=column, reasons=reasons)
    first, *others = found.sentences()
    with st.container(key="answer"):
        st.markdown(messages.plain(first))
    for text in others:
        st.markdown(messages.plain(text))
    left, right = panels.side_by_side()
    with left:
        panels.drawn(plot.compute_multiplier(found, theme=APP), key="compare.multiplier")
    with right:
        panels.drawn(plot.families(found, theme=APP), key="compare.families")
    messages.notices(found.notices)
    _table(found)


def _groups(shown: View) -> tuple[Group, Group]:
    """Draw what is compared with what."""
    one, two, three = st.columns(3, vertical_alignment="bottom")
    chosen = family_names(shown.table)
    names = chosen if len(chosen) > 1 else family_names(shown.whole)
    with one:
        first = inputs.choice(
            gettext("First family"),
            _family_options(names),
            key="compare.one",
            default=(*chosen, *names, WHOLE)[0],
            help=gettext(
                "The reference, whose compute or other scale is taken as it is. "
                "Where several families are chosen under Data, it is one of those."
            ),
        )
    with two:
        others = _other_tables(shown, len(names) > 1)
        source = inputs.choice(
            gettext("Table of the second family"),
            others,
            key="compare.table",
            default=next(iter(others)),
            help=gettext("The table that the other family is in."),
        )
    other_table = shown.whole if source == SAME else resolve.table(TableChoice(id=source))
    other_names = names if source == SAME else family_names(other_table)
    left = [name for name in other_names if source != SAME or name != first]
    with three:
        second = inputs.choice(
            gettext("Second family"),
            _family_options(tuple(left)),
            key="compare.other",
            default=left[0] if left else WHOLE,
            help=gettext("The family whose compute for the same loss is sought."),
        )
    groups = _group(shown.whole, first), _group(other_table, second)
    if groups[0].label != groups[1].label:
        return groups
    full = [replace(s, label=f"{s.label} ({s.table.provenance.title})") for s in groups]
    return full[0], full[1]


def _other_tables(shown: View, has_others: bool) -> dict[str, str]:
    """Return the tables that the second family may come from: this one, catalog and uploads."""
    found = {entry.id: entry.title for entry in list_datasets() if entry.response == "loss"}
    found |= {
        key: gettext("{name} (uploaded)", name=upload.name)
        for key, upload in uploads.kept().items()
        if "loss" in upload.result.table.included()
    }
    found.pop(shown.choice.id, None)
    return ({SAME: gettext("this table")} if has_others else {}) | found


def _family_options(names: tuple[str, ...]) -> dict[str, str]:
    return {name: name for name in names} if names else {WHOLE: gettext("the whole table")}


def _group(table: LossTable, family: str) -> Group:
    if family == WHOLE:
        return Group(label=table.provenance.title, table=table)
    return Group(label=family, table=table.families(family))


def _law(groups: tuple[Group, Group]) -> tuple[Law, str]:
    """Draw the law that both are fitted by and over what, and return both."""
    scales = {name: axes.column_name(name) for name in shared_scales(groups)}
    left, right = st.columns(2)
    with right:
        column = inputs.choice(
            gettext("Scale"),
            scales,
            key="compare.scale",
            default=next(iter(scales)),
            help=gettext(
                "What is compared at equal loss: how many times as much of it the "
                "other family needs."
            ),
        )
    able = {law.key: law for law in family_laws(groups, column)}
    first = law_for_role("over-compute").key
    with left:
        chosen = inputs.choice(
            gettext("Law for both"),
            {key: law.label for key, law in able.items()},
            key="compare.law",
            default=first if first in able else next(iter(able)),
            help=gettext(
                "Against one measure of scale, or of N and D at the best size of each compute."
            ),
        )
    return able[chosen], column


def _reasons(groups: tuple[Group, Group]) -> Mapping[str, str]:
    """Draw a field for each mismatch, and return what was written."""
    given: dict[str, str] = {}
    for mismatch in mismatches(groups):
        given[mismatch.aspect] = inputs.text(
            gettext("Why the {aspects} does no harm here", aspects=ASPECTS[mismatch.aspect]),
            key=f"compare.why.{mismatch.aspect}",
            read=str,
            placeholder=gettext("Without a reason the two are not compared"),
            help=translated(sentences([mismatch.text, WHY[mismatch.aspect]])),
            max_chars=200,
        )
    return {aspect: text for aspect, text in given.items() if text.strip()}


def _table(found: FamilyComparison) -> None:
    """Draw the parameters of both side by side."""
    frame = found.params().map("{:.5g}".format)
    frame[gettext("Meaning")] = [param.help for param in found.law.params]
    panels.listed(
        frame.reset_index(names=gettext("Parameter")),
        hide_index=True,
        alt=gettext("Parameters of both families"),
    )
    counts = ", ".join(
        gettext("{label} {n_rows} rows", label=label, n_rows=fitted.n_rows)
        for label, fitted in zip(found.labels, found.fits, strict=True)
    )
    st.caption(
        gettext(
            "{counts}. Each family has its own fit and its own resamples; the "
            "band combines both. A law of N and D is read at the best size for "
            "each compute.",
            counts=messages.plain(counts),
        )
    )

"""Which family: how much compute, or data, one saves over the other, and whether by one factor."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import streamlit as st

from isoflop.errors import FitError
from isoflop.figures import compare_curves, compare_multiplier
from isoflop.fitting import FitOptions
from isoflop.fitting.compare import (
    ASPECTS,
    SCALES,
    WHY,
    Group,
    exponents_summary,
    family_notices,
    mismatches,
    multiplier_summary,
    require_comparable,
    subset,
)
from isoflop.laws import Law, law_for_role, laws_for, rebind
from isoflop.plot import axes
from isoflop.tables import COLUMNS, LossTable, family_names, list_datasets
from isoflop.ui import caching, compare_view, inputs, messages, panels, rows, uploads
from isoflop.ui.compare_view import Pair, View
from isoflop.ui.state import TableChoice

WHOLE = "(whole table)"
SAME = "same"


def show(shown: View) -> None:
    """Draw the choice of two groups, then their comparison, or why it is refused.

    Raises
    ------
    IsoflopError
        If the law does not fit the groups.
    """
    groups = _sides(shown)
    law, column = _law(groups)
    place = st.container()
    reasons = _reasons(groups)
    try:
        given = require_comparable(groups, reasons)
    except FitError as refusal:
        with place:
            messages.refusal(refusal)
        return
    found = compare_view.pair(groups, law, column, _options(shown, groups))
    one, other = (group.label for group in groups)
    with st.container(key="answer"):
        st.markdown(messages.plain(multiplier_summary(found.multiplier, one, other)))
    if found.test is not None:
        st.markdown(messages.plain(exponents_summary(found.test)))
    left, right = panels.side_by_side()
    with left:
        _multiplier(found)
    with right:
        _curves(found, law)
    messages.notices([*given, *family_notices(groups, found.test, found.multiplier)])
    _table(found)


def _sides(shown: View) -> tuple[Group, Group]:
    """Draw what is compared with what."""
    one, two, three = st.columns(3, vertical_alignment="bottom")
    names = family_names(shown.whole)
    with one:
        first = inputs.choice(
            "Compare",
            _family_options(names),
            key="compare.one",
            default=names[0] if names else WHOLE,
            help="The family whose compute, or other scale, is taken as it is.",
        )
    with two:
        others = _other_tables(shown, len(names) > 1)
        source = inputs.choice(
            "with one of",
            others,
            key="compare.table",
            default=next(iter(others)),
            help="The table that the other family is in.",
        )
    other_table = shown.whole if source == SAME else caching.table(TableChoice(id=source))
    other_names = family_names(other_table)
    left = [name for name in other_names if source != SAME or name != first]
    with three:
        second = inputs.choice(
            "namely",
            _family_options(tuple(left)),
            key="compare.other",
            default=left[0] if left else WHOLE,
            help="The family whose compute for the same loss is sought.",
        )
    groups = _side(shown.whole, first), _side(other_table, second)
    if groups[0].label != groups[1].label:
        return groups
    full = [replace(s, label=f"{s.label} ({s.table.provenance.title})") for s in groups]
    return full[0], full[1]


def _other_tables(shown: View, has_others: bool) -> dict[str, str]:
    """Return the tables that the second family may come from: this one, catalog and uploads."""
    found = {entry.id: entry.title for entry in list_datasets() if entry.response == "loss"}
    found |= {
        key: f"{upload.name} (uploaded)"
        for key, upload in uploads.kept().items()
        if "loss" in upload.result.table.included()
    }
    found.pop(shown.choice.id, None)
    return ({SAME: "this table"} if has_others else {}) | found


def _family_options(names: tuple[str, ...]) -> dict[str, str]:
    return {name: name for name in names} if names else {WHOLE: "the whole table"}


def _side(table: LossTable, family: str) -> Group:
    if family == WHOLE:
        return Group(label=table.provenance.title, table=table)
    names = table.included()["family"].astype(str).to_numpy()
    return Group(label=family, table=subset(table, names == family))


def _law(groups: tuple[Group, Group]) -> tuple[Law, str]:
    """Draw the law that both are fitted by and over what, and return both."""
    known = set(groups[0].table.included()) & set(groups[1].table.included())
    scales = {name: axes.column_name(name) for name in SCALES if name in known}
    if not scales or "loss" not in known:
        raise FitError(
            "The two have no column in common that a law needs.",
            detail=f"Needed in both: loss, and one of {', '.join(SCALES.values())}.",
        )
    left, right = st.columns(2)
    with right:
        column = inputs.choice(
            "Against",
            scales,
            key="compare.scale",
            default=next(iter(scales)),
            help="What is compared at equal loss: how many times as much the other family needs.",
        )
    able = {}
    for offered in laws_for("families"):
        law = rebind(offered, {"x": column}) if "x" in offered.symbols else offered
        of_both = column == "compute_flop" or len(law.inputs) == 1
        if of_both and {item.column for item in law.inputs} <= known:
            able[law.key] = law
    first = law_for_role("over-compute").key
    with left:
        chosen = inputs.choice(
            "Law for both",
            {key: law.label for key, law in able.items()},
            key="compare.law",
            default=first if first in able else next(iter(able)),
            help="Against one measure of scale, or of N and D at the best size of each compute.",
        )
    return able[chosen], column


def _options(shown: View, groups: tuple[Group, Group]) -> FitOptions:
    """Return how to fit: whole runs are resampled where rows share them."""
    frames = [group.table.included() for group in groups]
    is_clustered = all("run_id" in frame and frame["run_id"].duplicated().any() for frame in frames)
    return replace(shown.options, bootstrap="clusters") if is_clustered else shown.options


def _reasons(groups: tuple[Group, Group]) -> Mapping[str, str]:
    """Draw a field for each mismatch, and return what was written."""
    given: dict[str, str] = {}
    for mismatch in mismatches(groups):
        given[mismatch.aspect] = st.text_input(
            f"Why the {ASPECTS[mismatch.aspect]} does no harm here",
            key=f"compare.why.{mismatch.aspect}",
            bind="query-params",
            placeholder="Without a reason the two are not compared",
            help=f"{mismatch.text} {WHY[mismatch.aspect]}",
            max_chars=200,
        )
    return compare_view.reason_of(given)


def _curves(found: Pair, law: Law) -> None:
    """Draw both families' rows and curves."""
    points, lines = [], []
    for index, (group, fitted, span) in enumerate(
        zip(found.groups, found.fits, found.ranges, strict=True)
    ):
        (drawn, *_) = rows.losses(_as_one(group), found.multiplier.column)
        points.append(replace(drawn, family=html.escape(group.label)))
        x = np.geomspace(span[0], span[1] * 10, compare_view.N_GRID)
        draws = fitted.draws if fitted.draws is not None else fitted.theta[None]
        spread = compare_view.best_loss(fitted, draws[:200], x)
        low, high = np.percentile(spread, [5, 95], axis=0)
        lines.append(
            compare_curves.Line(
                name=f"{html.escape(group.label)}: {law.label}",
                x=x,
                loss=compare_view.best_loss(fitted, fitted.theta[None], x)[0],
                lower=low,
                upper=high,
                colour=index,
            )
        )
    panels.chart(
        compare_curves.figure(
            points,
            lines,
            x_title=axes.column_title(found.multiplier.column),
            x_is_compute=found.multiplier.column == "compute_flop",
            y_title=axes.loss_title(found.groups[0].table.loss_unit),
            is_one_group=False,
        ),
        alt=compare_curves.alt(
            points, lines, x_title=axes.column_name(found.multiplier.column).lower()
        ),
        key="compare.families",
    )


def _as_one(group: Group) -> LossTable:
    """Return a group's rows under its own name."""
    frame = group.table.frame.assign(family=group.label)
    return group.table.with_frame(frame)


def _multiplier(found: Pair) -> None:
    one, other = (group.label for group in found.groups)
    drawn = compare_multiplier.Multiplier(
        name=axes.column_name(found.multiplier.column),
        unit=COLUMNS[found.multiplier.column].unit,
        scale=found.multiplier.scale,
        centre=found.multiplier.centre,
        lower=found.multiplier.lower,
        upper=found.multiplier.upper,
        is_extrapolation=found.multiplier.is_extrapolation,
        level=found.multiplier.level,
    )
    panels.chart(
        compare_multiplier.figure(drawn, one=one, other=other),
        alt=compare_multiplier.alt(drawn, one=one, other=other),
        key="compare.multiplier",
    )


def _table(found: Pair) -> None:
    """Draw the parameters of both group by group."""
    names = found.fits[0].law.param_names
    st.dataframe(
        {"Parameter": list(names)}
        | {
            group.label: [f"{fitted.values[name]:.5g}" for name in names]
            for group, fitted in zip(found.groups, found.fits, strict=True)
        }
        | {"Meaning": [param.help for param in found.fits[0].law.params]},
        hide_index=True,
        alt="Parameters of both families",
    )
    counts = ", ".join(
        f"{group.label} {fitted.n_rows} rows"
        for group, fitted in zip(found.groups, found.fits, strict=True)
    )
    st.caption(
        f"{messages.plain(counts)}. Each family has its own fit and its own resamples; the band "
        "joins both. A law of N and D is read at the best size for each compute."
    )

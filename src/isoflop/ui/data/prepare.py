"""What becomes of a table before it is fitted: metric, learning curves, repetitions, counting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import streamlit as st

from isoflop.language import as_a_title, lazy_gettext
from isoflop.language import gettext as _
from isoflop.tables import LossTable, ParamConvention
from isoflop.tables.prepare import Preparation
from isoflop.tables.shapes import (
    Curves,
    Seeds,
    conventions,
    has_curves,
    has_repetitions,
    metrics,
)
from isoflop.ui import prepared
from isoflop.ui.caching import MAX_TABLES, kept

CURVES: dict[Curves, str] = {
    "last": lazy_gettext("Last step"),
    "best": lazy_gettext("Lowest loss"),
    "smoothed": lazy_gettext("Smoothed last step"),
    "all": lazy_gettext("Every step"),
}
SEEDS: dict[Seeds, str] = {
    "all": lazy_gettext("One by one"),
    "clustered": lazy_gettext("Resampled together"),
    "mean": lazy_gettext("Mean of seeds"),
    "best": lazy_gettext("Best of each setting"),
}
LOSS = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """What a table leaves to choose; looked for once, for a table may have a million rows."""

    metrics: tuple[str, ...]
    has_curves: bool
    has_repetitions: bool
    conventions: tuple[ParamConvention, ...]


@partial(kept, max_entries=MAX_TABLES)
def _open(full: LossTable) -> _Open:
    return _Open(
        metrics=metrics(full),
        has_curves=has_curves(full),
        has_repetitions=has_repetitions(full),
        conventions=conventions(full),
    )


def controls(table_id: str, full: LossTable) -> None:
    """Draw the decisions that this table leaves open, and keep what is chosen."""
    current = prepared.of(table_id, full)
    found = _open(full)
    drawn = 0
    options = found.metrics
    if options:
        own = _("Loss") if "loss" in full.frame else _("As the catalog says")
        drawn += _choice(
            table_id, full, "metric", _("Metric"), {LOSS: own, **{name: name for name in options}},
            current.metric,
            help=_("What the law predicts: the loss, another loss, or a score between 0 "
"and 1."),
        )  # fmt: skip
    if found.has_curves:
        drawn += _choice(
            table_id, full, "curves", _("Learning curves"), CURVES, current.curves,
            help=_("Which rows of each run are fitted: one of them, or all, which are "
"then resampled run by run."),
        )  # fmt: skip
    if found.has_repetitions or current.seeds != "all":
        drawn += _choice(
            table_id, full, "seeds", _("Repetitions"), SEEDS, current.seeds,
            help=_("Runs of the same size and data: other seeds, or trials of "
"hyper-parameters."),
        )  # fmt: skip
    counts = found.conventions
    if len(counts) > 1:
        names = {name: as_a_title(name) for name in counts}
        drawn += _choice(
            table_id, full, "convention", _("Parameters counted"), names,
            current.convention or full.param_convention,
            help=_("Which parameters N counts."),
        )  # fmt: skip
    if not drawn:
        st.caption(_("Nothing can be chosen for this table but which rows to leave out."))


def _choice(
    table_id: str,
    full: LossTable,
    field: str,
    label: str,
    options: Mapping[Any, str],
    value: str,
    *,
    help: str,
) -> int:
    """Draw one choice; return 1, so that choices can be counted."""
    key = f"data.{field}.{table_id}"
    values = list(options)
    if st.session_state.get(key) not in values:
        st.session_state.pop(key, None)

    def keep() -> None:
        chosen = st.session_state[key]
        prepared.change(table_id, full, lambda p: _with(p, field, chosen))

    st.selectbox(
        label,
        values,
        index=values.index(value) if value in values else 0,
        format_func=lambda option: options.get(option, str(option)),
        key=key,
        help=help,
        on_change=keep,
    )
    return 1


def _with(preparation: Preparation, field: str, value: Any) -> Preparation:
    return replace(preparation, **{field: value})

"""From compute to loss to a downstream metric: two steps and the error of both."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from isoflop import plot
from isoflop.fitting import FitOptions
from isoflop.fitting.downstream import (
    MetricHeldOut,
    default_metric,
    downstream_held_out,
    downstream_notices,
    fit_downstream,
    metric_name,
    metrics,
)
from isoflop.language import gettext, lazy_gettext, sentences
from isoflop.laws import Law, law_for_role
from isoflop.planning.downstream import downstream_curve, first_step_laws
from isoflop.plot import APP
from isoflop.tables import LossTable, datasets_for
from isoflop.ui import inputs, messages, panels, resolve
from isoflop.ui.compare import metric_families as compare_metric_families
from isoflop.ui.compare.view import View
from isoflop.ui.jobs import KeptByJob
from isoflop.ui.state import TableChoice

HERE = "here"


def _effort(table: LossTable, *_: object, **__: object) -> float:
    """Return the CPU seconds of both steps, as measured."""
    return 1.0 + len(table.frame) / 1000


_fit_downstream = KeptByJob(fit_downstream, lazy_gettext("Resampling both steps"), effort=_effort)
_held_out = KeptByJob(
    downstream_held_out, lazy_gettext("Predicting the largest runs from the rest"), effort=_effort
)


def show(shown: View) -> None:
    """Draw the two steps on the chosen runs.

    Raises
    ------
    IsoflopError
        If the table cannot be had, or the steps cannot be fitted.
    """
    table, metric = _table_and_metric(shown)
    if "loss" in table.included():
        _measured(table, metric, replace(shown.options, n_bootstrap=0))
    else:
        compare_metric_families.show(table, metric)


def _table_and_metric(shown: View) -> tuple[LossTable, str]:
    """Draw whose accuracies, and which, and return them."""
    own = metrics(shown.table)
    options = {}
    if own:
        options[HERE] = gettext("This table: {title}", title=shown.table.provenance.title)
    suited = datasets_for("downstream")
    options |= {entry.id: entry.title for entry in suited if entry.id != shown.whole.id}
    left, right = st.columns(2)
    with left:
        source = inputs.choice(
            gettext("Runs with accuracies"),
            options,
            key="compare.runs.own" if own else "compare.runs",
            default=next(iter(options)),
            help=gettext(
                "A table with a bounded metric. Without losses, each family has its own offset."
            ),
        )
    table = shown.table if source == HERE else resolve.table(TableChoice(id=source))
    first = default_metric(table)
    with right:
        metric = inputs.choice(
            gettext("Metric"),
            {name: metric_name(name) for name in metrics(table)},
            key="compare.metric",
            default=first,
            help=gettext("Any column with values between 0 and 1."),
        )
    return table, metric


def _measured(table: LossTable, metric: str, options: FitOptions) -> None:
    law = _first_step(table)
    found = _fit_downstream(table, metric, law, options)
    held = _held_out(table, metric, law, options)
    expected, source = downstream_curve(found).sentences()
    with st.container(key="answer"):
        st.markdown(messages.plain(sentences([expected, held.summary()])))
    st.markdown(messages.plain(source))
    left, right = panels.side_by_side()
    with left:
        st.header(gettext("From compute to accuracy"), anchor=False)
        panels.drawn(plot.downstream(found, theme=APP), key="compare.both")
    with right:
        st.header(gettext("From loss to accuracy"), anchor=False)
        panels.drawn(plot.metric_of_loss(found, theme=APP), key="compare.second")
    messages.notices(list(downstream_notices(found)))
    st.header(gettext("Largest decade, held out"), anchor=False)
    panels.drawn(plot.metric_held_out(held, theme=APP), key="compare.proof")
    _each_run(held)


def _first_step(table: LossTable) -> Law:
    able = {law.key: law for law in first_step_laws(table)}
    first = law_for_role("downstream-loss-default").key
    chosen = inputs.choice(
        gettext("First step: law of the loss"),
        {key: law.label for key, law in able.items()},
        key="compare.first",
        default=first if first in able else next(iter(able)),
        help=gettext("The second step is a sigmoid in that loss."),
    )
    return able[chosen]


def _each_run(held: MetricHeldOut) -> None:
    """Draw what was predicted of each run held out."""
    alone = held.one_step_name.capitalize()
    headings = {
        "run": gettext("Run"),
        "observed": gettext("Measured"),
        "predicted": gettext("Predicted through the loss"),
        "lower": gettext("Lower 90%"),
        "upper": gettext("Upper 90%"),
        "one_step": alone,
    }
    with st.expander(gettext("Each held-out run")):
        panels.listed(
            held.to_frame().rename(columns=headings),
            column_config={
                heading: st.column_config.NumberColumn(format="percent")
                for name, heading in headings.items()
                if name != "run"
            },
            hide_index=True,
            alt=gettext("Held-out runs with what was predicted"),
        )

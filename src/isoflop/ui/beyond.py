"""What lies beyond the data: the prediction by all laws of a table, or by the chosen one alone.

All laws are fitted once a table, by a job of a second or more; until then a page shows what its own
law says. On a move they are evaluated, never fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import streamlit as st

from isoflop import plot
from isoflop.errors import IsoflopError
from isoflop.fitting import Fit
from isoflop.fitting.extrapolation import Extrapolation, Method, Pool
from isoflop.fitting.extrapolation.history import history
from isoflop.language import gettext, lazy_gettext, translated
from isoflop.planning import Plan
from isoflop.planning.outlook import Outlook, outlook
from isoflop.planning.rule import ComputeRule
from isoflop.plot import APP
from isoflop.tables import LossTable
from isoflop.ui import inputs, messages, panels, shell
from isoflop.ui.caching import MAX_PLANS, kept
from isoflop.ui.jobs import KeptByJob
from isoflop.ui.resolve import Fitted, weighed

BY: dict[Method, str] = {
    "average": lazy_gettext("Average of all laws"),
    "one": lazy_gettext("This law alone"),
}
DEFAULT: Method = "average"


TESTED = lazy_gettext(
    "On public tables, bands made this way contained about nine in ten "
    "larger runs. They allow for laws that misjudge further gains, and "
    "for more where laws disagree. That is no promise for any one table."
)


def method(fitted: Fitted | None) -> Method:
    """Draw the choice between all laws and one; a published fit speaks for itself alone."""
    if fitted is not None and fitted.published is not None:
        return "one"
    return inputs.choice(
        gettext("Predicted by"),
        BY,
        key="by",
        default=DEFAULT,
        help=gettext(
            "All laws of the catalog that suit the table, each weighted by how "
            "well it predicted the table's own largest runs; or only the law "
            "that is chosen here. Either band allows for the distance beyond the "
            "data, as measured on public tables."
        ),
        style="row",
    )


def follow_up(table: LossTable, by: Method) -> None:
    """Where a page has shown its first picture, have all laws fitted and run the page again.

    Of a table whose laws are fitted nothing is done, nor where one law alone predicts.
    """
    if by == "one" or weighed.is_settled(table):
        return
    with suppress(messages.Unfinished, IsoflopError):
        weighed(table)
        st.rerun()


def seen(
    fitted: Fitted,
    plan: Plan,
    by: Method,
    *,
    rule: ComputeRule,
    fixed: Mapping[str, float] | None = None,
) -> Outlook:
    """Return what is to be believed of a plan, by the fit alone until all laws are weighed."""
    try:
        voices = weighed.made(fitted.table)
    except IsoflopError as problem:  # of the laws together; the own one may still speak
        voices, refusal = None, problem.summary
    else:
        refusal = ""
    alone = fitted.fit if by == "one" or (voices is None and not refusal) else None
    if alone is None and voices is None:
        return Outlook(ahead=None, sizes=None, reason=refusal)
    return _outlook(fitted.table, plan, alone, rule, fixed, voices is not None, voices)


def _told(
    table: LossTable,
    plan: Plan,
    alone: Fit | None,
    rule: ComputeRule,
    fixed: Mapping[str, float] | None,
    is_weighed: bool,
    _voices: Pool | None,
) -> Outlook:
    """Return the outlook of a plan; its laws follow from the table, so that they are no key."""
    return outlook(table, plan, alone=alone, voices=_voices, rule=rule, fixed=fixed)


_outlook = kept(_told, max_entries=MAX_PLANS)


def _history_effort(table: LossTable) -> float:
    """Return the CPU seconds of fitting all laws below each of the cuts, as measured."""
    return 0.4 + 0.1 * min(len(table.frame), 60)


_history = KeptByJob(
    history, lazy_gettext("Predicting the table's own largest runs"), effort=_history_effort
)


def past(table: LossTable) -> None:
    """Draw what all laws would have said of a table's own largest runs, and what came."""
    found = _history(table)
    st.markdown(messages.plain(found.summary()))
    panels.drawn(plot.rolling_origin(found, theme=APP), key="chart.past")


def show(found: Outlook) -> None:
    """Draw each law's prediction and the parts of the width, and say what would narrow it."""
    if found.ahead is None:
        if found.reason:
            st.caption(
                messages.plain(
                    gettext("Only the plan's own law predicts. {reason}", reason=found.reason)
                )
            )
        return
    panels.drawn(
        plot.extrapolation(found.ahead, theme=APP),
        key="chart.beyond",
        title=gettext("What each law predicts, and what widens the band"),
    )
    refused = found.ahead.refused
    reasons = "\n\n".join(
        gettext("{label}: {reason}", label=label, reason=reason) for label, reason in refused
    )
    st.markdown(_words(found, found.ahead), help=messages.plain(reasons) or None)


def _words(found: Outlook, ahead: Extrapolation) -> str:
    """Return what is said beside the chart, as Markdown."""
    said = []
    if advice := ahead.advice():
        asked = {name: st.query_params[name] for name in st.query_params}
        runs = shell.link("fit", asked | {"section": gettext("Next runs"), "fit.aim": "agreement"})
        said.append(
            gettext(
                "**{advice}** [:material/arrow_forward: Design these runs]({runs})",
                advice=messages.plain(advice),
                runs=runs,
            )
        )
    said.append(
        gettext(
            "**Width of the band**: {parts_text}.", parts_text=messages.plain(ahead.parts_text())
        )
    )
    if found.sizes is not None:
        said.append(
            gettext("**Best size**: {verdict}", verdict=messages.plain(found.sizes.verdict()))
        )
    names = ", ".join(translated(label) for label, _ in ahead.refused)
    left_out = gettext(" Left out: {names}.", names=names) if names else ""
    said.append(f":small[:gray[{messages.plain(translated(TESTED) + left_out)}]]")
    return "\n\n".join(said)

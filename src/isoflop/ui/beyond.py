"""What lies beyond the data: the prediction by all laws of a table, or by the chosen one alone.

All laws are fitted once a table, which may take a second; until then a page shows what its own law
says. On a move they are evaluated, never fitted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock

import streamlit as st

from isoflop import plot
from isoflop.errors import IsoflopError
from isoflop.fitting.extrapolation import Method, pool
from isoflop.planning import Plan
from isoflop.planning.outlook import Outlook, outlook
from isoflop.planning.rule import ComputeRule
from isoflop.plot import APP
from isoflop.tables import LossTable
from isoflop.ui import inputs, messages, panels, shell
from isoflop.ui.caching import MAX_FITS
from isoflop.ui.resolve import Fitted

BY: dict[Method, str] = {"average": "Average of all laws", "one": "This law alone"}

_weighed: OrderedDict[str, None] = OrderedDict()
_lock = Lock()


def method(fitted: Fitted | None) -> Method:
    """Draw the choice between all laws and one; a published fit speaks for itself alone."""
    if fitted is not None and fitted.published is not None:
        return "one"
    return inputs.choice(
        "Predicted by",
        BY,
        key="by",
        default="average",
        help="All laws of the catalog that suit the table, each weighted by how it predicted the "
        "table's own largest runs; or the law that is chosen here. Either band allows for the "
        "distance from the rows, as measured on public tables.",
        style="row",
    )


def _is_weighed(table: LossTable) -> bool:
    """Say whether all laws of a table are fitted already."""
    with _lock:
        return table.fingerprint in _weighed


def follow_up(table: LossTable, by: Method) -> None:
    """Where a page has shown its first picture, fit all laws and run the page again.

    Of a table whose laws are fitted nothing is done, nor where one law alone predicts.
    """
    if by == "one" or _is_weighed(table):
        return
    with st.spinner("Weighing all laws of the table"), suppress(IsoflopError):
        pool(table)
    with _lock:
        _weighed[table.fingerprint] = None
        if len(_weighed) > MAX_FITS:
            _weighed.popitem(last=False)
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
    is_alone = by == "one" or not _is_weighed(fitted.table)
    alone = fitted.fit if is_alone else None
    return outlook(fitted.table, plan, alone=alone, rule=rule, fixed=fixed)


def show(found: Outlook, *, key: str) -> None:
    """Draw each law's prediction and the parts of the width, and say what would narrow it."""
    if found.ahead is None:
        if found.reason:
            st.caption(messages.plain(f"By the plan's own law alone: {found.reason}"))
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.markdown("**What each law says, and why the band is as wide as it is**")
        panels.drawn(plot.extrapolation(found.ahead, theme=APP), key=key)
    with right:
        _words(found)


def _words(found: Outlook) -> None:
    assert found.ahead is not None
    if advice := found.ahead.advice():
        st.markdown(f"**{messages.plain(advice)}**")
        asked = {name: st.query_params[name] for name in st.query_params}
        st.link_button(
            "Design the runs that would",
            shell.link("fit", asked | {"section": "Next runs", "fit.aim": "agreement"}),
            icon=":material/arrow_forward:",
        )
    st.markdown(f"**Width of the band**: {messages.plain(found.ahead.parts_text())}.")
    if found.sizes is not None:
        st.markdown(f"**Best size**: {messages.plain(found.sizes.verdict())}")
    st.caption(
        "On public tables, bands made this way held about nine in ten larger runs; they allow laws "
        "to misjudge further gain, and more where they disagree. Not promised for one table alone."
    )
    if refused := found.ahead.refused:
        names = ", ".join(label for label, _ in refused)
        reasons = "\n\n".join(f"{label}: {reason}" for label, reason in refused)
        st.caption(messages.plain(f"Left out: {names}."), help=messages.plain(reasons))

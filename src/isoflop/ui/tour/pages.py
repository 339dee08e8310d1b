"""The app's questions in their order, each opened on the ladder of runs that ships."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from isoflop import plot
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.plot import APP
from isoflop.tables import DatasetRole, dataset_for_role, family_names
from isoflop.ui import panels, resolve, shell

COLUMNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One page of the app, and what to look at there.

    Parameters
    ----------
    page : str
        Key of a page.
    question : str
    text : str
        What to look at there.
    view : dict of str to str
        What is chosen there, besides the table, as in the page's address.
    dataset : str
        Role of the table in the catalog.
    is_one_family : bool
        Whether only the family is fitted that the catalog names for the table.
    """

    page: str
    question: str
    text: str
    view: dict[str, str] = field(default_factory=dict)
    dataset: DatasetRole = "small-runs"
    is_one_family: bool = False


_BY_RUN = {"resample": "clusters"}
_SMALL_BUDGET = _BY_RUN | {"budget": "flop", "flop": "3e13"}

STEPS = (
    Step(
        page="data",
        question=lazy_gettext("Are the rows sound?"),
        text=lazy_gettext(
            "Every point is one small model at one budget of tokens. Click "
            "points to leave them out and fit again without them; **Quality** "
            "says what is wrong with a table before a fit suffers from it. Your "
            "own CSV goes in by **Upload a table**."
        ),
    ),
    Step(
        page="explore",
        question=lazy_gettext("What would a budget reach?"),
        text=lazy_gettext(
            "The law, its band, and the best model for what you can spend. Move "
            "a slider: the star is you, and where the band is hatched no run has "
            "been."
        ),
        view=_SMALL_BUDGET,
        is_one_family=True,
    ),
    Step(
        page="fit",
        question=lazy_gettext("May I believe it?"),
        text=lazy_gettext(
            "Where every start of the search ended, which parameters the rows "
            "determine (here the floor E is not), and which single row moves the "
            "answer."
        ),
        view=_SMALL_BUDGET | {"section": lazy_gettext("Parameters")},
        is_one_family=True,
    ),
    Step(
        page="compare",
        question=lazy_gettext("Which law, which architecture?"),
        text=lazy_gettext(
            "Laws are ranked by how well they predict larger runs that they have "
            "not seen. **Families** says how much more compute one architecture "
            "needs than another."
        ),
        view=_BY_RUN,
        is_one_family=True,
    ),
    Step(
        page="plan",
        question=lazy_gettext("What should be trained?"),
        text=lazy_gettext(
            "Hardware, time, money, memory and storage in; the run out, with "
            "what binds and what a tenth more would buy. Laws of models this "
            "small do not reach that far, and the page says so: this link opens "
            "on runs of language models."
        ),
        dataset="plan-example",
    ),
    Step(
        page="train",
        question=lazy_gettext("Does it hold on my machine?"),
        text=lazy_gettext(
            "Train such a ladder here in half a minute, see the law appear from "
            "its losses, then forecast a larger run before it is trained."
        ),
    ),
)


def address(step: Step) -> str:
    """Return the relative address of a page."""
    dataset = dataset_for_role(step.dataset)
    family = {"families": dataset.law_family} if step.is_one_family else {}
    return shell.link(step.page, {"table": dataset.id} | family | step.view)


def show() -> None:
    """Draw a card a page, and what the table holds."""
    with st.container(key="answer"):
        st.markdown(
            _(
                "**From small runs to the large one, in six pages.** Each opens "
                "beside this one, on small language models that Isoflop trained "
                "itself."
            )
        )
    columns = [*st.columns(COLUMNS), *st.columns(COLUMNS)]
    for number, (step, column) in enumerate(zip(STEPS, columns, strict=True), start=1):
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{number}. {step.question}**")
            st.markdown(step.text)
            st.link_button(
                _("Open {title}", title=shell.info(step.page).title),
                address(step),
                icon=":material/arrow_forward:",
            )
    _draw_table()


def _draw_table() -> None:
    """Draw the losses of the table against compute, by family."""
    table = resolve.catalog_table(dataset_for_role("small-runs").id).table
    n_losses, n_families = len(table.included()), len(family_names(table))
    st.markdown(
        _(
            "**The table: {n_losses} losses, {n_families} families of models**",
            n_losses=n_losses,
            n_families=n_families,
        )
    )
    panels.drawn(plot.runs(table, x="compute_flop", y="loss", theme=APP), key="chart.tour")

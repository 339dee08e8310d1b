"""What a person saves on the Plan page: accelerators of one's own, and scenarios to compare."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from isoflop import plot
from isoflop.errors import IsoflopError, PlanError, StoreError
from isoflop.language import as_a_title, gettext
from isoflop.language import gettext as _
from isoflop.planning import Accelerator, load_accelerators
from isoflop.planning.hardware import parse_accelerator
from isoflop.planning.saved import ACCELERATOR, OWN_PREFIX
from isoflop.planning.sheets import plans_sheet
from isoflop.plot import APP
from isoflop.ui import documents, messages, panels, share, visitor

if TYPE_CHECKING:
    from isoflop.planning.saved import SavedAccelerator, SavedScenario
    from isoflop.store import Document

MAX_COMPARED = 5
JUST_SAVED = "plan.just saved"
READ_EVERY_S = 10.0
"""What others share is seen within that time; a move in between reads nothing."""
_READ = "plan.accelerators read"
_BROUGHT = "plan.accelerators of the workspace"
_OPENED = "plan.accelerators as opened"

DETAILS = "plan.figures"
"""Key of the box with an accelerator's figures, which are drawn while it is open."""


@dataclass(frozen=True, slots=True)
class _Read:
    """The accelerators that were saved, by key; names of those that cannot be read; when read."""

    by_key: Mapping[str, SavedAccelerator] = field(default_factory=dict)
    unreadable: Sequence[str] = ()
    when_s: float = field(default_factory=time.monotonic)


def accelerators() -> dict[str, Accelerator]:
    """Return all accelerators, one's own last; without the store, those that ship.

    Those that an opened workspace brings are there in its session alone.
    """
    found = dict(load_accelerators())
    found |= {key: saved.accelerator for key, saved in _saved().by_key.items()}
    brought: dict[str, Accelerator] = st.session_state.get(_BROUGHT, {})
    for key, accelerator in brought.items():
        if found.get(key, accelerator) != accelerator:
            accelerator = replace(
                accelerator, label=gettext("{label} (of the workspace)", label=accelerator.label)
            )
        found[key] = accelerator
    return found


def _saved() -> _Read:
    held: _Read | None = st.session_state.get(_READ)
    if held is None or time.monotonic() - held.when_s > READ_EVERY_S:
        held = st.session_state[_READ] = _read_accelerators()
    return held


def _read_accelerators() -> _Read:
    from isoflop.planning.saved import saved_accelerators

    try:
        return _Read(*saved_accelerators(documents.mine()))
    except StoreError:
        return _Read()


def bring(entries: Mapping[str, Mapping[str, object]]) -> None:
    """Let the session have the accelerators of a workspace.

    Raises
    ------
    CatalogError
        If one of them cannot be right.
    """
    st.session_state[_BROUGHT] = {
        key: parse_accelerator(key, dict(entry))
        for key, entry in entries.items()
        if key.startswith(OWN_PREFIX)
    }


def accelerator_details(accelerator: Accelerator) -> None:
    """Draw the accelerator's figures with their sources, each to be changed and saved."""
    box = st.popover(
        gettext("Figures and sources"),
        icon=":material/memory:",
        width="stretch",
        key=DETAILS,
        on_change="rerun",
    )
    if not box.open:
        st.session_state.pop(_OPENED, None)
        return
    with box:
        st.markdown(_sources(accelerator))
        read = _as_opened(accelerator.key)
        documents.name_unreadable(read.unreadable)
        documents.offer_undo(ACCELERATOR, lambda _: forget_accelerators())
        refused = visitor.refusal(gettext("save an accelerator"))
        if refused is not None:
            messages.not_here(refused)
            return
        saved = read.by_key.get(accelerator.key)
        over = saved.document if saved is not None and saved.document.can_write else None
        with st.form(f"plan.own.{accelerator.key}", border=False):
            label = (
                gettext("My {label}", label=accelerator.label)
                if over is None
                else str(over.body["label"])
            )
            edited = _editor(accelerator, label)
            if st.form_submit_button(
                gettext("Save as my own") if over is None else gettext("Save"),
                icon=":material/save:",
                width="stretch",
                help=gettext("Under another name, it is a new one.") if over is not None else None,
            ):
                is_same = edited.label == label
                _save_accelerator(edited, over=over if is_same else None, read=read)
        if saved is not None:
            _of_saved_accelerator(saved.document)


def _as_opened(key: str) -> _Read:
    """Return the saved accelerators as they were when the fields of one were first drawn.

    What is in the fields rests on them: a change of another since then is not replaced unseen.
    """
    opened, read = st.session_state.get(_OPENED, ("", None))
    if opened != key or read is None:
        read = _saved()
        st.session_state[_OPENED] = (key, read)
    return cast("_Read", read)


def _of_saved_accelerator(document: Document) -> None:
    """Draw who else sees an accelerator, and what takes it away."""
    share.document(document)
    if document.can_write:
        st.button(
            gettext("Delete it"),
            icon=":material/delete:",
            key=f"plan.own.delete.{document.id}",
            on_click=_delete_accelerator,
            args=(document,),
        )


def _delete_accelerator(document: Document) -> None:
    documents.delete(document, str(document.body.get("label", document.key)))
    forget_accelerators()


def forget_accelerators() -> None:
    """Read the saved accelerators anew: they have changed."""
    st.session_state.pop(_READ, None)
    st.session_state.pop(_OPENED, None)


def _sources(accelerator: Accelerator) -> str:
    """Say where the figures come from and which were not seen in a source."""
    lines = [
        gettext(
            "**{label}** ({year}). Specification: {source} ({retrieved}).",
            label=messages.plain(accelerator.label),
            year=accelerator.year,
            source=messages.plain(accelerator.source),
            retrieved=accelerator.retrieved,
        ),
    ]
    if accelerator.unverified:
        names = ", ".join(name.replace("_", " ") for name in accelerator.unverified)
        lines.append(f":orange-badge[Unverified] {messages.plain(names)}")
    if accelerator.note:
        lines.append(messages.plain(_("{sentence}.", sentence=as_a_title(accelerator.note))))
    return "\n\n".join(lines)


def _editor(accelerator: Accelerator, name: str) -> Accelerator:
    """Draw one field a figure and return the accelerator with what is in them."""
    key = f"plan.own.{accelerator.key}"
    label = st.text_input(
        gettext("Name"),
        value=name,
        max_chars=80,
        key=f"{key}.name",
        help=gettext("What it is called in the list of accelerators."),
    )
    dtype = accelerator.training_dtype

    def number(title: str, value: float | None, unit: float, name: str) -> float | None:
        given = st.number_input(
            title,
            value=None if value is None else float(f"{value / unit:.6g}"),
            min_value=0.0,
            key=f"{key}.{name}",
            help=gettext("Begins with the chosen accelerator's; empty where it is not known."),
        )
        return None if given is None else given * unit

    peaks = {
        name: number(gettext("Dense {name} peak (TFLOP/s)", name=name.upper()), peak, 1e12, name)
        or 0.0
        for name, peak in accelerator.peak_flop_per_s.items()
    }
    ceiling = number(
        gettext("Measured matmul rate, {dtype} (TFLOP/s)", dtype=dtype.upper()),
        accelerator.measured_matmul_flop_per_s,
        1e12,
        "matmul",
    )
    memory = number(_("Memory (GB)"), accelerator.memory_bytes, 1e9, "memory")
    bandwidth = number(
        gettext("Memory bandwidth (TB/s)"), accelerator.bandwidth_byte_per_s, 1e12, "bandwidth"
    )
    link = number(
        gettext("Interconnect, one way (GB/s)"),
        accelerator.interconnect_byte_per_s,
        1e9,
        "interconnect",
    )
    power = number(_("Power (W)"), accelerator.power_w, 1.0, "power")
    price = number(_("Price ($/h)"), accelerator.price_usd_per_hour, 1.0, "price")
    return replace(
        accelerator,
        label=label or "",
        peak_flop_per_s=peaks,
        measured_matmul_flop_per_s=ceiling or None,
        memory_bytes=memory or 0.0,
        bandwidth_byte_per_s=bandwidth or 0.0,
        interconnect_byte_per_s=link or None,
        power_w=power or None,
        price_usd_per_hour=price,
        price_range_usd_per_hour=None,
        price_source=gettext("own entry"),
        source=gettext("own entry, after {label}", label=accelerator.label),
        unverified=(),
    )


def _save_accelerator(edited: Accelerator, *, over: Document | None, read: _Read) -> None:
    from isoflop.planning.saved import save_accelerator

    seen = [saved.document for saved in read.by_key.values()]
    try:
        saved = save_accelerator(documents.mine(), edited, over=over, seen=seen)
    except IsoflopError as error:
        messages.show(error)
        forget_accelerators()  # whoever is told of another's change may then replace it
        return
    st.session_state[JUST_SAVED] = saved.key
    forget_accelerators()
    st.rerun()


def take_just_saved(key: str) -> None:
    """Choose, in the widget of this key, the accelerator that was saved a moment ago."""
    if JUST_SAVED in st.session_state:
        st.session_state[key] = st.session_state.pop(JUST_SAVED)


def scenarios() -> list[SavedScenario]:
    """Return the saved scenarios, after a word on those that cannot be read.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    from isoflop.planning.saved import saved_scenarios

    found, unreadable = saved_scenarios(documents.mine())
    documents.name_unreadable(unreadable)
    return found


def scenario_buttons(saved: SavedScenario, replace_it: Callable[[SavedScenario], None]) -> None:
    """Draw what can be done with a saved scenario.

    Parameters
    ----------
    saved : SavedScenario
    replace_it : callable
        Saves the plan shown in its place.
    """
    document, name = saved.document, saved.name
    st.link_button(
        gettext("Open {name}", name=name), f"/plan{saved.link}", icon=":material/open_in_new:"
    )
    if visitor.refusal(gettext("change this")) is not None:
        return
    if not document.can_write:
        st.button(
            gettext("Copy {name}", name=name),
            icon=":material/content_copy:",
            key=f"plan.copy.{document.id}",
            on_click=_copy,
            args=(document.id,),
        )
        return
    with st.popover(gettext("Change {name}", name=name), icon=":material/edit:"):
        st.button(
            gettext("Replace by the plan shown"),
            icon=":material/save:",
            key=f"plan.replace.{document.id}",
            on_click=replace_it,
            args=(saved,),
            help=gettext("What it was stays as an earlier version."),
        )
        documents.offer_versions(document)
        share.document(document)
        st.button(
            gettext("Delete {name}", name=name),
            icon=":material/delete:",
            key=f"plan.delete.{document.id}",
            on_click=documents.delete,
            args=(document, name),
        )


def _copy(document_id: str) -> None:
    with messages.in_callback():
        documents.mine().duplicate(document_id)


def comparison(chosen: list[SavedScenario]) -> None:
    """Draw scenarios side by side: a chart of loss against money, and a table."""
    try:
        figure = plot.plans({saved.name: saved.plan for saved in chosen}, theme=APP)
    except PlanError as error:
        st.warning(messages.plain(f"{error.summary} {error.detail}"), icon=":material/warning:")
    else:
        panels.drawn(figure, key="chart.compare")
    panels.listed(_table(chosen), hide_index=True, alt=gettext("Saved scenarios side by side"))


def _table(chosen: list[SavedScenario]) -> dict[str, Sequence[str]]:
    """Return one column a figure, one row a scenario, each figure with its unit."""
    return {
        **plans_sheet({saved.name: saved.plan for saved in chosen}).columns,
        gettext("Fit"): [saved.fit for saved in chosen],
        _("Saved (UTC)"): [f"{saved.saved:%Y-%m-%d %H:%M}" for saved in chosen],
    }

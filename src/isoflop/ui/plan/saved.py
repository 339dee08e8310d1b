"""What a person saves on the Plan page: accelerators of one's own, and scenarios to compare."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from isoflop import plot
from isoflop.errors import IsoflopError, PlanError, StoreError
from isoflop.planning import Accelerator, load_accelerators
from isoflop.planning.hardware import parse_accelerator
from isoflop.planning.saved import OWN_PREFIX
from isoflop.planning.sheets import plans_sheet
from isoflop.plot import APP
from isoflop.ui import documents, messages, panels, visitor

if TYPE_CHECKING:
    from isoflop.planning.saved import SavedScenario

MAX_COMPARED = 5
JUST_SAVED = "plan.just saved"
DELETED = "plan.deleted"
READ_EVERY_S = 10.0
"""What others share is seen within that time; a move in between reads nothing."""
_READ = "plan.accelerators read"
_BROUGHT = "plan.accelerators of the workspace"

DETAILS = "plan.figures"
"""Key of the box with an accelerator's figures, which are drawn while it is open."""


def accelerators() -> dict[str, Accelerator]:
    """Return all accelerators, one's own last; without the store, those that ship.

    Those that an opened workspace brings are there in its session alone.
    """
    held = st.session_state.get(_READ)
    if held is None or time.monotonic() - held[0] > READ_EVERY_S:
        held = st.session_state[_READ] = (time.monotonic(), _read_accelerators())
    found: dict[str, Accelerator] = dict(held[1])
    brought: dict[str, Accelerator] = st.session_state.get(_BROUGHT, {})
    for key, accelerator in brought.items():
        if found.get(key, accelerator) != accelerator:
            accelerator = replace(accelerator, label=f"{accelerator.label} (of the workspace)")
        found[key] = accelerator
    return found


def _read_accelerators() -> dict[str, Accelerator]:
    from isoflop.planning.saved import all_accelerators

    try:
        return all_accelerators(documents.mine())
    except StoreError:
        return dict(load_accelerators())


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
        "Figures and sources",
        icon=":material/memory:",
        width="stretch",
        key=DETAILS,
        on_change="rerun",
    )
    if not box.open:
        return
    with box:
        st.markdown(_sources(accelerator))
        refused = visitor.refusal("save an accelerator")
        if refused is not None:
            messages.not_here(refused)
            return
        with st.form(f"plan.own.{accelerator.key}", border=False):
            edited = _editor(accelerator)
            if st.form_submit_button("Save as my own", icon=":material/save:", width="stretch"):
                _save_accelerator(edited)


def _sources(accelerator: Accelerator) -> str:
    """Say where the figures come from and which were not seen in a source."""
    lines = [
        f"**{messages.plain(accelerator.label)}** ({accelerator.year}). "
        f"Specification: {messages.plain(accelerator.source)} ({accelerator.retrieved}).",
    ]
    if accelerator.unverified:
        names = ", ".join(name.replace("_", " ") for name in accelerator.unverified)
        lines.append(f":orange-badge[Unverified] {messages.plain(names)}")
    if accelerator.note:
        lines.append(messages.plain(accelerator.note[0].upper() + accelerator.note[1:]) + ".")
    return "\n\n".join(lines)


def _editor(accelerator: Accelerator) -> Accelerator:
    """Draw one field a figure and return the accelerator with what is in them."""
    key = f"plan.own.{accelerator.key}"
    label = st.text_input("Name", value=f"My {accelerator.label}", max_chars=80, key=f"{key}.name")
    dtype = accelerator.training_dtype

    def number(title: str, value: float | None, unit: float, name: str) -> float | None:
        given = st.number_input(
            title,
            value=None if value is None else float(f"{value / unit:.6g}"),
            min_value=0.0,
            key=f"{key}.{name}",
        )
        return None if given is None else given * unit

    peaks = {
        name: number(f"Dense {name.upper()} peak (TFLOP/s)", peak, 1e12, name) or 0.0
        for name, peak in accelerator.peak_flop_per_s.items()
    }
    ceiling = number(
        f"Measured matmul rate, {dtype.upper()} (TFLOP/s)",
        accelerator.measured_matmul_flop_per_s,
        1e12,
        "matmul",
    )
    memory = number("Memory (GB)", accelerator.memory_bytes, 1e9, "memory")
    bandwidth = number(
        "Memory bandwidth (TB/s)", accelerator.bandwidth_byte_per_s, 1e12, "bandwidth"
    )
    link = number(
        "Interconnect, one way (GB/s)", accelerator.interconnect_byte_per_s, 1e9, "interconnect"
    )
    power = number("Power (W)", accelerator.power_w, 1.0, "power")
    price = number("Price ($/h)", accelerator.price_usd_per_hour, 1.0, "price")
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
        price_source="own entry",
        source=f"own entry, after {accelerator.label}",
        unverified=(),
    )


def _save_accelerator(edited: Accelerator) -> None:
    from isoflop.planning.saved import save_accelerator

    try:
        saved = save_accelerator(documents.mine(), edited)
    except IsoflopError as error:
        messages.show(error)
        return
    st.session_state[JUST_SAVED] = saved.key
    st.session_state.pop(_READ, None)
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
    if unreadable:
        st.caption(f"Not readable: {messages.plain(', '.join(unreadable))}.")
    return found


def delete(saved: SavedScenario) -> None:
    """Delete a saved scenario, and let that be taken back; for a button's callback."""
    with messages.in_callback():
        documents.mine().delete(saved.document.id)
        st.session_state[DELETED] = (saved.document.id, saved.name)


def offer_undo() -> None:
    """Draw the button that takes the last deletion back."""
    if DELETED in st.session_state:
        _, name = st.session_state[DELETED]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"Deleted {messages.plain(name)}.")
            st.button("Undo", key="plan.undo", icon=":material/undo:", on_click=_undo)


def _undo() -> None:
    document_id, _ = st.session_state.pop(DELETED)
    with messages.in_callback():
        documents.mine().undelete(document_id)


def comparison(chosen: list[SavedScenario]) -> None:
    """Draw scenarios side by side: a chart of loss against money, and a table."""
    try:
        figure = plot.plans({saved.name: saved.plan for saved in chosen}, theme=APP)
    except PlanError as error:
        st.warning(messages.plain(f"{error.summary} {error.detail}"), icon=":material/warning:")
    else:
        panels.drawn(figure, key="chart.compare")
    st.dataframe(_table(chosen), hide_index=True, alt="Saved scenarios side by side")


def _table(chosen: list[SavedScenario]) -> dict[str, Sequence[str]]:
    """Return one column a figure, one row a scenario, each figure with its unit."""
    return {
        **plans_sheet({saved.name: saved.plan for saved in chosen}).columns,
        "Fit": [saved.fit for saved in chosen],
        "Saved (UTC)": [f"{saved.saved:%Y-%m-%d %H:%M}" for saved in chosen],
    }

"""From the plan's size to a model that can be built: memory, shape, hyper-parameters, serving."""

from __future__ import annotations

import streamlit as st

from isoflop import plot, settings
from isoflop.accounting.config_import import import_config
from isoflop.accounting.shapes import counted, nearest_released
from isoflop.errors import IsoflopError
from isoflop.language import gettext as _
from isoflop.language import translated
from isoflop.planning import sheets
from isoflop.planning.planned import NO_LAYOUT
from isoflop.plot import APP
from isoflop.text import Sheet
from isoflop.ui import headline, inputs, messages, panels
from isoflop.ui.plan.results import View
from isoflop.units import format_number


def memory(shown: View) -> None:
    """Draw what fills one accelerator, and what would make it fit."""
    report = shown.planned.memory()
    st.markdown(f"**{messages.plain(report.summary())}**")
    panels.drawn(plot.memory(report, theme=APP), key="chart.memory")
    st.caption(f"{messages.plain(shown.plan.training.layout.capitalize())}. {_hfu(shown)}")
    if report.advice:
        st.markdown(_("**What would make it fit**"))
        table(sheets.advice_sheet(report))
    elif not report.fits:
        st.caption(_("Nothing makes it fit on this number of accelerators."))


def _hfu(shown: View) -> str:
    """Say what share of the peak the hardware works at, recomputation included."""
    hfu = shown.planned.hardware_utilisation()
    text = _("MFU {mfu:.0%} means an HFU of {hfu:.0%}", mfu=shown.plan.training.mfu, hfu=hfu)
    if hfu > shown.scenario.accelerator.mfu_ceiling:
        return _(
            ":orange[{text}, more than the measured matmul ceiling: lower the MFU.]", text=text
        )
    return _("{sentence}.", sentence=text)


def table(found: Sheet) -> None:
    """Draw a table for a reader."""
    # A header that says nothing on paper is read out.
    columns = {header.strip() or _("Item"): list(cells) for header, cells in found.columns.items()}
    panels.listed(columns, hide_index=True, alt=translated(found.title), height="content")


def time(shown: View) -> None:
    """Draw where the time goes, and say what layout, batch and failures the plan counts on."""
    if not shown.plan.training.time_shares:
        st.caption(NO_LAYOUT)
        return
    panels.drawn(plot.time_shares(shown.plan, theme=APP), key="chart.time")
    (found,) = shown.planned.sheets("time")
    table(found)


def shape(shown: View) -> None:
    """Show the nearest released model, a new shape of the size, and an imported one."""
    planned = shown.planned
    family, proposed = planned.family, planned.shape()
    nearest = nearest_released(family, shown.plan.params, count=planned.count)
    ratio = counted(nearest.parameters, planned.count) / shown.plan.params
    mark = "" if nearest.verified else _(" :orange-badge[Unverified]")
    st.markdown(
        _(
            "Nearest released {label} model: **{name}**, {ratio:.2f} times the "
            "plan's size{mark}. A new shape of the plan's size, "
            "{relative_error:+.1%} off:",
            label=messages.plain(family.label),
            name=messages.plain(nearest.name),
            ratio=ratio,
            mark=mark,
            relative_error=proposed.relative_error,
        )
    )
    (found,) = planned.sheets("shape")
    table(found)
    for note in found.notes:
        st.caption(messages.plain(note))
    with st.expander(_("Import a model's config.json"), icon=":material/upload_file:"):
        _import(shown)


def _import(shown: View) -> None:
    """Read a pasted or uploaded configuration and count it."""
    if not settings.takes_uploads():
        messages.switched_off(_("Uploads"), "ISOFLOP_UPLOADS")
        return
    upload = st.file_uploader(
        _("File"),
        type=["json"],
        key="plan.config.file",
        max_upload_size=1,
        help=_("The config.json of a model, as on Hugging Face."),
    )
    pasted = st.text_area(
        _("Or paste it"),
        key="plan.config.text",
        max_chars=1_000_000,
        height=120,
        help=_("The text of a config.json."),
    )
    content = upload.getvalue() if upload is not None else (pasted or "")
    if not content:
        return
    name = upload.name.removesuffix(".json") if upload is not None else _("Imported model")
    try:
        model = import_config(content, name=name)
    except IsoflopError as error:
        messages.show(error)
        return
    table(sheets.shape_sheet({name: (model.architecture, model.parameters)}))
    for note in model.notes:
        st.caption(messages.plain(note))
    size = float(counted(model.parameters, shown.planned.count))
    if st.button(
        _("Plan {size} parameters", size=format_number(size)),
        icon=":material/straighten:",
        on_click=_choose_size,
        args=(size,),
    ):
        st.rerun()  # the size is asked for in another part of the page


def _choose_size(size: float) -> None:
    st.session_state["size"] = "chosen"
    st.session_state["params"] = inputs.PARAMS.write(size)


def hyperparameters(shown: View) -> None:
    """List what published batch-size and learning-rate rules give."""
    (found,) = shown.planned.sheets("hints")
    table(found)
    for note in found.notes:
        st.caption(messages.plain(note))


def serving(shown: View) -> None:
    """Say what using the model takes: under full load, and for one that waits for its answer."""
    planned = shown.planned
    with st.container(horizontal=True):
        count = _number(
            _("Accelerators per replica"),
            "serve.count",
            planned.served().accelerators,
            _("How many hold one copy of the model."),
        )
        batch = _number(
            _("Sequences at once"), "serve.batch", 1, _("More share each reading of the weights.")
        )
    (found,) = planned.sheets("serving", accelerators=count, batch=batch)
    headline.values(*found.columns.values())
    for note in found.notes:
        st.caption(messages.plain(note))


def _number(label: str, key: str, default: int, help: str) -> int:
    return int(inputs.number(label, 1, 10**7, default, key=key, help=help))

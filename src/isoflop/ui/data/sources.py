"""Where loss tables come from: files, the catalog, experiment trackers."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

import streamlit as st

from isoflop import plot, settings
from isoflop.errors import IsoflopError
from isoflop.language import gettext, sentences, translated
from isoflop.plot import APP
from isoflop.tables import (
    READERS,
    Dataset,
    Progress,
    RawTable,
    list_datasets,
    max_upload_bytes,
    read_files,
)
from isoflop.tables.schema import said_count, said_loss_unit
from isoflop.ui import messages, panels, resolve, uploads

_PASTED = "data.paste"
TRACKERS = {"wandb": "Weights & Biases", "mlflow": "MLflow"}


def show() -> None:
    """Draw the upload field, the trackers, and the catalog with a picture of each table."""
    left, right = st.columns([1, 1], gap="medium")
    with left:
        _files()
    with right:
        _trackers()
    st.markdown(gettext("## Published tables"))
    for dataset in list_datasets():
        _entry(dataset)


# --- Files ---


def _files() -> None:
    st.markdown(gettext("## Your files"))
    if not settings.takes_uploads():
        messages.switched_off(gettext("Uploads"), "ISOFLOP_UPLOADS")
        return
    for kind in ("files", "folder"):
        uploads.uploader(
            lambda table_id, _: uploads.choose(table_id), key=f"data.{kind}", kind=kind
        )
    with st.popover(gettext("Paste a table"), icon=":material/content_paste:"):
        st.text_area(
            gettext("Rows below a header"),
            key=_PASTED,
            height=200,
            placeholder=gettext("params, tokens, loss\n1.3B, 26B, 2.1"),
            help=gettext("As copied from a spreadsheet, a paper's table, an issue or a log."),
        )
        st.button(gettext("Read"), key="data.paste.read", on_click=_read_pasted)
    limit = max_upload_bytes() / 1e6
    available = [reader.format for reader in READERS if reader.is_available]
    st.caption(
        gettext(
            "Up to {limit:,.0f} MB: {available}; each also gzipped.",
            limit=limit,
            available=", ".join(available),
        )
    )
    for reader in READERS:
        if not reader.is_available:
            st.caption(
                gettext(
                    "{format} needs a package: `{how_to_install}`",
                    format=reader.format,
                    how_to_install=reader.how_to_install,
                )
            )


def _read_pasted() -> None:
    content = str(st.session_state[_PASTED]).encode(errors="replace")
    uploads.take(
        lambda progress: read_files([(gettext("pasted table"), content)], progress),
        gettext("Reading the pasted table"),
    )


# --- Trackers ---


def _trackers() -> None:
    st.markdown(gettext("## Experiment trackers"))
    with st.expander("Weights & Biases", icon=":material/monitoring:"):
        _wandb()
    with st.expander("MLflow", icon=":material/monitoring:"):
        _mlflow()
    st.caption(gettext("TensorBoard, Lightning and the like: give the folder that they write to."))


def _is_missing(module: str) -> bool:
    if importlib.util.find_spec(module) is not None:
        return False
    st.caption(
        gettext(
            "{trackers} needs its client on the server: `pip install "
            "'isoflop[{module}]'`. Tables that it exports as CSV can be uploaded "
            "without.",
            trackers=TRACKERS[module],
            module=module,
        )
    )
    return True


def _wandb() -> None:
    if _is_missing("wandb"):
        return
    if not os.environ.get("WANDB_API_KEY"):
        st.caption(gettext("Set `WANDB_API_KEY` where the server runs; keys are never typed here."))
        return
    project = st.text_input(
        gettext("Project"),
        key="data.wandb",
        placeholder="entity/project",
        help=gettext("Whose runs are read: entity and project, as in its address."),
    )
    metrics = st.text_input(
        gettext("Metrics, step by step"),
        key="data.wandb.curves",
        placeholder=gettext("empty: one row per run"),
        help=gettext("Names of metrics separated by commas, such as val/loss, tokens."),
    )
    curves_asked = [name.strip() for name in (metrics or "").split(",") if name.strip()]

    def read(progress: Progress) -> RawTable:
        from isoflop.tables.trackers.wandb import read_wandb

        return read_wandb(project or "", curves=curves_asked, progress=progress)

    _read_button("wandb", read, is_ready=bool(project))


def _mlflow() -> None:
    if _is_missing("mlflow"):
        return
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        st.caption(
            gettext(
                "Set `MLFLOW_TRACKING_URI` where the server runs: visitors may not "
                "choose what the server connects to."
            )
        )
        return
    names = st.text_input(
        gettext("Experiments"),
        key="data.mlflow",
        placeholder="all",
        help=gettext("Names of experiments separated by commas; empty for all."),
    )
    is_curves = st.toggle(
        gettext("Step by step"),
        key="data.mlflow.curves",
        help=gettext("Read whole learning curves; else the last value of each run."),
    )
    experiments = [name.strip() for name in (names or "").split(",") if name.strip()]

    def read(progress: Progress) -> RawTable:
        from isoflop.tables.trackers.mlflow import read_mlflow

        return read_mlflow(experiments=experiments, curves=bool(is_curves), progress=progress)

    _read_button("mlflow", read, is_ready=True)


def _read_button(key: str, read: Callable[[Progress], RawTable], *, is_ready: bool) -> None:
    """Draw the button that reads a tracker's runs, and shows their table when they are read."""
    st.button(
        gettext("Read runs"),
        key=f"data.read.{key}",
        disabled=not is_ready,
        on_click=uploads.take,
        args=(read, gettext("Connecting to {trackers}", trackers=TRACKERS[key])),
    )


# --- The catalog ---


def _entry(dataset: Dataset) -> None:
    """Draw one published table: what it holds, where it is from, what is wrong with it."""
    entry = st.expander(
        messages.plain(dataset.title),
        icon=":material/dataset:",
        key=f"data.entry.{dataset.id}",
        on_change="rerun",
    )
    if not entry.open:
        return
    with entry:
        text, picture = st.columns([1, 1], gap="medium")
        with text:
            st.markdown(messages.plain(dataset.summary))
            _terms(dataset)
            st.button(
                gettext("Show this table"),
                key=f"data.show.{dataset.id}",
                on_click=uploads.choose,
                args=(dataset.id,),
            )
        with picture:
            _picture(dataset)


def _terms(dataset: Dataset) -> None:
    source = dataset.provenance
    lines = [
        gettext("Source: {source}", source=messages.plain(source.source)),
        gettext("Citation: {citation}", citation=messages.plain(source.citation)),
        gettext("Licence: {licence}", licence=messages.plain(source.licence)),
        translated(
            sentences([said_loss_unit(dataset.loss_unit), said_count(dataset.param_convention)])
        ),
    ]
    if source.url:
        lines.append(f"[{messages.plain(source.url)}]({source.url})")
    st.markdown("\n".join(f"- {line}" for line in lines))
    if source.known_problems:
        st.markdown(gettext("**Known problems**"))
        st.markdown("\n".join(f"- {messages.plain(p)}" for p in source.known_problems))


def _picture(dataset: Dataset) -> None:
    if not dataset.is_here and not os.environ.get("ISOFLOP_DATA_MIRROR"):
        key = f"data.fetch.{dataset.id}"
        if not st.button(gettext("Download to see"), key=key, icon=":material/download:"):
            return
    try:
        table = resolve.catalog_table(dataset.id).table
        panels.drawn(plot.overview(table, theme=APP), key=f"chart.source.{dataset.id}")
    except IsoflopError as problem:
        messages.show(problem)

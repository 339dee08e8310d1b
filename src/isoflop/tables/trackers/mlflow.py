"""Runs of an MLflow store, by MLflow's own client: a tracking server, a database or a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

from isoflop.errors import TableError
from isoflop.tables.problems import shorten
from isoflop.tables.raw import RawTable
from isoflop.tables.source import Progress
from isoflop.tables.trackers.require import require
from isoflop.units import counted

_PAGE = 1000
_MAX_RUNS = 20_000
_ALLOW_FOLDER = "MLFLOW_ALLOW_FILE_STORE"


def read_mlflow(
    tracking_uri: str = "",
    *,
    experiments: Sequence[str] = (),
    curves: bool = False,
    progress: Progress | None = None,
) -> RawTable:
    """Read the runs of an MLflow store.

    Parameters
    ----------
    tracking_uri : str
        Such as ``"https://mlflow.example.org"``, ``"sqlite:///mlflow.db"`` or a folder
        ``"./mlruns"``; the setting ``MLFLOW_TRACKING_URI`` if empty.
    experiments : sequence of str
        Names; all if empty.
    curves : bool
        One row a step of every run, instead of one row a run with its last metrics.
    progress : callable or None

    Raises
    ------
    TableError
        If the client is not installed, the store cannot be reached, or it has no runs.
    """
    mlflow = require("mlflow", "mlflow", "Reading an MLflow store")
    try:
        with _folders_allowed():
            client = mlflow.MlflowClient(tracking_uri=tracking_uri or None)
            runs = list(_runs(client, experiments))
            rows = list(_rows(client, runs, curves, progress))
    except TableError:
        raise
    except Exception as error:  # the client raises whatever its back ends raise
        raise TableError(
            "The MLflow store cannot be read.",
            detail=shorten(error, 300),
            hint="Check the tracking URI, and that you may read it.",
        ) from None
    if not rows:
        raise TableError(
            "The MLflow store has no runs" + (" of these experiments." if experiments else "."),
            hint="Check the tracking URI and the names of the experiments.",
        )
    frame = pd.DataFrame(rows)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    notes = (f"{counted(len(runs), 'run')} read.", "Parameters and metrics are columns.")
    return RawTable(name="MLflow", format="MLflow", frame=frame, notes=notes)


@contextmanager
def _folders_allowed() -> Iterator[None]:
    """Let the client read a plain folder, which it otherwise asks to migrate first."""
    before = os.environ.get(_ALLOW_FOLDER)
    os.environ[_ALLOW_FOLDER] = before or "true"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_ALLOW_FOLDER, None)


def _runs(client: Any, experiments: Sequence[str]) -> Iterator[Any]:
    known = list(client.search_experiments())
    missing = sorted(set(experiments) - {experiment.name for experiment in known})
    if missing:
        raise TableError(
            f"The MLflow store has no experiment called {shorten(missing[0])}.",
            detail=f"Experiments: {', '.join(shorten(e.name) for e in known[:20])}.",
        )
    ids = [e.experiment_id for e in known if not experiments or e.name in experiments]
    token, seen = None, 0
    while ids and seen < _MAX_RUNS:
        page = client.search_runs(ids, max_results=_PAGE, page_token=token)
        yield from page
        seen += len(page)
        token = page.token
        if not token:
            return


def _rows(
    client: Any, runs: Sequence[Any], curves: bool, progress: Progress | None
) -> Iterator[dict[str, object]]:
    for position, run in enumerate(runs):
        base: dict[str, object] = {
            "run_id": run.info.run_name or run.info.run_id,
            **run.data.params,
        }
        if curves:
            yield from _curve(client, run, base)
        else:
            yield {**base, **run.data.metrics}
        if progress:
            progress((position + 1) / len(runs), "Reading runs")


def _curve(client: Any, run: Any, base: dict[str, object]) -> Iterator[dict[str, object]]:
    steps: dict[int, dict[str, object]] = {}
    for name in run.data.metrics:
        for point in client.get_metric_history(run.info.run_id, name):
            steps.setdefault(point.step, {})[name] = point.value
    for step in sorted(steps):
        yield {**base, "step": step, **steps[step]}

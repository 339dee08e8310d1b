"""Runs of an MLflow store, by MLflow's own client: a tracking server, a database or a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

from isoflop.errors import TableError
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.tables.problems import shorten
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.cells import plain_numbers
from isoflop.tables.run_values import with_run_values
from isoflop.tables.source import Progress
from isoflop.tables.trackers.require import require
from isoflop.tables.trackers.wandb import without_unfinished

_PAGE = 1000
_MAX_RUNS = 20_000
_TRIED_RUNS = 3
# What the client is asked for where a person has not set it: a plain folder is read, and a server
# that does not answer is given up after seconds, not after minutes.
_SETTINGS = {
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def read_mlflow(
    tracking_uri: str = "",
    *,
    experiments: Sequence[str] = (),
    curves: bool | None = False,
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
    curves : bool or None
        One row a step of every run, instead of one row a run with its last metrics; None for that
        where the first runs have several steps.
    progress : callable or None

    Raises
    ------
    TableError
        If the client is not installed, the store cannot be reached, or it has no runs.
    """
    mlflow = require("mlflow", "mlflow", _("Reading an MLflow store"))
    try:
        with _settings():
            client = mlflow.MlflowClient(tracking_uri=tracking_uri or None)
            runs = list(_runs(client, experiments, progress))
            if curves is None:
                curves = any(_has_curve(client, run) for run in runs[:_TRIED_RUNS])
            frames = list(_frames(client, runs, curves, progress))
    except TableError:
        raise
    except Exception as error:  # the client raises whatever its back ends raise
        raise TableError(
            _("The MLflow store cannot be read."),
            detail=shorten(error, 300),
            hint=_("Check the tracking URI, and that you may read it."),
        ) from None
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        raise TableError(
            _("The MLflow store has no runs")
            + (_(" of these experiments.") if experiments else "."),
            hint=_("Check the tracking URI and the names of the experiments."),
        )
    frame = pd.concat(frames, ignore_index=True)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    notes = (
        _("{runs} read.", runs=n_("{n:,} run", "{n:,} runs", len(runs))),
        _("Parameters and metrics are columns."),
    )
    frame = frame.apply(plain_numbers)  # the store keeps parameters as text
    raw = RawTable(name="MLflow", format="MLflow", frame=frame, notes=notes)
    return without_unfinished(raw)


@contextmanager
def _settings() -> Iterator[None]:
    """Set what a person has not set for the client, for as long as it is used."""
    missing = {name: value for name, value in _SETTINGS.items() if not os.environ.get(name)}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


def _runs(client: Any, experiments: Sequence[str], progress: Progress | None) -> Iterator[Any]:
    known = list(client.search_experiments())
    missing = sorted(set(experiments) - {experiment.name for experiment in known})
    if missing:
        raise TableError(
            _("The MLflow store has no experiment called {missing}.", missing=shorten(missing[0])),
            detail=_("Experiments: {known}.", known=", ".join(shorten(e.name) for e in known[:20])),
        )
    ids = [e.experiment_id for e in known if not experiments or e.name in experiments]
    token, seen = None, 0
    while ids and seen < _MAX_RUNS:
        page = client.search_runs(ids, max_results=_PAGE, page_token=token)
        yield from page
        seen += len(page)
        if progress:
            progress(0.0, _("Listing runs: {seen:,} so far", seen=seen))
        token = page.token
        if not token:
            return


def _frames(
    client: Any, runs: Sequence[Any], curves: bool, progress: Progress | None
) -> Iterator[pd.DataFrame]:
    """Yield the rows of each run; its totals grow along its curve."""
    names = Counter(run.info.run_name for run in runs)
    for position, run in enumerate(runs):
        name, id = run.info.run_name, run.info.run_id
        is_unique = bool(name) and names[name] == 1
        base: dict[str, object] = {
            "run_id": name if is_unique else f"{name or 'run'} {id[:8]}",
            "status": str(run.info.status),
            **run.data.params,
        }
        if curves:
            numbers = {name: _number(text) for name, text in base.items()}
            yield with_run_values(pd.DataFrame(list(_curve(client, run))), numbers)[0]
        else:
            yield pd.DataFrame([{**base, **run.data.metrics}])
        if progress:
            progress((position + 1) / len(runs), _("Reading runs"))


def _number(text: object) -> object:
    """Return a parameter as a number where it is one: the store keeps text."""
    try:
        return float(str(text))
    except ValueError:
        return text


def _has_curve(client: Any, run: Any) -> bool:
    """Return whether any metric of a run was logged at several steps."""
    return any(
        len({point.step for point in client.get_metric_history(run.info.run_id, name)}) > 1
        for name in run.data.metrics
    )


def _curve(client: Any, run: Any) -> Iterator[dict[str, object]]:
    steps: dict[int, dict[str, object]] = {}
    for name in run.data.metrics:
        for point in client.get_metric_history(run.info.run_id, name):
            steps.setdefault(point.step, {})[name] = point.value
    for step in sorted(steps):
        yield {"step": step, **steps[step]}

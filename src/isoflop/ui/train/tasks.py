"""Scores of the trained models on small tasks, and how they follow from the loss."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from isoflop import plot
from isoflop.errors import IsoflopError, TrainingError
from isoflop.fitting import FitOptions
from isoflop.fitting.downstream import fit_downstream
from isoflop.language import gettext, lazy_gettext
from isoflop.planning.downstream import first_step_laws
from isoflop.plot import APP
from isoflop.tables import LossTable
from isoflop.training.following import Seen
from isoflop.training.jobs import Job, start_scoring
from isoflop.training.runs import Run, default_root
from isoflop.training.tasks import TaskScores, kept_scores
from isoflop.ui import inputs, messages, panels
from isoflop.ui.jobs import KeptByJob
from isoflop.ui.train import state as train_state

FEWEST_POINTS = 8
"""Fewer are shown in the table alone: a sigmoid has three parameters."""

_JOB = "train.tasks"
_METRICS = {
    "accuracy": lazy_gettext("Next-token accuracy"),
    "class_accuracy": lazy_gettext("Next-character class accuracy"),
    "class_f1": lazy_gettext("Next-character class F1"),
    "bleu": lazy_gettext("BLEU of continuations"),
}


def _effort(table: LossTable, *_: object, **__: object) -> float:
    """Return the CPU seconds of both steps, as measured."""
    return 1.0 + len(table.frame) / 1000


_fit_downstream = KeptByJob(fit_downstream, lazy_gettext("Resampling both steps"), effort=_effort)


def show(runs: Sequence[Run], seen: Sequence[Seen]) -> None:
    """Offer to score the budgets reached, and draw what is scored.

    Parameters
    ----------
    runs : sequence of Run
        Those with a budget reached.
    seen : sequence of Seen
        All runs of the ladder.
    """
    st.markdown(gettext("**Tasks: from loss to accuracy**"))
    st.caption(
        gettext(
            "Of each budget's weights, on held-out text: is the likeliest next "
            "token right; is the next character a letter, digit, space, line end "
            "or other (accuracy, and F1 averaged over these); and BLEU in "
            "characters of greedy continuations."
        )
    )
    st.button(
        gettext("Score on tasks"),
        icon=":material/rule:",
        key="train.score",
        on_click=_start,
        args=(runs,),
        disabled=not train_state.may_change(runs),
    )
    job: Job | None = st.session_state.get(_JOB)
    if job is not None:
        _progress(job, len(runs))
    scored = [(run, score) for run in runs for score in kept_scores(run)]
    if scored:
        _table(scored)
    points = train_state.points_of(seen)
    if points is not None:
        _curve(points.table)


def _start(runs: Sequence[Run]) -> None:
    with messages.in_callback():
        train_state.queue().require_change(runs, gettext("score these models"))
        held: Job | None = st.session_state.get(_JOB)
        if held is not None:
            held.cancel()
        st.session_state[_JOB] = start_scoring(runs, root=default_root())


def _progress(job: Job, n_runs: int) -> None:
    records = job.records()[0]
    last = records[-1] if records else None
    if last is not None and last["kind"] == "error":
        messages.show(
            TrainingError(last["summary"], detail=last.get("detail", ""), hint=last.get("hint", ""))
        )
    elif last is None or last["kind"] != "end":
        n_done = sum(record["kind"] == "scored" for record in records)
        st.progress(
            n_done / max(n_runs, 1),
            text=gettext("{n_done} of {n_runs} runs scored", n_done=n_done, n_runs=n_runs),
        )


def _table(scored: Sequence[tuple[Run, TaskScores]]) -> None:
    columns: dict[str, list[object]] = {
        gettext("Run"): [run.config().label for run, _ in scored],
        gettext("Tokens"): [score.tokens for _, score in scored],
        gettext("Nats per byte"): [score.loss for _, score in scored],
    }
    columns |= {
        label: [getattr(score, name) for _, score in scored] for name, label in _METRICS.items()
    }
    panels.listed(
        columns,
        column_config={
            gettext("Tokens"): st.column_config.NumberColumn(format="compact"),
            gettext("Nats per byte"): st.column_config.NumberColumn(format="%.4f"),
            **{
                label: st.column_config.NumberColumn(format="percent")
                for label in _METRICS.values()
            },
        },
        hide_index=True,
        alt=gettext("Scores on tasks of every budget reached"),
    )


def _curve(table: LossTable) -> None:
    """Draw a bounded metric against the loss, with the sigmoid and its band."""
    frame = table.included()
    offered = {name: label for name, label in _METRICS.items() if name in frame}
    if len(frame) < FEWEST_POINTS or not offered:
        return
    metric = inputs.choice(
        gettext("Metric"), offered, key="task_metric", default="accuracy", style="row",
        help=gettext("Bounded between 0 and 1, and fitted by a sigmoid in the loss."),
    )  # fmt: skip
    try:
        law = first_step_laws(table)[0]
        found = _fit_downstream(table, metric, law, FitOptions(n_bootstrap=0))
        panels.drawn(plot.metric_of_loss(found, theme=APP), key="chart.tasks")
    except IsoflopError as error:
        messages.show(error)

"""The stages Train and Evaluate: losses as they arrive, and what the models reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from isoflop import plot
from isoflop.plot import APP
from isoflop.training import following
from isoflop.training.config import FAMILY_DEFAULTS, Family, Recipe, ReportedConfig, RunConfig
from isoflop.training.following import Seen
from isoflop.training.ladder import held_out_loss
from isoflop.training.ladders import Ladder, delete_ladder
from isoflop.training.progress import overall
from isoflop.training.records import Record
from isoflop.training.runs import ACTIVE, ENDED_EARLY
from isoflop.ui import documents, messages, panels, share
from isoflop.ui.train import controls as train_controls
from isoflop.ui.train import state as train_state
from isoflop.ui.train import tasks as train_tasks
from isoflop.ui.train.controls import Setup
from isoflop.units import format_number, format_quantity

POLL_S = 1.0
ERROR_ICON = ":material/error:"
SWEEP_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
SWEEP_BUDGET = 131_072
SWEEP_TITLE = "Learning-rate sweep"


def show_training(ladder: Ladder) -> None:
    """Show runs as they train; while any is active the view refreshes itself."""
    train_state.follow(ladder, _training, every_s=POLL_S)


def _training(ladder: Ladder) -> None:
    with messages.boundary():
        seen = train_state.look_at(ladder.runs)
        _headline(ladder, seen)
        _buttons(ladder, seen)
        _loss_chart(seen)
        _run_table(seen)
        _failures(seen)
        for damage in ladder.damaged:
            st.warning(messages.plain(f"Left out, {damage}"), icon=":material/warning:")
        repeats = {fact.get("notice", "") for one in seen if (fact := one.history.fact("corpus"))}
        for text in sorted(repeats - {""}):
            st.caption(f":orange[:material/warning:] {messages.plain(text)}")


def _headline(ladder: Ladder, seen: Sequence[Seen]) -> None:
    total = overall([(one.state, one.progress) for one in seen])
    n_points = sum(one.progress.n_points for one in seen)
    n_wanted = sum(len(one.config.token_budgets) for one in seen)
    said = [f"{ladder.title}: {n_points} of {n_wanted} points", _pace(seen)]
    if total.eta_s is not None:
        said.insert(1, f"{format_quantity(total.eta_s, 'seconds', 2)} to go")
    st.progress(min(1.0, total.share), text=messages.plain(", ".join(filter(None, said))))


def _pace(seen: Sequence[Seen]) -> str:
    """Say how fast runs go, or what they wait for."""
    states = [one.state.status for one in seen]
    speed = sum(one.progress.tokens_per_s or 0 for one in seen if one.state.status == "running")
    if speed:
        return f"{format_number(speed)} tokens/s"
    if "running" in states:
        return "starting"
    if "submitted" in states and "queued" not in states:
        return "waiting in the cluster's queue"
    if not ACTIVE.isdisjoint(states):
        n_others = train_state.n_running()
        return f"waiting for other runs ({n_others})" if n_others else "starting"
    return next((word for word in ("crashed", "failed", "stopped") if word in states), "")


def _buttons(ladder: Ladder, seen: Sequence[Seen]) -> None:
    can_stop = any(one.state.status in ACTIVE for one in seen)
    is_stopping = any(one.run.stop_path.exists() for one in seen if one.state.status in ACTIVE)
    can_resume = any(
        one.state.status in ENDED_EARLY and not isinstance(one.config, ReportedConfig)
        for one in seen
    )
    if not train_state.may_change(ladder.runs):
        owner = documents.name_of(ladder.runs[0].sharing())
        st.caption(
            f":material/lock: {messages.plain(owner)} shares these runs for viewing: only their "
            "owner can stop, resume or delete them."
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Stopping" if is_stopping else "Stop",
            icon=":material/stop:",
            disabled=not can_stop or is_stopping,
            key="train.stop",
            on_click=_stop,
            args=(ladder,),
            help="Each run saves a checkpoint; one that does not stop within 10 s is killed.",
        )
        st.button(
            "Resume",
            icon=":material/play_arrow:",
            disabled=not can_resume or is_stopping or train_state.refusal() is not None,
            key="train.resume",
            on_click=_resume,
            args=(ladder,),
            help="Resumes from the checkpoints; on a CPU bit for bit as if it had not stopped.",
        )
        with st.popover("Delete", icon=":material/delete:", disabled=can_stop):
            st.markdown("Deletes records, weights and checkpoints of these runs.")
            st.button("Delete them", key="train.delete", on_click=_delete, args=(ladder,))
        share.runs(ladder)
        st.caption(
            "The runs belong to the machine, not to this page: close it, reload it, restart the "
            "server, and this address comes back to them."
        )


def _stop(ladder: Ladder) -> None:
    with messages.in_callback():
        train_state.queue().stop(ladder.runs)


def _resume(ladder: Ladder) -> None:
    queue = train_state.queue()
    with messages.in_callback():
        queue.resume(ladder.runs)
        queue.ensure_workers()


def _delete(ladder: Ladder) -> None:
    with messages.in_callback():
        delete_ladder(train_state.queue(), ladder)
        del st.query_params[train_state.RUN]


def _loss_chart(seen: Sequence[Seen]) -> None:
    curves = following.run_curves(seen)
    if not any(curve.is_started for curve in curves):
        if not any(one.state.status in ACTIVE for one in seen):
            st.info("These runs ended before their first loss.", icon=":material/info:")
            return
        st.info(
            "The workers are starting: the first losses arrive within a few seconds.",
            icon=":material/hourglass_top:",
        )
        return
    panels.drawn(plot.training(curves, theme=APP), key="chart.training")


def _run_table(seen: Sequence[Seen]) -> None:
    environment = next((e for one in seen if (e := one.history.fact("environment"))), None)
    st.dataframe(
        {
            "Run": [one.config.label for one in seen],
            "State": [one.state.status for one in seen],
            "Done": [100 * one.progress.share for one in seen],
            "Training loss": [one.training_loss for one in seen],
            "Gradient norm": [one.progress.gradient_norm for one in seen],
            "Tokens/s": [one.progress.tokens_per_s for one in seen],
            "Share of peak": [_percent(one.progress.peak_share) for one in seen],
            "Note": [one.state.message for one in seen],
        },
        column_config={
            "Done": st.column_config.ProgressColumn(
                format="%.0f%%", min_value=0, max_value=100, width="small"
            ),
            "Training loss": st.column_config.NumberColumn(format="%.4f", help=_unit(seen)),
            "Gradient norm": st.column_config.NumberColumn(format="%.3f"),
            "Tokens/s": st.column_config.NumberColumn(format="compact"),
            "Share of peak": st.column_config.NumberColumn(
                format="%.0f%%",
                help="Relative to the rate of a plain matrix product on the same core.",
            ),
            "Note": st.column_config.TextColumn(width="medium"),
        },
        hide_index=True,
        placeholder="",
        alt="Runs with state, progress, loss, gradient norm and speed",
    )
    if environment:
        peak = format_quantity(environment["matmul_peak_flop_per_s"], "flop_per_s")
        device = f"{environment['device'].upper()} in {environment['precision']}"
        versions = f"Python {environment['python']}, torch {environment['torch']}"
        st.caption(messages.plain(f"On {device}, matrix products at {peak}; {versions}."))


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _failures(seen: Sequence[Seen]) -> None:
    for one in seen:
        if one.state.status in ("failed", "crashed"):
            lines = (
                f"\n```text\n{one.state.detail.replace('```', '')}\n```" if one.state.detail else ""
            )
            said = messages.plain(one.state.message)
            st.error(f"**{messages.plain(one.config.label)}**: {said}{lines}", icon=ERROR_ICON)


def show_evaluation(ladder: Ladder | None, asked: Setup) -> None:
    """Show every point reached, and the sweeps of the learning rate."""
    if ladder is None:
        st.caption("No budget is reached yet: start a ladder, or open an earlier one.")
    _sweep_button(asked)
    if ladder is not None:
        train_state.follow(ladder, _scores, every_s=POLL_S)


def _scores(ladder: Ladder) -> None:
    with messages.boundary():
        seen = train_state.look_at(ladder.runs)
        if any(one.state.status in ACTIVE for one in seen):
            _headline(ladder, seen)
        _sweep_chart(seen)
        rows = [(one, point) for one in seen for point in one.history.of_kind("point")]
        if not rows:
            st.caption("No budget is reached yet: its scores appear here.")
            return
        _score_table(rows)
        curves = following.run_curves(seen)
        if any(len(curve.gap) for curve in curves):
            st.markdown("**The gap between held-out and training loss**")
            panels.drawn(plot.gap(curves, theme=APP), key="chart.gap")
        train_tasks.show([one.run for one in seen if one.history.of_kind("point")], seen)


def _score_table(rows: Sequence[tuple[Seen, Record]]) -> None:
    st.dataframe(
        {
            "Run": [one.config.label for one, _ in rows],
            "Learning rate": [_rate(one.config) for one, _ in rows],
            "Tokens": [point["tokens"] for _, point in rows],
            _unit([one for one, _ in rows]): [
                held_out_loss(one.config, point) for one, point in rows
            ],
            "Bits per byte": [point.get("bits_per_byte") for _, point in rows],
            "Perplexity": [point["perplexity"] for _, point in rows],
            "Next-token accuracy": [point["accuracy"] for _, point in rows],
            "Training FLOP": [point["compute_flop"] for _, point in rows],
        },
        column_config={
            "Learning rate": st.column_config.NumberColumn(
                format="%.3g", help="Peak rate at width 32."
            ),
            "Tokens": st.column_config.NumberColumn(format="compact"),
            "Next token right": st.column_config.NumberColumn(format="percent"),
            "Training FLOP": st.column_config.NumberColumn(format="scientific"),
            **{
                name: st.column_config.NumberColumn(format="%.4f")
                for name in ("Nats per byte", "Nats per token", "Bits per byte", "Perplexity")
            },
        },
        hide_index=True,
        alt="Held-out scores of every budget reached",
    )
    scored = rows[0][1].get("eval_tokens")
    said = f"On {scored:,} held-out tokens, the same for every model. " if scored else ""
    st.caption(f"{said}Perplexity per token.")


def _rate(config: RunConfig) -> float | None:
    return None if isinstance(config, ReportedConfig) else config.peak_learning_rate


def _unit(seen: Sequence[Seen]) -> str:
    """Name the unit of the losses of some runs, as the head of a column."""
    found = sorted({one.config.loss_unit.replace("/", " per ") for one in seen})
    return " or ".join(found).capitalize()


def _sweep_button(asked: Setup) -> None:
    if train_state.refusal() is not None:
        return
    families = list(dict.fromkeys(config.family for config in asked.configs))
    names = ", ".join(family.replace("_", " ") for family in families)
    st.button(
        f"Tune: sweep {len(SWEEP_FACTORS)} learning rates of {names}",
        icon=":material/tune:",
        key="train.sweep",
        on_click=_start_sweep,
        args=(asked, families),
        help=f"At {format_number(SWEEP_BUDGET)} tokens and width 32; takes seconds to a minute. "
        "The ladder shown stays under Earlier runs.",
    )


def _sweep_chart(seen: Sequence[Seen]) -> None:
    sweeps = following.learning_rate_sweeps(seen)
    if not sweeps:
        return
    panels.drawn(plot.learning_rates(sweeps, theme=APP), key="chart.sweep")


def _start_sweep(asked: Setup, families: Sequence[Family]) -> None:
    configs = [
        _swept(asked.base, family, factor) for family in families for factor in SWEEP_FACTORS
    ]
    train_controls.launch(configs, title=SWEEP_TITLE)


def _swept(base: Recipe, family: Family, factor: float) -> RunConfig:
    rate = FAMILY_DEFAULTS[family].learning_rate * factor
    return replace(base, learning_rate=rate).at(
        family=family,
        width=32,
        depth=FAMILY_DEFAULTS[family].depth,
        token_budgets=(SWEEP_BUDGET,),
    )

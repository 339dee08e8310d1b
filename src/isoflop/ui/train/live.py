"""The stages Train and Evaluate: losses as they arrive, and what the models reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from isoflop import plot
from isoflop.language import gettext, lazy_gettext, listed
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
from isoflop.units import format_number
from isoflop.units.said import format_quantity

POLL_S = 1.0
ERROR_ICON = ":material/error:"
SWEEP_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
SWEEP_BUDGET = 131_072
SWEEP_TITLE = lazy_gettext("Learning-rate sweep")


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
            st.warning(
                messages.plain(gettext("Left out, {damage}", damage=damage)),
                icon=":material/warning:",
            )
        repeats = {fact.get("notice", "") for one in seen if (fact := one.history.fact("corpus"))}
        for text in sorted(repeats - {""}):
            st.caption(f":orange[:material/warning:] {messages.plain(text)}")


def _headline(ladder: Ladder, seen: Sequence[Seen]) -> None:
    total = overall([(one.state, one.progress) for one in seen])
    n_points = sum(one.progress.n_points for one in seen)
    n_wanted = sum(len(one.config.token_budgets) for one in seen)
    said = [
        gettext(
            "{title}: {n_points} of {n_wanted} points",
            title=ladder.title,
            n_points=n_points,
            n_wanted=n_wanted,
        ),
        _pace(seen),
    ]
    if total.eta_s is not None:
        said.insert(1, gettext("{eta_s} to go", eta_s=format_quantity(total.eta_s, "seconds", 2)))
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
        return gettext("waiting in the cluster's queue")
    if not ACTIVE.isdisjoint(states):
        n_others = train_state.n_running()
        return (
            gettext("waiting for other runs ({n_others})", n_others=n_others)
            if n_others
            else gettext("starting")
        )
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
            gettext(
                ":material/lock: {owner} shares these runs for viewing: only their "
                "owner can stop, resume or delete them.",
                owner=messages.plain(owner),
            )
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            gettext("Stopping") if is_stopping else gettext("Stop"),
            icon=":material/stop:",
            disabled=not can_stop or is_stopping,
            key="train.stop",
            on_click=_stop,
            args=(ladder,),
            help=gettext(
                "Each run saves a checkpoint; one that does not stop within 10 s is killed."
            ),
        )
        st.button(
            gettext("Resume"),
            icon=":material/play_arrow:",
            disabled=not can_resume or is_stopping or train_state.refusal() is not None,
            key="train.resume",
            on_click=_resume,
            args=(ladder,),
            help=gettext(
                "Resumes from the checkpoints; on a CPU bit for bit as if it had not stopped."
            ),
        )
        with st.popover(gettext("Delete"), icon=":material/delete:", disabled=can_stop):
            st.markdown(gettext("Deletes records, weights and checkpoints of these runs."))
            st.button(gettext("Delete them"), key="train.delete", on_click=_delete, args=(ladder,))
        share.runs(ladder)
        st.caption(
            gettext(
                "The runs belong to the machine, not to this page: close it, reload "
                "it, restart the server, and this address comes back to them."
            )
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
            st.info(gettext("These runs ended before their first loss."), icon=":material/info:")
            return
        st.info(
            gettext("The workers are starting: the first losses arrive within a few seconds."),
            icon=":material/hourglass_top:",
        )
        return
    panels.drawn(plot.training(curves, theme=APP), key="chart.training")


def _run_table(seen: Sequence[Seen]) -> None:
    environment = next((e for one in seen if (e := one.history.fact("environment"))), None)
    panels.listed(
        {
            gettext("Run"): [one.config.label for one in seen],
            gettext("State"): [one.state.status for one in seen],
            gettext("Done"): [100 * one.progress.share for one in seen],
            gettext("Training loss"): [one.training_loss for one in seen],
            gettext("Gradient norm"): [one.progress.gradient_norm for one in seen],
            gettext("Tokens/s"): [one.progress.tokens_per_s for one in seen],
            gettext("Share of peak"): [_percent(one.progress.peak_share) for one in seen],
            gettext("Note"): [one.state.message for one in seen],
        },
        column_config={
            gettext("Done"): st.column_config.ProgressColumn(
                format="%.0f%%", min_value=0, max_value=100, width="small"
            ),
            gettext("Training loss"): st.column_config.NumberColumn(
                format="%.4f", help=_unit(seen)
            ),
            gettext("Gradient norm"): st.column_config.NumberColumn(format="%.3f"),
            "Tokens/s": st.column_config.NumberColumn(format="compact"),
            gettext("Share of peak"): st.column_config.NumberColumn(
                format="%.0f%%",
                help=gettext("Relative to the rate of a plain matrix product on the same core."),
            ),
            gettext("Note"): st.column_config.TextColumn(width="medium"),
        },
        hide_index=True,
        placeholder="",
        alt=gettext("Runs with state, progress, loss, gradient norm and speed"),
    )
    if environment:
        peak = format_quantity(environment["matmul_peak_flop_per_s"], "flop_per_s")
        device = gettext(
            "{device} in {precision}",
            device=environment["device"].upper(),
            precision=environment["precision"],
        )
        versions = gettext(
            "Python {python}, torch {torch}",
            python=environment["python"],
            torch=environment["torch"],
        )
        st.caption(
            messages.plain(
                gettext(
                    "On {device}, matrix products at {peak}; {versions}.",
                    device=device,
                    peak=peak,
                    versions=versions,
                )
            )
        )


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
        st.caption(gettext("No budget is reached yet: start a ladder, or open an earlier one."))
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
            st.caption(gettext("No budget is reached yet: its scores appear here."))
            return
        _score_table(rows)
        curves = following.run_curves(seen)
        if any(len(curve.gap) for curve in curves):
            st.markdown(gettext("**The gap between held-out and training loss**"))
            panels.drawn(plot.gap(curves, theme=APP), key="chart.gap")
        train_tasks.show([one.run for one in seen if one.history.of_kind("point")], seen)


def _score_table(rows: Sequence[tuple[Seen, Record]]) -> None:
    panels.listed(
        {
            gettext("Run"): [one.config.label for one, _ in rows],
            gettext("Learning rate"): [_rate(one.config) for one, _ in rows],
            gettext("Tokens"): [point["tokens"] for _, point in rows],
            _unit([one for one, _ in rows]): [
                held_out_loss(one.config, point) for one, point in rows
            ],
            gettext("Bits per byte"): [point.get("bits_per_byte") for _, point in rows],
            gettext("Perplexity"): [point["perplexity"] for _, point in rows],
            gettext("Next-token accuracy"): [point["accuracy"] for _, point in rows],
            gettext("Training FLOP"): [point["compute_flop"] for _, point in rows],
        },
        column_config={
            gettext("Learning rate"): st.column_config.NumberColumn(
                format="%.3g", help=gettext("Peak rate at width 32.")
            ),
            gettext("Tokens"): st.column_config.NumberColumn(format="compact"),
            gettext("Next token right"): st.column_config.NumberColumn(format="percent"),
            gettext("Training FLOP"): st.column_config.NumberColumn(format="scientific"),
            **{
                name: st.column_config.NumberColumn(format="%.4f")
                for name in (
                    gettext("Nats per byte"),
                    gettext("Nats per token"),
                    gettext("Bits per byte"),
                    gettext("Perplexity"),
                )
            },
        },
        hide_index=True,
        alt=gettext("Held-out scores of every budget reached"),
    )
    scored = rows[0][1].get("eval_tokens")
    said = (
        gettext("On {scored:,} held-out tokens, the same for every model. ", scored=scored)
        if scored
        else ""
    )
    st.caption(gettext("{said}Perplexity per token.", said=said))


def _rate(config: RunConfig) -> float | None:
    return None if isinstance(config, ReportedConfig) else config.peak_learning_rate


def _unit(seen: Sequence[Seen]) -> str:
    """Name the unit of the losses of some runs, as the head of a column."""
    found = sorted({one.config.loss_unit.replace("/", " per ") for one in seen})
    return listed(found, last="or").capitalize()


def _sweep_button(asked: Setup) -> None:
    if train_state.refusal() is not None:
        return
    families = list(dict.fromkeys(config.family for config in asked.configs))
    names = ", ".join(family.replace("_", " ") for family in families)
    st.button(
        gettext(
            "Tune: sweep {sweep_factors} learning rates of {names}",
            sweep_factors=len(SWEEP_FACTORS),
            names=names,
        ),
        icon=":material/tune:",
        key="train.sweep",
        on_click=_start_sweep,
        args=(asked, families),
        help=gettext(
            "At {sweep_budget} tokens and width 32; takes seconds to a minute. "
            "The ladder shown stays under Earlier runs.",
            sweep_budget=format_number(SWEEP_BUDGET),
        ),
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

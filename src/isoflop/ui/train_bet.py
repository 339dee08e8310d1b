"""The stage Bet: predict a larger run from the small ones, train it, and keep the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from isoflop.errors import FitError, IsoflopError
from isoflop.figures import train_bets, train_fit
from isoflop.tables import LossTable
from isoflop.training.bet_files import evidence_path, read_bets
from isoflop.training.bets import Bet, Prediction, place_bet, score, settle_bets
from isoflop.training.config import RunConfig
from isoflop.training.ladder import estimate_cpu_s
from isoflop.training.ladders import Ladder
from isoflop.training.runs import ACTIVE, find_run
from isoflop.ui import messages, panels, plan_saved, train_law, train_state
from isoflop.ui.train_predict import LEVEL, N_DRAWS, predict_run
from isoflop.ui.train_state import Seen
from isoflop.units import format_number, format_quantity

POLL_S = 2.0
_FAILURE = "train.bet.failure"


def show_bets(ladder: Ladder | None) -> None:
    """Draw the bet that can be made on this ladder, and all that were made."""
    if ladder is None:
        st.caption(
            "A bet needs small runs to predict from: start a ladder, or open an earlier one."
        )
    else:
        _offer(ladder)
    bets = settle_bets(plan_saved.store(), train_state.queue())
    is_open = any(bet.outcome_loss is None and _is_running(bet) for bet in bets)
    st.fragment(_record, run_every=POLL_S if is_open else None)(is_open)
    _evidence()


def _offer(ladder: Ladder) -> None:
    """Predict a run of choice, and let it be bet on."""
    seen = train_state.look_at(ladder.runs)
    points = train_state.points_of(seen)
    if points is None:
        st.caption("No budget is reached yet: a bet needs points to predict from.")
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        table = train_law.family_input(points.table)
        law_key = train_law.law_input()
        config = _target_inputs(seen, table)
    try:
        fitted = train_law.fitted_law(table.fingerprint, law_key, N_DRAWS, table)
        prediction = predict_run(fitted, config, vocab_size=_vocab_size(seen), table=table)
    except FitError as error:
        with left:
            messages.show(error)
        return
    outcome = _outcome_of(config)
    with left:
        _state(config, prediction, outcome)
        st.button(
            "Place the bet and train",
            type="primary",
            icon=":material/casino:",
            key="train.bet",
            on_click=_place,
            args=(config, prediction),
            help="The prediction is stored with its time before the run exists.",
        )
        failure = st.session_state.get(_FAILURE)
        if failure is not None:
            messages.show(failure)
    with right:
        target = train_fit.Target(
            label=config.label,
            tokens=prediction.tokens,
            loss=prediction.loss,
            lower=prediction.lower,
            upper=prediction.upper,
            outcome=outcome,
        )
        shown = train_law.sizes(fitted, table)
        figure = train_fit.figure(shown, target)
        panels.chart(figure, alt=train_fit.alt(shown, target), key="chart.bet")


def _target_inputs(seen: Sequence[Seen], table: LossTable) -> RunConfig:
    """Draw width, tokens and seed of the run to bet on; the rest is as in the ladder."""
    family = str(table.included()["family"].iloc[0])
    model = next(one.config for one in seen if one.config.family == family)
    widest = max(one.config.width for one in seen if one.config.family == family)
    widths = [width for width in _WIDTHS if width > widest] or [2 * widest]
    largest = model.token_budgets[-1]
    tokens = [largest * factor for factor in (1, 2, 4, 8)]
    width = st.select_slider(
        "Width", widths, key="bet_width", help=f"The widest of the ladder has {widest}."
    )
    budget = st.select_slider(
        "Tokens",
        tokens,
        value=tokens[1],
        format_func=format_number,
        key="bet_tokens",
        help=f"The largest budget of the ladder has {format_number(largest)}.",
    )
    seed = st.number_input("Seed of the run", 0, 2**31 - 1, 0, key="bet_seed")
    return replace(model, width=width, token_budgets=(budget,), seed=int(seed))


_WIDTHS = (24, 32, 48, 64, 96, 128, 160, 192, 256, 384, 512)


def _vocab_size(seen: Sequence[Seen]) -> int:
    sizes = [fact["vocab_size"] for one in seen if (fact := one.history.fact("corpus"))]
    return int(sizes[0])


def _state(config: RunConfig, prediction: Prediction, outcome: float | None) -> None:
    """Write the prediction in words, and what came of it."""
    half = (prediction.upper - prediction.lower) / 2 / prediction.loss
    st.markdown(
        f"**{messages.plain(config.label)}** ({format_number(prediction.params)} parameters, "
        f"{format_number(prediction.tokens)} tokens) will reach **{prediction.loss:.4f}** nats per "
        f"byte, {prediction.lower:.4f} to {prediction.upper:.4f} at {prediction.level:.0%} "
        f"(±{half:.1%}): {prediction.extrapolation:.1f} times the compute of the largest of "
        f"{prediction.n_rows} points. It takes about "
        f"{messages.plain(format_quantity(estimate_cpu_s(config), 'seconds', 2))} of one core."
    )
    if outcome is not None:
        where = "inside" if prediction.lower <= outcome <= prediction.upper else "outside"
        st.markdown(f"It reached **{outcome:.4f}**, {where} the band.")


def _place(config: RunConfig, prediction: Prediction) -> None:
    queue = train_state.queue()
    st.session_state[_FAILURE] = None
    try:
        place_bet(plan_saved.store(), queue, config, prediction)
        queue.ensure_workers()
    except IsoflopError as failure:
        st.session_state[_FAILURE] = failure


def _record(was_open: bool) -> None:
    with messages.boundary():
        bets = settle_bets(plan_saved.store(), train_state.queue())
        if not bets:
            return
        st.subheader("Every bet of yours", anchor=False)
        _board(bets, key="chart.bets")
        running = [bet for bet in bets if bet.outcome_loss is None and _is_running(bet)]
        _running(running)
        if was_open and not running:
            st.rerun()


def _evidence() -> None:
    """Show the bets that ship: made by a command, before their runs existed."""
    if not evidence_path().is_file():
        return
    bets = read_bets(evidence_path())[::-1]
    st.subheader(f"{len(bets)} bets that ship with Isoflop", anchor=False)
    st.caption(
        "Made by a command before their runs existed: each predicts a larger run from a ladder of "
        f"{bets[0].prediction.n_rows} points, for five families and several seeds. Every one is "
        "here, hit or miss."
    )
    _board(bets, key="chart.evidence")


def _board(bets: Sequence[Bet], *, key: str) -> None:
    """Draw the score, every band with its outcome, and the table of bets, the latest first."""
    board = score(bets)
    with st.grid(4, min_column_width=150):
        st.metric("Decided", f"{board.n_settled}", help=f"{board.n_open} are open.")
        st.metric("Within their band", f"{board.n_hits}", help="Outcomes inside the band.")
        rate = f"{board.hit_rate:.0%}" if board.n_settled else "none yet"
        st.metric("Hit rate", rate, help=f"{LEVEL:.0%} would be as promised.")
        error = f"{board.median_absolute_error:.2%}" if board.n_settled else "none yet"
        st.metric("Median error", error, help="Outcome against prediction.")
    outcomes = [_outcome(bet) for bet in reversed(bets)]
    figure = train_bets.figure(outcomes, level=LEVEL)
    panels.chart(figure, alt=train_bets.alt(outcomes), key=key)
    _bet_table(bets)


def _bet_table(bets: Sequence[Bet]) -> None:
    st.dataframe(
        {
            "Made (UTC)": [bet.made[:19].replace("T", " ") for bet in bets],
            "Run": [bet.label for bet in bets],
            "Predicted": [bet.prediction.loss for bet in bets],
            "Lower": [bet.prediction.lower for bet in bets],
            "Upper": [bet.prediction.upper for bet in bets],
            "Outcome": [bet.outcome_loss for bet in bets],
            "Error": [bet.relative_error for bet in bets],
            "Times the compute": [bet.prediction.extrapolation for bet in bets],
            "Result": [_verdict(bet) for bet in bets],
        },
        column_config={
            **{
                name: st.column_config.NumberColumn(format="%.4f")
                for name in ("Predicted", "Lower", "Upper", "Outcome")
            },
            "Error": st.column_config.NumberColumn(format="percent"),
            "Times the compute": st.column_config.NumberColumn(format="%.1f"),
        },
        hide_index=True,
        placeholder="",
        alt="Every bet with its prediction, band and outcome",
    )


def _running(bets: Sequence[Bet]) -> None:
    """Show how far the runs are that open bets wait for."""
    queue = train_state.queue()
    for one in train_state.look_at([find_run(bet.run_id, root=queue.root) for bet in bets]):
        if one.state.status == "queued":
            queue.ensure_workers()
        text = f"{one.config.label}: {one.progress.share:.0%}"
        if one.training_loss is not None:
            text += f", training loss {one.training_loss:.3f}"
        st.progress(min(1.0, one.progress.share), text=messages.plain(text))


def _verdict(bet: Bet) -> str:
    if bet.is_hit is None:
        return "open"
    return "hit" if bet.is_hit else "miss"


def _outcome(bet: Bet) -> train_bets.Outcome:
    made = bet.prediction
    return train_bets.Outcome(
        label=bet.label,
        lower=made.lower / made.loss - 1,
        upper=made.upper / made.loss - 1,
        error=bet.relative_error,
    )


def _outcome_of(config: RunConfig) -> float | None:
    """Return what a bet on this very run came to, if there is one."""
    for bet in settle_bets(plan_saved.store(), train_state.queue()):
        if bet.outcome_loss is not None and _config_of(bet) == config:
            return bet.outcome_loss
    return None


def _config_of(bet: Bet) -> RunConfig | None:
    try:
        return find_run(bet.run_id, root=train_state.queue().root).config()
    except IsoflopError:
        return None


def _is_running(bet: Bet) -> bool:
    try:
        return find_run(bet.run_id, root=train_state.queue().root).state().status in ACTIVE
    except IsoflopError:
        return False

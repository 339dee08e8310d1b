"""The stage Forecast: predict a larger run from the small ones, train it, and keep the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from isoflop import plot
from isoflop.errors import FitError
from isoflop.forecast import LEVEL, N_DRAWS, next_size, predict_run, predict_size
from isoflop.language import gettext as _
from isoflop.plot import APP
from isoflop.tables import LossTable
from isoflop.training.config import ReportedConfig, RunConfig
from isoflop.training.estimates import estimate_cpu_s
from isoflop.training.following import Seen
from isoflop.training.forecasts import (
    SAME_SHARE,
    Forecast,
    Prediction,
    deciding_run,
    evidence_path,
    forecast_documents,
    read_forecasts,
    register_forecast,
    register_reported,
    score,
    settle_forecasts,
    unreadable_forecasts,
)
from isoflop.training.ladders import Ladder
from isoflop.training.runs import ACTIVE
from isoflop.ui import documents, messages, panels, share, terms, visitor
from isoflop.ui.train import law as train_law
from isoflop.ui.train import state as train_state
from isoflop.units import format_number, parse_number
from isoflop.units.said import format_quantity

POLL_S = 2.0


def show_forecasts(ladder: Ladder | None) -> None:
    """Draw the forecast that can be made on this ladder, and all that were made."""
    if ladder is None:
        st.caption(
            _(
                "A forecast needs small runs to predict from: start a ladder, or "
                "open an earlier one."
            )
        )
    else:
        _offer(ladder)
    forecasts = settle_forecasts(documents.mine(), train_state.queue())
    is_open = any(forecast.outcome_loss is None and _is_running(forecast) for forecast in forecasts)
    st.fragment(_record, run_every=POLL_S if is_open else None)(is_open)
    _share()
    _evidence()


def _offer(ladder: Ladder) -> None:
    """Predict a run of choice, and let the forecast be recorded."""
    seen = train_state.look_at(ladder.runs)
    points = train_state.points_of(seen)
    if points is None:
        st.caption(_("No budget is reached yet: a forecast needs points to predict from."))
        return
    is_reported = any(isinstance(one.config, ReportedConfig) for one in seen)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        table = train_law.family_input(points.table)
        law_key = train_law.law_input()
        target = _reported_inputs(table) if is_reported else _target_inputs(seen, table)
    try:
        fitted = train_law.fit_law(law_key, table, n_draws=N_DRAWS)
        if isinstance(target, RunConfig):
            prediction = predict_run(fitted, target, vocab_size=_vocab_size(seen), table=table)
        else:
            prediction = predict_size(
                fitted, params=target.params, tokens=target.tokens, table=table
            )
    except FitError as error:
        with left:
            messages.show(error)
        return
    outcome = _outcome_of(target) if isinstance(target, RunConfig) else None
    with left:
        _state(target.label, prediction, outcome, unit=_unit(table))
        if isinstance(target, RunConfig):
            _offer_training(target, prediction)
        else:
            _offer_record(ladder, target, prediction)
    with right:
        asked = Forecast(
            id="", run_id="", made="", label=target.label, prediction=prediction,
            outcome_loss=outcome,
        )  # fmt: skip
        figure = plot.ladder(table, fit=fitted, forecast=asked, theme=APP)
        panels.drawn(figure, key="chart.forecast")


def _offer_training(config: RunConfig, prediction: Prediction) -> None:
    """Let a forecast on a run that Isoflop trains be recorded."""
    st.caption(
        _(
            "It takes about {config} of one core.",
            config=messages.plain(format_quantity(estimate_cpu_s(config), "seconds", 2)),
        )
    )
    refused = train_state.refusal()
    if refused is not None:
        messages.not_here(refused)
        return
    st.button(
        _("Record the forecast and train"),
        type="primary",
        icon=":material/query_stats:",
        key="train.forecast",
        on_click=_place,
        args=(config, prediction),
        help=_("The prediction is stored with its time before the run exists."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reported:
    """A run that other code is to train."""

    label: str
    params: float
    tokens: float


def _offer_record(ladder: Ladder, target: _Reported, prediction: Prediction) -> None:
    """Let a forecast on a run that other code trains be recorded."""
    st.caption(
        _(
            "Your own code trains it. Record the forecast first, then report the "
            "run under this name into the ladder {title}: its held-out loss "
            "decides, if its size and tokens are those predicted to "
            "{same_share:.0%}.",
            title=messages.plain(ladder.title),
            same_share=SAME_SHARE,
        )
    )
    refused = visitor.refusal(_("record a forecast"))
    if refused is not None:
        messages.not_here(refused)
        return
    st.button(
        _("Record the forecast"),
        type="primary",
        icon=":material/query_stats:",
        key="train.forecast",
        on_click=_place_reported,
        args=(ladder, target.label, prediction),
        help=_("The prediction is stored with its time before the run exists."),
    )


def _reported_inputs(table: LossTable) -> _Reported:
    """Draw name, parameters and tokens of a run to come.

    Raises
    ------
    UnitError
        If one of them is not a number.
    """
    params, tokens = next_size(table)
    name = st.text_input(
        _("Name of the planned run"), "next", key="forecast_name",
        help=_("The name under which your code will report it."),
    )  # fmt: skip
    typed = [
        st.text_input(label, format_number(default), key=f"forecast_{label.lower()}", help=help)
        for label, default, help in (
            (
                _("Parameters"),
                params,
                _("As it will be reported. The default is twice the largest so far."),
            ),
            (_("Tokens"), tokens, _("Of the whole run. The default is twice the most so far.")),
        )
    ]
    chosen_params, chosen_tokens = (parse_number(text or "") for text in typed)
    return _Reported(label=name or "", params=chosen_params, tokens=chosen_tokens)


def _unit(table: LossTable) -> str:
    return table.loss_unit.replace("/", " per ")


def _target_inputs(seen: Sequence[Seen], table: LossTable) -> RunConfig:
    """Draw width, tokens and seed of the run to forecast; the rest is as in the ladder."""
    family = str(table.included()["family"].iloc[0])
    model = next(one.config for one in seen if one.config.family == family)
    widest = max(one.config.width for one in seen if one.config.family == family)
    widths = [width for width in _WIDTHS if width > widest] or [2 * widest]
    largest = model.token_budgets[-1]
    tokens = [largest * factor for factor in (1, 2, 4, 8)]
    width = st.select_slider(
        _("Width"),
        widths,
        key="forecast_width",
        help=_("The widest of the ladder has {widest}.", widest=widest),
    )
    budget = st.select_slider(
        _("Tokens"),
        tokens,
        value=tokens[1],
        format_func=format_number,
        key="forecast_tokens",
        help=_("The largest budget of the ladder has {largest}.", largest=format_number(largest)),
    )
    seed = st.number_input(
        _("Seed of the run"),
        0,
        2**31 - 1,
        0,
        key="forecast_seed",
        help=terms.explained("", "seed"),
    )
    return replace(model, width=width, token_budgets=(budget,), seed=int(seed))


_WIDTHS = (24, 32, 48, 64, 96, 128, 160, 192, 256, 384, 512)


def _vocab_size(seen: Sequence[Seen]) -> int:
    sizes = [fact["vocab_size"] for one in seen if (fact := one.history.fact("corpus"))]
    return int(sizes[0])


def _state(label: str, prediction: Prediction, outcome: float | None, *, unit: str) -> None:
    """Write the prediction in words, and what came of it."""
    half = (prediction.upper - prediction.lower) / 2 / prediction.loss
    st.markdown(
        _(
            "**{label}** ({params} parameters, {tokens} tokens) will reach "
            "**{loss:.4f}** {unit}, {lower:.4f} to {upper:.4f} at {level:.0%} "
            "(±{half:.1%}): {extrapolation:.1f} times the compute of the largest "
            "of {n_rows} points.",
            label=messages.plain(label),
            params=format_number(prediction.params),
            tokens=format_number(prediction.tokens),
            loss=prediction.loss,
            unit=unit,
            lower=prediction.lower,
            upper=prediction.upper,
            level=prediction.level,
            half=half,
            extrapolation=prediction.extrapolation,
            n_rows=prediction.n_rows,
        )
    )
    if outcome is not None:
        is_held = prediction.lower <= outcome <= prediction.upper
        st.markdown(
            _("It reached **{outcome:.4f}**, inside the band.", outcome=outcome)
            if is_held
            else _("It reached **{outcome:.4f}**, outside the band.", outcome=outcome)
        )


def _place(config: RunConfig, prediction: Prediction) -> None:
    queue = train_state.queue()
    with messages.in_callback():
        register_forecast(documents.mine(), queue, config, prediction)
        queue.ensure_workers()


def _place_reported(ladder: Ladder, name: str, prediction: Prediction) -> None:
    with messages.in_callback():
        register_reported(documents.mine(), ladder, name, prediction)


def _record(was_open: bool) -> None:
    with messages.boundary():
        forecasts = settle_forecasts(documents.mine(), train_state.queue())
        documents.name_unreadable(unreadable_forecasts(documents.mine()))
        if not forecasts:
            return
        st.header(_("Your forecasts"), anchor=False)
        _board(forecasts, key="chart.forecasts")
        running = [
            forecast
            for forecast in forecasts
            if forecast.outcome_loss is None and _is_running(forecast)
        ]
        _running(running)
        if was_open and not running:
            st.rerun()


def _share() -> None:
    """Let the person say who else sees a forecast; none is changed or deleted once it is made."""
    person = documents.person()
    own = {
        document.id: (document, forecast)
        for document, forecast in forecast_documents(documents.mine())
        if document.sharing.is_own(person)
    }
    if not own or visitor.refusal(_("share this")) is not None:
        return
    with st.popover(_("Share a forecast"), icon=":material/group:"):
        chosen = st.selectbox(
            _("Forecast"),
            list(own),
            format_func=lambda one: f"{own[one][1].label}, {own[one][1].made[:10]}",
            key="train.forecast.shared",
            help=_("Of those that you made."),
        )
        share.document(own[chosen][0], may_edit=False)


def _evidence() -> None:
    """Show the forecasts that ship: made by a command, before their runs existed."""
    if not evidence_path().is_file():
        return
    forecasts = read_forecasts(evidence_path())[::-1]
    st.header(
        _("{forecasts} forecasts that ship with Isoflop", forecasts=len(forecasts)), anchor=False
    )
    st.caption(
        _(
            "Made by a command before their runs existed: each predicts a larger "
            "run from a ladder of {n_rows} points, for five families and several "
            "seeds. Every one is here, inside its band or not.",
            n_rows=forecasts[0].prediction.n_rows,
        )
    )
    _board(forecasts, key="chart.evidence")


def _board(forecasts: Sequence[Forecast], *, key: str) -> None:
    """Draw the score, every band with its outcome, and the table of forecasts, the latest first."""
    board = score(forecasts)
    with st.grid(4, min_column_width=150):
        st.metric(
            _("Settled"), f"{board.n_settled}", help=_("{n_open} are open.", n_open=board.n_open)
        )
        st.metric(_("Inside their band"), f"{board.n_inside}", help=_("Outcomes inside the band."))
        rate = f"{board.coverage:.0%}" if board.n_settled else _("none yet")
        st.metric(_("Coverage"), rate, help=_("{level:.0%} would be as promised.", level=LEVEL))
        error = f"{board.median_absolute_error:.2%}" if board.n_settled else _("none yet")
        st.metric(_("Median error"), error, help=_("Of the outcome, relative to the prediction."))
    panels.drawn(plot.forecasts(forecasts[::-1], theme=APP), key=key)
    _forecast_table(forecasts)


def _forecast_table(forecasts: Sequence[Forecast]) -> None:
    panels.listed(
        {
            _("Made (UTC)"): [forecast.made[:19].replace("T", " ") for forecast in forecasts],
            _("Run"): [forecast.label for forecast in forecasts],
            _("Predicted"): [forecast.prediction.loss for forecast in forecasts],
            _("Lower"): [forecast.prediction.lower for forecast in forecasts],
            _("Upper"): [forecast.prediction.upper for forecast in forecasts],
            _("Outcome"): [forecast.outcome_loss for forecast in forecasts],
            _("Error"): [forecast.relative_error for forecast in forecasts],
            _("Times the compute"): [forecast.prediction.extrapolation for forecast in forecasts],
            _("Result"): [_verdict(forecast) for forecast in forecasts],
        },
        column_config={
            **{
                name: st.column_config.NumberColumn(format="%.4f")
                for name in (_("Predicted"), _("Lower"), _("Upper"), _("Outcome"))
            },
            _("Error"): st.column_config.NumberColumn(format="percent"),
            _("Times the compute"): st.column_config.NumberColumn(format="%.1f"),
        },
        hide_index=True,
        placeholder="",
        alt=_("Every forecast with its prediction, band and outcome"),
    )


def _running(forecasts: Sequence[Forecast]) -> None:
    """Show how far the runs are that open forecasts wait for."""
    queue = train_state.queue()
    runs = [deciding_run(forecast, root=queue.root) for forecast in forecasts]
    for one in train_state.look_at([run for run in runs if run is not None]):
        if one.state.status == "queued":
            queue.ensure_workers()
        text = f"{one.config.label}: {one.progress.share:.0%}"
        if one.training_loss is not None:
            text += _(", training loss {training_loss:.3f}", training_loss=one.training_loss)
        st.progress(min(1.0, one.progress.share), text=messages.plain(text))


def _verdict(forecast: Forecast) -> str:
    if forecast.is_inside is None:
        return "open"
    return _("inside") if forecast.is_inside else _("outside")


def _outcome_of(config: RunConfig) -> float | None:
    """Return what a forecast on this very run came to, if there is one."""
    for forecast in settle_forecasts(documents.mine(), train_state.queue()):
        if forecast.outcome_loss is not None and _config_of(forecast) == config:
            return forecast.outcome_loss
    return None


def _config_of(forecast: Forecast) -> RunConfig | None:
    run = deciding_run(forecast, root=train_state.queue().root)
    return run.config() if run is not None else None


def _is_running(forecast: Forecast) -> bool:
    run = deciding_run(forecast, root=train_state.queue().root)
    return run is not None and run.state().status in ACTIVE

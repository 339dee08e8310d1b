"""Forecasts: predictions written down before the larger run starts, and what came of them.

The prediction is made by the caller, from whatever law was fitted to the small runs. A forecast is
stored with its time before its run exists, and is refused once a run of that configuration exists.
"""

from __future__ import annotations

import csv
import math
import secrets
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoflop.data import data_root
from isoflop.errors import IsoflopError, TrainingError
from isoflop.language import lazy_gettext
from isoflop.training.benchmark_table import DATASET
from isoflop.training.config import RunConfig
from isoflop.training.ladder import held_out_loss
from isoflop.training.ladders import Ladder, find_ladder
from isoflop.training.queue import RunQueue
from isoflop.training.runs import Run, find_run, list_runs

if TYPE_CHECKING:  # SQLAlchemy is not needed before something is saved
    from isoflop.store import Document, Documents

KIND = "training-bet"
SAME_SHARE = 0.02
"""How far a reported run may be from the size and tokens predicted and still decide."""
COLUMNS = (
    *("run", "made_utc", "settled_utc", "law", "rows", "params", "tokens", "compute_flop"),
    *("extrapolation", "predicted", "lower", "upper", "level", "outcome", "inside"),
)
"""Of the file of decided forecasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the law says of a run that has not been trained.

    Parameters
    ----------
    loss, lower, upper : float
        Centre and ends of the prediction band, in nats per byte.
    level : float
        Nominal coverage of the band.
    law_key : str
    table_fingerprint : str
        Of the small runs that it was fitted to.
    n_rows : int
    params, tokens, compute_flop : float
        Of the run predicted.
    extrapolation : float
        The run's compute over the largest among the rows.
    """

    loss: float
    lower: float
    upper: float
    level: float
    law_key: str
    table_fingerprint: str
    n_rows: int
    params: float
    tokens: float
    compute_flop: float
    extrapolation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A prediction, when it was made, and the outcome once there is one.

    Parameters
    ----------
    id : str
    run_id : str
        The run that decides it.
    made : str
        ISO 8601, UTC.
    label : str
        The run in words.
    prediction : Prediction
    outcome_loss : float or None
        In nats per byte, or as the reported runs of its ladder give it.
    settled : str
        When the outcome was read; empty before.
    ladder : str
        Id of the ladder of reported runs that the deciding run, of the name in ``label``, is to
        join; empty where Isoflop trains it.
    """

    id: str
    run_id: str
    made: str
    label: str
    prediction: Prediction
    outcome_loss: float | None = None
    settled: str = ""
    ladder: str = ""

    @property
    def is_inside(self) -> bool | None:
        """Whether the outcome lies in the band; None before there is one."""
        if self.outcome_loss is None:
            return None
        return self.prediction.lower <= self.outcome_loss <= self.prediction.upper

    @property
    def relative_error(self) -> float | None:
        """Outcome over prediction, less one; None before there is an outcome."""
        if self.outcome_loss is None:
            return None
        return self.outcome_loss / self.prediction.loss - 1.0


def register_forecast(
    store: Documents, queue: RunQueue, config: RunConfig, prediction: Prediction
) -> Forecast:
    """Store a prediction, then queue the run that decides it.

    Parameters
    ----------
    store : Documents
    queue : RunQueue
    config : RunConfig
        With one budget alone, the one predicted.
    prediction : Prediction

    Raises
    ------
    TrainingError
        If the band is no band, the budget is not the one predicted, or a run of this configuration
        exists already, so that its outcome may be known.
    """
    _require_band(prediction)
    trained_tokens = config.budget_steps[-1] * config.tokens_per_step
    if len(config.token_budgets) != 1 or trained_tokens != prediction.tokens:
        raise TrainingError(
            lazy_gettext("The run's budget is not the one predicted."),
            detail=lazy_gettext(
                "Predicted for {tokens:,.0f} tokens, trained on {trained_tokens:,}.",
                tokens=prediction.tokens,
                trained_tokens=trained_tokens,
            ),
        )
    if any(run.config() == config for run in list_runs(queue.root)):
        raise TrainingError(
            lazy_gettext("A run of this configuration exists already: its outcome may be known."),
            hint=lazy_gettext("Forecast another size, budget or seed."),
        )
    forecast = _made_now(config.label, prediction)
    document = store.put(KIND, forecast.id, asdict(forecast))
    try:
        [run] = queue.submit([config])
    except IsoflopError:
        store.delete(document.id)
        raise
    forecast = replace(forecast, run_id=run.id)
    store.put(KIND, forecast.id, asdict(forecast))
    return forecast


def register_reported(
    store: Documents, ladder: Ladder, name: str, prediction: Prediction
) -> Forecast:
    """Store a prediction of a run that other code is to train.

    The first run that is reported into the ladder under that name from now on, and has the size
    and tokens predicted, decides it.

    Raises
    ------
    TrainingError
        If the band is no band, there is no name, or the ladder has a run of it already, so that
        its outcome may be known.
    """
    _require_band(prediction)
    if not name.strip():
        raise TrainingError(
            lazy_gettext("The run to come has no name."),
            hint=lazy_gettext("Give the name that it will be reported by."),
        )
    if any(run.config().label == name for run in ladder.runs):
        raise TrainingError(
            lazy_gettext(
                "The ladder has a run {name!r} already: its outcome may be known.", name=name
            ),
            hint=lazy_gettext("Name a run that has not been reported."),
        )
    forecast = _made_now(name, prediction, ladder=ladder.id)
    store.put(KIND, forecast.id, asdict(forecast))
    return forecast


def _made_now(label: str, prediction: Prediction, *, ladder: str = "") -> Forecast:
    return Forecast(
        id=secrets.token_hex(6),
        run_id="",
        made=datetime.now(UTC).isoformat(timespec="milliseconds"),
        label=label,
        prediction=prediction,
        ladder=ladder,
    )


def _require_band(prediction: Prediction) -> None:
    if not (
        0 < prediction.lower < prediction.loss < prediction.upper < math.inf
        and 0 < prediction.level < 1
    ):
        raise TrainingError(
            lazy_gettext("The prediction is not a band around a loss."),
            detail=lazy_gettext(
                "{lower} to {upper} around {loss}.",
                lower=prediction.lower,
                upper=prediction.upper,
                loss=prediction.loss,
            ),
            hint=lazy_gettext("Fit again with more rows, so that the band can be computed."),
        )


def list_forecasts(store: Documents) -> list[Forecast]:
    """Return every forecast that the person sees and that can be read, the latest first."""
    return [forecast for _, forecast in _read(store)[0]]


def forecast_documents(store: Documents) -> list[tuple[Document, Forecast]]:
    """Return every forecast that the person sees with its document, the latest first."""
    return _read(store)[0]


def unreadable_forecasts(store: Documents) -> list[str]:
    """Name the forecasts that the lists leave out because they cannot be read."""
    return _read(store)[1]


def _read(store: Documents) -> tuple[list[tuple[Document, Forecast]], list[str]]:
    documents = store.find(KIND)
    found, unreadable = [], list(documents.unreadable)
    for document in documents:
        try:
            found.append((document, _from_body(document.body)))
        except (KeyError, TypeError):
            unreadable.append(document.key)
    return sorted(found, key=lambda pair: pair[1].made, reverse=True), unreadable


def settle_forecasts(store: Documents, queue: RunQueue) -> list[Forecast]:
    """Read the outcomes that have arrived; return every forecast, the latest first.

    Outcomes are kept with the forecasts that the person may change.
    """
    forecasts = []
    for document, forecast in _read(store)[0]:
        outcome = _outcome(forecast, queue) if forecast.outcome_loss is None else None
        if outcome is not None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            forecast = replace(forecast, outcome_loss=outcome, settled=now)
            if document.can_write:
                store.change(document.id, asdict(forecast))
        forecasts.append(forecast)
    return forecasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoreboard:
    """How the forecasts went.

    Parameters
    ----------
    n_settled, n_inside, n_open : int
    median_absolute_error : float
        Median of the absolute relative errors; NaN without outcomes.
    """

    n_settled: int
    n_inside: int
    n_open: int
    median_absolute_error: float

    @property
    def coverage(self) -> float:
        """Share of the settled forecasts inside their band; NaN without any."""
        return self.n_inside / self.n_settled if self.n_settled else math.nan


def score(forecasts: Sequence[Forecast]) -> Scoreboard:
    """Count outcomes inside their bands, and errors."""
    errors = [
        abs(forecast.relative_error)
        for forecast in forecasts
        if forecast.relative_error is not None
    ]
    return Scoreboard(
        n_settled=len(errors),
        n_inside=sum(forecast.is_inside is True for forecast in forecasts),
        n_open=len(forecasts) - len(errors),
        median_absolute_error=statistics.median(errors) if errors else math.nan,
    )


def _outcome(forecast: Forecast, queue: RunQueue) -> float | None:
    run = deciding_run(forecast, root=queue.root)
    points = run.history().of_kind("point") if run is not None else []
    return held_out_loss(run.config(), points[-1]) if run is not None and points else None


def deciding_run(forecast: Forecast, *, root: Path) -> Run | None:
    """Return the run that decides a forecast; None if it is not there, or not yet."""
    try:
        if not forecast.ladder:
            return find_run(forecast.run_id, root=root)
        runs = find_ladder(forecast.ladder, root=root).runs
    except TrainingError:
        return None  # deleted, or trained on another machine
    return next((run for run in runs if _is_predicted(run, forecast)), None)


def _is_predicted(run: Run, forecast: Forecast) -> bool:
    """Say whether a reported run is the one predicted, and came after the prediction."""
    config, model, made = run.config(), run.history().fact("model"), forecast.prediction
    return (
        config.label == forecast.label
        and run.submission()[1] >= datetime.fromisoformat(forecast.made).timestamp()
        and model is not None
        and math.isclose(model["params"], made.params, rel_tol=SAME_SHARE)
        and math.isclose(config.token_budgets[-1], made.tokens, rel_tol=SAME_SHARE)
    )


def _from_body(body: dict[str, Any]) -> Forecast:
    return Forecast(**{**body, "prediction": Prediction(**body["prediction"])})


def evidence_path() -> Path:
    """Return the file of the forecasts that ship, beside the table of the same recipe."""
    return data_root() / "datasets" / DATASET / "forecasts.csv"


def write_forecasts(forecasts: Sequence[Forecast], path: Path) -> None:
    """Write decided forecasts, one a row."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for forecast in forecasts:
            made = forecast.prediction
            writer.writerow(
                [forecast.label, forecast.made, forecast.settled, made.law_key, made.n_rows,
                 made.params, made.tokens, f"{made.compute_flop:.6g}", f"{made.extrapolation:.3f}",
                 f"{made.loss:.6f}", f"{made.lower:.6f}", f"{made.upper:.6f}", made.level,
                 f"{forecast.outcome_loss:.6f}", int(bool(forecast.is_inside))]
            )  # fmt: skip


def read_forecasts(path: Path) -> list[Forecast]:
    """Read what ``write_forecasts`` wrote; ids and fingerprints are not part of it."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_forecast(row) for row in csv.DictReader(file)]


def _forecast(row: dict[str, str]) -> Forecast:
    return Forecast(
        id="",
        run_id="",
        made=row["made_utc"],
        settled=row["settled_utc"],
        label=row["run"],
        outcome_loss=float(row["outcome"]),
        prediction=Prediction(
            loss=float(row["predicted"]),
            lower=float(row["lower"]),
            upper=float(row["upper"]),
            level=float(row["level"]),
            law_key=row["law"],
            table_fingerprint="",
            n_rows=int(row["rows"]),
            params=float(row["params"]),
            tokens=float(row["tokens"]),
            compute_flop=float(row["compute_flop"]),
            extrapolation=float(row["extrapolation"]),
        ),
    )

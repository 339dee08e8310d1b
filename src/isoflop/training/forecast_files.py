"""Decided forecasts as a CSV file: how the evidence that ships is written and read."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from isoflop.data import data_root
from isoflop.training.benchmark_table import DATASET
from isoflop.training.forecasts import Forecast, Prediction

COLUMNS = (
    *("run", "made_utc", "settled_utc", "law", "rows", "params", "tokens", "compute_flop"),
    *("extrapolation", "predicted", "lower", "upper", "level", "outcome", "inside"),
)


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

"""Twenty forecasts: predict a larger run from a small ladder, write it down, train it, compare.

``python -m benchmarks.training.forecasts --root FOLDER``: five families and four seeds. Each
forecast fits the interaction law to sixteen points of four small models and predicts a larger model
at twice the largest budget, with a 90% band. The prediction is stored with its time before the run
exists. The command can be stopped and started again; when all forecasts are decided it writes them
beside the table that ships, and the Train page shows them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from isoflop.forecast import N_DRAWS, fit_ladder, predict_run
from isoflop.laws import law_for_role
from isoflop.people import LOCAL
from isoflop.store import Documents, Store
from isoflop.training.config import FAMILIES, Family, RunConfig
from isoflop.training.forecasts import (
    Forecast,
    evidence_path,
    list_forecasts,
    register_forecast,
    score,
    settle_forecasts,
    write_forecasts,
)
from isoflop.training.ladder import LadderGrid, read_ladder, work_off
from isoflop.training.queue import RunQueue
from isoflop.training.runs import Run, find_run

WIDTHS = (16, 24, 32, 48)
BUDGETS = tuple(2**exponent for exponent in range(16, 20))
TARGET_WIDTH = 64
TARGET_TOKENS = 2**20
SEEDS = (31, 32, 33, 34)


def main() -> None:
    """Make what forecasts are missing, decide them, and write all down."""
    parser = argparse.ArgumentParser(description="Forecast larger runs.")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--output", type=Path, default=evidence_path())
    options = parser.parse_args()
    queue = RunQueue(options.root)
    options.root.mkdir(parents=True, exist_ok=True)
    store = Store(f"sqlite:///{options.root / 'forecasts.sqlite3'}").of(LOCAL)
    for seed in SEEDS:
        for family in FAMILIES:
            forecast = decided(store, queue, family, seed, options.workers)
            error = forecast.relative_error
            assert error is not None
            where = "inside" if forecast.is_inside else "outside"
            print(f"{forecast.label}: {error:+.2%}, {where} its band", flush=True)
    forecasts = sorted(list_forecasts(store), key=lambda forecast: forecast.made)
    write_forecasts(forecasts, options.output)
    report(forecasts)


def decided(
    store: Documents, queue: RunQueue, family: Family, seed: int, n_workers: int | None
) -> Forecast:
    """Return the forecast on one family and seed, made and trained if it was not before."""
    grid = LadderGrid(families=(family,), widths=WIDTHS, token_budgets=BUDGETS, seeds=(seed,))
    runs = work_off(queue, grid.configs(), n_workers=n_workers)
    config = replace(runs[0].config(), width=TARGET_WIDTH, token_budgets=(TARGET_TOKENS,))
    forecast = find_forecast(store, queue, config) or make_forecast(store, queue, config, runs)
    work_off(queue, [config], n_workers=n_workers)
    return next(one for one in settle_forecasts(store, queue) if one.id == forecast.id)


def make_forecast(
    store: Documents, queue: RunQueue, config: RunConfig, runs: list[Run]
) -> Forecast:
    """Predict the run from the ladder and store the prediction before it exists."""
    table = read_ladder(runs).table
    fitted = fit_ladder(law_for_role("small-runs-default").key, table, n_draws=N_DRAWS)
    corpus = runs[0].history().fact("corpus")
    assert corpus is not None
    prediction = predict_run(fitted, config, vocab_size=corpus["vocab_size"], table=table)
    return register_forecast(store, queue, config, prediction)


def find_forecast(store: Documents, queue: RunQueue, config: RunConfig) -> Forecast | None:
    """Return the forecast on a configuration, if it was made."""
    for forecast in list_forecasts(store):
        if find_run(forecast.run_id, root=queue.root).config() == config:
            return forecast
    return None


def report(forecasts: list[Forecast]) -> None:
    """Print the score, over all and by family."""
    for family in ("", *FAMILIES):
        chosen = [
            forecast
            for forecast in forecasts
            if forecast.label.startswith(f"{family} w" if family else "")
        ]
        board = score(chosen)
        width = (
            sum(forecast.prediction.upper / forecast.prediction.lower - 1 for forecast in chosen)
            / 2
        )
        print(
            f"{family or 'all':>14}: {board.n_inside} of {board.n_settled} inside, median error "
            f"{board.median_absolute_error:.2%}, mean half width {width / len(chosen):.2%}"
        )


if __name__ == "__main__":
    main()

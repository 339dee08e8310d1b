"""Twenty bets: predict a larger run from a small ladder, write it down, train it, compare.

``python -m benchmarks.training.bets --root FOLDER``: five families and four seeds. Each bet fits
the interaction law to sixteen points of four small models and predicts a larger model at twice the
largest budget, with a 90% band. The prediction is stored with its time before the run exists. The
command can be stopped and started again; when all bets are decided it writes them beside the table
that ships, and the Train page shows them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from isoflop.store import Store
from isoflop.training.bet_files import evidence_path, write_bets
from isoflop.training.bets import Bet, list_bets, place_bet, score, settle_bets
from isoflop.training.config import FAMILIES, Family, RunConfig
from isoflop.training.ladder import LadderGrid, read_ladder, work_off
from isoflop.training.queue import RunQueue
from isoflop.training.runs import Run, find_run
from isoflop.ui.train_predict import LAWS, N_DRAWS, fit_ladder, predict_run

WIDTHS = (16, 24, 32, 48)
BUDGETS = tuple(2**exponent for exponent in range(16, 20))
TARGET_WIDTH = 64
TARGET_TOKENS = 2**20
SEEDS = (21, 22, 23, 24)


def main() -> None:
    """Make what bets are missing, decide them, and write all down."""
    parser = argparse.ArgumentParser(description="Bet on larger runs.")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--output", type=Path, default=evidence_path())
    options = parser.parse_args()
    queue = RunQueue(options.root)
    options.root.mkdir(parents=True, exist_ok=True)
    store = Store(f"sqlite:///{options.root / 'bets.sqlite3'}")
    for seed in SEEDS:
        for family in FAMILIES:
            bet = decided(store, queue, family, seed, options.workers)
            error = bet.relative_error
            assert error is not None
            print(f"{bet.label}: {error:+.2%} {'hit' if bet.is_hit else 'miss'}", flush=True)
    bets = sorted(list_bets(store), key=lambda bet: bet.made)
    write_bets(bets, options.output)
    report(bets)


def decided(store: Store, queue: RunQueue, family: Family, seed: int, n_workers: int | None) -> Bet:
    """Return the bet on one family and seed, made and trained if it was not before."""
    grid = LadderGrid(families=(family,), widths=WIDTHS, token_budgets=BUDGETS, seeds=(seed,))
    runs = work_off(queue, grid.configs(), n_workers=n_workers)
    config = replace(runs[0].config(), width=TARGET_WIDTH, token_budgets=(TARGET_TOKENS,))
    bet = find_bet(store, queue, config) or make_bet(store, queue, config, runs)
    work_off(queue, [config], n_workers=n_workers)
    return next(one for one in settle_bets(store, queue) if one.id == bet.id)


def make_bet(store: Store, queue: RunQueue, config: RunConfig, runs: list[Run]) -> Bet:
    """Predict the run from the ladder and store the prediction before it exists."""
    table = read_ladder(runs).table
    fitted = fit_ladder(LAWS[0], table, n_draws=N_DRAWS)
    corpus = runs[0].history().fact("corpus")
    assert corpus is not None
    prediction = predict_run(fitted, config, vocab_size=corpus["vocab_size"], table=table)
    return place_bet(store, queue, config, prediction)


def find_bet(store: Store, queue: RunQueue, config: RunConfig) -> Bet | None:
    """Return the bet on a configuration, if it was made."""
    for bet in list_bets(store):
        if find_run(bet.run_id, root=queue.root).config() == config:
            return bet
    return None


def report(bets: list[Bet]) -> None:
    """Print the score, over all and by family."""
    for family in ("", *FAMILIES):
        chosen = [bet for bet in bets if bet.label.startswith(f"{family} w" if family else "")]
        board = score(chosen)
        width = sum(bet.prediction.upper / bet.prediction.lower - 1 for bet in chosen) / 2
        print(
            f"{family or 'all':>14}: {board.n_hits} of {board.n_settled} hits, median error "
            f"{board.median_absolute_error:.2%}, mean half width {width / len(chosen):.2%}"
        )


if __name__ == "__main__":
    main()

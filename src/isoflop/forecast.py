"""What the small runs say of a larger one: the fit and the band that a forecast rests on."""

from __future__ import annotations

import numpy as np

from isoflop.accounting import count_small_flop, count_small_parameters
from isoflop.errors import FitError
from isoflop.fitting import Fit, FitOptions, band, fit
from isoflop.fitting.compare import LawComparison, compare_laws
from isoflop.language import lazy_gettext as _
from isoflop.laws import law_for_role, laws_for, load_laws
from isoflop.tables import LossTable
from isoflop.training.config import RunConfig, small_model
from isoflop.training.forecasts import Prediction

LEVEL = 0.9
N_DRAWS = 1000
FEWEST_RUNS = 3
HELD_OUT_DECADES = 0.5
NEXT_FACTOR = 3.0
"""Compute of the next run to think of, over that of the largest so far."""


def fit_ladder(law_key: str, table: LossTable, *, n_draws: int = 0) -> Fit:
    """Fit a law to the points of a ladder by least squares on log loss.

    Parameters
    ----------
    law_key : str
        Of the catalog.
    table : LossTable
        Points of one family.
    n_draws : int
        Resamples for bands. Budgets of one run share its trunk, so whole runs are resampled.

    Raises
    ------
    FitError
        If there are too few points.
    """
    n_runs = table.included()["run_id"].nunique()
    options = FitOptions(
        objective="least_squares_log",
        n_bootstrap=n_draws,
        bootstrap="wild" if n_runs >= FEWEST_RUNS else "rows",
    )
    return fit(load_laws()[law_key], table, options)


def ladder_laws(table: LossTable) -> LawComparison:
    """Set the laws of small runs side by side: on these points, and on the largest from the rest.

    Raises
    ------
    FitError
        If there are too few points.
    """
    options = FitOptions(objective="least_squares_log")
    return compare_laws(table, laws_for("small-runs"), options, decades=HELD_OUT_DECADES)


def winning_law(comparison: LawComparison | None) -> str:
    """Return the key of the law of lowest AICc; the usual one for small runs where none has any."""
    found = {
        score.law.key: score.criteria.aicc
        for score in (comparison.fitted if comparison else ())
        if score.criteria is not None
    }
    return min(found, key=found.__getitem__) if found else law_for_role("small-runs-default").key


def next_size(table: LossTable) -> tuple[float, float]:
    """Return parameters and tokens of a run beyond a ladder: twice its largest of each."""
    return 2 * table.span("params")[1], 2 * table.span("tokens")[1]


def next_budget_flop(table: LossTable) -> float:
    """Return a compute budget near a ladder: three times its largest run, in one digit."""
    return float(f"{NEXT_FACTOR * table.span('compute_flop')[1]:.0e}")


def predict_run(fitted: Fit, config: RunConfig, *, vocab_size: int, table: LossTable) -> Prediction:
    """Predict the loss of a run of one budget with its prediction band.

    The band widens itself for the few runs that it rests on, as every band by whole runs does
    (`isoflop.fitting.intervals.small_sample`).

    Parameters
    ----------
    fitted : Fit
        Of parameters and tokens, with draws.
    config : RunConfig
        Its largest budget is predicted.
    vocab_size : int
    table : LossTable
        The points that were fitted.

    Raises
    ------
    FitError
        If the fit has no band, or rests on fewer than three runs.
    """
    shape = small_model(config, vocab_size=vocab_size)
    tokens = float(config.budget_steps[-1] * config.tokens_per_step)
    return predict_size(
        fitted,
        params=float(count_small_parameters(shape).total),
        tokens=tokens,
        compute_flop=count_small_flop(shape).training_flop * tokens,
        table=table,
    )


def predict_size(
    fitted: Fit,
    *,
    params: float,
    tokens: float,
    compute_flop: float | None = None,
    table: LossTable,
) -> Prediction:
    """Predict the loss of any run by its size, tokens and FLOP, with its prediction band.

    Parameters
    ----------
    fitted : Fit
        Of parameters and tokens, with draws.
    params, tokens : float
    compute_flop : float, optional
        By default as many a parameter and token as the largest run of the table takes.
    table : LossTable
        The points that were fitted.

    Raises
    ------
    FitError
        If the fit has no band, or rests on fewer than three runs.
    """
    if compute_flop is None:
        largest = int(np.argmax(table.values("compute_flop")))
        size, seen = table.values("params")[largest], table.values("tokens")[largest]
        per_pair_flop = table.values("compute_flop")[largest] / size / seen
        compute_flop = float(per_pair_flop * params * tokens)
    values = {"params": params, "tokens": tokens, "compute_flop": compute_flop}
    try:
        at = {item.symbol: np.array([values[item.column]]) for item in fitted.law.inputs}
    except KeyError as missing:
        raise FitError(
            _("A ladder has no value for the law's input {args}.", args=missing.args[0])
        ) from None
    if (n_runs := table.included()["run_id"].nunique()) < FEWEST_RUNS:
        raise FitError(
            _(
                "A prediction needs at least {fewest_runs} runs; this ladder has {n_runs}.",
                fewest_runs=FEWEST_RUNS,
                n_runs=n_runs,
            ),
            hint=_("Add sizes to the ladder."),
        )
    interval = band(fitted, at, level=LEVEL, kind="prediction")
    return Prediction(
        loss=float(interval.centre[0]),
        lower=float(interval.lower[0]),
        upper=float(interval.upper[0]),
        level=LEVEL,
        law_key=fitted.law.key,
        table_fingerprint=fitted.table_fingerprint,
        n_rows=fitted.n_rows,
        params=params,
        tokens=tokens,
        compute_flop=compute_flop,
        extrapolation=compute_flop / float(table.values("compute_flop").max()),
    )

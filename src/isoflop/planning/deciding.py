"""Which run to train next so that the laws of a table disagree least about a larger one.

What one run would teach is worked out for every law being the true one: its loss, with the scatter
of one run, moves the laws' weights, and with them how far apart their predictions lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import PlanError
from isoflop.fitting.extrapolation import Pool, pool
from isoflop.fitting.extrapolation.extrapolate import log_laws, parts
from isoflop.language import lazy_gettext
from isoflop.planning.design import TOKENS_PER_PARAM, candidate_runs
from isoflop.planning.gain import Runs
from isoflop.planning.inputs import PARAMS_COLUMNS
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.tables.schema import LossTable
from isoflop.units import format_number, format_quantity

Array = NDArray[np.float64]

REPEATS = (1, 2, 4)
"""Seeds of one setting that are tried, each a share of the budget."""

N_NODES = 9
"""Of the quadrature over the scatter of what is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidingRuns:
    """Runs by how little they are expected to leave of the laws' disagreement, the best first.

    Parameters
    ----------
    target_flop : float
        Compute of the run that the laws disagree about.
    disagreement : float
        Weighted standard deviation of the laws' log predictions there, now.
    params, tokens, compute_flop : ndarray, shape (n,)
        Of one run of each setting.
    n_runs : ndarray of int, shape (n,)
        Seeds of it.
    left : ndarray, shape (n,)
        Root of the expected variance across laws once it is measured, over that now.
    """

    target_flop: float
    disagreement: float
    params: Array
    tokens: Array
    compute_flop: Array
    n_runs: NDArray[np.int64]
    left: Array

    def summary(self) -> str:
        """Say in a sentence what the best would do."""
        runs = (
            lazy_gettext("one run")
            if self.n_runs[0] == 1
            else lazy_gettext("{n_runs} runs", n_runs=self.n_runs[0])
        )
        return lazy_gettext(
            "At {target_flop} the laws lie {disagreement:.2%} apart (standard "
            "deviation, weighted). Of what this budget buys, {runs} of {params} "
            "parameters on {tokens} tokens would decide most: about {left:.0%} "
            "of that is expected to be left.",
            target_flop=format_quantity(self.target_flop, "flop"),
            disagreement=self.disagreement,
            runs=runs,
            params=format_number(self.params[0]),
            tokens=format_number(self.tokens[0]),
            left=self.left[0],
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row a setting."""
        names = ("n_runs", "params", "tokens", "compute_flop", "left")
        return pd.DataFrame({name: getattr(self, name) for name in names})


def deciding_runs(
    table: LossTable,
    params: float,
    tokens: float,
    *,
    spend_flop: float,
    tokens_per_param: tuple[float, float] = TOKENS_PER_PARAM,
    rule: ComputeRule = SIX_ND,
    n_shown: int = 5,
) -> DecidingRuns:
    """Rank runs within a budget by how little they leave of the laws' disagreement at a target.

    Parameters
    ----------
    table : LossTable
    params, tokens : float
        The run that the laws disagree about.
    spend_flop : float
        Training compute of all proposed runs together.
    tokens_per_param : (float, float)
        Range to choose among.
    rule : ComputeRule
    n_shown : int
        Settings that are returned.

    Raises
    ------
    PlanError
        If fewer than two laws have a say, or they agree.
    TooFewRows, FitError
        If no law can be fitted.

    References
    ----------
    Box and Hill 1967, Discrimination among mechanistic models, Technometrics 9.
    """
    voices = pool(table)
    target = Runs(
        params=np.array([params]),
        tokens=np.array([tokens]),
        compute_flop=np.array([float(rule.training_flop(params, tokens))]),
    )
    made = parts(voices, _values(voices, target))
    has_say = made.weights > 0
    if has_say.sum() < 2 or not made.spread[0] > 0:
        raise PlanError(
            lazy_gettext("The laws of {id} do not disagree there.", id=table.id),
            hint=lazy_gettext("Narrow the interval of the loss instead."),
        )
    weights, wanted = made.weights[has_say], made.log_laws[has_say, 0]
    found: list[tuple[Runs, int, Array]] = []
    for n_runs in REPEATS:
        runs = candidate_runs(spend_flop / n_runs, rule, tokens_per_param)
        said = log_laws(voices.members, _values(voices, runs))[has_say]
        scatter = float(made.noise[0]) / np.sqrt(n_runs)
        found.append((runs, n_runs, _left(weights, wanted, said, scatter)))
    left = np.concatenate([each for _, _, each in found]) / made.spread[0]
    flop = np.concatenate([runs.compute_flop for runs, _, _ in found])
    count = np.concatenate([np.full(len(r.compute_flop), n) for r, n, _ in found])
    order = np.lexsort((flop * count, np.round(left, 2)))[:n_shown]
    return DecidingRuns(
        target_flop=float(target.compute_flop[0]),
        disagreement=float(made.spread[0]),
        params=np.concatenate([runs.params for runs, _, _ in found])[order],
        tokens=np.concatenate([runs.tokens for runs, _, _ in found])[order],
        compute_flop=flop[order],
        n_runs=count[order],
        left=left[order],
    )


def _values(voices: Pool, runs: Runs) -> dict[str, Array]:
    """Return runs as the laws of a table are asked."""
    known = {
        **dict.fromkeys(PARAMS_COLUMNS, runs.params),
        "tokens": runs.tokens,
        "unique_tokens": runs.tokens,
        "tokens_per_param": runs.tokens / runs.params,
        "compute_flop": runs.compute_flop,
    }
    found = voices.members
    columns = {item.column for one in found.found for item in one.fit.law.inputs}
    return {name: known[name] for name in {found.scale, *columns} if name in known}


def _left(weights: Array, wanted: Array, said: Array, scatter: float) -> Array:
    """Return the root of the expected variance of the target across laws after each run.

    Parameters
    ----------
    weights, wanted : ndarray, shape (n_laws,)
        Of the laws, and what they say of the target.
    said : ndarray, shape (n_laws, n)
        What they say of each run; where one says nothing, its run teaches nothing.
    scatter : float
        Of what is measured.
    """
    nodes, shares = np.polynomial.hermite_e.hermegauss(N_NODES)
    shares = shares / shares.sum()
    is_known = np.isfinite(said).all(axis=0)
    known = np.where(is_known, said, 0.0)
    variance = np.zeros(said.shape[1])
    for j, weight in enumerate(weights):  # the law that is true
        for node, share in zip(nodes, shares, strict=True):
            off = (known[j] + scatter * node - known) / scatter
            log_weight = np.log(weights)[:, None] - off**2 / 2
            after = np.exp(log_weight - log_weight.max(axis=0))
            after /= after.sum(axis=0)
            middle = wanted @ after
            variance += weight * share * ((wanted[:, None] - middle) ** 2 * after).sum(axis=0)
    now = weights @ (wanted - weights @ wanted) ** 2
    return np.asarray(np.sqrt(np.where(is_known, variance, now)))

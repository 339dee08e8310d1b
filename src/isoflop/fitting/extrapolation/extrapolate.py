"""The prediction itself: centre, and the four parts of its width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.extrapolation.constants import Constants, Method, load_constants
from isoflop.fitting.extrapolation.members import (
    NORMAL_90,
    Member,
    Members,
    members,
    noise,
    suitable_laws,
    weighted,
)
from isoflop.fitting.extrapolation.origins import Record, rolling_origin
from isoflop.fitting.extrapolation.places import of_law, outside, places
from isoflop.fitting.extrapolation.result import Extrapolation, LawPrediction
from isoflop.fitting.predict import band, predict
from isoflop.laws.law import Law
from isoflop.tables.schema import LossTable
from isoflop.tables.select import family_names
from isoflop.units import counted

Array = NDArray[np.float64]
N_DRAWS = 100


def extrapolate(
    table: LossTable,
    at: Mapping[str, Any] | pd.DataFrame | None = None,
    *,
    method: Method = "average",
    law: Law | None = None,
    n_bootstrap: int = N_DRAWS,
    seed: int = 0,
    **named: Any,
) -> Extrapolation:
    """Predict the loss of runs beyond the data, with a band measured on runs held out.

    Parameters
    ----------
    table : LossTable
        Excluded rows are left out.
    at : mapping or DataFrame, optional
        Where, by symbol or by column: numbers in canonical units, or quantities as text.
    method : {"average", "one"}
        All suitable laws of the catalog, weighted by their rolling-origin score; or the one of
        lowest AICc, which is quicker.
    law : Law, optional
        Predict by this law alone.
    n_bootstrap : int
        Draws of each law.
    seed : int
    **named
        As ``at``, such as ``N="70B", D="1.4T"``.

    Raises
    ------
    TooFewRows, FitError
        If the table says nothing of larger runs.
    TableError, UnitError
        If the points cannot be read.
    """
    laws = suitable_laws(table) if law is None else (law,)
    if not laws:
        raise FitError(
            f"No law of the catalog suits the columns of {table.id}.",
            hint="Name a law, or map the columns of size, tokens or compute.",
        )
    if law is not None and law.response != "loss":
        raise FitError(f"{law.label} predicts {law.response}; bands were measured for losses.")
    found = members(table, laws, n_bootstrap, seed)
    values = places(found, at, named)
    chosen: Method = "average" if law is None and method == "average" else "one"
    pool = _pool(found, table, laws, n_bootstrap, seed, chosen)
    return _assemble(pool, values, chosen, load_constants())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Laws with their weights: one a law, shape (n_laws,).

    Parameters
    ----------
    members : Members
        Those that have a say, and why others have none.
    weights, past_error : ndarray, shape (n_laws,)
    n_judged : ndarray of int, shape (n_laws,)
        Cuts that each law could be judged at.
    n_cuts : int or None
        Cuts of the table; None where they were not made.
    """

    members: Members
    weights: Array
    past_error: Array
    n_judged: NDArray[np.int64]
    n_cuts: int | None


def _pool(
    found: Members, table: LossTable, laws: tuple[Law, ...], n_draws: int, seed: int, method: Method
) -> Pool:
    if method == "average":
        return weigh(found, _record(table, laws, n_draws, seed), load_constants())
    return alone(found, found.lowest_aicc)


@lru_cache(maxsize=16)
def _record(table: LossTable, laws: tuple[Law, ...], n_draws: int, seed: int) -> Record:
    return rolling_origin(members(table, laws, n_draws, seed), load_constants().cuts_decades)


def weigh(found: Members, record: Record, constants: Constants) -> Pool:
    """Return all laws, weighted by their score."""
    return Pool(
        members=found,
        weights=record.weights(constants.weight_power),
        past_error=record.past_error,
        n_judged=np.isfinite(record.error).sum(axis=1),
        n_cuts=record.n_cuts,
    )


def alone(found: Members, member: Member) -> Pool:
    """Return one law with all the weight."""
    only = Members(
        table=found.table,
        scale=found.scale,
        found=(member,),
        refused=found.refused,
        slope=found.slope,
    )
    return Pool(
        members=only,
        weights=np.ones(1),
        past_error=np.full(1, np.nan),
        n_judged=np.zeros(1, np.int64),
        n_cuts=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a prediction consists of, in log loss; each of shape (n,) but the laws' own.

    Parameters
    ----------
    log_laws : ndarray, shape (n_laws, n)
        Of each law; NaN where it has none.
    weights : ndarray, shape (n_laws,)
        Of the laws that predict at every point; 0 for others.
    centre, noise, draws, spread, fall : ndarray, shape (n,)
        Weighted mean; standard deviations of single runs, of refits, across laws; and the fall of
        the loss by a pure power law over the distance from the rows.
    decades, distance : ndarray, shape (n,)
        Outside the rows: of scale, and the largest of any input.
    """

    log_laws: Array
    weights: Array
    centre: Array
    noise: Array
    draws: Array
    spread: Array
    fall: Array
    decades: Array
    distance: Array


def parts(pool: Pool, values: Mapping[str, Array]) -> Parts:
    """Work out the prediction of a pool of laws at points.

    Raises
    ------
    FitError
        If no law predicts a positive loss at every point.
    """
    found = pool.members
    inputs = [of_law(member.fit.law, values) for member in found.found]
    n = len(values[found.scale])
    log_laws = np.full((len(inputs), n), np.nan)
    reach = np.full((len(inputs), n), np.nan)
    for i, (member, points) in enumerate(zip(found.found, inputs, strict=True)):
        if points is not None:
            log_laws[i], reach[i] = _of_law(member, points)
    weights = np.where(np.isfinite(log_laws).all(axis=1), pool.weights, 0.0)
    if not weights.any():
        raise FitError(
            f"No law of {found.table.id} predicts a loss there.",
            detail=f"Given: {', '.join(values)}.",
            hint="Give the laws' other inputs too, such as N and D.",
        )
    weights = weights / weights.sum()
    known = np.where(weights[:, None] > 0, np.nan_to_num(log_laws), 0.0)
    centre = weights @ known
    decades, distance = outside(found, values)
    own = np.array([noise(member.fit) for member in found.found])
    return Parts(
        log_laws=log_laws,
        weights=weights,
        centre=centre,
        noise=np.full(n, float(weights @ own)),
        draws=np.nan_to_num(weighted(list(reach), weights)) / NORMAL_90,
        spread=np.sqrt(weights @ (known - centre) ** 2),
        fall=found.slope * distance,
        decades=decades,
        distance=distance,
    )


def _of_law(member: Member, points: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return a law's log prediction and how far refits reach from it; NaN where unknown."""
    with np.errstate(invalid="ignore", divide="ignore"):
        log_loss = np.log(predict(member.fit, points))
        try:
            upper = np.log(band(member.fit, points).upper)
        except FitError:
            return log_loss, np.full(len(log_loss), np.nan)
    return np.where(np.isfinite(log_loss), log_loss, np.nan), upper - log_loss


def has_few(pool: Pool, constants: Constants) -> bool:
    """Say whether rows, or the cuts that weights rest on, are too few for the usual constants."""
    n_rows = len(pool.members.table.included())
    if n_rows < constants.fewest_rows:
        return True
    return pool.n_cuts is not None and pool.n_cuts < constants.fewest_cuts


def _assemble(
    pool: Pool, values: dict[str, Array], method: Method, constants: Constants
) -> Extrapolation:
    made, found = parts(pool, values), pool.members
    few = has_few(pool, constants)
    width = constants.width(method, has_few=few)
    laws = tuple(
        LawPrediction(
            key=member.fit.law.key,
            label=member.fit.law.label,
            formula=member.fit.law.formula,
            weight=float(made.weights[i]),
            past_error=float(pool.past_error[i]),
            n_cuts=int(pool.n_judged[i]),
            loss=np.exp(made.log_laws[i]),
        )
        for i, member in enumerate(found.found)
    )
    return Extrapolation(
        table_id=found.table.id,
        table_fingerprint=found.table.fingerprint,
        loss_unit=found.table.loss_unit,
        n_rows=len(found.table.included()),
        method=method,
        scale=found.scale,
        inputs=values,
        laws_used=laws,
        refused=found.refused,
        centre=np.exp(made.centre),
        noise=width.factor * made.noise,
        draws=width.factor * made.draws,
        disagreement=width.factor * width.disagreement * made.spread,
        distance=width.factor * width.distance * made.fall,
        decades=made.decades,
        decades_of_any_input=made.distance,
        most_decades=constants.most_decades,
        has_few=few,
        notes=_notes(pool, made),
        constants_made=constants.retrieved,
    )


def _notes(pool: Pool, made: Parts) -> tuple[str, ...]:
    found, notes = pool.members, []
    names = family_names(found.table)
    if len(names) > 1:
        notes.append(
            f"Rows of {counted(len(names), 'family', 'families')} are taken as one "
            f"({', '.join(names)}): choose one unless data, tokenizer and loss are the same."
        )
    silent = [
        member.fit.law.label
        for member, log_loss in zip(found.found, made.log_laws, strict=True)
        if not np.isfinite(log_loss).all()
    ]
    if silent:
        notes.append(f"No say, for want of an input or of a loss there: {', '.join(silent)}.")
    return tuple(notes)

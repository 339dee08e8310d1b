"""The prediction itself: centre, and the four parts of its width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    members_of,
    noise,
    suitable_laws,
    weighted,
)
from isoflop.fitting.extrapolation.origins import Record, rolling_origin
from isoflop.fitting.extrapolation.places import of_law, outside, places
from isoflop.fitting.extrapolation.result import Extrapolation, LawPrediction
from isoflop.fitting.predict import band, predict
from isoflop.fitting.result import Fit
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.laws.law import Law
from isoflop.once import once
from isoflop.tables.catalog import title_of
from isoflop.tables.schema import LossTable, said_response
from isoflop.tables.select import family_names
from isoflop.text import aligned

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
    voices = pool(table, method=method, law=law, n_bootstrap=n_bootstrap, seed=seed)
    return predict_with(voices, at, **named)


def predict_with(
    voices: Pool, at: Mapping[str, Any] | pd.DataFrame | None = None, **named: Any
) -> Extrapolation:
    """Predict by laws that are fitted and weighed already.

    Parameters
    ----------
    voices : Pool
    at, **named
        As `extrapolate`.

    Raises
    ------
    FitError, TableError, UnitError
        As `extrapolate`.
    """
    return _assemble(voices, places(voices.members, at, named), load_constants())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Laws with their weights: one a law, shape (n_laws,).

    Parameters
    ----------
    method : {"average", "one"}
    members : Members
        Those that have a say, and why others have none.
    weights, past_error : ndarray, shape (n_laws,)
    n_judged : ndarray of int, shape (n_laws,)
        Cuts that each law could be judged at.
    n_cuts : int or None
        Cuts of the table; None where they were not made.
    """

    method: Method
    members: Members
    weights: Array
    past_error: Array
    n_judged: NDArray[np.int64]
    n_cuts: int | None

    def summary(self) -> str:
        """Return the laws as text, the heaviest first: weight, past error, AICc, parameters."""
        found = self.members
        cells = [
            (
                member.fit.law.label,
                f"{self.weights[i]:.1%}",
                "" if np.isnan(self.past_error[i]) else f"{self.past_error[i]:.2%}",
                f"{self.n_judged[i]}",
                f"{member.aicc:.1f}",
                ", ".join(f"{name} {value:.4g}" for name, value in member.fit.values.items()),
            )
            for i in np.argsort(-self.weights, kind="stable")
            for member in (found.found[i],)
        ]
        head = ("law", "weight", _("past error"), "cuts", "AICc", "parameters")
        lines = [
            _(
                "{laws} on {rows} of {id}, weighted by how each predicted the largest of them",
                laws=n_("{n:,} law", "{n:,} laws", len(cells)),
                rows=n_("{n:,} row", "{n:,} rows", len(found.table.included())),
                id=title_of(found.table.id),
            ),
            "",
            aligned(cells, head),
        ]
        lines += [
            _("Left out: {label}. {reason}", label=label, reason=reason)
            for label, reason in found.refused
        ]
        return joined("\n", lines)


def pool(
    table: LossTable,
    *,
    method: Method = "average",
    law: Law | None = None,
    n_bootstrap: int = N_DRAWS,
    seed: int = 0,
) -> Pool:
    """Fit the laws that predict beyond a table, and weigh them; kept, as no point changes them.

    Parameters
    ----------
    table, method, law, n_bootstrap, seed
        As `extrapolate`.

    Raises
    ------
    TooFewRows, FitError
        If the table says nothing of larger runs.
    """
    laws = suitable_laws(table) if law is None else (law,)
    if not laws:
        raise FitError(
            _("No law of the catalog suits the columns of {id}.", id=table.id),
            hint=_("Name a law, or map the columns of size, tokens or compute."),
        )
    if law is not None and law.response != "loss":
        raise FitError(
            _(
                "{label} predicts {response}; bands are of losses.",
                label=law.label,
                response=said_response(law.response),
            )
        )
    found = members(table, laws, n_bootstrap, seed)
    if law is None and method == "average":
        return weigh(found, _record(table, laws, n_bootstrap, seed), load_constants())
    return alone(found, found.lowest_aicc)


def pool_of_fit(fit: Fit, table: LossTable) -> Pool:
    """Return a fit as it is, whatever its objective and draws, as the one voice.

    Raises
    ------
    TooFewRows, FitError
        As `pool`.
    """
    if fit.law.response != "loss":
        raise FitError(
            _(
                "{label} predicts {response}; bands are of losses.",
                label=fit.law.label,
                response=said_response(fit.law.response),
            )
        )
    found = members_of(fit, table)
    return alone(found, found.found[0])


@once(max_entries=16)
def _record(table: LossTable, laws: tuple[Law, ...], n_draws: int, seed: int) -> Record:
    return rolling_origin(members(table, laws, n_draws, seed), load_constants().cuts_decades)


def weigh(found: Members, record: Record, constants: Constants) -> Pool:
    """Return all laws, weighted by their score."""
    return Pool(
        method="average",
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
        method="one",
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
    n = len(values[found.scale])
    said = log_laws(found, values)
    reach = np.stack([_reach(*each, values) for each in zip(found.found, said, strict=True)])
    weights = np.where(np.isfinite(said).all(axis=1), pool.weights, 0.0)
    if not weights.any():
        raise FitError(
            _("No law of {id} predicts a loss there.", id=found.table.id),
            detail=_("Given: {values}.", values=", ".join(values)),
            hint=_("Give the laws' other inputs too, such as N and D."),
        )
    weights = weights / weights.sum()
    known = np.where(weights[:, None] > 0, np.nan_to_num(said), 0.0)
    centre = weights @ known
    decades, distance = outside(found, values)
    own = np.array([noise(member.fit) for member in found.found])
    return Parts(
        log_laws=said,
        weights=weights,
        centre=centre,
        noise=np.full(n, float(weights @ own)),
        draws=np.nan_to_num(weighted(list(reach), weights)) / NORMAL_90,
        spread=np.sqrt(weights @ (known - centre) ** 2),
        fall=found.slope * distance,
        decades=decades,
        distance=distance,
    )


def log_laws(found: Members, values: Mapping[str, Array]) -> Array:
    """Return each law's log prediction, shape (n_laws, n); NaN where it has none."""
    made = np.full((len(found.found), len(values[found.scale])), np.nan)
    for i, member in enumerate(found.found):
        points = of_law(member.fit.law, values)
        if points is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                made[i] = np.log(predict(member.fit, points))
    return np.where(np.isfinite(made), made, np.nan)


def _reach(member: Member, log_loss: Array, values: Mapping[str, Array]) -> Array:
    """Return how far a law's refits reach from its prediction; NaN where that is unknown."""
    points = of_law(member.fit.law, values)
    if points is None:
        return np.full(len(log_loss), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        try:
            return np.asarray(np.log(band(member.fit, points).upper) - log_loss)
        except FitError:
            return np.full(len(log_loss), np.nan)


APART, WELL_APART = 2.0, 3.0
"""Scatters of one run that laws lie apart where it tells them apart, and where it does so well."""

N_BETWEEN = 60


def deciding(pool: Pool, values: Mapping[str, Array], made: Parts) -> Array:
    """Return between which scales one run would tell the laws apart, shape (n, 2).

    Runs on the straight line, in logarithms, from the largest row to each point are looked at: from
    where the laws lie two scatters of one run apart to where they lie three apart, at most up to
    the point. NaN where they do not, or no two laws have a say.
    """
    found = pool.members
    n, noise_of_one = len(made.centre), float(made.noise[0])
    largest = int(np.argmax(found.table.values(found.scale)))
    steps = np.linspace(0.0, 1.0, N_BETWEEN)[:, None]
    between = {}
    for name, asked in values.items():
        start = float(found.table.values(name)[largest])
        with np.errstate(divide="ignore", invalid="ignore"):
            between[name] = np.exp(np.log(start) * (1 - steps) + np.log(asked) * steps).ravel()
    said = np.where(made.weights[:, None] > 0, log_laws(found, between), 0.0)
    spread = np.sqrt(made.weights @ (said - made.weights @ said) ** 2)
    spread = spread.reshape(N_BETWEEN, n)
    scale = between[found.scale].reshape(N_BETWEEN, n)
    ends = np.full((n, 2), np.nan)
    for i in range(n):
        is_apart = spread[:, i] >= APART * noise_of_one
        if is_apart[-1] and noise_of_one > 0:
            first = N_BETWEEN - int(np.argmin(np.append(is_apart[::-1], False)))
            is_well = np.append(spread[first:, i] >= WELL_APART * noise_of_one, True)
            last = min(first + int(np.argmax(is_well)), N_BETWEEN - 1)
            ends[i] = scale[first, i], scale[last, i]
    return ends


def has_few(pool: Pool, constants: Constants) -> bool:
    """Say whether rows, or the cuts that weights rest on, are too few for the usual constants."""
    n_rows = len(pool.members.table.included())
    if n_rows < constants.fewest_rows:
        return True
    return pool.n_cuts is not None and pool.n_cuts < constants.fewest_cuts


def _assemble(pool: Pool, values: dict[str, Array], constants: Constants) -> Extrapolation:
    made, found = parts(pool, values), pool.members
    few = has_few(pool, constants)
    width = constants.width(pool.method, has_few=few)
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
        method=pool.method,
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
        deciding=deciding(pool, values, made),
        notes=_notes(pool, made),
        constants_made=constants.retrieved,
    )


def _notes(pool: Pool, made: Parts) -> tuple[str, ...]:
    found, notes = pool.members, []
    names = family_names(found.table)
    if len(names) > 1:
        notes.append(
            _(
                "Rows of {families} are taken as one ({names}): choose one unless "
                "data, tokenizer and loss are the same.",
                families=n_("{n:,} family", "{n:,} families", len(names)),
                names=", ".join(names),
            )
        )
    silent = [
        member.fit.law.label
        for member, log_loss in zip(found.found, made.log_laws, strict=True)
        if not np.isfinite(log_loss).all()
    ]
    if silent:
        notes.append(
            _(
                "No say, for want of an input or of a loss there: {silent}.",
                silent=", ".join(silent),
            )
        )
    return tuple(notes)

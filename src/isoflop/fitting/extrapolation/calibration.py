"""Where the constants come from: the largest runs of public tables held out and predicted.

The largest families of a table are fitted apart. Sources count alike, however many rows they have,
and what is said of a source is said with constants estimated from the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.data import data_root
from isoflop.errors import CatalogError, FitError, IsoflopError
from isoflop.fitting.compare.held_out import scale_column, split_by_scale
from isoflop.fitting.extrapolation.constants import Constants, Method, Width
from isoflop.fitting.extrapolation.extrapolate import N_DRAWS, Parts, alone, has_few, parts, weigh
from isoflop.fitting.extrapolation.members import FEWEST_ROWS, members, suitable_laws
from isoflop.fitting.extrapolation.origins import rolling_origin
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.tables.schema import LossTable
from isoflop.tables.select import family_names, of_families

Array = NDArray[np.float64]

HELD_OUT_DECADES = (0.5, 1.0, 1.5)
NOMINAL = 0.9
DISAGREEMENTS = (0.0, 0.25, 0.5, 0.75, 1.0)
DISTANCES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
MOST_FAMILIES = 3
"""Families of a table that are tried, those of most rows: more would say little of other tables."""

FEW_TIMES = 2.0
"""How much more of disagreement and distance is allowed for where rows are few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One method on one family of a table, its largest runs held out; arrays of shape (n,).

    Parameters
    ----------
    source : str
        Table that the rows are from.
    family : str
        Empty where the table has one alone.
    decades : float
        How far the part held out reaches down.
    method : {"average", "one"}
    has_few : bool
        Whether rows or cuts were few.
    error : ndarray
        Size of the error of log loss.
    noise, draws, spread, fall : ndarray
        Parts of the width before any constant.
    best_error : float
        Mean error of the law that turns out to be best.
    """

    source: str
    family: str
    decades: float
    method: Method
    has_few: bool
    error: Array
    noise: Array
    draws: Array
    spread: Array
    fall: Array
    best_error: float

    def width(self, disagreement: float, distance: float) -> Array:
        """Return the half-width of the band before its factor."""
        squares = (disagreement * self.spread) ** 2 + (distance * self.fall) ** 2
        return np.asarray(np.sqrt(self.noise**2 + self.draws**2 + squares))


def trials(table: LossTable, constants: Constants, *, n_draws: int = N_DRAWS) -> Iterator[Trial]:
    """Yield how each method does on each of a table's largest families, at each part held out."""
    names = family_names(table)
    families = [(name, of_families(table, [name])) for name in names]
    families.sort(key=lambda pair: -len(pair[1].included()))
    for family, part in families[:MOST_FAMILIES] if len(names) > 1 else [("", table)]:
        for decades in HELD_OUT_DECADES:
            try:
                yield from _trials(table.id, family, part, decades, constants, n_draws)
            except IsoflopError:
                continue  # too few rows below the cut, or none of them can be fitted


def _trials(
    source: str, family: str, table: LossTable, decades: float, constants: Constants, n_draws: int
) -> Iterator[Trial]:
    split = split_by_scale(table, decades, scale_column(table))
    if len(split.lower.included()) < FEWEST_ROWS:
        return
    found = members(split.lower, suitable_laws(split.lower), n_draws, 0)
    columns = {found.scale, *(item.column for one in found.found for item in one.fit.law.inputs)}
    values = {name: split.upper.values(name) for name in sorted(columns)}
    observed = split.upper.values("loss")
    is_known = np.isfinite(np.stack([*values.values(), observed])).all(axis=0) & (observed > 0)
    values = {name: value[is_known] for name, value in values.items()}
    log_loss = np.log(observed[is_known])
    if not len(log_loss):
        return
    record = rolling_origin(found, constants.cuts_decades)
    pools = {"average": weigh(found, record, constants), "one": alone(found, found.lowest_aicc)}
    made = {name: parts(pool, values) for name, pool in pools.items()}
    is_tested = made["average"].distance <= constants.most_decades * (1 + 1e-9)
    if not is_tested.any():
        return
    off = np.abs(made["average"].log_laws - log_loss)[:, is_tested].mean(axis=1)
    for method in ("average", "one"):
        yield _trial(
            made[method],
            log_loss,
            is_tested,
            source=source,
            family=family,
            decades=decades,
            method=method,
            has_few=has_few(pools[method], constants),
            best_error=float(np.nanmin(off)),
        )


def _trial(
    made: Parts,
    log_loss: Array,
    is_tested: NDArray[np.bool_],
    *,
    source: str,
    family: str,
    decades: float,
    method: Method,
    has_few: bool,
    best_error: float,
) -> Trial:
    return Trial(
        source=source,
        family=family,
        decades=decades,
        method=method,
        has_few=has_few,
        error=np.abs(made.centre - log_loss)[is_tested],
        noise=made.noise[is_tested],
        draws=made.draws[is_tested],
        spread=made.spread[is_tested],
        fall=made.fall[is_tested],
        best_error=best_error,
    )


# --- Estimation


def estimate(found: Iterable[Trial], constants: Constants) -> Constants:
    """Return the constants under which bands hold nine in ten held-out runs and are narrow.

    For each method and each pair of constants the factor is the one under which the share of runs
    held, averaged over sources, is nominal; the pair of the lowest interval score is taken, each
    source's score relative to its own mean. Where rows are few the pair is twice that one, and the
    factor alone is estimated.

    References
    ----------
    Gneiting and Raftery 2007, Strictly proper scoring rules, Journal of the American Statistical
    Association 102, section 6.2, for the interval score.

    Raises
    ------
    FitError
        If there are no trials of a method.
    """
    made = list(found)
    widths: dict[Method, Width] = {}
    few: dict[Method, Width] = {}
    methods: tuple[Method, ...] = ("average", "one")
    for method in methods:
        of_method = [one for one in made if one.method == method]
        enough = [one for one in of_method if not one.has_few]
        if not enough:
            raise FitError(_("No trial of the method {method} has rows enough.", method=method))
        widths[method] = _best(enough, method)
        few[method] = _of_few([one for one in of_method if one.has_few], widths[method])
    return replace(constants, widths=widths, widths_of_few=few)


def _best(found: Sequence[Trial], method: Method) -> Width:
    grid = itertools.product(DISAGREEMENTS if method == "average" else (0.0,), DISTANCES)
    widths = [Width(disagreement=a, distance=b, factor=_factor(found, a, b)) for a, b in grid]
    scores = np.array([list(_scores(found, width).values()) for width in widths])
    relative = np.log(scores / scores.mean(axis=0)).mean(axis=1)
    return widths[int(np.argmin(relative))]


def _of_few(found: Sequence[Trial], usual: Width) -> Width:
    pair = FEW_TIMES * usual.disagreement, FEW_TIMES * usual.distance
    factor = _factor(found, *pair) if found else usual.factor
    return Width(disagreement=pair[0], distance=pair[1], factor=max(factor, usual.factor))


def _factor(found: Sequence[Trial], disagreement: float, distance: float) -> float:
    """Return the factor under which the bands hold their share of runs, sources counting alike."""
    ratio, weight = [], []
    for own in _by_source(found).values():
        for one in own:
            ratio.append(one.error / np.maximum(one.width(disagreement, distance), 1e-12))
            weight.append(np.full(len(one.error), 1 / (len(own) * len(one.error))))
    values, shares = np.concatenate(ratio), np.concatenate(weight)
    order = np.argsort(values)
    share = np.cumsum(shares[order]) / shares.sum()
    return float(values[order][min(int(np.searchsorted(share, NOMINAL)), len(order) - 1)])


def _scores(found: Sequence[Trial], width: Width) -> dict[str, float]:
    """Return the mean interval score of each source."""
    scores = {}
    for source, own in _by_source(found).items():
        each = []
        for one in own:
            half = width.factor * one.width(width.disagreement, width.distance)
            missed = np.maximum(one.error - half, 0.0)
            each.append(float(np.mean(2 * half + 2 / (1 - NOMINAL) * missed)))
        scores[source] = float(np.mean(each))
    return scores


def _by_source(found: Iterable[Trial]) -> Mapping[str, list[Trial]]:
    groups: dict[str, list[Trial]] = {}
    for one in found:
        groups.setdefault(one.source, []).append(one)
    return groups


# --- The report

REPORT = "extrapolation_backtest.csv"


@once
def load_report() -> pd.DataFrame:
    """Return the report that ships, as `report` made it: do not change it.

    Raises
    ------
    CatalogError
        If the file is missing or malformed.
    """
    try:
        found = pd.read_csv(data_root() / REPORT)
    except (OSError, ValueError) as problem:
        raise CatalogError(
            _("The data file {report} cannot be read.", report=REPORT), detail=str(problem)
        ) from None
    if missing := sorted(set(COLUMNS) - set(found)):
        raise CatalogError(
            _("The data file {report} lacks columns.", report=REPORT), detail=", ".join(missing)
        )
    return found


COLUMNS = (
    *("dataset", "decades", "method", "splits", "splits_few", "rows", "mean_error", "best_error"),
    *("coverage", "half_width"),
)


def report(
    found: Iterable[Trial], constants: Constants, *, kept_back: Collection[str] = ()
) -> pd.DataFrame:
    """Return how each method did on each source, with constants estimated from the others.

    Parameters
    ----------
    found : iterable of Trial
    constants : Constants
        Whose cuts and powers hold.
    kept_back : collection of str
        Sources that no constants are ever estimated from.

    Returns
    -------
    DataFrame
        A row a source, part held out and method: ``splits`` (families), of which ``splits_few``
        under the constants of few rows, ``rows``, ``mean_error`` and ``best_error`` (of the law
        that turns out best) of log loss, ``coverage`` of the 90% band, ``half_width`` of log loss.
    """
    made, rows = list(found), []
    for source, own in _by_source(made).items():
        unseen = {source, *kept_back}
        others = estimate((one for one in made if one.source not in unseen), constants)
        groups: dict[tuple[float, Method], list[Trial]] = {}
        for one in own:
            groups.setdefault((one.decades, one.method), []).append(one)
        rows += [_row(source, *key, group, others) for key, group in groups.items()]
    return pd.DataFrame(rows)


def _row(
    source: str, decades: float, method: Method, group: Sequence[Trial], constants: Constants
) -> dict[str, object]:
    held, half = [], []
    for one in group:
        width = constants.width(method, has_few=one.has_few)
        reach = width.factor * one.width(width.disagreement, width.distance)
        held.append(float(np.mean(one.error <= reach)))
        half.append(float(np.mean(reach)))
    return {
        "dataset": source,
        "decades": decades,
        "method": method,
        "splits": len(group),
        "splits_few": sum(one.has_few for one in group),
        "rows": sum(len(one.error) for one in group),
        "mean_error": float(np.mean([one.error.mean() for one in group])),
        "best_error": float(np.mean([one.best_error for one in group])),
        "coverage": float(np.mean(held)),
        "half_width": float(np.mean(half)),
    }


def overall(made: pd.DataFrame) -> pd.DataFrame:
    """Return a row a method: means over sources, and the ratio of error to the best law's.

    The ratio is the geometric mean over sources. ``standard_error`` is that of the coverage, as
    far as sources differ.
    """
    each = made.groupby(["method", "dataset"])[["mean_error", "best_error", "coverage"]].mean()
    each["log_ratio"] = np.log(each["mean_error"] / each["best_error"])
    by_method = each.groupby("method")
    return pd.DataFrame(
        {
            "sources": by_method.size(),
            "mean_error": by_method["mean_error"].mean(),
            "times_best": np.exp(by_method["log_ratio"].mean()),
            "coverage": by_method["coverage"].mean(),
            "standard_error": by_method["coverage"].std() / np.sqrt(by_method.size()),
        }
    )

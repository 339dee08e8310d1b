"""The rows of a table that a law can be fitted to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from isoflop.errors import TooFewRows
from isoflop.fitting.bootstrap import FEWEST_CLUSTERS
from isoflop.fitting.objective import Array, Problem, make_problem
from isoflop.fitting.options import LOG_OBJECTIVES, FitOptions
from isoflop.fitting.weights import column_weights, scaled, weight_kind
from isoflop.language import lazy_gettext, lazy_ngettext
from isoflop.laws.law import Law
from isoflop.tables.schema import LossTable, said_response


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a table that a law can be fitted to.

    Parameters
    ----------
    inputs : list of ndarray, shape (n_rows,)
        In the order of the law's inputs.
    target : ndarray, shape (n_rows,)
    clusters : ndarray of int, shape (n_rows,)
        Which run each row belongs to; every row its own where runs are unknown.
    index : ndarray of int, shape (n_rows,)
        Of the table's frame.
    n_dropped : int
        Included rows without a value in some column the law needs, or without a weight.
    weights : ndarray, shape (n_rows,), or None
        As the objective takes them; None where all rows count alike.
    """

    inputs: list[Array]
    target: Array
    clusters: Array
    index: Array
    n_dropped: int
    weights: Array | None = None


def usable_rows(law: Law, table: LossTable, options: FitOptions | None = None) -> Rows:
    """Return the included rows that have every column the law needs, and a weight if asked for.

    Raises
    ------
    TooFewRows
        If there are fewer than the law has parameters.
    FitError
        If a weight is none.
    TableError
        If the table lacks a column.
    """
    options = options or FitOptions()
    columns = [table.values(item.column) for item in law.inputs]
    target = table.values(law.response)
    is_usable = np.isfinite(np.stack([*columns, target])).all(axis=0)
    weights = None
    if options.weights:
        weights = column_weights(table, options, is_log=options.objective in LOG_OBJECTIVES)
        is_usable &= weights > 0
    frame = table.included()
    n_rows, n_params = int(is_usable.sum()), len(law.params)
    if n_rows < n_params:
        raise TooFewRows(
            lazy_gettext(
                "{label} has {n_params} parameters, but the table has {usable}.",
                label=law.label,
                n_params=n_params,
                usable=lazy_ngettext("{n:,} usable row", "{n:,} usable rows", n_rows),
            ),
            detail=lazy_gettext(
                "Rows need a value in {inputs} and {response}.",
                inputs=", ".join([i.column for i in law.inputs]),
                response=said_response(law.response),
            ),
            hint=lazy_gettext(
                "Add at least {rows} or choose a law with fewer parameters.",
                rows=lazy_ngettext("{n:,} row", "{n:,} rows", n_params - n_rows),
            ),
        )
    clusters = np.arange(len(frame))
    if "run_id" in frame:
        named = frame["run_id"].notna().to_numpy()
        codes = frame["run_id"].astype("category").cat.codes.to_numpy()
        clusters = np.where(named, codes, len(frame) + clusters)
    _, clusters = np.unique(clusters[is_usable], return_inverse=True)
    return Rows(
        inputs=[np.ascontiguousarray(column[is_usable]) for column in columns],
        target=target[is_usable],
        clusters=clusters,
        index=frame.index.to_numpy()[is_usable].astype(np.int64),
        n_dropped=int((~is_usable).sum()),
        weights=None if weights is None else scaled(weights[is_usable], options),
    )


def problem_on(law: Law, rows: Rows, options: FitOptions) -> Problem:
    """Return what a fit of a law to rows minimises.

    Raises
    ------
    FitError
        If a log objective meets a loss that is not positive.
    """
    return make_problem(law.derived, rows.inputs, rows.target, options, rows.weights)


def settled(options: FitOptions, rows: Rows) -> FitOptions:
    """Return the options with what ``"auto"`` comes to on these rows.

    Rows of one run are not independent: whole runs are resampled where several rows come from one,
    and there are enough runs for it; else rows, by smooth random weights. What a column of weights
    holds goes by its name.
    """
    options = replace(options, weight_kind=weight_kind(options))
    if options.bootstrap != "auto":
        return options
    n_runs = len(np.unique(rows.clusters))
    by_run = FEWEST_CLUSTERS <= n_runs < len(rows.clusters)
    return replace(options, bootstrap="clusters" if by_run else "smooth")

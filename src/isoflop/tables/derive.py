"""Columns that follow from others: compute from parameters and tokens, and the like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FLOP_PER_PARAM_TOKEN = 6.0
"""Training FLOP per parameter and token, forward and backward (Kaplan et al. 2020, 2001.08361)."""

COMPUTE_FORMULA = "6 * params * tokens"

_Columns = dict[str, NDArray[np.float64]]
_Rule = tuple[str, tuple[str, ...], Callable[..., NDArray[np.float64]], str]

# In order: a rule may use what an earlier one derived.
_RULES: tuple[_Rule, ...] = (
    (
        "params_nonembedding",
        ("params", "params_embedding"),
        lambda params, embedding: params - embedding,
        "params - params_embedding",
    ),
    (
        "params",
        ("params_nonembedding", "params_embedding"),
        lambda nonembedding, embedding: nonembedding + embedding,
        "params_nonembedding + params_embedding",
    ),
    ("params", ("params_nonembedding",), lambda n: n.copy(), "params_nonembedding"),
    (
        "tokens",
        ("tokens_per_param", "params"),
        lambda ratio, params: ratio * params,
        "tokens_per_param * params",
    ),
    (
        "tokens",
        ("step", "batch_tokens"),
        lambda step, batch: step * batch,
        "step * batch_tokens",
    ),
    (
        "compute_flop",
        ("params", "tokens"),
        lambda params, tokens: FLOP_PER_PARAM_TOKEN * params * tokens,
        COMPUTE_FORMULA,
    ),
    (
        "tokens",
        ("compute_flop", "params"),
        lambda flop, params: flop / (FLOP_PER_PARAM_TOKEN * params),
        "compute_flop / (6 * params)",
    ),
    (
        "params",
        ("compute_flop", "tokens"),
        lambda flop, tokens: flop / (FLOP_PER_PARAM_TOKEN * tokens),
        "compute_flop / (6 * tokens)",
    ),
    (
        "unique_tokens",
        ("tokens", "epochs"),
        lambda tokens, epochs: tokens / np.maximum(epochs, 1.0),
        "tokens / epochs",
    ),
)


def derive(columns: _Columns) -> dict[str, str]:
    """Add the columns that are missing and follow from those present, in place.

    Parameters
    ----------
    columns : dict of str to ndarray, shape (n_rows,)
        Canonical numeric columns; gains the derived ones.

    Returns
    -------
    dict of str to str
        Derived column and the formula that it was derived by.
    """
    derived: dict[str, str] = {}
    for target, sources, compute, formula in _RULES:
        if target not in columns and all(source in columns for source in sources):
            with np.errstate(all="ignore"):
                values = compute(*(columns[source] for source in sources))
            low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
            if not (low > 0 and high < np.inf):  # NaN fails too
                values = np.where(np.isfinite(values) & (values > 0), values, np.nan)
            columns[target] = values
            derived[target] = formula
    return derived


_SIZES = ("params", "params_nonembedding")
_TRIANGLE: tuple[_Rule, ...] = tuple(
    rule for rule in _RULES if {rule[0], *rule[1]} == {"params", "tokens", "compute_flop"}
)


def fill(
    columns: _Columns, gaps: dict[str, NDArray[np.bool_]], runs: NDArray[np.intp] | None
) -> dict[str, str]:
    """Fill empty cells that follow from the same run or the same row, in place.

    Parameters
    ----------
    columns : dict of str to ndarray, shape (n_rows,)
    gaps : dict of str to ndarray of bool, shape (n_rows,)
        Cells that may be filled.
    runs : ndarray of int, shape (n_rows,), or None
        Which run each row of a log belongs to; None where rows are no log.

    Returns
    -------
    dict of str to str
        Column and how its empty cells were filled, and how many.
    """
    notes: dict[str, list[str]] = {}

    def put(name: str, values: NDArray[np.float64], how: str) -> None:
        usable = gaps[name] & np.isfinite(values) & (values > 0)
        if usable.any():
            columns[name] = np.where(usable, values, columns[name])
            gaps[name] &= ~usable
            notes.setdefault(name, []).append(f"{how} ({int(usable.sum()):,} empty cells)")

    for name in gaps:
        if runs is not None and name in _SIZES:
            put(name, _constant_of_run(columns[name], runs), "the run's only value")
        elif runs is not None:
            along = _along_steps(columns[name], columns["step"], runs)
            put(name, along, "interpolated along step")
    for target, sources, compute, formula in _TRIANGLE:
        if target in gaps and all(source in columns for source in sources):
            with np.errstate(all="ignore"):
                put(target, compute(*(columns[source] for source in sources)), formula)
    return {name: "; ".join(parts) for name, parts in notes.items()}


def _constant_of_run(values: NDArray[np.float64], runs: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return, for every row, the value that its run has throughout; NaN if it has several."""
    result = np.full(len(values), np.nan)
    for rows in _rows_of_runs(runs):
        known = np.unique(values[rows][np.isfinite(values[rows])])
        if len(known) == 1:
            result[rows] = known[0]
    return result


def _along_steps(
    values: NDArray[np.float64], steps: NDArray[np.float64], runs: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Interpolate between a run's known values; never beyond its first and last."""
    result = np.full(len(values), np.nan)
    for rows in _rows_of_runs(runs):
        known = rows[np.isfinite(values[rows]) & np.isfinite(steps[rows])]
        if len(known) >= 2:
            known = known[np.argsort(steps[known], kind="stable")]
            result[rows] = np.interp(
                steps[rows], steps[known], values[known], left=np.nan, right=np.nan
            )
    return result


def _rows_of_runs(runs: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    order = np.argsort(runs, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(runs[order])) + 1)

"""Columns that follow from others: compute from parameters and tokens, and the like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from isoflop.language import lazy_gettext as _

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
    ("params", ("params_active",), lambda n: n.copy(), "params_active"),
    (
        "tokens",
        ("tokens_per_param", "params"),
        lambda ratio, params: ratio * params,
        "tokens_per_param * params",
    ),
    (
        "tokens",
        ("unique_tokens", "epochs"),
        lambda unique, epochs: unique * epochs,
        "unique_tokens * epochs",
    ),
    (
        "tokens",
        ("step", "batch_tokens"),
        lambda step, batch: step * batch,
        "step * batch_tokens",
    ),
    (
        "compute_flop",
        ("params_active", "tokens"),
        lambda active, tokens: FLOP_PER_PARAM_TOKEN * active * tokens,
        "6 * params_active * tokens",
    ),
    (
        "tokens",
        ("compute_flop", "params_active"),
        lambda flop, active: flop / (FLOP_PER_PARAM_TOKEN * active),
        "compute_flop / (6 * params_active)",
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
    derived = _tokens_of_compute(columns)
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


# Of one token, in multiples of N: a forward and backward pass, and a forward pass alone.
_FLOP_PER_TOKEN = {1.0: (4.0, 20.0), 3.0: (1.4, 4.0)}


def _tokens_of_compute(columns: _Columns) -> dict[str, str]:
    """Add tokens that follow from compute and compute per token, which N tells what it is of."""
    sources = {"compute_flop", "flop_per_token", "params"}
    if "tokens" in columns or not sources <= set(columns):
        return {}
    with np.errstate(all="ignore"):
        ratios = columns["flop_per_token"] / columns["params"]
        if not np.isfinite(ratios).any():
            return {}
        per_param = float(np.nanmedian(ratios))
        for passes, (low, high) in _FLOP_PER_TOKEN.items():
            if low <= per_param < high:
                columns["tokens"] = columns["compute_flop"] / (passes * columns["flop_per_token"])
                times = "" if passes == 1 else f"({passes:g} * flop_per_token)"
                return {"tokens": f"compute_flop / {times or 'flop_per_token'}"}
    return {}


_COUNTS = ("params", "params_nonembedding")


def _triangle(columns: _Columns) -> tuple[_Rule, ...]:
    """Return the rules between N, D and C: of active parameters, for a mixture of experts."""
    size = "params_active" if "params_active" in columns else "params"
    sides = {size, "tokens", "compute_flop"}
    return tuple(rule for rule in _RULES if {rule[0], *rule[1]} == sides)


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
            notes.setdefault(name, []).append(
                _("{how} ({sum:,} empty cells)", how=how, sum=int(usable.sum()))
            )

    for name in gaps:
        if runs is not None and name in _COUNTS:
            put(name, _constant_of_run(columns[name], runs), _("the run's only value"))
        elif runs is not None:
            along = _along_steps(columns[name], columns["step"], runs)
            put(name, along, _("interpolated along step"))
    for target, sources, compute, formula in _triangle(columns):
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

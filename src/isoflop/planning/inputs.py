"""What a law is asked: the value of every input for a model of given size and tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import PlanError
from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext as _
from isoflop.laws import Input, Law, published_fit_for_role
from isoflop.planning.rule import ComputeRule

PARAMS_COLUMNS = frozenset({"params", "params_nonembedding", "params_active"})
DATA_COLUMNS = frozenset({"tokens", "unique_tokens", "compute_flop", "tokens_per_param"})


SETTLED = (PARAMS_COLUMNS | DATA_COLUMNS) - {"unique_tokens"}
"""Columns whose values a plan makes; of unique tokens there may be fewer than tokens."""


def other_inputs(law: Law) -> tuple[str, ...]:
    """Return the table columns of a law's inputs that a budget does not settle."""
    settled = PARAMS_COLUMNS | DATA_COLUMNS
    return tuple(item.column for item in law.inputs if item.column not in settled)


def trades_size_for_data(law: Law) -> bool:
    """Say whether a law takes both model size and data, so that one may be too large.

    The loss of any other law is flat or monotone along a line of equal compute.
    """
    columns = {item.column for item in law.inputs}
    return bool(columns & PARAMS_COLUMNS) and bool(columns & DATA_COLUMNS)


def inputs_at(
    law: Law,
    params: NDArray[np.float64],
    tokens: NDArray[np.float64],
    fixed: Mapping[str, ArrayLike] | None = None,
    *,
    rule: ComputeRule,
) -> dict[str, NDArray[np.float64]]:
    """Return the value of every input of a law for models of given size and tokens.

    Parameters
    ----------
    law : Law
    params, tokens : ndarray, shape (..., n)
        The size is taken in whatever convention the law was fitted in.
    fixed : mapping of str to array_like, optional
        Values of the other inputs, by table column. Unique tokens default to the tokens: no
        repetition.
    rule : ComputeRule
        How size and tokens make the compute that a law of compute is asked at: that of training.

    Returns
    -------
    dict of str to ndarray
        By the law's symbol.

    Raises
    ------
    PlanError
        If an input is neither size, tokens nor compute, and ``fixed`` does not give it.
    """
    known = {
        **dict.fromkeys(PARAMS_COLUMNS, params),
        "tokens": tokens,
        "unique_tokens": tokens,
        "tokens_per_param": tokens / params,
    }
    if has_column(law, "compute_flop"):  # a correction is dear where many draws are planned
        known["compute_flop"] = rule.training_flop(params, tokens)
    for column, value in (fixed or {}).items():
        known[column] = np.asarray(value, dtype=np.float64)
    if fixed and "unique_tokens" in fixed:
        known["unique_tokens"] = np.minimum(tokens, fixed["unique_tokens"])
    missing = [item for item in law.inputs if item.column not in known]
    if missing:
        names = ", ".join(item.label or item.column for item in missing)
        raise PlanError(
            _("The law {label} needs more than a model size and tokens.", label=law.label),
            detail=_("No value was given for: {names}.", names=names),
            hint=_("Give a value for each, or choose a law of parameters, tokens or compute."),
        )
    return {item.symbol: known[item.column] for item in law.inputs}


def extrapolation_decades(
    fit: Fit, inputs: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Return how far each input lies beyond the fitted rows, in decades; 0 inside.

    Parameters
    ----------
    fit : Fit
    inputs : mapping of str to ndarray, shape (...)
        By the law's symbol.

    Returns
    -------
    dict of str to ndarray, shape (...)
        By symbol; positive above the rows, negative below.
    """
    decades = {}
    for symbol, value in inputs.items():
        low, high = fit.input_ranges.get(symbol, (0.0, np.inf))
        decades[symbol] = np.log10(value / np.clip(value, low, high))
    return decades


def has_column(law: Law, column: str) -> bool:
    """Say whether a law takes a table column as an input."""
    return any(item.column == column for item in law.inputs)


def with_repetition(law: Law) -> Law:
    """Return the law with repeated tokens worth less, by the published data-constrained law.

    A law that it reduces to without repetition becomes that law itself; in any other, the tokens
    are replaced by the unique tokens that are worth as much, and excess parameters keep their full
    worth.

    Parameters
    ----------
    law : Law
        A law of tokens. Its parameters stay as they are.

    Returns
    -------
    Law
        With one more input, the unique tokens; the law itself if it has that input already.

    Raises
    ------
    PlanError
        If the law has no tokens to repeat.

    References
    ----------
    Muennighoff et al., arXiv 2305.16264, equations 5 and 6.
    """
    if has_column(law, "unique_tokens"):
        return law
    symbol = next((item.symbol for item in law.inputs if item.column == "tokens"), None)
    if symbol is None:
        raise PlanError(
            _("The law {label} does not say what repeated tokens are worth.", label=law.label),
            detail=_("It has no input for the number of tokens."),
            hint=_("Choose a law of parameters and tokens, or do not repeat."),
        )
    published = published_fit_for_role("repetition")
    if law.key in published.reduces_to:
        formula = _rename(published.law.formula, published.reduces_to[law.key])
        unique = "U"
    else:
        unique, worth = _unused(law, "U"), _unused(law, "D_worth")
        repeats = f"max({symbol}/{unique} - 1, 0)"
        decay = f"(1 + RD_star*(1 - exp(-{repeats}/RD_star)))"
        lines = _rename(law.formula, {symbol: worth})
        formula = f"{worth} = min({symbol}, {unique})*{decay}\n{lines}"
    decays = {name: f"{published.values[name]!r}" for name in ("RD_star", "RN_star")}
    return replace(
        law,
        key=f"{law.key}+repetition",
        label=_("{label}, repeated tokens", label=law.label),
        formula=_rename(formula, decays),
        inputs=(
            *law.inputs,
            Input(symbol=unique, column="unique_tokens", label=_("Unique tokens U")),
        ),
        source=_(
            "{source}; repetition: {repetition}", source=law.source, repetition=published.source
        ).lstrip("; "),
    )


def _rename(formula: str, names: Mapping[str, str]) -> str:
    """Replace whole names in a formula."""
    return re.sub(r"[A-Za-z_]\w*", lambda match: names.get(match[0], match[0]), formula)


def _unused(law: Law, name: str) -> str:
    """Return the name, lengthened until the law's formula does not use it."""
    while re.search(rf"\b{name}\b", law.formula):
        name += "_"
    return name

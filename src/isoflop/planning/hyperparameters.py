"""Published rules for batch size and learning rate, flagged where they were not fitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from math import isfinite, log10, prod
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError, PlanError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.planning.rule import SIX_ND

HYPERPARAMETERS_FILE = "hyperparameters.toml"

_OPTIONAL = frozenset({"input_units", "result_unit", "limits_batch"})
Quantity = Literal["learning_rate", "batch_tokens", "critical_batch_tokens"]
INPUTS = frozenset({"params_nonembedding", "tokens", "compute_flop", "loss_nats_per_token"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperparameterRule:
    """One published rule: a coefficient times a product of powers of its inputs.

    Parameters
    ----------
    key, label, help : str
    quantity : {"learning_rate", "batch_tokens", "critical_batch_tokens"}
        What it gives; batches in tokens per step.
    coefficient : float
    exponents : mapping of str to float
        By input: ``params_nonembedding``, ``tokens``, ``compute_flop``, ``loss_nats_per_token``.
    valid : mapping of str to (float, float)
        Range of each input among the runs that the rule was fitted on.
    source, retrieved : str
    limits_batch : bool
        Whether a plan's batch is held to it.
    """

    key: str
    label: str
    quantity: Quantity
    coefficient: float
    exponents: Mapping[str, float]
    valid: Mapping[str, tuple[float, float]]
    help: str
    source: str
    retrieved: str
    limits_batch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperparameterHint:
    """What one rule says for one run.

    Parameters
    ----------
    rule : HyperparameterRule
    value : float
        Learning rate, or tokens per step.
    decades_outside : float
        How far the worst input lies outside the rule's range, in powers of ten; 0 inside.
    warning : str
        That in words; empty inside.
    """

    rule: HyperparameterRule
    value: float
    decades_outside: float
    warning: str


@once
def load_hyperparameter_rules() -> Mapping[str, HyperparameterRule]:
    """Return every rule that ships, by key.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    names = {field.name for field in fields(HyperparameterRule)} - {"key", "limits_batch"}
    rules = {}
    for key, entry in read_toml(HYPERPARAMETERS_FILE).items():
        where = _(
            "{key} of {hyperparameters_file}", key=key, hyperparameters_file=HYPERPARAMETERS_FILE
        )
        require_keys(
            entry,
            where=where,
            required=names,
            optional={"input_units", "result_unit", "limits_batch"},
        )
        unknown = (entry["exponents"].keys() | entry["valid"].keys()) - INPUTS
        if unknown or entry["quantity"] not in get_args(Quantity):
            raise CatalogError(
                _("The data file entry {where} is malformed.", where=where),
                detail=_(
                    "unknown inputs: {unknown}; quantity: {entry}",
                    unknown=", ".join(sorted(unknown)) or _("none"),
                    entry=entry["quantity"],
                ),
            )
        rules[key] = HyperparameterRule(
            key=key,
            label=entry["label"],
            quantity=entry["quantity"],
            coefficient=_canonical_coefficient(entry),
            exponents=entry["exponents"],
            valid={name: (lower, upper) for name, (lower, upper) in entry["valid"].items()},
            help=entry["help"],
            source=entry["source"],
            retrieved=entry["retrieved"],
            limits_batch=entry.get("limits_batch", False),
        )
    return MappingProxyType(rules)


def _canonical_coefficient(entry: Mapping[str, Any]) -> float:
    """Return the coefficient for inputs in single parameters and results in tokens."""
    units = entry.get("input_units", {})
    scale = prod(unit ** -entry["exponents"][name] for name, unit in units.items())
    return float(entry["coefficient"] * entry.get("result_unit", 1) * scale)


@once
def batch_rule() -> HyperparameterRule:
    """Return the rule that holds a plan's batch: the critical batch by the data alone."""
    return next(rule for rule in load_hyperparameter_rules().values() if rule.limits_batch)


def largest_batch_tokens(tokens: ArrayLike) -> NDArray[np.float64]:
    """Return the most tokens of a step before larger ones take many more of them, by the data."""
    rule = batch_rule()
    data = np.asarray(tokens, dtype=np.float64)
    return np.asarray(rule.coefficient * data ** rule.exponents["tokens"])


def critical_batch_tokens(hints: Iterable[HyperparameterHint]) -> float | None:
    """Return the largest critical batch that the rules give; None where none gives one."""
    return max(
        (hint.value for hint in hints if hint.rule.quantity == "critical_batch_tokens"),
        default=None,
    )


def hyperparameter_hints(
    *,
    params_nonembedding: float,
    tokens: float,
    compute_flop: float | None = None,
    loss_nats_per_token: float | None = None,
) -> tuple[HyperparameterHint, ...]:
    """Evaluate every rule whose inputs are known.

    Parameters
    ----------
    params_nonembedding : float
        Active ones for a mixture of experts.
    tokens : float
    compute_flop : float, optional
        Training FLOP without embeddings; 6 x parameters x tokens if absent.
    loss_nats_per_token : float, optional
        Loss at which to give the critical batch.

    Returns
    -------
    tuple of HyperparameterHint
        In the order of the data file; rules that lack an input are left out.

    Raises
    ------
    PlanError
        Naming every input that is not positive and finite.
    """
    given = {
        "params_nonembedding": params_nonembedding,
        "tokens": tokens,
        "compute_flop": compute_flop or float(SIX_ND.training_flop(params_nonembedding, tokens)),
    }
    if loss_nats_per_token is not None:
        given["loss_nats_per_token"] = loss_nats_per_token
    problems = [
        f"{name} = {value:g}"
        for name, value in given.items()
        if not (isfinite(value) and value > 0)
    ]
    if problems:
        raise PlanError(
            _("Batch-size and learning-rate rules need positive inputs."),
            detail=joined("\n", problems),
        )
    return tuple(
        _hint(rule, given)
        for rule in load_hyperparameter_rules().values()
        if rule.exponents.keys() <= given.keys()
    )


def _hint(rule: HyperparameterRule, given: Mapping[str, float]) -> HyperparameterHint:
    value = rule.coefficient * prod(
        given[name] ** exponent for name, exponent in rule.exponents.items()
    )
    outside: dict[str, float] = {}
    for name, (lower, upper) in rule.valid.items():
        if name in given:
            outside[name] = max(0.0, log10(lower / given[name]), log10(given[name] / upper))
    worst = max(outside, key=lambda name: outside[name])
    warning = ""
    if outside[worst] > 0:
        lower, upper = rule.valid[worst]
        warning = _(
            "Outside the range it was fitted on by {outside:.1f} decades: "
            "{input_names} from {lower:.2g} to {upper:.2g}.",
            outside=outside[worst],
            input_names=_INPUT_NAMES[worst],
            lower=lower,
            upper=upper,
        )
    return HyperparameterHint(
        rule=rule, value=value, decades_outside=outside[worst], warning=warning
    )


_INPUT_NAMES = {
    "params_nonembedding": _("non-embedding parameters"),
    "tokens": "tokens",
    "compute_flop": "FLOP",
    "loss_nats_per_token": "loss",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTradeOff:
    """What a batch size costs in steps and in data, against the least of either.

    Parameters
    ----------
    steps_ratio : float
        Steps over the least number of steps (of an unlimited batch).
    tokens_ratio : float
        Tokens over the least number of tokens (of a tiny batch).
    """

    steps_ratio: float
    tokens_ratio: float


def batch_trade_off(batch_tokens: float, critical_batch_tokens: float) -> BatchTradeOff:
    """Return the price of a batch size: (S / S_min - 1)(E / E_min - 1) = 1.

    At the critical batch both are 2: twice the steps, twice the data.

    Raises
    ------
    PlanError
        If either is not positive and finite.

    References
    ----------
    McCandlish et al. 2018, arXiv 1812.06162, equation 2.11.
    """
    if not all(isfinite(size) and size > 0 for size in (batch_tokens, critical_batch_tokens)):
        raise PlanError(
            _("A batch needs a positive number of tokens."),
            detail=f"batch = {batch_tokens:g}, critical = {critical_batch_tokens:g}",
        )
    ratio = batch_tokens / critical_batch_tokens
    return BatchTradeOff(steps_ratio=1 + 1 / ratio, tokens_ratio=1 + ratio)

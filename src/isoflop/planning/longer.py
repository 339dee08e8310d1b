"""Smaller models trained longer to the loss of a plan, and when inference pays for them.

The same sum as the least compute of a target loss: with inference tokens it gives the model of
least compute over its lifetime (Sardana et al., arXiv 2401.00448), and at a fixed size the price of
a smaller, longer-trained model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from isoflop.fitting.result import Fit
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext as _
from isoflop.planning.inputs import inputs_at
from isoflop.planning.inverse import cheapest, tokens_for_loss
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.text import as_html

Array = NDArray[np.float64]

LISTED_FACTORS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
FACTORS = np.unique(np.round(np.append(np.geomspace(1.0, 16.0, 33), LISTED_FACTORS), 9))
"""How many times smaller than the plan's the models are unless given."""

N_DEMANDS = 25
FEWEST_DEMAND, MOST_DEMAND = 1 / 30, 300.0
"""Inference tokens over the training tokens of the plan, the ends of the range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallerModel:
    """A smaller model trained longer to the same loss.

    Parameters
    ----------
    factor : float
        How many times smaller than the best model.
    params, tokens : float
        Tokens are infinite where the loss is out of its reach.
    compute_flop : float
        Of training.
    compute_ratio, tokens_ratio : float
        Over those of the best model.
    break_even_tokens : float
        Inference tokens after which its cheaper use has paid for its longer training.
    """

    factor: float
    params: float
    tokens: float
    compute_flop: float
    compute_ratio: float
    tokens_ratio: float
    break_even_tokens: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmallerModels(Keyed):
    """Models some times smaller than one, trained to its loss.

    Parameters
    ----------
    loss : float
    models : tuple of SmallerModel
        One for every factor, the largest first.
    """

    loss: float
    models: tuple[SmallerModel, ...]
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<SmallerModels: {len(self.models)} of loss {self.loss:.4g}>"

    def _repr_html_(self) -> str:
        return as_html(_("Models of loss {loss:.4g}", loss=self.loss), self.to_frame())

    @property
    def reachable(self) -> tuple[SmallerModel, ...]:
        """Those that some number of tokens brings to the loss."""
        return tuple(model for model in self.models if np.isfinite(model.tokens))

    @property
    def listed(self) -> tuple[SmallerModel, ...]:
        """Those of them that a table names, whole times smaller."""
        return tuple(model for model in self.reachable if model.factor in LISTED_FACTORS)

    @property
    def smallest(self) -> SmallerModel | None:
        """The last that reaches the loss, where smaller ones do not."""
        reachable = self.reachable
        return reachable[-1] if len(reachable) < len(self.models) else None

    def to_frame(self) -> pd.DataFrame:
        """Return a row a model, in canonical units."""
        return pd.DataFrame([asdict(model) for model in self.models])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lifetime(Keyed):
    """The models of one loss and least lifetime compute, over inference demand.

    Parameters
    ----------
    loss : float
    inference_tokens : ndarray, shape (n,)
    params, tokens, compute_flop : ndarray, shape (n,)
        Compute of training and of all inference.
    """

    loss: float
    inference_tokens: Array
    params: Array
    tokens: Array
    compute_flop: Array
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<Lifetime: {len(self.inference_tokens)} demands at loss {self.loss:.4g}>"

    def _repr_html_(self) -> str:
        return as_html(_("Models of least lifetime compute"), self.to_frame())

    def to_frame(self) -> pd.DataFrame:
        """Return a row a demand, in canonical units."""
        names = ("inference_tokens", "params", "tokens", "compute_flop")
        return pd.DataFrame({name: getattr(self, name) for name in names})


def smaller_models(
    fit: Fit,
    params: float,
    tokens: float,
    factors: ArrayLike = FACTORS,
    *,
    rule: ComputeRule = SIX_ND,
    fixed: Mapping[str, float] | None = None,
) -> SmallerModels:
    """Say what models some times smaller cost in tokens and compute for the same loss.

    Parameters
    ----------
    fit : Fit
    params, tokens : float
        The model to compare with.
    factors : array_like, shape (n,)
        How many times smaller, 1 or more.
    rule, fixed
        As `isoflop.planning.inverse.cheapest`.

    Returns
    -------
    SmallerModels
    """
    factor = np.asarray(factors, dtype=np.float64)
    target = _loss(fit, params, tokens, rule, fixed)
    size = params / factor
    needed = tokens_for_loss(fit.law, fit.theta, size, target, rule=rule, fixed=fixed)
    flop, flop_of_best = rule.training_flop(size, needed), rule.training_flop(params, tokens)
    used, used_by_best = (
        rule.flop_per_token(each) * rule.inference_share(each) for each in (size, params)
    )
    saved_per_token = used_by_best - used
    with np.errstate(divide="ignore", invalid="ignore"):
        break_even = np.where(saved_per_token > 0, (flop - flop_of_best) / saved_per_token, 0.0)
    columns = np.broadcast_arrays(
        factor, size, needed, flop, flop / flop_of_best, needed / tokens, break_even
    )
    models = tuple(
        SmallerModel(
            factor=float(row[0]),
            params=float(row[1]),
            tokens=float(row[2]),
            compute_flop=float(row[3]),
            compute_ratio=float(row[4]),
            tokens_ratio=float(row[5]),
            break_even_tokens=float(row[6]),
        )
        for row in zip(*columns, strict=True)
    )
    return SmallerModels(loss=target, models=models)


def lifetime(
    fit: Fit,
    params: float,
    tokens: float,
    inference_tokens: ArrayLike | None = None,
    *,
    rule: ComputeRule = SIX_ND,
    fixed: Mapping[str, float] | None = None,
) -> Lifetime:
    """Find the models of one loss that take the least compute, training and inference together.

    Parameters
    ----------
    fit : Fit
    params, tokens : float
        The model whose loss is to be reached.
    inference_tokens : array_like, shape (n,), optional
        By default from a thirtieth to three hundred times the tokens.
    rule, fixed
        As `isoflop.planning.inverse.cheapest`.
    """
    if inference_tokens is None:
        inference_tokens = np.geomspace(FEWEST_DEMAND * tokens, MOST_DEMAND * tokens, N_DEMANDS)
    demand = np.asarray(inference_tokens, dtype=np.float64)
    loss = _loss(fit, params, tokens, rule, fixed)
    best = cheapest(fit.law, fit.theta, loss, rule=rule, inference_tokens=demand, fixed=fixed)
    return Lifetime(
        loss=loss,
        inference_tokens=demand,
        params=best.params,
        tokens=best.tokens,
        compute_flop=best.compute_flop,
    )


def _loss(
    fit: Fit,
    params: float,
    tokens: float,
    rule: ComputeRule,
    fixed: Mapping[str, float] | None,
) -> float:
    inputs = inputs_at(fit.law, np.array([params]), np.array([tokens]), fixed, rule=rule)
    return float(fit.law.loss(fit.theta, inputs)[0])

"""How model size and tokens make compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.language import lazy_gettext
from isoflop.tables.derive import FLOP_PER_PARAM_TOKEN

PARAMS_SEARCHED, N_HALVINGS = (1.0, 1e30), 60

FORWARD_SHARE = 1 / 3
"""Of the FLOP of a training token, which also goes backward at twice the price."""

Correction = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeRule:
    """How model size and tokens make compute: C = k f(N) N (D + r(N) D_inference).

    Parameters
    ----------
    flop_per_param_token : float
        Training FLOP for each parameter and token, k: 6 for a forward and a backward pass (Kaplan
        et al., arXiv 2001.08361).
    correction : callable, optional
        f(N), by which a model of N parameters costs more than k FLOP per parameter and token, such
        as for attention; none by default.
    lifetime_inference_tokens : float
        Tokens that the model will process later, each costing a third of a training token, to be
        paid from the same budget (Sardana et al., arXiv 2401.00448).
    inference_ratio : callable, optional
        r(N), what an inference token costs in training tokens of the same model; a third, its share
        of the FLOP, by default.
    label : str
        The convention in words.
    """

    flop_per_param_token: float = FLOP_PER_PARAM_TOKEN
    correction: Correction | None = None
    lifetime_inference_tokens: float = 0.0
    inference_ratio: Correction | None = None
    label: str = lazy_gettext("6 FLOP per parameter and token")

    @property
    def is_product(self) -> bool:
        """Whether compute is a multiple of size times tokens, and nothing more."""
        return self.correction is None and not self.lifetime_inference_tokens

    def flop_per_token(self, params: ArrayLike) -> NDArray[np.float64]:
        """Return the training FLOP for each token of models of this size."""
        size = np.asarray(params, dtype=np.float64)
        factor = 1.0 if self.correction is None else self.correction(size)
        return np.asarray(self.flop_per_param_token * factor * size)

    def training_flop(self, params: ArrayLike, tokens: ArrayLike) -> NDArray[np.float64]:
        """Return the FLOP of training alone."""
        return np.asarray(self.flop_per_token(params) * np.asarray(tokens))

    def inference_share(self, params: ArrayLike) -> NDArray[np.float64]:
        """Return what an inference token costs in training tokens of models of this size."""
        size = np.asarray(params, dtype=np.float64)
        if self.inference_ratio is None:
            return np.full(size.shape, FORWARD_SHARE)
        return self.inference_ratio(size)

    def lifetime_flop(self, params: ArrayLike, tokens: ArrayLike) -> NDArray[np.float64]:
        """Return the FLOP of training and of all inference, or as many as cost what it costs."""
        paid = np.asarray(tokens) + self.inference_share(params) * self.lifetime_inference_tokens
        return np.asarray(self.flop_per_token(params) * paid)

    def tokens(self, params: ArrayLike, compute_flop: ArrayLike) -> NDArray[np.float64]:
        """Return the training tokens that the compute leaves for models of this size.

        Negative where inference alone costs more than the compute.
        """
        affordable = np.asarray(compute_flop) / self.flop_per_token(params)
        served = self.inference_share(params) * self.lifetime_inference_tokens
        return np.asarray(affordable - served)

    def params(self, compute_flop: ArrayLike, tokens_per_param: ArrayLike) -> NDArray[np.float64]:
        """Return the size of models that the compute trains on so many tokens for each parameter.

        Parameters
        ----------
        compute_flop, tokens_per_param : array_like
            Broadcast against each other.
        """
        flop, ratio = np.broadcast_arrays(compute_flop, tokens_per_param)
        low, high = (np.full(flop.shape, np.log(end)) for end in PARAMS_SEARCHED)
        for _ in range(N_HALVINGS):
            middle = (low + high) / 2
            size = np.exp(middle)
            is_affordable = self.lifetime_flop(size, ratio * size) <= flop
            low, high = np.where(is_affordable, middle, low), np.where(is_affordable, high, middle)
        return np.asarray(np.exp(low))


SIX_ND = ComputeRule()
"""The convention of tables that give no compute of their own, and the rule unless one is given."""

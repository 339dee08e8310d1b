"""Parameters and FLOP by component: what every count in this package returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EMBEDDING_COMPONENTS = frozenset(
    {"token_embedding", "per_layer_embedding", "position_embedding", "lm_head"}
)
"""Components that count as embedding; a tied head adds nothing to the token embedding."""

MLP_COMPONENTS = ("mlp", "experts", "shared_experts", "router")
"""Components of the feed-forward layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCount:
    """Learned parameters of one model, by component.

    Parameters
    ----------
    by_component : mapping of str to int
        Parameters held. Keys: ``token_embedding``, ``per_layer_embedding``,
        ``position_embedding`` (with segments), ``attention``, ``recurrent``, ``mlp``, ``experts``,
        ``shared_experts``, ``router``, ``norm``, ``projection``, ``lm_head``; those that a model
        lacks are absent.
    active_by_component : mapping of str to int
        Parameters that one token passes through. Differs from ``by_component`` only in
        ``experts``. The whole embedding table counts as active, as in published active counts.
    """

    by_component: Mapping[str, int]
    active_by_component: Mapping[str, int]

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.by_component.values())

    @property
    def active(self) -> int:
        """Parameters that one token passes through, embeddings included."""
        return sum(self.active_by_component.values())

    @property
    def embedding(self) -> int:
        """Token and position embeddings and an untied language-model head."""
        return sum(
            count for name, count in self.by_component.items() if name in EMBEDDING_COMPONENTS
        )

    @property
    def nonembedding(self) -> int:
        """All parameters but the embeddings and the head (Kaplan et al., arXiv 2001.08361)."""
        return self.total - self.embedding

    @property
    def mlp(self) -> int:
        """Those of all feed-forward layers: dense ones, experts and their routers."""
        return sum(self.by_component.get(name, 0) for name in MLP_COMPONENTS)

    @property
    def active_nonembedding(self) -> int:
        """Active parameters but the embeddings and the head."""
        return self.active - self.embedding


@dataclass(frozen=True, slots=True, kw_only=True)
class FlopCount:
    """FLOP per token of one model under one convention, by component.

    A multiplication and an addition are two FLOP. The backward pass costs twice the forward pass.
    Recomputed activations are kept apart: they count for what the hardware does (HFU), never for
    what the model needs (MFU).

    Parameters
    ----------
    convention : str
        How it was counted.
    forward_by_component_flop : mapping of str to float
        FLOP per token of the forward pass.
    recompute_flop : float
        FLOP per token that the backward pass spends on recomputing activations.
    """

    convention: str
    forward_by_component_flop: Mapping[str, float]
    recompute_flop: float = 0.0

    @property
    def forward_flop(self) -> float:
        """FLOP per token of the forward pass."""
        return float(sum(self.forward_by_component_flop.values()))

    @property
    def training_flop(self) -> float:
        """Model FLOP per trained token: forward and backward, without recomputation."""
        return 3.0 * self.forward_flop

    @property
    def hardware_flop(self) -> float:
        """FLOP per trained token that the hardware executes: with recomputation."""
        return self.training_flop + self.recompute_flop

    @property
    def hfu_per_mfu(self) -> float:
        """Hardware FLOP utilisation over model FLOP utilisation; 1 without recomputation."""
        return self.hardware_flop / self.training_flop

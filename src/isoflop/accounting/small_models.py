"""Exact parameter and FLOP counts of the small models that the live-training page trains.

Five families of next-token predictors in one shape: width, depth, vocabulary, context. The last
hidden state passes one LayerNorm before the head, which is the token embedding unless the two are
untied. LayerNorms have a gain and no bias; ``w`` is the width, ``e`` the width of the embedding
(``w`` unless given), ``V`` the vocabulary, ``T`` the context, ``L`` the depth.

Where ``e`` is not ``w``, recurrent layers and the dense net's window take ``e`` channels, a
transformer has a matrix e -> w before its blocks, and a tied head one w -> e before it.

- ``transformer``: L blocks of pre-norm multi-head attention (no biases, RoPE, QK-norm without
  learned parameters) and a squared-ReLU MLP w -> 4w -> w without biases; ``ceil(w / 32)`` heads.
- ``lstm``: L LSTM layers w -> w with the two bias vectors of cuDNN, those after the first as
  pre-norm residual branches.
- ``rnn``: L tanh Elman layers w -> w with two bias vectors, joined in the same way.
- ``rnn_attention``: ``rnn``, then additive attention (Bahdanau et al., arXiv 1409.0473) of each
  state over the states up to it, score = v . tanh(Wq h_t + Wk h_j) in ``max(8, w // 2)``
  dimensions, then tanh(Wc [h_t ; context]). None of Wq, Wk, Wc, v has a bias. Worked out in blocks
  of ``ADDITIVE_BLOCK`` tokens, each over the states up to its last, and counted so.
- ``dense``: the last T tokens' embeddings, concatenated, through one matrix to w, then L residual
  pre-norm MLP blocks as in ``transformer`` (Bengio et al., JMLR 2003, with a residual trunk). T is
  the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from isoflop.accounting.counts import FlopCount, ParameterCount
from isoflop.errors import ArchitectureError
from isoflop.language import lazy_gettext as _

SmallFamily = Literal["dense", "rnn", "rnn_attention", "lstm", "transformer"]
SMALL_FAMILIES: tuple[SmallFamily, ...] = get_args(SmallFamily)

MLP_RATIO = 4
"""Hidden over model width of an MLP block."""

HEAD_DIM = 32
"""Largest width of one attention head: two heads of 24 reach 1.594 nats per byte where one of 48
reaches 1.634 (width 48, 1M tokens)."""

ADDITIVE_BLOCK = 16
"""Tokens that additive attention works out at once, over the states up to the last of them. At a
context of 128 that is 72 states a token where 64.5 are needed; smaller blocks take longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallModel:
    """The shape of one small model.

    Parameters
    ----------
    family : {"dense", "rnn", "rnn_attention", "lstm", "transformer"}
    width : int
        Size of the embedding and of every hidden state.
    depth : int
        Recurrent layers or residual blocks.
    vocab : int
        Rows of the embedding table.
    context : int
        Tokens per training sequence; for ``dense`` the window.
    embedding_width : int
        Width of the token embedding where it is not ``width``; 0 where it is.
    is_tied : bool
        Whether the head is the token embedding.

    Raises
    ------
    ArchitectureError
        If a size is not a positive integer, or the width cannot be split into heads of even size.
    """

    family: SmallFamily
    width: int
    depth: int
    vocab: int
    context: int
    embedding_width: int = 0
    is_tied: bool = True

    def __post_init__(self) -> None:
        if self.family not in SMALL_FAMILIES:
            raise ArchitectureError(
                _("There is no small model family {family!r}.", family=self.family),
                hint=_("Choose one of {small_families}.", small_families=", ".join(SMALL_FAMILIES)),
            )
        for name in ("width", "depth", "vocab", "context"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ArchitectureError(
                    _("The {name} of a small model must be a positive integer.", name=name),
                    detail=f"{name} = {value!r}",
                )
        if self.embedding_width < 0:
            raise ArchitectureError(
                _(
                    "The width of an embedding must be a positive integer, or 0 for the "
                    "model's own."
                ),
                detail=f"embedding_width = {self.embedding_width!r}",
            )
        if self.family == "transformer" and self.width % (2 * self.n_heads):
            raise ArchitectureError(
                _(
                    "A width of {width} cannot be split into {n_heads} heads of even size.",
                    width=self.width,
                    n_heads=self.n_heads,
                ),
                hint=_(
                    "Choose a multiple of {head_dim}, or an even width up to {head_dim}.",
                    head_dim=HEAD_DIM,
                ),
            )

    @property
    def input_width(self) -> int:
        """Width of the token embedding."""
        return self.embedding_width or self.width

    @property
    def is_projected(self) -> bool:
        """Whether a tied head needs a matrix from the hidden width to the embedding's."""
        return self.is_tied and self.input_width != self.width

    @property
    def n_heads(self) -> int:
        """Attention heads of a transformer of this width."""
        return -(-self.width // HEAD_DIM)

    @property
    def score_width(self) -> int:
        """Dimensions in which additive attention compares two states."""
        return max(8, self.width // 2)

    @property
    def key(self) -> str:
        """Short name, such as ``"lstm-w64-d2"``."""
        return f"{self.family}-w{self.width}-d{self.depth}"


def count_small_parameters(model: SmallModel) -> ParameterCount:
    """Count the learned parameters of a small model, by component.

    Returns
    -------
    ParameterCount
        Equal, to the integer, to the sum over the torch module's parameters (tied ones once).
    """
    width, depth, entry = model.width, model.depth, model.input_width
    square = width * width
    counts = {"token_embedding": model.vocab * entry, "norm": width}
    if not model.is_tied:
        counts["lm_head"] = model.vocab * width
    counts["projection"] = _projections(model)
    if model.family in ("transformer", "dense"):
        counts["mlp"] = depth * 2 * MLP_RATIO * square
        counts["norm"] += depth * (2 if model.family == "transformer" else 1) * width
    if model.family == "transformer":
        counts["attention"] = depth * 4 * square
    if model.family in ("lstm", "rnn", "rnn_attention"):
        counts["norm"] += (depth - 1) * width
        gates = 4 if model.family == "lstm" else 1
        counts["recurrent"] = gates * (_recurrent_matrices(model) + 2 * depth * width)
    if model.family == "rnn_attention":
        counts["attention"] = model.score_width * (2 * width + 1)
    counts = {name: count for name, count in counts.items() if count}
    return ParameterCount(by_component=counts, active_by_component=counts)


def _recurrent_matrices(model: SmallModel) -> int:
    """Weights of one gate of all recurrent layers, the first of which takes the embedding."""
    return model.width * (model.input_width + (2 * model.depth - 1) * model.width)


def _projections(model: SmallModel) -> int:
    """Weights of the matrices outside blocks and recurrent layers, the head apart."""
    width, entry = model.width, model.input_width
    total = entry * width if model.is_projected else 0
    if model.family == "dense":
        total += model.context * entry * width
        total += entry * width if entry != width else 0
    if model.family == "transformer" and entry != width:
        total += entry * width
    if model.family == "rnn_attention":
        total += 2 * width * width
    return total


def count_small_flop(model: SmallModel, *, causal: bool = True) -> FlopCount:
    """Count the FLOP per token of a small model, by component.

    Counted: every matrix product and dot product (2 FLOP per multiply-add) and, in additive
    attention, the addition and the tanh of every pair's score (1 FLOP per element each), which are
    no small part there. Not counted: embedding look-ups, norms, softmax, biases, gates and
    activations, each of order w per token.

    Parameters
    ----------
    model : SmallModel
    causal : bool
        Count the (T + 1) / 2 positions that a token attends to on average, and in additive
        attention those that its blocks execute; otherwise all T, which is what a kernel that masks
        after the product executes.

    Returns
    -------
    FlopCount
        FLOP per token; ``training_flop`` is three times the forward pass.
    """
    width, depth = model.width, model.depth
    square = width * width
    attended = _attended(model) if causal else float(model.context)
    head_width = model.input_width if model.is_tied else width
    flop: dict[str, float] = {"lm_head": 2.0 * model.vocab * head_width}
    if projected := _projections(model):
        flop["projection"] = 2.0 * projected
    if model.family in ("transformer", "dense"):
        flop["mlp"] = depth * 4.0 * MLP_RATIO * square
    if model.family == "transformer":
        flop["attention"] = depth * 8.0 * square
        flop["attention_scores"] = depth * 4.0 * width * attended
    if model.family in ("lstm", "rnn", "rnn_attention"):
        gates = 4.0 if model.family == "lstm" else 1.0
        flop["recurrent"] = 2.0 * gates * _recurrent_matrices(model)
    if model.family == "rnn_attention":
        flop["attention"] = 4.0 * width * model.score_width
        # With s the score width, a pair costs s additions, s tanh, 2s for the product with v and
        # 2w for the weighted sum.
        flop["attention_scores"] = (4.0 * model.score_width + 2.0 * width) * attended
    return FlopCount(convention="matmul", forward_by_component_flop=flop)


def _attended(model: SmallModel) -> float:
    """Count the positions that a token attends to, on average over the context."""
    block = ADDITIVE_BLOCK if model.family == "rnn_attention" else 1
    n_blocks, left = divmod(model.context, block)
    pairs = block * block * n_blocks * (n_blocks + 1) / 2 + left * model.context
    return pairs / model.context

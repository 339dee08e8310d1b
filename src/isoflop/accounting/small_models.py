"""Exact parameter and FLOP counts of the small models that the live-training page trains.

Five families of next-token predictors in one shape: width, depth, vocabulary, context. In all of
them the token embedding is tied to the output head and the last hidden state passes one LayerNorm
before the head. LayerNorms have a gain and no bias; ``w`` is the width, ``V`` the vocabulary, ``T``
the context, ``L`` the depth.

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

    def __post_init__(self) -> None:
        if self.family not in SMALL_FAMILIES:
            raise ArchitectureError(
                f"There is no small model family {self.family!r}.",
                hint=f"Choose one of {', '.join(SMALL_FAMILIES)}.",
            )
        for name in ("width", "depth", "vocab", "context"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ArchitectureError(
                    f"The {name} of a small model must be a positive integer.",
                    detail=f"{name} = {value!r}",
                )
        if self.family == "transformer" and self.width % (2 * self.n_heads):
            raise ArchitectureError(
                f"A width of {self.width} cannot be split into {self.n_heads} heads of even size.",
                hint=f"Choose a multiple of {HEAD_DIM}, or an even width up to {HEAD_DIM}.",
            )

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
    width, depth = model.width, model.depth
    square = width * width
    counts = {"token_embedding": model.vocab * width, "norm": width}
    if model.family in ("transformer", "dense"):
        counts["mlp"] = depth * 2 * MLP_RATIO * square
        counts["norm"] += depth * (2 if model.family == "transformer" else 1) * width
    if model.family == "transformer":
        counts["attention"] = depth * 4 * square
    if model.family == "dense":
        counts["projection"] = model.context * square
    if model.family in ("lstm", "rnn", "rnn_attention"):
        counts["norm"] += (depth - 1) * width
    if model.family == "lstm":
        counts["recurrent"] = depth * (8 * square + 8 * width)
    if model.family in ("rnn", "rnn_attention"):
        counts["recurrent"] = depth * (2 * square + 2 * width)
    if model.family == "rnn_attention":
        counts["attention"] = model.score_width * (2 * width + 1)
        counts["projection"] = 2 * square
    return ParameterCount(by_component=counts, active_by_component=counts)


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
    flop: dict[str, float] = {"lm_head": 2.0 * model.vocab * width}
    if model.family in ("transformer", "dense"):
        flop["mlp"] = depth * 4.0 * MLP_RATIO * square
    if model.family == "transformer":
        flop["attention"] = depth * 8.0 * square
        flop["attention_scores"] = depth * 4.0 * width * attended
    if model.family == "dense":
        flop["projection"] = 2.0 * model.context * square
    if model.family == "lstm":
        flop["recurrent"] = depth * 16.0 * square
    if model.family in ("rnn", "rnn_attention"):
        flop["recurrent"] = depth * 4.0 * square
    if model.family == "rnn_attention":
        flop["attention"] = 4.0 * width * model.score_width
        # With s the score width, a pair costs s additions, s tanh, 2s for the product with v and
        # 2w for the weighted sum.
        flop["attention_scores"] = (4.0 * model.score_width + 2.0 * width) * attended
        flop["projection"] = 4.0 * square
    return FlopCount(convention="matmul", forward_by_component_flop=flop)


def _attended(model: SmallModel) -> float:
    """Count the positions that a token attends to, on average over the context."""
    block = ADDITIVE_BLOCK if model.family == "rnn_attention" else 1
    n_blocks, left = divmod(model.context, block)
    pairs = block * block * n_blocks * (n_blocks + 1) / 2 + left * model.context
    return pairs / model.context

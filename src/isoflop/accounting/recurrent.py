"""Layers that mix a sequence by a recurrence or a convolution in place of attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

RecurrentKind = Literal["mamba", "mamba2", "gated_delta", "lightning", "convolution"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrent:
    """The recurrent (or convolutional) mixers of a model, all alike.

    Parameters
    ----------
    kind : str
        ``mamba`` (arXiv 2312.00752), ``mamba2`` (2405.21060), ``gated_delta`` (gated delta rule,
        2412.06464), ``lightning`` (linear attention with an output gate, 2501.08313) or
        ``convolution`` (gated short convolution).
    n_layers : int
        Layers that have one.
    inner : int
        Channels of the mixer's output: all value heads together.
    n_heads : int
        Heads with a decay of their own; 1 where there are none.
    state : int
        Rows of a channel's state: the state size of Mamba, the key channels of a head.
    n_groups : int
        Groups (key heads) that share the projections of the state's input and output.
    kernel : int
        Taps of the causal convolution; 0 without.
    rank : int
        Rank of Mamba's step-size projection; 0 for other kinds.
    inner_norm : bool
        A gain per channel of the output, and of what it is made of where Mamba's is normalised.
    convolution_bias, bias : bool
        Biases of the convolution, and of the input and output projections.
    """

    kind: RecurrentKind
    n_layers: int
    inner: int
    n_heads: int = 1
    state: int = 0
    n_groups: int = 1
    kernel: int = 4
    rank: int = 0
    inner_norm: bool = True
    convolution_bias: bool = True
    bias: bool = False

    def matrices(self, d_model: int) -> int:
        """Weights of one mixer that multiply every token."""
        into = d_model * self._projected
        out = self.inner * d_model
        match self.kind:
            case "mamba":
                return into + self.inner * (2 * self.rank + 2 * self.state) + out
            case "mamba2" | "gated_delta" | "lightning" | "convolution":
                return into + out
        assert_never(self.kind)

    def vectors(self, d_model: int) -> int:
        """Weights of one mixer that multiply no matrix: filters, decays, gains and biases."""
        filters = self._convolved * (self.kernel + int(self.convolution_bias and self.kernel > 0))
        biases = self._projected + d_model if self.bias else 0
        return filters + biases + self._decays + (self._gains if self.inner_norm else 0)

    @property
    def state_elements(self) -> int:
        """Numbers that one mixer keeps of a sequence, however long."""
        return self.inner * self.state + self._convolved * max(self.kernel - 1, 0)

    @property
    def scan_flop(self) -> int:
        """FLOP per token of one mixer's forward pass outside its projections.

        A state is updated and read: two multiplications and additions an element, three under the
        delta rule, which reads before it writes; the convolution takes one a tap and channel.
        """
        passes = 3 if self.kind == "gated_delta" else 2
        return 2 * (passes * self.inner * self.state + self._convolved * self.kernel)

    @property
    def activation_elements(self) -> int:
        """Numbers per token that the backward pass of one mixer needs, outside the state.

        What the input projection made, what the convolution did, and the output before its
        projection; the states are computed again, as the published kernels do.
        """
        return self._projected + self._convolved + self.inner

    @property
    def _key_width(self) -> int:
        return self.n_groups * self.state

    @property
    def _projected(self) -> int:
        """Channels that the input projection makes."""
        match self.kind:
            case "mamba":
                return 2 * self.inner
            case "mamba2":
                return 2 * self.inner + 2 * self._key_width + self.n_heads
            case "gated_delta":
                return 2 * self.inner + 2 * self._key_width + 2 * self.n_heads
            case "lightning":
                return 4 * self.inner
            case "convolution":
                return 3 * self.inner
        assert_never(self.kind)

    @property
    def _convolved(self) -> int:
        """Channels that pass through the convolution."""
        match self.kind:
            case "mamba" | "convolution":
                return self.inner
            case "mamba2" | "gated_delta":
                return self.inner + 2 * self._key_width
            case "lightning":
                return 0
        assert_never(self.kind)

    @property
    def _decays(self) -> int:
        match self.kind:
            case "mamba":  # the matrix A, the skip D, and the bias of the step size
                return self.inner * self.state + 2 * self.inner
            case "mamba2":  # A, D and the bias of the step size, one a head
                return 3 * self.n_heads
            case "gated_delta":
                return 2 * self.n_heads
            case "lightning" | "convolution":
                return 0
        assert_never(self.kind)

    @property
    def _gains(self) -> int:
        match self.kind:
            case "mamba":
                return self.rank + 2 * self.state
            case "mamba2" | "lightning":
                return self.inner
            case "gated_delta":
                return self.inner // self.n_heads
            case "convolution":
                return 0
        assert_never(self.kind)

"""Dense net over a fixed window of tokens (after Bengio et al. 2003)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from isoflop.accounting import SmallModel
from isoflop.training.config import DENSE_WINDOW
from isoflop.training.engine.layers import FeedForward, LanguageModel, matrix


class Dense(LanguageModel):
    """Embeddings of the last tokens side by side, then residual feed-forward blocks."""

    def __init__(self, shape: SmallModel, *, dropout: float = 0.0) -> None:
        super().__init__(shape, dropout=dropout)
        width, entry = shape.width, shape.input_width
        self.mix = matrix(DENSE_WINDOW * entry, width)
        self.widen = matrix(entry, width) if entry != width else nn.Identity()
        self.blocks = nn.ModuleList(FeedForward(width, self.dropout) for _ in range(shape.depth))

    def hidden(self, tokens: Tensor) -> Tensor:
        """Map token ids, shape (batch, time), to states, shape (batch, time, width)."""
        x = self.embed(tokens)
        # Zeros stand for the tokens before the sequence's first.
        windows = F.pad(x, (0, 0, DENSE_WINDOW - 1, 0)).unfold(1, DENSE_WINDOW, 1)
        x = self.widen(x) + self.mix(windows.flatten(2))
        for block in self.blocks:
            x = block(x)
        return x

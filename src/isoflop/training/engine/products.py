"""Matrix products on a CPU by whichever of PyTorch's two libraries is faster on this processor.

PyTorch multiplies float32 matrices by MKL, which keeps to AVX2 on processors that are not Intel's.
oneDNN, which PyTorch holds as well, takes AVX-512 wherever it is: twice the rate on a Zen 4.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.jit._trace import is_tracing
from torch.nn import functional as F

from isoflop.once import once

FEWEST_WEIGHTS = 4096
"""Below it oneDNN's gain is lost in calling it: level at 32 x 128, 1.8 times at 128 x 128."""
CLEARLY_FASTER = 1.3
"""On a processor that both use in full neither is: the choice is not to hang on noise."""


def product(x: Tensor, weight: Tensor) -> Tensor:
    """Return ``x @ weight.T``, as ``F.linear`` does.

    Parameters
    ----------
    x : Tensor, shape (..., n_in)
    weight : Tensor, shape (n_out, n_in)
    """
    if (
        is_exported()
        or x.device.type != "cpu"
        or weight.numel() < FEWEST_WEIGHTS
        or not is_onednn_faster()
    ):
        return F.linear(x, weight)
    found: Tensor = _OneDnnProduct.apply(x, weight)
    return found


def is_exported() -> bool:
    """Whether a model is being written to a file, for programs that may have no oneDNN."""
    return torch.compiler.is_compiling() or is_tracing()


@once
def is_onednn_faster() -> bool:
    """Measure, once a process, whether oneDNN multiplies clearly faster."""
    if not (
        torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    ):
        return False
    x, weight = torch.randn(512, 128), torch.randn(512, 128)
    with torch.no_grad():
        usual_s, onednn_s = _best_s(lambda: F.linear(x, weight)), _best_s(lambda: _by(x, weight))
    return usual_s > CLEARLY_FASTER * onednn_s


def _best_s(multiply: Callable[[], object], n_rounds: int = 8) -> float:
    multiply()
    best_s = float("inf")
    for _ in range(n_rounds):
        start = time.process_time()
        multiply()
        best_s = min(best_s, time.process_time() - start)
    return best_s


def _by(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply by oneDNN; the call is the one that PyTorch's compiler makes."""
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
    return found


class _OneDnnProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _by(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        [gradient] = gradients
        rows, inputs = gradient.flatten(0, -2), x.flatten(0, -2)
        # The first factor is copied where it is transposed: let that be the narrower one.
        if rows.shape[1] <= inputs.shape[1]:
            of_weight = _by(rows.t(), inputs.t())
        else:
            of_weight = _by(inputs.t(), rows.t()).t()
        return _by(gradient, weight.t()), of_weight

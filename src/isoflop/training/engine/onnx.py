"""A model as ONNX, and such a file as a model again, run by onnxruntime."""

from __future__ import annotations

import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isoflop.training.engine.layers import LanguageModel
from isoflop.training.engine.recurrent import Recurrent, without_blocks

EXAMPLE_BATCH = 2


def is_onnx_available() -> bool:
    """Tell whether the extra that ONNX needs is installed."""
    return all(map(find_spec, ("onnx", "onnxruntime", "onnxscript")))


def write_onnx(model: LanguageModel, path: Path, *, context: int) -> None:
    """Write a model from ``tokens`` (int64, batch x time) to ``logits``.

    Parameters
    ----------
    model : LanguageModel
    path : Path
    context : int
        Longest time; every time from 2 on works.
    """
    example = torch.zeros(EXAMPLE_BATCH, context, dtype=torch.long)
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("time", min=2, max=context)}
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it tells of libraries that are not needed
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter's, of its own parts
            program = torch.onnx.export(
                _of_any_length(model),
                (example,),
                dynamo=True,
                verbose=False,
                external_data=False,
                input_names=["tokens"],
                output_names=["logits"],
                dynamic_shapes={"tokens": axes},
                custom_translation_table={torch.ops.isoflop.elman.default: _rnn},
            )
    finally:
        logger.setLevel(level)
    assert program is not None
    program.save(str(path))


def load_onnx(path: Path) -> torch.nn.Module:
    """Return a file as a module of PyTorch that onnxruntime computes."""
    return _Session(path)


class _Session(torch.nn.Module):
    def __init__(self, path: Path) -> None:
        import onnxruntime

        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(str(path), options)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map token ids, shape (batch, time), to logits, shape (batch, time, vocab_size)."""
        [logits] = self._session.run(None, {"tokens": tokens.numpy()})
        return torch.from_numpy(logits)


def _of_any_length(model: LanguageModel) -> LanguageModel:
    """Return a copy without what ties it to a length when it is traced."""
    model = without_blocks(model)
    if isinstance(model, Recurrent):
        for index, layer in enumerate(model.layers):
            if isinstance(layer, nn.RNN):
                model.layers[index] = _Elman(layer)
    return model


class _Elman(nn.Module):
    """An Elman layer that the exporter leaves whole; PyTorch's own it unrolls over time."""

    def __init__(self, layer: nn.RNN) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """Map inputs, shape (batch, time, n_in), to states and, for the last one's place, None."""
        states: Tensor = _elman(x, *self.layer._flat_weights)
        return states, None


@torch.library.custom_op("isoflop::elman", mutates_args=())
def _elman(
    x: Tensor, inner: Tensor, recurrent: Tensor, inner_bias: Tensor, recurrent_bias: Tensor
) -> Tensor:
    first = x.new_zeros(1, x.shape[0], recurrent.shape[0])
    weights = [inner, recurrent, inner_bias, recurrent_bias]
    states: Tensor = torch.rnn_tanh(x, first, weights, True, 1, 0.0, False, False, True)[0]
    return states


@_elman.register_fake
def _(x: Tensor, inner: Tensor, recurrent: Tensor, *_: Tensor) -> Tensor:
    return x.new_empty(x.shape[0], x.shape[1], recurrent.shape[0])


def _rnn(x: Any, inner: Any, recurrent: Any, inner_bias: Any, recurrent_bias: Any) -> Any:
    """Translate one Elman layer to ONNX's own."""
    from onnxscript import opset18

    op: Any = opset18
    front, second = op.Constant(value_ints=[0]), op.Constant(value_ints=[1])
    states, _ = op.RNN(
        op.Transpose(x, perm=[1, 0, 2]),
        op.Unsqueeze(inner, front),
        op.Unsqueeze(recurrent, front),
        op.Unsqueeze(op.Concat(inner_bias, recurrent_bias, axis=0), front),
        hidden_size=int(inner.shape[0]),
        activations=["Tanh"],
    )
    return op.Transpose(op.Squeeze(states, second), perm=[1, 0, 2])

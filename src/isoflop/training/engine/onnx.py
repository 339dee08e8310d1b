"""A model as ONNX, and such a file as a model again, run by onnxruntime."""

from __future__ import annotations

import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isoflop.training.engine.layers import LanguageModel

EXAMPLE_BATCH = 2


def is_onnx_available() -> bool:
    """Tell whether the extra that ONNX needs is installed."""
    return all(map(find_spec, ("onnx", "onnxruntime", "onnxscript")))


def write_onnx(model: LanguageModel, path: Path, *, context: int, any_length: bool) -> None:
    """Write a model from ``tokens`` (int64, batch x time) to ``logits``.

    Parameters
    ----------
    model : LanguageModel
    path : Path
    context : int
        Longest time.
    any_length : bool
        Whether shorter ones are to work as well; otherwise fill up on the right, which changes no
        earlier logit.
    """
    example = torch.zeros(EXAMPLE_BATCH, context, dtype=torch.long)
    axes = {0: torch.export.Dim("batch")}
    if any_length:
        axes[1] = torch.export.Dim("time", min=2, max=context)
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it tells of libraries that are not needed
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the exporter's, of its own parts
            program = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                verbose=False,
                external_data=False,
                input_names=["tokens"],
                output_names=["logits"],
                dynamic_shapes={"tokens": axes},
                custom_translation_table={torch.ops.aten.rnn_tanh.input: _rnn},
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


def _rnn(
    states: Any, first: Any, parameters: Any, _has_biases: bool, _n_layers: int, *_: object
) -> Any:
    """Translate one Elman layer to ONNX's own, which the exporter would unroll over time."""
    from onnxscript import opset18

    op: Any = opset18
    inner, recurrent, inner_bias, recurrent_bias = parameters
    front, second = op.Constant(value_ints=[0]), op.Constant(value_ints=[1])
    states, last = op.RNN(
        op.Transpose(states, perm=[1, 0, 2]),
        op.Unsqueeze(inner, front),
        op.Unsqueeze(recurrent, front),
        op.Unsqueeze(op.Concat(inner_bias, recurrent_bias, axis=0), front),
        None,
        first,
        hidden_size=int(inner.shape[0]),
        activations=["Tanh"],
    )
    return op.Transpose(op.Squeeze(states, second), perm=[1, 0, 2]), last

"""A trained model as files that other programs read, each loaded back and scored."""

from __future__ import annotations

import json
import math
import shutil
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from isoflop.accounting.small_models import MLP_RATIO
from isoflop.errors import TrainingError
from isoflop.language import lazy_gettext as _
from isoflop.training.config import FAMILY_DEFAULTS, RunConfig, small_model
from isoflop.training.corpus import load_corpus
from isoflop.training.engine.build import build_model
from isoflop.training.engine.evaluate import evaluate
from isoflop.training.engine.layers import LAYER_NORM_EPSILON
from isoflop.training.engine.load import TrainedModel, load_trained
from isoflop.training.engine.onnx import is_onnx_available, load_onnx, write_onnx
from isoflop.training.engine.recurrent import without_blocks
from isoflop.training.engine.transformer import ROTARY_BASE, SCORE_SCALE
from isoflop.training.runs import Run

CHECK_TOKENS = 16_384
TOLERANCE = 1e-5
"""Largest relative difference of the loss between the model and a file loaded back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What an export holds and that it is right.

    Parameters
    ----------
    archive : Path
        Zip file of everything.
    loss_nats_per_byte : float
        Of the model before export, on a sample of the validation text.
    loaded_back : dict of str to float
        The same loss from each file, loaded back.
    """

    archive: Path
    loss_nats_per_byte: float
    loaded_back: dict[str, float]


def export(run: Run, *, budget: int | None, root: Path) -> ExportReport:
    """Write safetensors, configuration, tokenizer, TorchScript and ONNX, and check them.

    ONNX is left out where its extra is not installed.

    Raises
    ------
    TrainingError
        If there are no such weights, or a file loaded back gives another loss.
    """
    trained = load_trained(run, budget=budget)
    folder = run.folder / "exports" / export_name(trained.config, budget)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    score = _scorer(trained, root=root)
    before = score(trained.model)
    weights, script = folder / "model.safetensors", folder / "model.torchscript.pt"
    save_file({k: v.contiguous() for k, v in trained.model.state_dict().items()}, weights)
    _write_torchscript(trained, script)
    _write_json(folder / "tokenizer.json", trained.tokenizer.to_dict())
    vocab_size = len(trained.tokenizer.token_bytes)
    _write_json(folder / "config.json", describe(trained.config, vocab_size=vocab_size))
    restored = build_model(trained.config, vocab_size=vocab_size)
    restored.load_state_dict(load_file(weights))
    loaded_back = {
        weights.name: score(restored.eval()),
        script.name: score(_load_torchscript(script)),
    }
    if is_onnx_available():
        onnx = folder / "model.onnx"
        write_onnx(trained.model, onnx, context=trained.config.context)
        loaded_back[onnx.name] = score(load_onnx(onnx))
    for name, loss in loaded_back.items():
        if not abs(loss - before) <= TOLERANCE * before:
            raise TrainingError(
                _("The exported {name} does not give the model's loss.", name=name),
                detail=_(
                    "{loss:.6f} against {before:.6f} nats per byte.", loss=loss, before=before
                ),
            )
    _write_json(folder / "check.json", {"nats_per_byte": before, "loaded_back": loaded_back})
    (folder / "README.md").write_text(_read_me(trained, folder.name, before), encoding="utf-8")
    archive = Path(shutil.make_archive(str(folder), "zip", folder))
    return ExportReport(archive=archive, loss_nats_per_byte=before, loaded_back=loaded_back)


def export_name(config: RunConfig, budget: int | None) -> str:
    """Name a model by its run and the tokens of its budget."""
    label = config.label.replace(" ", "-")
    if budget is None:
        return f"{label}-checkpoint"
    return f"{label}-{config.budget_steps[budget] * config.tokens_per_step}-tokens"


def describe(config: RunConfig, *, vocab_size: int) -> dict[str, Any]:
    """Return all that it takes to build the model around its weights, and how it was trained."""
    shape = small_model(config, vocab_size=vocab_size)
    architecture: dict[str, Any] = {
        **asdict(shape),
        "layer_norm": {"epsilon": LAYER_NORM_EPSILON, "bias": False},
    }
    if config.family in ("transformer", "dense"):
        architecture["feed_forward"] = {
            "width": MLP_RATIO * config.width,
            "activation": "squared relu",
        }
    if config.family == "transformer":
        head_width = config.width // shape.n_heads
        architecture["attention"] = {
            "n_heads": shape.n_heads,
            "head_width": head_width,
            "rotary_base": ROTARY_BASE,
            "rotary_pairs": "neighbouring channels",
            "query_and_key_norm": "layer norm of each head, without weights, before the rotation",
            "score_scale": SCORE_SCALE / math.sqrt(head_width),
        }
    if config.family == "rnn_attention":
        architecture["attention"] = {"kind": "additive", "score_width": shape.score_width}
    return {"format": "isoflop-2", "architecture": architecture, "training": config.to_dict()}


_README = """# {name}

{family}, {parameters} parameters, trained by Isoflop: {loss:.4f} nats per byte on held-out text.

| File | What it is |
|---|---|
| `config.json` | all that it takes to build the model around its weights, and how it was trained |
| `model.safetensors` | the weights |
| `tokenizer.json` | which bytes each token stands for |
| `model.torchscript.pt` | the whole model for `torch.jit.load`, from Python or C++ |
| `model.onnx` | the whole model for onnxruntime, if ONNX was installed where it was exported |
| `check.json` | the loss of each file, loaded back |

TorchScript and ONNX map token ids (int64, batch x time, any batch, a time of 2 to {context}) to
the logits of each next token.

## Let it answer

    isoflop serve .

or, with the image of Isoflop and nothing else installed:

    docker run --rm -p 127.0.0.1:8600:8501 -v "$PWD:/model:ro" isoflop \\
        isoflop serve /model --host 0.0.0.0 --port 8501

Then, from another shell:

    curl -s localhost:8600/api/generate -H 'Content-Type: application/json' \\
        -d '{{"prompt": "def ", "n_tokens": 100, "temperature": 0.8}}'
    curl -s localhost:8600/api/loss -H 'Content-Type: application/json' \\
        -d '{{"text": "import os\\n"}}'
"""


def _read_me(trained: TrainedModel, name: str, loss: float) -> str:
    """Say what the files are and how to use them, for whoever finds the archive."""
    return _README.format(
        name=name,
        family=FAMILY_DEFAULTS[trained.config.family].label,
        parameters=f"{sum(p.numel() for p in trained.model.parameters()):,}",
        loss=loss,
        context=trained.config.context,
    )


def _scorer(trained: TrainedModel, *, root: Path) -> Callable[[torch.nn.Module], float]:
    """Return the loss on a fixed sample of the validation text."""
    corpus = load_corpus(trained.config.corpus, uploads=root / "uploads")
    tokens = trained.tokenizer.encode(corpus.split()[1])

    def score(model: torch.nn.Module) -> float:
        return evaluate(
            model,
            tokens,
            token_bytes=trained.tokenizer.token_bytes,
            context=trained.config.context,
            n_tokens=CHECK_TOKENS,
            device=torch.device("cpu"),
        ).nats_per_byte

    return score


def _write_torchscript(trained: TrainedModel, path: Path) -> None:
    """Trace the model: programs in C++ and on telephones load it without Python."""
    example = torch.zeros(2, trained.config.context, dtype=torch.long)
    with warnings.catch_warnings(), torch.no_grad():
        # torch points to torch.export, whose files only Python loads.
        warnings.simplefilter("ignore", DeprecationWarning)
        # The layers' checks of shapes become constants, nothing else does.
        warnings.filterwarnings("ignore", message="Converting a tensor to a Python")
        torch.jit.save(torch.jit.trace(without_blocks(trained.model), example), str(path))


def _load_torchscript(path: Path) -> torch.nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        loaded: torch.nn.Module = torch.jit.load(str(path))
    return loaded


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")

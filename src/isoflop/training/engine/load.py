"""A trained model back from its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from isoflop.errors import TrainingError
from isoflop.files import read_json
from isoflop.language import lazy_gettext as _
from isoflop.training.config import RunConfig
from isoflop.training.engine.build import build_model
from isoflop.training.engine.layers import LanguageModel
from isoflop.training.runs import Run
from isoflop.training.tokenizer import Tokenizer, tokenizer_from_dict


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """Weights, tokenizer and configuration that belong together."""

    model: LanguageModel
    tokenizer: Tokenizer
    config: RunConfig


def load_trained(run: Run, *, budget: int | None) -> TrainedModel:
    """Load the weights of a finished budget, or of the last checkpoint.

    Parameters
    ----------
    run : Run
    budget : int or None
        Index of the budget; None for the checkpoint of a stopped or running run.

    Raises
    ------
    TrainingError
        If there are no such weights yet.
    """
    config = run.config()
    path = run.checkpoint_path if budget is None else run.weights_path(budget)
    if not path.is_file() or not run.tokenizer_path.is_file():
        raise TrainingError(
            _("This run has no such weights yet."),
            detail=_("{id}: {name} is not there.", id=run.id, name=path.name),
            hint=_("Wait until a budget is complete, or until the first checkpoint."),
        )
    tokenizer = tokenizer_from_dict(read_json(run.tokenizer_path))
    model = build_model(config, vocab_size=len(tokenizer.token_bytes))
    model.load_state_dict(_weights(path))
    return TrainedModel(model=model.eval(), tokenizer=tokenizer, config=config)


def load_exported(folder: Path) -> TrainedModel:
    """Load a model from the folder that `isoflop.training.engine.export` wrote.

    Raises
    ------
    TrainingError
        If a file is missing, or does not belong to such an export.
    """
    try:
        fields = read_json(folder / "config.json")
        tokenizer = tokenizer_from_dict(read_json(folder / "tokenizer.json"))
        config = RunConfig.from_dict(fields["training"])
        model = build_model(config, vocab_size=fields["architecture"]["vocab"])
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise TrainingError(
            _("This folder does not hold an exported model."),
            detail=f"{folder}: {error}",
            hint=_("Give the folder of an unpacked export, with its config.json."),
        ) from None
    return TrainedModel(model=model.eval(), tokenizer=tokenizer, config=config)


def _weights(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    weights: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)[
        "state"
    ]["model"]
    return weights

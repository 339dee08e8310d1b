"""AdamW with learning rates that carry over from one width to the next, and plain SGD."""

from __future__ import annotations

import torch

from isoflop.training.config import BASE_WIDTH, RunConfig
from isoflop.training.engine.layers import LanguageModel

MOMENTUM = 0.9


def build_optimiser(model: LanguageModel, config: RunConfig) -> torch.optim.Optimizer:
    """Group the parameters: matrices get lr x 32 / width and weight decay, the rest neither.

    Under SGD, with Nesterov's momentum, the rate is the same for all. The scaling of the matrices'
    rate follows muP (Yang et al. 2022, arXiv 2203.03466). Each group keeps its peak rate under
    ``"peak_lr"``.
    """
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim >= 2 and not name.startswith(("embedding", "head"))
        (matrices if is_matrix else others).append(parameter)
    peak = config.peak_learning_rate
    groups = [
        {
            "params": matrices,
            "peak_lr": peak * BASE_WIDTH / config.width if config.optimiser == "adamw" else peak,
            "weight_decay": config.weight_decay,
        },
        {"params": others, "peak_lr": peak, "weight_decay": 0.0},
    ]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=peak, momentum=MOMENTUM, nesterov=True)
    return torch.optim.AdamW(groups, lr=peak, betas=(0.9, config.beta2), fused=True)


def set_rate(optimiser: torch.optim.Optimizer, multiplier: float) -> None:
    """Set every group's rate to a multiple of its peak."""
    for group in optimiser.param_groups:
        group["lr"] = group["peak_lr"] * multiplier

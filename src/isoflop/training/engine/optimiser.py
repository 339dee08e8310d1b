"""AdamW with learning rates that carry over from one width to the next, and plain SGD."""

from __future__ import annotations

import inspect

import torch
from torch.optim import Optimizer

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


def make_step(optimiser: torch.optim.Optimizer) -> None:
    """Make a step with the gradients that there are.

    The method beneath the optimiser's decorators, which would load the compiler first.
    """
    step = inspect.unwrap(type(optimiser).step)
    with torch.no_grad():
        step(optimiser)


def _spare_the_compiler() -> None:
    """Keep an optimiser from loading PyTorch's compiler, a second of CPU time, to be left alone."""
    for method in (Optimizer.add_param_group, Optimizer.zero_grad):
        plain = inspect.unwrap(method)
        plain.__dynamo_disable = plain  # where torch looks first


_spare_the_compiler()


def set_rate(optimiser: torch.optim.Optimizer, multiplier: float) -> None:
    """Set every group's rate to a multiple of its peak."""
    for group in optimiser.param_groups:
        group["lr"] = group["peak_lr"] * multiplier

"""What a run costs, before it starts: FLOP by count, seconds by the speeds of its family."""

from __future__ import annotations

from collections.abc import Sequence

from isoflop.accounting import count_small_flop, count_small_parameters
from isoflop.once import once
from isoflop.training.config import FAMILY_DEFAULTS, ReportedConfig, RunConfig, small_model
from isoflop.training.schedule import total_steps

NOMINAL_BYTES = 170
"""Distinct bytes of the usual text, for counts before the corpus is read."""

START_S = 1.4
"""CPU seconds from a worker's start to its first losses (measured 2026-11): mostly PyTorch."""

GPU_STEP_S, GPU_LAYER_S = 1e-3, 0.6e-3
"""Seconds of a step, and of each of its layers, that a GPU takes to start kernels: about a hundred
and sixty at 6 us, forward, backward and optimiser. An estimate: nothing was measured on a card."""
RECURRENT_KERNEL_S = 12e-6
"""The same for one token of a recurrent layer, forward and backward."""
GPU_FLOP_PER_S = 2e13
"""What a GPU makes of small matrices."""

REPORTED_FLOP_PER_S = 1e14
"""Pace of a run of other code before it shows its own: of an accelerator, roughly."""


WEIGHT_BYTES = 4
"""Of a parameter in the weights that are kept of each budget."""


def nominal_vocab_size(tokenizer: str) -> int:
    """Return the entries that a tokenizer has, or for bytes about has."""
    return int(tokenizer.removeprefix("bpe-")) if tokenizer.startswith("bpe-") else NOMINAL_BYTES


def run_flop(config: RunConfig) -> float:
    """Count the FLOP of a run with all its branches, before its corpus is read."""
    if isinstance(config, ReportedConfig):
        return config.flop_per_token * config.token_budgets[0]
    return step_flop(config) * total_steps(config)


@once(max_entries=4096)
def estimate_cpu_s(config: RunConfig) -> float:
    """Guess the CPU seconds of a run: a cost a step and layer, and the arithmetic."""
    if isinstance(config, ReportedConfig):
        return run_flop(config) / REPORTED_FLOP_PER_S
    eval_steps = config.eval_tokens * len(config.token_budgets) / config.tokens_per_step
    return cpu_step_s(config) * (total_steps(config) + eval_steps / 3)


def estimate_bytes(config: RunConfig) -> int:
    """Guess what a run leaves on disk: the weights of each of its budgets."""
    if isinstance(config, ReportedConfig):
        return 0
    shape = small_model(config, vocab_size=nominal_vocab_size(config.tokenizer))
    return WEIGHT_BYTES * count_small_parameters(shape).total * len(config.token_budgets)


def estimate_wall_s(configs: Sequence[RunConfig], *, n_workers: int) -> float:
    """Guess the seconds from the click to the last point, each worker's start included."""
    return START_S + sum(map(estimate_cpu_s, configs)) / n_workers


def faster_on_accelerator(config: RunConfig) -> bool:
    """Tell whether a GPU would make a step of a run sooner than one core of a CPU."""
    return gpu_step_s(config) < cpu_step_s(config)


def gpu_step_s(config: RunConfig) -> float:
    """Guess the seconds of a step on a GPU.

    A GPU needs a few microseconds to start each kernel, however small, and a recurrent layer as
    many in a row as there are tokens.
    """
    is_recurrent = config.family in ("rnn", "rnn_attention", "lstm")
    layer_s = GPU_LAYER_S + (config.context * RECURRENT_KERNEL_S if is_recurrent else 0.0)
    return GPU_STEP_S + config.depth * layer_s + step_flop(config) / GPU_FLOP_PER_S


def cpu_step_s(config: RunConfig) -> float:
    """Guess the seconds of a step on one core of a CPU."""
    defaults = FAMILY_DEFAULTS[config.family]
    return config.depth * defaults.step_overhead_s + step_flop(config) / defaults.flop_per_cpu_s


def step_flop(config: RunConfig) -> float:
    """Count the FLOP of a step, before its corpus is read."""
    shape = small_model(config, vocab_size=nominal_vocab_size(config.tokenizer))
    return count_small_flop(shape).training_flop * config.tokens_per_step

"""Training on a GPU: speed by family and width, the constants of ``auto``, and a small ladder.

``python -m benchmarks.training.gpu`` takes under ten minutes on one card and writes
``benchmarks/training/gpu-CARD.json``, with the card's name. ``--device cpu --short`` runs the same
code on less, in seconds, for its own test: its figures mean nothing.

Each cell trains by the very trainer of the product for a fixed time, so that the length of the
whole is known before. What is held against the card's figures: the estimate that ``auto`` goes by,
one core of the CPU beside it, and the same steps' losses on the CPU.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls

from benchmarks.training.speed import corpus_tokens
from isoflop.accounting import count_small_flop, count_small_parameters
from isoflop.training.config import FAMILIES, RunConfig, small_model
from isoflop.training.engine.device import RECURRENT, matmul_peak_flop_per_s, precision_name
from isoflop.training.engine.trainer import TokenData, Trainer
from isoflop.training.estimates import cpu_step_s, gpu_step_s, step_flop

CPU = torch.device("cpu")
WIDTHS, DEPTH = (32, 128, 512, 1024), 3
CELL_S, CPU_CELL_S = 4.0, 2.0
LADDER_S = 240.0
WARM_UP = 10
LADDER_WIDTHS = (64, 128, 256, 512)
LADDER_BUDGETS = tuple(2**exponent for exponent in range(20, 25))
SAME_STEPS = 20
"""Steps whose losses are compared between card and CPU."""
HERE = Path(__file__).parent

Cell = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print as it goes, and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--short", action="store_true", help="the same code on less")
    parser.add_argument("--output", type=Path, default=None)
    given = parser.parse_args(arguments)
    device = torch.device(given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("This machine has no GPU that PyTorch can use: nothing was measured.")
    torch.set_num_threads(1)
    report = measure(device, is_short=given.short)
    name = re.sub(r"[^A-Za-z0-9]+", "-", report["card"]).strip("-").lower()
    path = given.output or HERE / f"gpu-{name}.json"
    path.write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(f"written to {path}")


def measure(device: torch.device, *, is_short: bool = False) -> dict[str, Any]:
    """Return all that is measured on a device."""
    start_s = time.perf_counter()
    data = corpus_tokens()
    widths = WIDTHS[:2] if is_short else WIDTHS
    share = 0.02 if is_short else 1.0
    cells = []
    for family in FAMILIES:
        for width in widths:
            config = config_of(family, width)
            cells.append(cell(config, data, device, share=share))
            print(json.dumps(cells[-1]), flush=True)
    return {
        "card": card_name(device),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "",
        "machine": platform.platform(),
        "precision": {family: precision_name(device, family) for family in FAMILIES},
        "matmul_peak_flop_per_s": {
            name: matmul_peak_flop_per_s(device, dtype=name)
            for name in sorted({precision_name(device, family) for family in FAMILIES})
        },
        "cells": cells,
        "auto": constants(cells),
        "losses": [same_losses(config_of(family, 64), data, device) for family in FAMILIES],
        "ladder": list(ladder(data, device, is_short=is_short)),
        "wall_s": round(time.perf_counter() - start_s, 1),
    }


def card_name(device: torch.device) -> str:
    """Name the device as its maker does."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()


def config_of(family: str, width: int, **changes: Any) -> RunConfig:
    """Return a run of the usual recipe."""
    depth = 1 if family in RECURRENT else DEPTH
    fields: dict[str, Any] = {"family": family, "width": width, "depth": depth}
    return RunConfig(**(fields | {"token_budgets": (2**20,)} | changes))


def cell(config: RunConfig, data: TokenData, device: torch.device, *, share: float) -> Cell:
    """Return the seconds of a step on the device and on one core, beside what was estimated."""
    here_s = step_s(config, data, device, limit_s=share * CELL_S)
    core_s = step_s(config, data, CPU, limit_s=share * CPU_CELL_S)
    return {
        "family": config.family,
        "width": config.width,
        "step_s": here_s,
        "estimated_step_s": gpu_step_s(config),
        "core_step_s": core_s,
        "estimated_core_step_s": cpu_step_s(config),
        "tokens_per_s": config.tokens_per_step / here_s,
        "flop_per_s": step_flop(config) / here_s,
        "auto_is_right": (here_s < core_s) == (gpu_step_s(config) < cpu_step_s(config)),
    }


def step_s(config: RunConfig, data: TokenData, device: torch.device, *, limit_s: float) -> float:
    """Return the mean seconds of a whole training step; waits for the device at the ends alone."""
    trainer = Trainer(config, data, device=device, on_record=lambda record: None)

    def timed(n_steps: int) -> float:
        start_s = time.perf_counter()
        for _ in range(n_steps):
            loss, _ = trainer.train_step()
            trainer.step += 1
        float(loss)
        return time.perf_counter() - start_s

    timed(WARM_UP if limit_s > 1 else 2)
    n_steps = max(1, int(limit_s * 3 / timed(3)))
    return timed(n_steps) / n_steps


def constants(cells: list[Cell]) -> Mapping[str, float]:
    """Fit the constants of ``isoflop.training.estimates`` to the cells, by relative error."""
    rows = []
    for found in cells:
        config = config_of(found["family"], found["width"])
        is_recurrent = config.family in RECURRENT
        rows.append(
            [1.0, config.depth, config.depth * config.context * is_recurrent, step_flop(config)]
        )
    seconds = np.array([found["step_s"] for found in cells])
    design = np.array(rows) / seconds[:, None]
    scale = design.max(axis=0)
    solved, _ = nnls(design / scale, np.ones(len(cells)))
    step, layer, kernel, per_flop = solved / scale
    return {
        "GPU_STEP_S": step,
        "GPU_LAYER_S": layer,
        "RECURRENT_KERNEL_S": kernel,
        "GPU_FLOP_PER_S": 1 / per_flop if per_flop else float("inf"),
        "worst_relative_error": float(np.abs(design @ (solved / scale) - 1).max()),
        "right_choices": sum(found["auto_is_right"] for found in cells) / len(cells),
    }


def same_losses(config: RunConfig, data: TokenData, device: torch.device) -> Cell:
    """Return how far the losses of the first steps lie from those of the CPU."""
    found = []
    for place in (device, CPU):
        trainer = Trainer(config, data, device=place, on_record=lambda record: None)
        losses = []
        for _ in range(SAME_STEPS):
            losses.append(trainer.train_step()[0])
            trainer.step += 1
        found.append(torch.stack([loss.cpu() for loss in losses]))
    here, core = found
    return {
        "family": config.family,
        "precision": precision_name(device, config.family),
        "first_loss_difference": float((here[0] / core[0] - 1).abs()),
        "largest_loss_difference": float((here / core - 1).abs().max()),
    }


def ladder(data: TokenData, device: torch.device, *, is_short: bool) -> Iterator[Cell]:
    """Train transformers of growing width, each at every budget, until the time is over."""
    until_s = time.perf_counter() + LADDER_S
    budgets = (2**13, 2**14) if is_short else LADDER_BUDGETS
    for width in LADDER_WIDTHS[:1] if is_short else LADDER_WIDTHS:
        if time.perf_counter() > until_s:
            return
        config = config_of(
            "transformer", width, token_budgets=budgets, context=256, batch_size=16, depth=4,
            eval_tokens=2**12 if is_short else 2**17,
        )  # fmt: skip
        shape = small_model(config, vocab_size=len(data.token_bytes))
        points: list[Cell] = []
        trainer = Trainer(config, data, device=device, on_record=points.append)
        trainer.run(should_stop=lambda: time.perf_counter() > until_s)
        for point in points:
            if point["kind"] == "point":
                yield {
                    "width": width,
                    "params": count_small_parameters(shape).total,
                    "tokens": point["tokens"],
                    "compute_flop": count_small_flop(shape).training_flop * point["tokens"],
                    "loss": point["nats_per_byte"],
                }


if __name__ == "__main__":
    main()

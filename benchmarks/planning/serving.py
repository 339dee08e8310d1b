"""Measured serving speeds against the roofline with its corrections, sources kept back in turn."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from isoflop.accounting import Architecture, find_model
from isoflop.planning.hardware import find_accelerator
from isoflop.planning.inference import (
    ServingSetup,
    estimate_serving,
    saturated_serving,
    serving_on,
)
from isoflop.planning.types import Dtype

Array = NDArray[np.float64]

ROWS = Path(__file__).parent / "serving.csv"
WEIGHT_BYTES = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5, "int4": 0.5, "q4_k_m": 0.606}
"""Of one weight. Q4_K_M holds 4.85 bits, its scales included."""

DECODE = ("bandwidth_share", "layer_s", "all_reduce_s")
FULL_LOAD = ("flop_share", "saturated_share", "expert_share")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One measured row.

    Parameters
    ----------
    model : Architecture
    setup : ServingSetup
        With the constants that ship.
    is_full_load : bool
        Whether the server always had requests waiting; else one sequence was waited for.
    tokens_per_s : float
        Of one accelerator under full load, of the whole server otherwise.
    group, model_name, device, weights : str
        By which rows are kept back together.
    """

    model: Architecture
    setup: ServingSetup
    is_full_load: bool
    tokens_per_s: float
    group: str
    model_name: str
    device: str
    weights: str

    def predicted(self, setup: ServingSetup) -> float:
        """Return tokens a second, in the unit of the measurement."""
        if not self.is_full_load:
            return estimate_serving(self.model, setup).tokens_per_s
        return saturated_serving(self.model, setup).output_tokens_per_s / setup.accelerators


def load_rows() -> tuple[Served, ...]:
    """Return every measured row, in the order of the file."""
    with ROWS.open(encoding="utf-8", newline="") as file:
        return tuple(map(_served, csv.DictReader(file)))


def _served(row: dict[str, str]) -> Served:
    device, count = find_accelerator(row["accelerator"]), int(row["accelerators"])
    # Products in four bits run on weights that are unpacked first, but for a part of them: they
    # are counted at the 8-bit peak where there is one, 4-bit and 8-bit integers at the 16-bit one.
    dtypes = ("fp8",) if row["weights"] in ("fp8", "fp4") and row["phase"] == "serve" else ()
    dtype = next((d for d in get_args(Dtype) if d in dtypes and d in device.peak_flop_per_s), None)
    setup = serving_on(
        device,
        accelerators=count,
        batch=1,
        prompt_tokens=int(row["prompt_tokens"]),
        output_tokens=int(row["output_tokens"]),
        dtype=dtype,
    )
    return Served(
        model=find_model(row["model"]).architecture,
        setup=replace(setup, weight_bytes=WEIGHT_BYTES[row["weights"]]),
        is_full_load=row["phase"] == "serve",
        tokens_per_s=float(row["tokens_per_s"]),
        group=row["source"].split("@")[0].split(" (")[0],
        model_name=row["model"],
        device=device.label,
        weights=row["weights"],
    )


def log_errors(rows: Sequence[Served], values: dict[str, float] | None = None) -> Array:
    """Return log of predicted over measured speed, with some constants in place of the shipped."""
    known = values or {}
    return np.array(
        [np.log(row.predicted(replace(row.setup, **known)) / row.tokens_per_s) for row in rows]
    )


def ideal_log_errors(rows: Sequence[Served]) -> Array:
    """Return the same of the plain roofline: every share 1, no overhead."""
    ideal = dict.fromkeys((*DECODE, *FULL_LOAD), 1.0) | {"layer_s": 0.0, "all_reduce_s": 0.0}
    return log_errors(rows, ideal)


def fitted(rows: Sequence[Served]) -> dict[str, float]:
    """Return the constants that fit rows best, in logarithms, robustly; sources weigh as roots."""
    names = FULL_LOAD if rows[0].is_full_load else DECODE
    setup = ServingSetup(
        accelerators=1, memory_bytes=1.0, bandwidth_byte_per_s=1.0, peak_flop_per_s=1.0
    )
    start = np.log([getattr(setup, name) for name in names])
    upper = [0.0 if name.endswith("_share") else np.log(1e-3) for name in names]
    counts = {row.group: sum(other.group == row.group for other in rows) for row in rows}
    weights = np.array([counts[row.group] ** -0.25 for row in rows])

    def residuals(logs: Array) -> Array:
        values = dict(zip(names, np.exp(logs), strict=True))
        # A constant that the rows say nothing of stays where it is.
        return np.append(weights * log_errors(rows, values), 1e-3 * (logs - start))

    found = least_squares(
        residuals, start, bounds=([-np.inf] * len(names), upper), loss="soft_l1", f_scale=0.1,
        diff_step=1e-2, max_nfev=30,
    )  # fmt: skip
    return dict(zip(names, map(float, np.exp(found.x)), strict=True))


def held_out_log_errors(rows: Sequence[Served], key: Callable[[Served], str]) -> Array:
    """Return the errors of rows, each predicted with constants fitted without those like it."""
    errors = np.full(len(rows), np.nan)
    for name in {key(row) for row in rows}:
        out = [i for i, row in enumerate(rows) if key(row) == name]
        others = [row for row in rows if key(row) != name]
        if others:
            errors[out] = log_errors([rows[i] for i in out], fitted(others))
    return errors

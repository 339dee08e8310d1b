"""Training steps that were measured and published: what the model of a step's time is fitted to."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from isoflop.accounting import Architecture, Experts, Recompute, find_model
from isoflop.data import data_root, read_toml
from isoflop.errors import CatalogError, IsoflopError
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.planning.hardware import find_accelerator
from isoflop.planning.layout import Layout
from isoflop.planning.memory import TrainingSetup, find_optimizer, training_memory
from isoflop.planning.step_work import TrainingStep
from isoflop.planning.storage import DEFAULT_OPTIMIZER
from isoflop.planning.types import DTYPES

MEASURED_FILE = "step_time/measured.csv"
SHAPES_FILE = "step_time/shapes.toml"

COLUMNS = (
    *("group", "model", "accelerator", "power_limit_w", "accelerators", "tensor", "pipeline"),
    *("interleave", "data", "expert", "zero_stage", "micro_batch", "global_batch", "context"),
    *("recompute", "dtype", "number_format", "attention_kernel", "tokens_per_s_per_accelerator"),
    *("source", "unverified"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredStep:
    """One measured step.

    Parameters
    ----------
    step : TrainingStep
    seconds : float
        That it took.
    group : str
        Who published it: what is left out as a whole when the model is tested.
    source : str
        Where the figure was seen.
    unverified : tuple of str
        Parts of the layout that were not seen there.
    """

    step: TrainingStep
    seconds: float
    group: str
    source: str
    unverified: tuple[str, ...] = ()


@once
def load_measured_steps() -> tuple[MeasuredStep, ...]:
    """Return every measured step, in the order of the file.

    Raises
    ------
    CatalogError
        If the file is missing or malformed.
    """
    try:
        with (data_root() / MEASURED_FILE).open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ValueError("unexpected columns")
            return tuple(_measured(row) for row in reader)
    except (OSError, ValueError, IsoflopError) as error:
        raise CatalogError(
            _("The data file {measured_file} cannot be read.", measured_file=MEASURED_FILE),
            detail=str(error),
        ) from None


def _measured(row: dict[str, str]) -> MeasuredStep:
    layout = Layout(
        data=int(row["data"]),
        tensor=int(row["tensor"]),
        pipeline=int(row["pipeline"]),
        interleave=int(row["interleave"]),
        expert=int(row["expert"]),
        zero_stage=int(row["zero_stage"]),
    )
    if layout.n_accelerators != int(row["accelerators"]):
        raise ValueError(f"{row['model']}: the layout takes {layout.n_accelerators} accelerators")
    at_once = layout.data * int(row["micro_batch"])
    micro_batches, rest = divmod(int(row["global_batch"]), at_once)
    if rest:
        raise ValueError(f"{row['model']}: {at_once} sequences at once do not divide the batch")
    if row["attention_kernel"] not in ("flash", "unfused"):
        raise ValueError(f"{row['model']}: {row['attention_kernel']}")
    if row["dtype"] not in DTYPES or row["recompute"] not in ("", *get_args(Recompute)):
        raise ValueError(f"{row['model']}: {row['dtype']}, {row['recompute']}")
    step = TrainingStep(
        architecture=_architecture(row["model"]),
        layout=layout,
        accelerator=find_accelerator(row["accelerator"]),
        micro_batch=int(row["micro_batch"]),
        micro_batches=micro_batches,
        context=int(row["context"]),
        dtype=row["dtype"],
        recompute=cast(Recompute, row["recompute"] or "none"),
        flash_attention=row["attention_kernel"] == "flash",
    )
    if not row["recompute"]:
        step = replace(step, recompute=_least_recomputed(step))
    rate = float(row["tokens_per_s_per_accelerator"]) * layout.n_accelerators
    return MeasuredStep(
        step=step,
        seconds=step.batch_tokens / rate,
        group=row["group"],
        source=row["source"],
        unverified=tuple(row["unverified"].split()),
    )


def _least_recomputed(step: TrainingStep) -> Recompute:
    """Return what had to be computed again for the step to fit; its source does not say."""
    tried: tuple[Recompute, ...] = ("none", "selective")
    for recompute in tried:
        setup = TrainingSetup(
            optimizer=find_optimizer(DEFAULT_OPTIMIZER),
            layout=step.layout,
            micro_batch=step.micro_batch,
            context=step.context,
            recompute=recompute,
        )
        held = training_memory(step.architecture, setup).total_bytes
        if held <= step.accelerator.memory_bytes:
            return recompute
    return "full"


@once
def _architecture(name: str) -> Architecture:
    shapes: dict[str, dict[str, Any]] = read_toml(SHAPES_FILE)["shapes"]
    if name not in shapes:
        return find_model(name).architecture
    shape = dict(shapes[name])
    experts = shape.pop("experts", None)
    return Architecture(name=name, experts=Experts(**experts) if experts else None, **shape)

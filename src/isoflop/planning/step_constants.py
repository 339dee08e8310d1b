"""What accelerators were measured to reach in training steps, by class."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from isoflop.data import data_root, read_toml, require_keys
from isoflop.errors import CatalogError
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.planning.types import Accelerator

CLASSES_FILE = "step_time/classes.toml"
CONSTANTS_FILE = "step_time/constants.toml"
ERRORS_FILE = "step_time/errors.csv"

Trust = Literal["dense", "experts", "nearest"]
"""What an interval rests on: dense models, mixtures of experts, or a class without rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepConstants:
    """The five constants of a step's time.

    Parameters
    ----------
    matmul_efficiency, attention_efficiency : float
        Share of the peak that wide matrix products and attention kernels reach.
    expert_efficiency : float
        Share of the matrix products' rate that those of routed experts reach, permutations and
        uneven loads included.
    elementwise_passes : float
        Times that a layer's activations go over the memory's bandwidth.
    tensor_exposed : float
        Time of tensor parallelism's messages over that at the link's rate.
    """

    matmul_efficiency: float
    attention_efficiency: float
    expert_efficiency: float
    elementwise_passes: float
    tensor_exposed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepClass:
    """A class of accelerators.

    Parameters
    ----------
    key, label, kind : str
    year : int
    accelerators : tuple of str
        Keys of those that belong to it.
    """

    key: str
    label: str
    kind: str
    year: int
    accelerators: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedSteps:
    """What the fit to measured steps found.

    Parameters
    ----------
    constants : mapping of str to StepConstants
        By class.
    intervals : mapping of str to (float, float)
        Between which shares of the predicted time 80% of the measured times lay that the fit had
        not seen.
    fitted : str
        Date.
    """

    constants: Mapping[str, StepConstants]
    intervals: Mapping[Trust, tuple[float, float]]
    fitted: str


INTERVAL_LEVEL = 0.8


KeptBack = Literal["tenth", "source"]
"""What was not fitted to when an error was measured: every tenth step, or all of one publisher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepError:
    """How far predicted times lie from those of steps that were kept back.

    Parameters
    ----------
    n_rows : int
    median, p90 : float
        Absolute, shares of the measured time.
    """

    n_rows: int
    median: float
    p90: float


@once
def load_step_error(kept_back: KeptBack) -> StepError:
    """Return the error to expect of a step: of software that is known, or of other people's.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    try:
        with (data_root() / ERRORS_FILE).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        row = next(r for r in rows if (r["kept_back"], r["source"]) == (kept_back, "all"))
        return StepError(
            n_rows=int(row["n_rows"]),
            median=float(row["median_error"]),
            p90=float(row["p90_error"]),
        )
    except (OSError, ValueError, KeyError, StopIteration) as error:
        raise CatalogError(
            _("The data file {errors_file} cannot be read.", errors_file=ERRORS_FILE),
            detail=str(error),
        ) from None


@once
def load_step_classes() -> Mapping[str, StepClass]:
    """Return the classes, by key.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    entries: dict[str, dict[str, Any]] = read_toml(CLASSES_FILE)["classes"]
    needed = frozenset({"label", "kind", "year", "accelerators"})
    classes = {}
    for key, entry in entries.items():
        require_keys(
            entry,
            where=_("{key} of {classes_file}", key=key, classes_file=CLASSES_FILE),
            required=needed,
        )
        accelerators = tuple(entry.pop("accelerators"))
        classes[key] = StepClass(key=key, accelerators=accelerators, **entry)
    return MappingProxyType(classes)


@once
def load_fitted_steps() -> FittedSteps:
    """Return the fitted constants and intervals.

    The file is made by ``python -m benchmarks.step_time --write``.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    document = read_toml(CONSTANTS_FILE)
    names = frozenset(StepConstants.__dataclass_fields__)
    constants = {}
    for key, entry in document["classes"].items():
        require_keys(
            entry,
            where=_("{key} of {constants_file}", key=key, constants_file=CONSTANTS_FILE),
            required=names,
        )
        constants[key] = StepConstants(**{name: entry[name]["value"] for name in names})
    return FittedSteps(
        constants=MappingProxyType(constants),
        intervals=MappingProxyType(
            {
                trust: (entry["lower"], entry["upper"])
                for trust, entry in document["intervals"].items()
            }
        ),
        fitted=document["retrieved"],
    )


def step_class(accelerator: Accelerator) -> tuple[StepClass, bool]:
    """Return an accelerator's class, or the one nearest in kind and year, and which of them it is.

    Returns
    -------
    StepClass
    bool
        Whether the accelerator belongs to the class.
    """
    classes = load_step_classes().values()
    for item in classes:
        if accelerator.key in item.accelerators:
            return item, True
    nearest = min(
        classes,
        key=lambda item: (item.kind != accelerator.kind, abs(item.year - accelerator.year)),
    )
    return nearest, False

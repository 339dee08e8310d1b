"""What a plan is made of: immutable data in canonical units, and the results made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop import document
from isoflop.errors import PlanError
from isoflop.fitting import Band
from isoflop.fitting.bands import BandKind
from isoflop.identity import Keyed
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.notices import Notice, Severity, require_none
from isoflop.options import Option
from isoflop.planning.acquisition import Acquisition
from isoflop.planning.failures import Failures
from isoflop.planning.storage import StorageNeed
from isoflop.planning.summary import (
    OPTIMUM_COLUMNS,
    frontier_columns,
    frontier_text,
    optimum_frame,
    plan_frame,
    plan_html,
    plan_text,
)
from isoflop.text import as_html
from isoflop.units import DAY_S, HOUR_S, Dimension, format_number, format_quantity

PLAN_FORMAT = "isoflop-plan-1"
OPTIMUM_FORMAT = "isoflop-optimum-1"
FRONTIER_FORMAT = "isoflop-frontier-1"

Dtype = Literal["bf16", "fp16", "fp8", "tf32", "fp32"]
AcceleratorKind = Literal["gpu", "tpu", "asic", "cpu"]
Basis = Literal["compute-optimal", "chosen", "assumed"]
"""Where a plan's size comes from; assumed where the law has no optimum."""

DTYPES: dict[Dtype, str] = {
    "bf16": "BF16",
    "fp16": "FP16",
    "fp8": "FP8",
    "tf32": "TF32",
    "fp32": "FP32",
}
"""Every type to compute in, with its label."""

TRAINING_DTYPES: tuple[Dtype, ...] = ("bf16", "fp16", "fp32")
"""Types a model is trained in when nothing else is asked for, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One kind of accelerator, as its datasheet and measurements describe it.

    Parameters
    ----------
    key : str
        Catalog key, such as ``"h100-sxm"``.
    label : str
    vendor : str
    kind : {"gpu", "tpu", "asic", "cpu"}
    year : int
        Of launch.
    peak_flop_per_s : mapping of str to float
        Dense peak by dtype; 16-bit types with FP32 accumulation. A type that the device lacks is
        absent.
    measured_matmul_flop_per_s : float or None
        Largest matmul rate measured in ``training_dtype``.
    memory_bytes : float
    bandwidth_byte_per_s : float
        Of the device memory.
    interconnect : str
    interconnect_byte_per_s : float or None
        To its neighbours, one way.
    power_w : float or None
        Thermal design power.
    price_usd_per_hour : float or None
        Indicative on-demand price.
    price_range_usd_per_hour : (float, float) or None
    price_date, price_source : str
    source, retrieved : str
        Of the specification.
    unverified : tuple of str
        Names of the figures that no source was seen for: dtypes, ``"power"``, ``"price"``, ...
    note : str
    """

    key: str
    label: str
    vendor: str
    kind: AcceleratorKind
    year: int
    peak_flop_per_s: Mapping[str, float]
    measured_matmul_flop_per_s: float | None = None
    memory_bytes: float
    bandwidth_byte_per_s: float
    interconnect: str = ""
    interconnect_byte_per_s: float | None = None
    power_w: float | None = None
    price_usd_per_hour: float | None = None
    price_range_usd_per_hour: tuple[float, float] | None = None
    price_date: str = ""
    price_source: str = ""
    source: str = ""
    retrieved: str = ""
    unverified: tuple[str, ...] = ()
    note: str = ""

    @property
    def training_dtype(self) -> Dtype:
        """The type to train in: BF16 where the device has it, else FP16, else FP32."""
        for dtype in TRAINING_DTYPES:
            if dtype in self.peak_flop_per_s:
                return dtype
        raise PlanError(
            _("{label} has no type that a model can be trained in.", label=self.label),
            detail=_(
                "It has {peak_flop_per_s}.",
                peak_flop_per_s=", ".join(self.peak_flop_per_s) or _("no peak at all"),
            ),
            hint=_("Give its dense BF16, FP16 or FP32 peak."),
        )

    def is_called(self, name: str) -> bool:
        """Say whether a person may mean it by a name such as ``"H100"``; an empty one is any's."""
        known = f"{self.label} {self.key}".lower()
        return all(word in known for word in re.findall(r"[a-z\d]+", name.lower()))

    @property
    def mfu_ceiling(self) -> float:
        """Largest MFU that any run can reach: measured matmul rate over peak, 1 if not measured."""
        if self.measured_matmul_flop_per_s is None:
            return 1.0
        return self.measured_matmul_flop_per_s / self.peak_flop_per_s[self.training_dtype]

    def peak(self, dtype: Dtype | None = None) -> float:
        """Return the dense peak in FLOP/s of one type, by default the training type.

        Raises
        ------
        PlanError
            If the device has no such type.
        """
        chosen = dtype or self.training_dtype
        if chosen not in self.peak_flop_per_s:
            has = ", ".join(name.upper() for name in self.peak_flop_per_s)
            raise PlanError(
                _("{label} has no {chosen}.", label=self.label, chosen=chosen.upper()),
                detail=_("It computes in {has}.", has=has),
                hint=_(
                    "Choose {training_dtype}, or another accelerator.",
                    training_dtype=self.training_dtype.upper(),
                ),
            )
        return self.peak_flop_per_s[chosen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What there is for a run: at least one of FLOP, money and time; and what else limits it.

    Parameters
    ----------
    compute_flop : float or None
        Most model FLOP to spend.
    usd : float or None
        Most money to spend.
    wall_time_s : float or None
        Longest time for which ``accelerators`` run.
    accelerators : int or None
        How many run side by side; None takes as many as use up money or FLOP in the time, or in a
        month.
    mfu : float or None
        Share of the dense peak while the run is up; None predicts it from the fastest layout and
        what whole runs make of it.
    realised : float or None
        Share of the fastest layout's speed that the whole run makes; None takes that of published
        runs. No matter where an MFU is given.
    goodput : float or None
        Share of the wall time that trains; None predicts it from failures.
    failures : Failures
        No matter for the time where a goodput is given.
    dtype : str or None
        Type to compute in; None takes the accelerator's training type.
    price_usd_per_hour : float or None
        For one accelerator; None takes the accelerator's own.
    acquisition : Acquisition
        How accelerators are paid for; no matter where a price is given.
    storage_bytes, unique_tokens : float or None
        Limits on disk and on distinct training tokens; None for no limit.
    may_repeat : bool
        Whether the unique tokens may be trained on more than once.
    lifetime_inference_tokens : float
        Tokens the model will process after training; their FLOP come from the same FLOP and money,
        not from the same time.

    Raises
    ------
    PlanError
        Naming every value that is invalid.
    """

    compute_flop: Annotated[
        float | None,
        Option(
            label=_("Compute"),
            term="training_compute",
            help=_(
                "Limit on model FLOP, for training and inference together, such as "
                "2e21 or 40 ZFLOP."
            ),
            dimension="flop",
            flag="flop",
            gt=0.0,
        ),
    ] = None
    usd: Annotated[
        float | None,
        Option(
            label=_("Money"),
            help=_(
                "Limit on spending for accelerators, electricity and storage, in US "
                "dollars, such as $2M."
            ),
            dimension="usd",
            gt=0.0,
        ),
    ] = None
    wall_time_s: Annotated[
        float | None,
        Option(
            label=_("Time"),
            term="wall_time",
            help=_("Wall time of the run, such as 30 days or 12 h."),
            dimension="seconds",
            flag="time",
            gt=0.0,
        ),
    ] = None
    accelerators: Annotated[
        int | None,
        Option(
            label=_("Accelerators"),
            term="accelerator",
            help=_(
                "How many work in parallel; unless given, as many as use up money or "
                "FLOP in the time, or in a month."
            ),
            flag="count",
            ge=1,
        ),
    ] = None
    mfu: Annotated[
        float | None,
        Option(
            label=_("Utilisation (MFU)"),
            term="mfu",
            help=_(
                "Share of the dense peak that the model's own FLOP reach while the "
                "run is up; predicted from the fastest layout unless given."
            ),
            dimension="fraction",
            gt=0.0,
            le=1.0,
        ),
    ] = None
    realised: Annotated[
        float | None,
        Option(
            label=_("Realised speed"),
            help=_(
                "Share of its fastest layout's speed that a whole run makes, "
                "evaluation and untuned software included; from the hours of "
                "published runs unless given. 1 for tuned code. It has no effect "
                "where an MFU is given."
            ),
            dimension="fraction",
            gt=0.0,
            le=1.0,
        ),
    ] = None
    goodput: Annotated[
        float | None,
        Option(
            label=_("Goodput"),
            term="goodput",
            help=_(
                "Share of the wall time that trains; the rest is saves, failures and "
                "restarts. Predicted from failures unless given."
            ),
            dimension="fraction",
            gt=0.0,
            le=1.0,
        ),
    ] = None
    failures: Failures = field(default_factory=Failures)
    dtype: Annotated[
        Dtype | None,
        Option(
            label=_("Number format"),
            help=_(
                "Number format of the matrix products, which decides the peak. The "
                "accelerator's own unless given."
            ),
            choices=DTYPES,
        ),
    ] = None
    price_usd_per_hour: Annotated[
        float | None,
        Option(
            label=_("Price per accelerator"),
            help=_("US dollars for one accelerator-hour; the accelerator's own unless given."),
            dimension="usd_per_hour",
            flag="price",
            ge=0.0,
        ),
    ] = None
    acquisition: Acquisition = field(default_factory=Acquisition)
    storage_bytes: Annotated[
        float | None,
        Option(
            label=_("Storage"),
            help=_("Limit on disk space for tokenised data, checkpoints and logs, such as 100 TB."),
            dimension="bytes",
            flag="storage",
            gt=0.0,
        ),
    ] = None
    unique_tokens: Annotated[
        float | None,
        Option(
            label=_("Unique tokens"),
            term="unique_tokens",
            help=_("Distinct tokens available for training, such as 3T."),
            dimension="tokens",
            gt=0.0,
        ),
    ] = None
    may_repeat: Annotated[
        bool,
        Option(
            label=_("Tokens may repeat"),
            help=_("Train on the same tokens again, each time for less (Muennighoff et al. 2023)."),
        ),
    ] = True
    lifetime_inference_tokens: Annotated[
        float,
        Option(
            label=_("Inference"),
            help=_(
                "Tokens that the model will process later, paid from the same FLOP "
                "and money (Sardana et al. 2024)."
            ),
            dimension="tokens",
            flag="inference-tokens",
            ge=0.0,
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        problems = list(_budget_problems(self))
        if problems:
            raise PlanError(
                _("This budget is invalid."),
                detail=joined("\n", problems),
                hint=_("Give FLOP, money or time, and at least one accelerator."),
            )

    @property
    def count(self) -> int:
        """Accelerators; one where their number was not given."""
        return self.accelerators or 1


def _budget_problems(budget: Budget) -> list[str]:
    """Say everything that is wrong with a budget by itself."""
    problems = []
    if budget.compute_flop is None and budget.usd is None and budget.wall_time_s is None:
        problems.append(_("FLOP, money or time is needed, got none."))
    positive = ("compute_flop", "usd", "wall_time_s", "storage_bytes", "unique_tokens")
    for name in positive:
        value = getattr(budget, name)
        if value is not None and not (np.isfinite(value) and value > 0):
            problems.append(
                _("{name} must be positive and finite, got {value:g}.", name=name, value=value)
            )
    if budget.accelerators is not None and budget.accelerators < 1:
        problems.append(
            _(
                "At least one accelerator is needed, got {accelerators}.",
                accelerators=budget.accelerators,
            )
        )
    problems += _share_problems(_("Goodput is a share of the time"), budget.goodput)
    problems += _share_problems(_("Realised speed is a share"), budget.realised)
    problems += _share_problems(_("MFU is a share of the peak"), budget.mfu)
    price = budget.price_usd_per_hour
    if price is not None and not (np.isfinite(price) and price >= 0):
        problems.append(
            _("The price must be zero or more, got {price:g} USD per hour.", price=price)
        )
    inference = budget.lifetime_inference_tokens
    if not (np.isfinite(inference) and inference >= 0):
        problems.append(
            _("Inference tokens must be zero or more, got {inference:g}.", inference=inference)
        )
    return problems


def _share_problems(rule: str, value: float | None) -> list[str]:
    """Refuse a share outside (0, 1]; of a percentage, say how it is written as a share."""
    if value is None or 0 < value <= 1:
        return []
    meant = (
        _("; {percent:g}% is written {share:g}", percent=value, share=value / 100)
        if 1 < value <= 100
        else ""
    )
    return [_("{rule} in (0, 1], got {value:g}{meant}.", rule=rule, value=value, meant=meant)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Optimum(Keyed):
    """The compute-optimal model and data size of one or many parameter vectors.

    Parameters
    ----------
    params, tokens : ndarray, shape (...)
        N* and D*, one for every parameter vector.
    loss : ndarray, shape (...)
    compute_flop : ndarray, shape (...)
        What was spent.
    is_interior : ndarray of bool, shape (...)
        Whether the loss has a minimum inside the range searched. Where it has none, the other
        fields hold the better end of the range, which is not an optimum.
    """

    params: NDArray[np.float64]
    tokens: NDArray[np.float64]
    loss: NDArray[np.float64]
    compute_flop: NDArray[np.float64]
    is_interior: NDArray[np.bool_]
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<Optimum: {np.size(self.params)} parameter vectors>"

    def part(self, chosen: int | slice) -> Optimum:
        """Return the optimum of one parameter vector of a batch, or of some."""
        return Optimum(
            params=self.params[chosen],
            tokens=self.tokens[chosen],
            loss=self.loss[chosen],
            compute_flop=self.compute_flop[chosen],
            is_interior=self.is_interior[chosen],
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row a parameter vector: compute_flop, params, tokens, loss, is_interior."""
        return optimum_frame(self)

    def to_json(self) -> str:
        """Return the optima as JSON that `from_json` reads."""
        return document.to_json(self, OPTIMUM_FORMAT)

    @classmethod
    def from_json(cls, text: str | bytes) -> Optimum:
        """Read what `to_json` wrote.

        Raises
        ------
        DocumentError
            If it is anything else.
        """
        found = document.from_json(cls, text, OPTIMUM_FORMAT)
        document.require_one_length(
            {name: np.ravel(getattr(found, name)) for name in OPTIMUM_COLUMNS}
        )
        return found

    def _repr_html_(self) -> str:
        return as_html(_("Compute-optimal models"), self.to_frame())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Frontier(Keyed):
    """The compute-optimal models over a range of compute, with their uncertainty.

    Parameters
    ----------
    compute_flop : ndarray, shape (n,)
    params, tokens, loss : ndarray, shape (n,)
        By the fit's own parameters.
    params_band, tokens_band, loss_band : Band or None
        Over the bootstrap draws, each in the unit of its quantity.
    is_extrapolation : ndarray of bool, shape (n,)
        Whether the optimal model lies outside the range of any input of the fitted rows.
    reason : str
        Why there are no bands; empty where there are.
    """

    compute_flop: NDArray[np.float64]
    params: NDArray[np.float64]
    tokens: NDArray[np.float64]
    loss: NDArray[np.float64]
    params_band: Band | None
    tokens_band: Band | None
    loss_band: Band | None
    is_extrapolation: NDArray[np.bool_]
    reason: str = ""
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<Frontier: {len(self.compute_flop)} amounts of compute>"

    @property
    def exponents(self) -> tuple[float, float] | None:
        """Mean powers of compute with which N* and D* grow; None for fewer than two models."""
        found = np.isfinite(self.params)
        if np.count_nonzero(found) < 2:
            return None
        log_flop = np.log(self.compute_flop[found])
        size, data = (
            float(np.polyfit(log_flop, np.log(values[found]), 1)[0])
            for values in (self.params, self.tokens)
        )
        return size, data

    def summary(self) -> str:
        """Return the models as text, a line an amount of compute, with their intervals."""
        return frontier_text(self)

    def to_frame(self) -> pd.DataFrame:
        """Return a row an amount of compute: params, tokens and loss, each with its interval."""
        return pd.DataFrame(frontier_columns(self))

    def to_json(self) -> str:
        """Return the models as JSON that `from_json` reads."""
        return document.to_json(self, FRONTIER_FORMAT)

    @classmethod
    def from_json(cls, text: str | bytes) -> Frontier:
        """Read what `to_json` wrote.

        Raises
        ------
        DocumentError
            If it is anything else.
        """
        found = document.from_json(cls, text, FRONTIER_FORMAT)
        document.require_one_length(frontier_columns(found))
        return found

    def _repr_html_(self) -> str:
        why = _("No intervals: {reason}", reason=self.reason) if self.reason else ""
        return as_html(_("Compute-optimal models"), self.to_frame(), why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A range around one figure, in that figure's unit.

    Parameters
    ----------
    lower, upper : float
    level : float
        Nominal coverage, such as 0.9.
    kind : {"confidence", "prediction"}
        Of the mean, or of one new run.
    """

    lower: float
    upper: float
    level: float
    kind: BandKind = "confidence"

    def scaled(self, factor: float) -> Interval:
        """Return the range of a figure that is this one times a positive factor."""
        return replace(self, lower=self.lower * factor, upper=self.upper * factor)


SPREAD_LEVEL = 0.8
"""Of the intervals of time and money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a run takes.

    Parameters
    ----------
    accelerators : int
    wall_time_s : float
        From start to end, failures and restarts included.
    accelerator_hours : float
    usd_compute, usd_power, usd_storage, usd_inference : float or None
        Money for accelerators, for electricity where it is not in their price, for storage, and
        for the model's use; None where a price or a power figure is missing.
    usd_development, usd_evaluation : float or None
        For experiments, ladders and failed runs before the run, and for evaluation; None as above.
    usd_data, usd_staff : float
    energy_j : float or None
        Drawn by the site; None without a power figure.
    carbon_kg : float or None
    spread : (float, float) or None
        Between which multiples of the hours 80% of runs should lie: the error of predicted MFU and
        goodput. None where both are the person's own.
    """

    accelerators: int
    wall_time_s: float
    accelerator_hours: float
    usd_compute: float | None
    usd_power: float | None
    usd_storage: float
    energy_j: float | None
    carbon_kg: float | None
    spread: tuple[float, float] | None = None
    usd_inference: float | None = 0.0
    usd_development: float | None = 0.0
    usd_evaluation: float | None = 0.0
    usd_data: float = 0.0
    usd_staff: float = 0.0

    @property
    def usd_by_hours(self) -> float | None:
        """Money that grows with the hours of the run; None where a price is missing."""
        parts = (self.usd_compute, self.usd_power, self.usd_development, self.usd_evaluation)
        known = [part for part in parts if part is not None]
        return sum(known) + self.usd_staff if len(known) == len(parts) else None

    @property
    def usd_besides(self) -> float | None:
        """Money that does not: storage, data and the model's use; None as above."""
        if self.usd_inference is None:
            return None
        return self.usd_storage + self.usd_data + self.usd_inference

    @property
    def usd_by_part(self) -> dict[str, float]:
        """Money by what it is for, the parts that cost anything, in the order of a stacked bar."""
        parts = {
            _("accelerators"): self.usd_compute,
            _("electricity"): self.usd_power,
            _("development"): self.usd_development,
            _("evaluation"): self.usd_evaluation,
            _("staff"): self.usd_staff,
            _("data"): self.usd_data,
            _("storage"): self.usd_storage,
            _("inference"): self.usd_inference,
        }
        return {name: part for name, part in parts.items() if part}

    @property
    def wall_time_interval(self) -> Interval | None:
        """Range of the time, in seconds."""
        return self._around(self.wall_time_s)

    @property
    def hours_interval(self) -> Interval | None:
        """Range of the accelerator-hours."""
        return self._around(self.accelerator_hours)

    @property
    def usd_interval(self) -> Interval | None:
        """Range of the money, of which that for hours is uncertain."""
        hours, besides = self.usd_by_hours, self.usd_besides
        if hours is None or besides is None or self.spread is None:
            return None
        lower, upper = (hours * end + besides for end in self.spread)
        return Interval(lower=lower, upper=upper, level=SPREAD_LEVEL, kind="prediction")

    def _around(self, value: float) -> Interval | None:
        if self.spread is None:
            return None
        lower, upper = (value * end for end in self.spread)
        return Interval(lower=lower, upper=upper, level=SPREAD_LEVEL, kind="prediction")

    @property
    def accelerator_days(self) -> float:
        """Accelerators times days."""
        return self.accelerator_hours * HOUR_S / DAY_S

    @property
    def usd_per_accelerator_hour(self) -> float | None:
        """Price of one accelerator; None where it is not known."""
        return None if self.usd_compute is None else self.usd_compute / self.accelerator_hours

    @property
    def usd(self) -> float | None:
        """All money, or None where a part of it is unknown."""
        hours, besides = self.usd_by_hours, self.usd_besides
        return None if hours is None or besides is None else hours + besides


EXCEEDED = 1.001
"""Times a limit, beyond what rounding makes."""

LimitKey = Literal["compute", "time", "money", "memory", "storage", "unique_tokens", "batch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """One limit, what a plan uses of it, and what more of it would buy.

    Parameters
    ----------
    key : str
    label : str
    dimension : str
        Of ``limit`` and ``used``, as `isoflop.units` names it.
    limit, used : float
    is_binding : bool
        Whether it keeps the loss from falling.
    relaxed_loss : float
        Loss of the best plan were the limit a tenth higher and the others as they are; that of the
        plan itself where the limit is not used up.
    gain : float
        By how much that lowers the loss.
    """

    key: LimitKey
    label: str
    dimension: Dimension
    limit: float
    used: float
    is_binding: bool
    relaxed_loss: float
    gain: float

    @property
    def is_exceeded(self) -> bool:
        """Whether the plan uses more than there is, as one of a size and data of one's own may.

        Unique tokens are not used up by being seen again.
        """
        return self.key != "unique_tokens" and self.used > EXCEEDED * self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How a run is trained: its layout, where its time goes, and how much of it trains.

    Parameters
    ----------
    mfu, goodput : float
    mfu_interval, goodput_interval : Interval or None
        Of predictions; None where a figure is the person's own.
    is_own_mfu, is_own_goodput : bool
        Whether they were given.
    realised : float
        Share of the layout's speed that the run is taken to make; 1 where the MFU was given.
    batch_tokens : float
        Tokens of a step.
    batch_limit_tokens : float
        The critical batch at that data, or the batch that was given.
    step_s : float
        Time of a step.
    layout : str
        Degrees of parallelism, micro-batch and what is recomputed; empty where the model's shape is
        not known or none fits.
    time_shares : mapping of str to float
        Share of the time by component, the idle and exposed parts too, and what whole runs lose
        against tuned steps.
    best_layout, best_mfu, best_time_shares : str, float or None, mapping of str to float
        Of all layouts, where some degrees were given and others are faster; shares of the time
        that this run takes.
    evidence : str
        What the predicted MFU rests on.
    save_interval_s, best_save_interval_s : float
        Training between two saves, and that of the largest goodput.
    schedule : str
        When the learning rate rises, holds and falls.
    saves : float
        In the whole run; most are overwritten by later ones.
    expected_failures : float
        In the whole run.
    """

    mfu: float
    mfu_interval: Interval | None
    is_own_mfu: bool
    goodput: float
    goodput_interval: Interval | None
    is_own_goodput: bool
    realised: float
    batch_tokens: float
    batch_limit_tokens: float
    step_s: float
    layout: str = ""
    time_shares: Mapping[str, float] = field(default_factory=dict)
    best_layout: str = ""
    best_mfu: float | None = None
    best_time_shares: Mapping[str, float] = field(default_factory=dict)
    evidence: str = ""
    schedule: str = ""
    save_interval_s: float
    best_save_interval_s: float
    saves: float
    expected_failures: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Plan(Keyed):
    """What to train, what it will reach, and what it takes.

    Parameters
    ----------
    params, tokens : float
        The recommended model and data size.
    compute_flop : float
        Training FLOP.
    loss : float
        Predicted loss of the recommended run.
    params_interval, tokens_interval : Interval or None
        Of N* and D* over the bootstrap draws.
    loss_interval : Interval or None
        Of the mean loss of the recommended run.
    loss_prediction : Interval or None
        Of the loss of one new run of it, its own scatter included.
    interval_reason : str
        Why there are no intervals; empty where there are.
    extrapolation_decades : mapping of str to float
        How far each input lies beyond the fitted rows, in decades; 0 inside.
    cost : Cost
    storage : StorageNeed
    training : Training
    budget : Budget
        What it was planned within.
    limits : tuple of LimitUse
        Every limit of the budget; where the size was given, what more tokens for it would buy.
    epochs : float
        How often each unique token is seen; 1 or less where there are enough.
    notices : tuple of Notice
    assumptions : mapping of str to str
        What the figures rest on, in words with units.
    basis : {"compute-optimal", "chosen", "assumed"}
        Where the size comes from; assumed where the law has no optimum.
    assumption : str
        What an assumed size rests on; empty otherwise.
    accelerator : str
        Its label.
    response, loss_unit : str
        What is predicted, and in which unit.
    key : str
        Of all that is said above.
    """

    params: float
    tokens: float
    compute_flop: float
    loss: float
    params_interval: Interval | None
    tokens_interval: Interval | None
    loss_interval: Interval | None
    loss_prediction: Interval | None = None
    interval_reason: str = ""
    extrapolation_decades: Mapping[str, float] = field(default_factory=dict)
    cost: Cost
    storage: StorageNeed
    training: Training
    budget: Budget
    limits: tuple[LimitUse, ...] = ()
    epochs: float = 1.0
    notices: tuple[Notice, ...] = ()
    assumptions: Mapping[str, str] = field(default_factory=dict)
    basis: Basis = "compute-optimal"
    assumption: str = ""
    accelerator: str = ""
    response: str = "loss"
    loss_unit: str = "unknown"
    key: str = field(init=False, repr=False)

    @property
    def tokens_per_param(self) -> float:
        """Training tokens for every parameter."""
        return self.tokens / self.params

    @property
    def furthest(self) -> tuple[str, float]:
        """The input that lies furthest beyond the fitted rows, and how many decades; 0 inside."""
        decades = self.extrapolation_decades
        symbol = max(decades, key=lambda name: abs(decades[name]), default="")
        return symbol, decades.get(symbol, 0.0)

    @property
    def binding(self) -> tuple[LimitUse, ...]:
        """The limits that keep the loss from falling, the most worth relaxing first."""
        binding = [limit for limit in self.limits if limit.is_binding]
        return tuple(sorted(binding, key=lambda limit: -limit.gain))

    def __repr__(self) -> str:
        model = f"{format_number(self.params)} parameters on {format_number(self.tokens)} tokens"
        return f"<Plan: {model}, {self.response} {self.loss:.4g}>"

    def summary(self, *, notices: bool = True) -> str:
        """Return the plan as text: the run, its loss, what it takes, notices.

        Parameters
        ----------
        notices : bool
            Whether the notices stand below.
        """
        return plan_text(self, notices=notices)

    def to_frame(self) -> pd.DataFrame:
        """Return the plan's figures in canonical units, one row."""
        return plan_frame(self)

    def raise_for_notices(self, severity: Severity = "serious") -> None:
        """Refuse the plan if it has a notice of this severity, or a worse one.

        Raises
        ------
        NoticeError
            Listing them.
        """
        require_none(
            self.notices,
            severity,
            _(
                "The plan at {compute_flop}",
                compute_flop=format_quantity(self.compute_flop, "flop"),
            ),
        )

    def to_json(self, results: Mapping[str, Any] | None = None) -> str:
        """Return the plan as JSON, in canonical units, that `from_json` reads.

        Parameters
        ----------
        results : mapping of str to object, optional
            What else follows from it, for other readers.
        """
        derived = {
            **(results or {}),
            "tokens_per_param": self.tokens_per_param,
            "usd": self.cost.usd,
            "accelerator_hours": self.cost.accelerator_hours,
        }
        return document.to_json(self, PLAN_FORMAT, derived=derived)

    @classmethod
    def from_json(cls, text: str | bytes) -> Plan:
        """Read what `to_json` wrote.

        Raises
        ------
        DocumentError
            If it is anything else, or of a newer version.
        """
        return document.from_json(cls, text, PLAN_FORMAT)

    def _repr_html_(self) -> str:
        return plan_html(self)

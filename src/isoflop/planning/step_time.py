"""How long one optimiser step takes, by what it spends the time on, and the MFU that follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from isoflop.accounting import FlopConvention, count_flop
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext as _
from isoflop.planning.step_constants import (
    INTERVAL_LEVEL,
    StepConstants,
    Trust,
    load_fitted_steps,
    step_class,
)
from isoflop.planning.step_work import StepWork, TrainingStep, step_work
from isoflop.planning.types import Accelerator, Interval
from isoflop.text import as_html

EXPERT_EXPOSED = 0.3
"""Share of the all-to-alls of experts that computation does not hide."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepTime(Keyed):
    """Time of one optimiser step.

    Parameters
    ----------
    step : TrainingStep
    matmul_s, expert_matmul_s, attention_s, elementwise_s : float
        Computation: products with weights outside and inside routed experts, attention, the rest.
    tensor_s, context_s, expert_s : float
        Messages of tensor, context and expert parallelism that computation does not hide.
    pipeline_s : float
        Idle stages.
    data_s : float
        What the messages of data parallelism add.
    ratio_lower, ratio_upper : float
        Between which multiples of the whole 80% of measured steps lay that the fit had not seen.
    measured_class : str
        Accelerators whose steps the constants were fitted to.
    is_measured : bool
        Whether this accelerator is one of them; the nearest class otherwise.
    fitted : str
        Date of the constants: software gets faster.
    convention : str
        How the FLOP of the MFU are counted.
    """

    step: TrainingStep
    matmul_s: float
    expert_matmul_s: float
    attention_s: float
    elementwise_s: float
    tensor_s: float
    context_s: float
    expert_s: float
    pipeline_s: float
    data_s: float
    ratio_lower: float
    ratio_upper: float
    measured_class: str
    is_measured: bool
    fitted: str
    convention: FlopConvention = "6N"
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<StepTime: {self.total_s:.3g} s, MFU {self.mfu:.3f}>"

    def _repr_html_(self) -> str:
        return as_html(_("Time of a training step"), self.to_frame())

    @property
    def by_component(self) -> dict[str, float]:
        """Seconds by component, in the order of a stacked bar."""
        return {
            _("matrix products"): self.matmul_s,
            _("experts"): self.expert_matmul_s,
            _("attention"): self.attention_s,
            _("elementwise"): self.elementwise_s,
            _("tensor parallelism"): self.tensor_s,
            _("context parallelism"): self.context_s,
            _("expert parallelism"): self.expert_s,
            _("pipeline bubble"): self.pipeline_s,
            _("data parallelism"): self.data_s,
        }

    @property
    def total_s(self) -> float:
        """The whole."""
        return sum(self.by_component.values())

    @property
    def interval(self) -> Interval:
        """Range of the whole, in seconds."""
        return Interval(
            lower=self.total_s * self.ratio_lower,
            upper=self.total_s * self.ratio_upper,
            level=INTERVAL_LEVEL,
            kind="prediction",
        )

    @property
    def tokens_per_s(self) -> float:
        """Tokens that all accelerators together take in a second."""
        return float(self.step.batch_tokens / self.total_s)

    @property
    def mfu(self) -> float:
        """Share of the dense peak of the step's type spent on the model's own FLOP."""
        step = self.step
        flop_per_token = count_flop(
            step.architecture, convention=self.convention, context=step.context
        ).training_flop
        peak = step.accelerator.peak(step.dtype) * step.layout.n_accelerators
        return flop_per_token * self.tokens_per_s / peak

    @property
    def mfu_interval(self) -> Interval:
        """Range of the MFU."""
        return Interval(
            lower=self.mfu / self.ratio_upper,
            upper=self.mfu / self.ratio_lower,
            level=INTERVAL_LEVEL,
            kind="prediction",
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row a component: seconds, and the share of the whole."""
        parts = self.by_component
        return pd.DataFrame(
            {
                "component": list(parts),
                "seconds": list(parts.values()),
                "share": [seconds / self.total_s for seconds in parts.values()],
            }
        )

    def summary(self) -> str:
        """Return the step in a few sentences."""
        time, mfu = self.interval, self.mfu_interval
        largest = max(self.by_component, key=self.by_component.__getitem__)
        basis = _("measured on") if self.is_measured else _("not measured; taken like")
        return _(
            "A step of {batch_tokens:,} tokens takes {total_s:.3g} s "
            "({lower:.3g} to {upper:.3g} s in {level:.0%} of measured steps): an "
            "MFU of {mfu:.3f} ({lower2:.3f} to {upper2:.3f}, {convention}). Most "
            "goes into {largest}. {label}: {basis} {measured_class}, {fitted}.",
            batch_tokens=self.step.batch_tokens,
            total_s=self.total_s,
            lower=time.lower,
            upper=time.upper,
            level=time.level,
            mfu=self.mfu,
            lower2=mfu.lower,
            upper2=mfu.upper,
            convention=self.convention,
            largest=largest,
            label=self.step.accelerator.label,
            basis=basis,
            measured_class=self.measured_class,
            fitted=self.fitted,
        )


def busy_parts(work: StepWork, constants: StepConstants) -> dict[str, Any]:
    """Return the seconds that an accelerator of a full pipeline is busy, by part.

    The keys and values of context parallelism are sent while attention works on those before.
    """
    matmul = work.matmul_s / constants.matmul_efficiency
    experts = work.expert_matmul_s / (constants.matmul_efficiency * constants.expert_efficiency)
    attention = work.attention_s / constants.attention_efficiency
    return {
        "matmul_s": matmul,
        "expert_matmul_s": experts,
        "attention_s": attention,
        "elementwise_s": work.elementwise_s * constants.elementwise_passes,
        "tensor_s": work.tensor_s * constants.tensor_exposed,
        "context_s": np.maximum(work.context_s - attention, 0.0),
        "expert_s": work.expert_s * EXPERT_EXPOSED,
    }


def combine(work: StepWork, constants: StepConstants) -> dict[str, float]:
    """Turn a step's work into seconds by part, named as in `StepTime`."""
    parts = {name: float(seconds) for name, seconds in busy_parts(work, constants).items()}
    working = sum(parts.values())
    busy = working * float(work.bubble)
    whole = float(overlapped(busy, work.data_s))
    return parts | {"pipeline_s": busy - working, "data_s": whole - busy}


def overlapped(busy_s: Any, data_s: Any) -> Any:
    """Return the time of a step whose messages of data parallelism overlap with all else."""
    return np.cbrt(busy_s**3 + data_s**3)


def time_ratios(accelerator: Accelerator, *, is_moe: bool) -> tuple[float, float]:
    """Return between which multiples of the predicted time most measured steps lay.

    Parameters
    ----------
    accelerator : Accelerator
    is_moe : bool
        Whether the model routes tokens to experts.
    """
    intervals = load_fitted_steps().intervals
    known: Trust = "experts" if is_moe else "dense"
    lower, upper = intervals[known]
    if step_class(accelerator)[1]:
        return lower, upper
    # Never narrower than what is known of measured classes.
    wide_lower, wide_upper = intervals["nearest"]
    return min(lower, wide_lower), max(upper, wide_upper)


def step_time(step: TrainingStep, *, convention: FlopConvention = "6N") -> StepTime:
    """Predict how long one optimiser step takes.

    Parameters
    ----------
    step : TrainingStep
    convention : str
        How the FLOP of the MFU are counted.

    Returns
    -------
    StepTime

    Notes
    -----
    Left out, as they did not lower the error: the optimiser's own step, latency, topology,
    stragglers at scale. A step that does not fit the memory is not refused here.
    """
    found, is_measured = step_class(step.accelerator)
    fitted = load_fitted_steps()
    lower, upper = time_ratios(step.accelerator, is_moe=step.architecture.is_moe)
    return StepTime(
        step=step,
        **combine(step_work(step), fitted.constants[found.key]),
        ratio_lower=lower,
        ratio_upper=upper,
        measured_class=found.label,
        is_measured=is_measured,
        fitted=fitted.fitted,
        convention=convention,
    )

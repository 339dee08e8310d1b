"""What a model's use costs over its life, as a function of its size: serving under full load."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.accounting import count_parameters
from isoflop.accounting.shapes import CountedParams
from isoflop.errors import DoesNotFit, PlanError
from isoflop.identity import Keyed
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.options import Option, problems
from isoflop.planning.family_rule import shapes_of
from isoflop.planning.inference import (
    BYTES_OF,
    accelerators_for,
    saturated_serving,
    serving_on,
)
from isoflop.planning.rates import ShareCurve, smoothed
from isoflop.planning.rule import ComputeRule
from isoflop.planning.types import DTYPES, Accelerator, Dtype

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What is asked of a model in use.

    Parameters
    ----------
    prompt_tokens, output_tokens : int
        Of one request; of the lifetime's tokens they are these shares.
    dtype : str or None
        Of weights, cache and products in serving; None takes the accelerator's training type.

    Raises
    ------
    PlanError
        If a figure is out of range.
    """

    prompt_tokens: Annotated[
        int,
        Option(
            label="Prompt (tokens)",
            term="prefill",
            help=_(
                "Tokens that a request brings; prompts are read many times faster "
                "than outputs are written."
            ),
            flag="prompt",
            ge=1,
        ),
    ] = 1024
    output_tokens: Annotated[
        int,
        Option(
            label="Output (tokens)",
            term="decode",
            help=_("Tokens that a request gets back."),
            flag="output",
            ge=1,
        ),
    ] = 1024
    dtype: Annotated[
        Dtype | None,
        Option(
            label=_("Served in"),
            help=_(
                "Type of weights, cache and products in serving; the accelerator's "
                "training type unless given."
            ),
            flag="serve-dtype",
            choices=DTYPES,
        ),
    ] = None

    def __post_init__(self) -> None:
        wrong = problems(self)
        if wrong:
            raise PlanError(_("Such requests cannot be served."), detail=joined("\n", wrong))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServingCost(Keyed):
    """Accelerator-seconds of each token of a model's use, as a function of its size.

    Parameters
    ----------
    family : str
        Key of the family whose shapes the models have.
    count : {"total", "active", "nonembedding"}
        What N counts.
    accelerator : Accelerator
    requests : Requests
    """

    family: str
    count: CountedParams
    accelerator: Accelerator
    requests: Requests
    key: str = field(init=False, repr=False)

    def __call__(self, params: ArrayLike) -> Array:
        """Return the accelerator-seconds of a token of prompts and outputs."""
        size = np.asarray(params, dtype=np.float64)
        return np.asarray(_seconds_per_param(self)(size) * size)


@once(max_entries=64)
def _seconds_per_param(cost: ServingCost) -> ShareCurve:
    """Return the curve of accelerator-seconds a token and parameter, smooth between shapes."""
    requests, device = cost.requests, cost.accelerator
    size = BYTES_OF[requests.dtype or device.training_dtype]
    found: dict[int, float] = {}
    for params, shape in sorted(shapes_of(cost.family, cost.count).items()):
        total = count_parameters(shape).total
        setup = serving_on(
            device,
            accelerators=accelerators_for(total, device.memory_bytes, weight_bytes=size),
            batch=1,
            prompt_tokens=requests.prompt_tokens,
            output_tokens=requests.output_tokens,
            dtype=requests.dtype,
        )
        try:
            found[params] = saturated_serving(shape, setup).device_s_per_token / params
        except DoesNotFit:
            continue
    if not found:
        raise DoesNotFit(
            _(
                "No model of this family serves requests of {prompt_tokens:,} and "
                "{output_tokens:,} tokens on {label}.",
                prompt_tokens=requests.prompt_tokens,
                output_tokens=requests.output_tokens,
                label=device.label,
            ),
            hint=_("Shorten the requests, or choose another accelerator."),
        )
    sizes, values = np.array(list(found), dtype=np.float64), np.array(list(found.values()))
    return ShareCurve(log_share=smoothed(np.log(sizes), np.log(values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedInference:
    """What an inference token costs in training tokens of the same model, by accelerator-time.

    Parameters
    ----------
    serving : ServingCost
    rule : ComputeRule
    flop_per_device_s : float
        Model FLOP that one accelerator does in training in a second of wall time.

    References
    ----------
    Sardana et al., arXiv 2401.00448, section 4.
    """

    serving: ServingCost
    rule: ComputeRule
    flop_per_device_s: float

    def __call__(self, params: Array) -> Array:
        """Return the ratio for models of these sizes."""
        training_s = self.rule.flop_per_token(params) / self.flop_per_device_s
        return np.asarray(self.serving(params) / training_s)

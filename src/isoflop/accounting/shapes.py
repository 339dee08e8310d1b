"""From a number of parameters to a model that can be built: released sizes, and new shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, inf, isfinite, isqrt, lcm, log
from typing import Any, Literal

import numpy as np

from isoflop.accounting.architecture import Architecture
from isoflop.accounting.counts import ParameterCount
from isoflop.accounting.families import Family, ReleasedModel
from isoflop.accounting.parameters import count_parameters
from isoflop.errors import PlanError
from isoflop.language import lazy_gettext as _

CountedParams = Literal["total", "active", "nonembedding"]

WIDTH_MULTIPLE = 128
"""Widths and vocabularies are padded to this: tensor cores work on tiles of 64 to 256."""

MAX_PARAMS = 1e14
MAX_RELATIVE_ERROR = 0.1
"""A shape further than this from the target is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedShape:
    """A new model shape on a family's proportions.

    Parameters
    ----------
    architecture : Architecture
    parameters : ParameterCount
    target_params : float
        What was asked for.
    relative_error : float
        Counted over asked for, less one.
    neighbours : tuple of str
        Released models whose proportions it takes.
    is_extrapolation : bool
        Whether the target lies outside the family's released sizes.
    notes : tuple of str
    """

    architecture: Architecture
    parameters: ParameterCount
    target_params: float
    relative_error: float
    neighbours: tuple[str, ...]
    is_extrapolation: bool
    notes: tuple[str, ...]


def counted(parameters: ParameterCount, count: CountedParams) -> int:
    """Return total, active or non-embedding parameters."""
    return {
        "total": parameters.total,
        "active": parameters.active,
        "nonembedding": parameters.nonembedding,
    }[count]


def nearest_released(
    family: Family, params: float, *, count: CountedParams = "total"
) -> ReleasedModel:
    """Return the family's released model nearest to a number of parameters, by their ratio.

    Raises
    ------
    PlanError
        If the number is not positive and finite.
    """
    target = _checked(params)
    return min(family.models, key=lambda model: abs(log(counted(model.parameters, count) / target)))


def propose_shape(
    family: Family,
    params: float,
    *,
    count: CountedParams = "total",
    heads_multiple: int = 1,
) -> ProposedShape:
    """Build a shape of a number of parameters on a family's proportions.

    Width over depth and MLP over width are interpolated, in the logarithm of the size, between the
    neighbouring released models; beyond the family's range they stay. Widths are padded to
    multiples of 128 (64 in small models), heads to multiples of 8 (4 or 1 where there are few), the
    vocabulary to 128; depth and MLP width then absorb the difference.

    Parameters
    ----------
    family : Family
    params : float
    count : {"total", "active", "nonembedding"}
        Which parameters ``params`` counts.
    heads_multiple : int
        The heads must be a multiple of this, so that they split over so many accelerators.

    Returns
    -------
    ProposedShape

    Raises
    ------
    PlanError
        If no shape of the family comes within 10% of the number.
    """
    target = _checked(params)
    proportions = _proportions(family, target, count)
    best: tuple[float, Architecture] | None = None
    unit, guess, widths = _widths(proportions, target, count)
    too_far: set[bool] = set()
    for d_model in widths:
        if (d_model > guess) in too_far:
            continue
        nearest = inf
        for deep in _depths(proportions, d_model, target, count, unit, heads_multiple):
            # Ten percent off the family's aspect is worth half a percent off the target.
            least = 0.05 * abs(log(d_model / deep.n_layers / proportions.aspect))
            nearest = min(nearest, least)
            if best is not None and least >= best[0]:
                continue  # no MLP width makes up for it
            for shape in _with_mlp(deep, target, count, unit):
                error = log(counted(count_parameters(shape), count) / target)
                mlp = log(shape.d_ff / shape.d_model / proportions.mlp_ratio) if shape.d_ff else 0.0
                badness = abs(error) + least + 0.05 * abs(mlp)
                if best is None or badness < best[0]:
                    best = badness, shape
        if best is not None and best[0] <= nearest < inf:
            too_far.add(d_model > guess)  # the aspect of those beyond is further off still
    if best is not None:
        parameters = count_parameters(best[1])
        relative_error = counted(parameters, count) / target - 1
        if abs(relative_error) <= MAX_RELATIVE_ERROR:
            return _proposal(family, best[1], parameters, target, relative_error, proportions)
    smallest = family.models[0]
    raise PlanError(
        _(
            "{label} cannot be built with {target:,.0f} {count_names}.",
            label=family.label,
            target=target,
            count_names=_COUNT_NAMES[count],
        ),
        detail=(
            _(
                "Its smallest released model is {name} with {parameters:,}; its "
                "vocabulary of {vocab:,} needs an embedding of any width.",
                name=smallest.name,
                parameters=counted(smallest.parameters, count),
                vocab=smallest.architecture.vocab,
            )
        ),
        hint=_("Choose a family with a smaller vocabulary, or another size."),
    )


_COUNT_NAMES = {
    "total": "parameters",
    "active": _("active parameters"),
    "nonembedding": _("non-embedding parameters"),
}


def _checked(params: float) -> float:
    if not (isfinite(params) and 0 < params <= MAX_PARAMS):
        raise PlanError(
            _("A model needs a positive number of parameters."),
            detail=_(
                "params = {params:g}; at most {max_params:g}", params=params, max_params=MAX_PARAMS
            ),
        )
    return float(params)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proportions:
    """What a new shape takes from the family: a template and three ratios."""

    template: Architecture
    neighbours: tuple[str, ...]
    aspect: float
    mlp_ratio: float
    expert_ratio: float
    is_extrapolation: bool


def _proportions(family: Family, target: float, count: CountedParams) -> _Proportions:
    models = [model for model in family.models if not model.architecture.embedding_dim]
    # A family with both kinds takes the nearest model's: dense and expert shapes do not mix.
    nearest = min(models, key=lambda model: abs(log(counted(model.parameters, count) / target)))
    is_moe = nearest.architecture.is_moe
    models = [model for model in models if model.architecture.is_moe == is_moe]
    models.sort(key=lambda model: counted(model.parameters, count))
    sizes = np.log([counted(model.parameters, count) for model in models])

    def interpolated(ratios: list[float]) -> float:
        return float(np.exp(np.interp(log(target), sizes, np.log(ratios))))

    shapes = [model.architecture for model in models]
    position = int(np.searchsorted(sizes, log(target)))
    around = models[max(0, position - 1) : position + 1]
    expert_widths = [shape.experts.d_ff if shape.experts else shape.d_ff for shape in shapes]
    return _Proportions(
        template=nearest.architecture,
        neighbours=tuple(model.name for model in around),
        aspect=interpolated([shape.d_model / shape.n_layers for shape in shapes]),
        mlp_ratio=interpolated([max(shape.d_ff, 1) / shape.d_model for shape in shapes]),
        expert_ratio=interpolated(
            [
                max(width, 1) / shape.d_model
                for width, shape in zip(expert_widths, shapes, strict=True)
            ]
        ),
        is_extrapolation=not sizes[0] <= log(target) <= sizes[-1],
    )


def _widths(
    proportions: _Proportions, target: float, count: CountedParams
) -> tuple[int, int, list[int]]:
    """Return what widths are padded to, the family's own, and those to try: its nearest first."""
    guess = _width_guess(proportions, target, count)
    unit = WIDTH_MULTIPLE if guess >= 1024 else WIDTH_MULTIPLE // 2
    # Wider models step further, in multiples that tile better still.
    step = unit * 2 ** max(0, int(log(guess / 2048, 2))) if guess > 2048 else unit
    lower, upper = max(step, guess * 0.6), guess * 1.7
    widths = range(step * max(1, round(lower / step)), round(upper) + step, step)
    return unit, guess, sorted(widths, key=lambda width: abs(width - guess))


def _depths(
    proportions: _Proportions,
    d_model: int,
    target: float,
    count: CountedParams,
    unit: int,
    heads_multiple: int,
) -> Iterator[Architecture]:
    """Yield shapes of a width with the depths nearest the target."""
    shape = _at_width(proportions, d_model, unit, heads_multiple)
    if shape is None:
        return
    least = _least_layers(shape)
    fixed = counted(count_parameters(_with_layers(shape, least)), count)
    # Over as many layers as the template has: in a hybrid one layer is not like the next.
    deeper = counted(count_parameters(_with_layers(shape, least + shape.n_layers)), count)
    ideal = least + (target - fixed) / ((deeper - fixed) / shape.n_layers)
    for n_layers in {max(least, round(ideal) + step) for step in (-1, 0, 1)}:
        yield _with_layers(shape, n_layers)


def _least_layers(shape: Architecture) -> int:
    if shape.experts is None or _is_mixed(shape):
        return 2
    return shape.experts.n_dense_layers + 1


def _is_mixed(shape: Architecture) -> bool:
    """Whether dense layers stand between those with experts, and not before them."""
    return shape.experts is not None and 4 * shape.experts.n_dense_layers > shape.n_layers


def _with_layers(shape: Architecture, n_layers: int) -> Architecture:
    """Return a shape of another depth, whose kinds of layers keep their proportions."""

    def scaled(count: int | None) -> int | None:
        return None if count is None else round(count * n_layers / shape.n_layers)

    changes: dict[str, Any] = {
        name: scaled(getattr(shape, name)) for name in ("attention_layers", "mlp_layers")
    }
    if shape.attention_layers:
        changes["attention_layers"] = max(1, changes["attention_layers"])
    changes["n_shared_kv"] = scaled(shape.n_shared_kv)
    changes["n_double_mlp"] = scaled(shape.n_double_mlp)
    if shape.global_layers is not None:
        changes["global_layers"] = max(1, scaled(shape.global_layers) or 0)
    if shape.recurrent is not None:
        count = scaled(shape.recurrent.n_layers) or 0
        mixers = shape.recurrent.n_layers + shape.n_attention_layers
        attention = changes["attention_layers"] or 0
        if mixers == shape.n_layers:
            count = n_layers - attention
        elif mixers + shape.n_mlp_layers == shape.n_layers:
            changes["mlp_layers"] = n_layers - attention - count
        changes["recurrent"] = replace(shape.recurrent, n_layers=max(1, count))
        if mixers == shape.n_layers and attention:
            changes["attention_layers"] = max(0, n_layers - max(1, count))
    if shape.global_attention is not None:
        changes["global_attention"] = replace(
            shape.global_attention, n_shared=scaled(shape.global_attention.n_shared) or 0
        )
    if shape.experts is not None and _is_mixed(shape):
        n_dense = scaled(shape.experts.n_dense_layers) or 0
        changes["experts"] = replace(shape.experts, n_dense_layers=n_dense)
    return replace(shape, n_layers=n_layers, **changes)


def _width_guess(proportions: _Proportions, target: float, count: CountedParams) -> int:
    """Solve for the width, on the family's proportions, by bisection on the count."""

    def is_below(width: int) -> bool:
        shape = _at_width(proportions, width, 1, 1)
        if shape is None:
            return False
        layers = max(_least_layers(shape), round(width / proportions.aspect))
        reached = counted(count_parameters(_with_layers(shape, min(layers, 10_000))), count)
        return reached < target

    lower, upper = 8, 10**6
    # A model grows about as the cube of its width: most are found between these two.
    template = proportions.template
    ratio = target / counted(count_parameters(template), count)
    near = round(template.d_model * ratio ** (1 / 3))
    for width in (near - near // 8, near + near // 8):
        if lower < width < upper:
            lower, upper = (width, upper) if is_below(width) else (lower, width)
    while upper - lower > 1:
        middle = (lower + upper) // 2 if upper < 2 * lower else isqrt(lower * upper)
        lower, upper = (middle, upper) if is_below(middle) else (lower, middle)
    return lower


def _at_width(
    proportions: _Proportions, d_model: int, unit: int, heads_multiple: int
) -> Architecture | None:
    """Return the family's shape at a width, or None where its heads cannot be cut so."""
    template = proportions.template
    if not template.n_attention_layers:
        return _widened(template, proportions, d_model, unit)
    head_dim = min(template.head_dim, d_model)
    ratio = template.n_heads * template.head_dim / template.d_model
    ideal = ratio * d_model / head_dim
    multiple = lcm(heads_multiple, 8 if ideal >= 32 else 4 if ideal >= 8 else 1)
    n_heads = max(1, round(ideal / multiple)) * multiple
    if template.latent is None and ratio == 1 and unit > 1 and n_heads * head_dim != d_model:
        return None
    experts, latent = template.experts, template.latent
    if experts is not None:
        scale = d_model / template.d_model
        width = _padded(proportions.expert_ratio * d_model, unit)
        shared = _padded(experts.shared_d_ff * scale, unit) if experts.n_shared else 0
        experts = replace(experts, d_ff=width, shared_d_ff=shared)
    if latent is not None and latent.query_rank:
        rank = _padded(latent.query_rank * d_model / template.d_model, unit)
        latent = replace(latent, query_rank=rank)
    return replace(
        _widened(template, proportions, d_model, unit),
        n_heads=n_heads,
        n_kv_heads=n_heads if latent is not None else _kv_heads(template, n_heads),
        head_dim=head_dim,
        experts=experts,
        latent=latent,
    )


def _widened(
    template: Architecture, proportions: _Proportions, d_model: int, unit: int
) -> Architecture:
    """Return the template at another width, its heads and experts left as they are."""
    recurrent = template.recurrent
    if recurrent is not None:
        # Whole heads of the template's size.
        channels = recurrent.inner // recurrent.n_heads if recurrent.n_heads > 1 else unit
        ideal = recurrent.inner * d_model / template.d_model
        groups = recurrent.n_groups if recurrent.kind == "gated_delta" else 1
        n_units = max(1, round(ideal / channels / groups)) * groups
        n_heads = n_units if recurrent.n_heads > 1 else 1
        recurrent = replace(recurrent, inner=n_units * channels, n_heads=n_heads)
    has_mlp = template.d_ff > 0
    return replace(
        template,
        name="",
        d_model=d_model,
        d_ff=_padded(proportions.mlp_ratio * d_model, unit) if has_mlp else 0,
        vocab=_padded(template.vocab, WIDTH_MULTIPLE, up=True),
        recurrent=recurrent,
    )


def _kv_heads(template: Architecture, n_heads: int) -> int:
    """Key-value heads that divide the heads, as many as the template has or in its proportion."""
    if template.n_kv_heads == template.n_heads:
        return n_heads
    divisors = [number for number in range(1, n_heads + 1) if n_heads % number == 0]
    wanted = min(template.n_kv_heads, n_heads)
    return min(divisors, key=lambda number: abs(log(number / wanted)))


def _padded(value: float, unit: int, *, up: bool = False) -> int:
    whole = ceil(value / unit) if up else round(value / unit)
    return max(1, whole) * unit


def _with_mlp(
    shape: Architecture, target: float, count: CountedParams, unit: int
) -> Iterator[Architecture]:
    """Yield a shape as it is, and with the MLP width, within a tenth, nearest the target."""
    yield shape
    if not shape.n_dense_mlp_layers and shape.experts is None:
        return
    width = shape.experts.d_ff if shape.experts else shape.d_ff
    base = counted(count_parameters(shape), count)
    per_unit = counted(count_parameters(_with_width(shape, width + unit)), count) - base
    limit = max(1, int(0.1 * width / unit))
    steps = max(-limit, min(limit, round((target - base) / per_unit)))
    if steps and width + steps * unit >= unit:
        yield _with_width(shape, width + steps * unit)


def _with_width(shape: Architecture, width: int) -> Architecture:
    """Return a shape with another width of its MLPs, or of its routed experts."""
    if shape.experts is None:
        return replace(shape, d_ff=width)
    return replace(shape, experts=replace(shape.experts, d_ff=width))


def _proposal(
    family: Family,
    shape: Architecture,
    parameters: ParameterCount,
    target: float,
    relative_error: float,
    proportions: _Proportions,
) -> ProposedShape:
    notes = []
    if shape.vocab != proportions.template.vocab:
        notes.append(
            _(
                "The vocabulary is padded from {vocab:,} to {padded:,}.",
                vocab=proportions.template.vocab,
                padded=shape.vocab,
            )
        )
    if parameters.embedding > 0.5 * parameters.total:
        share = parameters.embedding / parameters.total
        notes.append(
            _(
                "{share:.0%} of the parameters are embeddings: the layers may be far "
                "from the family's proportions.",
                share=share,
            )
        )
    if proportions.is_extrapolation:
        notes.append(
            _(
                "Outside the released sizes of {label}: its proportions are carried on.",
                label=family.label,
            )
        )
    return ProposedShape(
        architecture=replace(
            shape, name=f"{family.label}-style {shape.n_layers} x {shape.d_model}"
        ),
        parameters=parameters,
        target_params=target,
        relative_error=relative_error,
        neighbours=proportions.neighbours,
        is_extrapolation=proportions.is_extrapolation,
        notes=tuple(notes),
    )

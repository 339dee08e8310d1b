"""The fastest layout of a model within the memory, among all degrees of parallelism at once.

What a layout costs a sequence does not depend on the number of accelerators: it is worked out once
a model, for every combination of degrees as one array, and kept. How many replicas there are, what
they exchange and what fits the memory then takes a few operations on these arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoflop.accounting import Architecture, Recompute
from isoflop.identity import Keyed
from isoflop.once import once
from isoflop.planning.layout import Layout, Layouts, device_parameters, fullest_stages, is_possible
from isoflop.planning.memory import (
    DEFAULT_HEADROOM,
    TrainingMemory,
    TrainingSetup,
    find_optimizer,
    stage_memories,
)
from isoflop.planning.step_constants import load_fitted_steps, step_class
from isoflop.planning.step_time import busy_parts, overlapped
from isoflop.planning.step_work import TrainingStep, data_seconds, step_work
from isoflop.planning.types import Accelerator, Dtype

Array = NDArray[np.float64]

TENSOR = (1, 2, 4, 8, 16)
PIPELINE = (1, 2, 4, 8, 16, 32)
INTERLEAVE = (1, 2, 4)
EXPERT = (1, 4, 8, 32, 64)
ZERO = (1, 3)
"""Degrees that are tried. ZeRO 2 is no faster than 1 with one exchange a step, and 3 with pipeline
stages gathers all weights at each micro-batch: neither is tried unless asked for."""
LEAST_CONTEXT = 8192
"""Tokens of a sequence that one accelerator keeps at least, when sequences are shared."""
LEAST_BATCH, N_BATCHES = 64, 97
"""The batches that are tried reach from that part of the largest, each 4% larger than the last."""
A_LITTLE_MORE = 1.1
"""Times the batch that would do, within which one is looked for that no accelerator idles at."""
_FAR = 1 << 40
"""So many replicas that what is sharded over them takes no memory."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayoutSearch(Keyed):
    """On what, how, and among which layouts one is searched for; None searches a degree.

    Parameters
    ----------
    accelerator : Accelerator
    dtype : str or None
        Of the matrix products.
    sequence : int or None
        Tokens of a sequence; None takes the model's context.
    tensor, context, pipeline, expert, zero_stage, micro_batch : int or None
    recompute : {"none", "selective", "full"} or None
    sequence_parallel, flash_attention, fused_mlp : bool
    optimizer : str
        Key.
    headroom : float
        Share of the memory left free.
    must_fit : bool
        Whether only what fits the memory counts.
    """

    accelerator: Accelerator
    dtype: Dtype | None = None
    sequence: int | None = None
    tensor: int | None = None
    context: int | None = None
    pipeline: int | None = None
    expert: int | None = None
    zero_stage: int | None = None
    micro_batch: int | None = None
    recompute: Recompute | None = None
    sequence_parallel: bool = True
    flash_attention: bool = True
    fused_mlp: bool = True
    optimizer: str = "adam-16"
    headroom: float = DEFAULT_HEADROOM
    must_fit: bool = True
    key: str = field(init=False, repr=False)

    @property
    def is_free(self) -> bool:
        """Whether every degree is searched."""
        held = (self.tensor, self.context, self.pipeline, self.expert, self.zero_stage)
        return all(degree is None for degree in (*held, self.micro_batch, self.recompute))

    def length(self, architecture: Architecture) -> int:
        """Tokens of a sequence."""
        return self.sequence or architecture.context


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """What layouts of one model or more cost, arrays of shape (k,) unless said otherwise.

    Parameters
    ----------
    tensor, context, pipeline, interleave, expert, zero_stage : ndarray of int
    recompute : ndarray of int
        Position in ``("none", "selective", "full")``.
    length : ndarray of int
        Tokens of a sequence.
    busy_s : ndarray
        That a full pipeline works on one sequence of each replica.
    shared, total : ndarray
        Parameters on the fullest accelerator, outside routed experts and in all.
    fixed_bytes, gathered_bytes, sharded_bytes, dynamic_bytes : ndarray, shape (n_stages, k)
        Memory of every replica, more where there are replicas, over their number, and a sequence.
    """

    tensor: NDArray[np.int64]
    context: NDArray[np.int64]
    pipeline: NDArray[np.int64]
    interleave: NDArray[np.int64]
    expert: NDArray[np.int64]
    zero_stage: NDArray[np.int64]
    recompute: NDArray[np.int64]
    length: NDArray[np.int64]
    busy_s: Array
    shared: Array
    total: Array
    fixed_bytes: Array
    gathered_bytes: Array
    sharded_bytes: Array
    dynamic_bytes: Array

    def __len__(self) -> int:
        return len(self.tensor)


RECOMPUTED: tuple[Recompute, ...] = ("none", "selective", "full")


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Put the layouts of several models one after another; of none, no layouts."""
    parts = parts or [_NO_LAYOUTS]
    return Candidates(
        **{
            item.name: np.concatenate([getattr(part, item.name) for part in parts], axis=-1)
            for item in fields(Candidates)
        }
    )


_BLANK: dict[str, Any] = {item.name: np.zeros((1, 0)) for item in fields(Candidates)}
_NO_LAYOUTS = Candidates(**_BLANK)


@once(max_entries=2048)
def candidates(search: LayoutSearch, architecture: Architecture) -> Candidates:
    """Return every layout of a model that the search allows; none where it cannot be cut so."""
    degrees = _degrees(search, architecture)
    few, many = (_layouts(search, degrees, times) for times in (1, _FAR))
    held = [device_parameters(architecture, few, cut) for cut in fullest_stages(architecture, few)]
    lasting = _lasting_bytes(search, architecture, few, many)
    none = np.zeros(len(few.tensor))
    shared = np.max([item.shared + none for item in held], axis=0)
    total = np.max([item.total + none for item in held], axis=0)
    groups = [
        Candidates(
            **degrees,
            recompute=np.full(len(none), RECOMPUTED.index(recompute)),
            length=np.full(len(none), search.length(architecture)),
            busy_s=_busy_s(search, architecture, few, recompute) + none,
            shared=shared,
            total=total,
            **lasting,
            dynamic_bytes=_dynamic_bytes(search, architecture, few, recompute),
        )
        for recompute in _tried(search.recompute, RECOMPUTED)
    ]
    return joined(groups)


def _tried(held: Any, offered: Sequence[Any]) -> Sequence[Any]:
    return offered if held is None else (held,)


def _degrees(search: LayoutSearch, shape: Architecture) -> dict[str, Any]:
    """Return the degrees and ZeRO stages of every combination that can be."""
    longest = max(1, search.length(shape) // LEAST_CONTEXT)
    contexts = [2**power for power in range(longest.bit_length()) if 2**power <= longest]
    offered = {
        "zero_stage": _tried(search.zero_stage, ZERO),
        "tensor": _tried(search.tensor, TENSOR),
        "context": _tried(search.context, contexts),
        "pipeline": _tried(search.pipeline, PIPELINE),
        "interleave": INTERLEAVE,
        "expert": _tried(search.expert, EXPERT if shape.is_moe else (1,)),
    }
    grids = np.meshgrid(*offered.values(), indexing="ij")
    degrees = {name: grid.ravel() for name, grid in zip(offered, grids, strict=True)}
    kept = is_possible(shape, _layouts(search, degrees, 1))
    if search.zero_stage is None:
        kept = kept & ((degrees["zero_stage"] < 3) | (degrees["pipeline"] == 1))
    return {name: degree[kept] for name, degree in degrees.items()}


def _layouts(search: LayoutSearch, degrees: Mapping[str, NDArray[np.int64]], times: int) -> Layouts:
    """Return layouts of so many times the fewest replicas."""
    return Layouts(
        data=degrees["expert"] * times, sequence_parallel=search.sequence_parallel, **degrees
    )


def _busy_s(search: LayoutSearch, shape: Architecture, few: Layouts, recompute: Recompute) -> Array:
    """Return how long a full pipeline works on one sequence of each replica."""
    step = TrainingStep(
        architecture=shape,
        layout=few,
        accelerator=search.accelerator,
        context=search.length(shape),
        dtype=search.dtype,
        recompute=recompute,
        flash_attention=search.flash_attention,
    )
    constants = load_fitted_steps().constants[step_class(search.accelerator)[0].key]
    busy: Array = sum(busy_parts(step_work(step), constants).values())
    return busy


def _memories(
    search: LayoutSearch, shape: Architecture, layouts: Layouts, recompute: Recompute
) -> Iterator[TrainingMemory]:
    """Yield the memory of the fullest stages."""
    setup = TrainingSetup(
        optimizer=find_optimizer(search.optimizer),
        layout=layouts,
        context=search.length(shape),
        recompute=recompute,
        flash_attention=search.flash_attention,
        fused_mlp=search.fused_mlp,
    )
    return stage_memories(shape, setup)


def _lasting_bytes(
    search: LayoutSearch, shape: Architecture, few: Layouts, many: Layouts
) -> dict[str, Any]:
    """Return what the fullest stages hold from step to step, by how it depends on the replicas."""
    replicas = few.data * few.context
    rows: dict[str, list[Any]] = {name: [] for name in ("fixed", "gathered", "sharded")}
    both = (_memories(search, shape, layouts, "none") for layouts in (few, many))
    for one, far in zip(*both, strict=True):
        kept = far.static_bytes - far.gathered_bytes
        rows["fixed"].append(kept)
        rows["gathered"].append(far.gathered_bytes)
        rows["sharded"].append((one.static_bytes - one.gathered_bytes - kept) * replicas)
    return {f"{name}_bytes": _of_stages(found, few) for name, found in rows.items()}


def _dynamic_bytes(
    search: LayoutSearch, shape: Architecture, few: Layouts, recompute: Recompute
) -> Array:
    """Return what the fullest stages hold of one sequence."""
    memories = _memories(search, shape, few, recompute)
    return _of_stages([memory.dynamic_bytes for memory in memories], few)


def _of_stages(found: Sequence[Any], few: Layouts) -> Array:
    """Return what stages hold as an array, four stages each.

    Models with and without leading dense layers have other numbers of stages.
    """
    none = np.zeros(len(few.tensor))
    return np.stack([*(row + none for row in found), *[found[0] + none] * 4][:4])


@dataclass(frozen=True, slots=True, kw_only=True)
class Speeds:
    """How fast every layout is on so many accelerators, at some batches.

    Parameters
    ----------
    tokens_per_s : ndarray, shape (n_batches, k)
        0 where the layout is not possible or does not fit.
    data, micro_batch, micro_batches : ndarray, shape (n_batches, k)
    filled : ndarray, shape (k,)
        Memory taken by one sequence at a time, over what is usable, at the largest batch.
    """

    tokens_per_s: Array
    data: Array
    micro_batch: Array
    micro_batches: Array
    filled: Array


def speeds(
    search: LayoutSearch, found: Candidates, accelerators: int, batch_tokens: Array
) -> Speeds:
    """Work out how fast layouts are.

    Replicas are as many as the accelerators and the batch allow; accelerators that are left over
    idle. With ZeRO 3 a micro-batch is as large as fits, since each gathers the weights; else it is
    one sequence, which keeps the pipeline fullest.

    Parameters
    ----------
    search : LayoutSearch
    found : Candidates
    accelerators : int
    batch_tokens : ndarray, shape (n_batches,)
        Most tokens of a step; at least one sequence is taken.
    """
    least = search.micro_batch or 1
    sequences = np.maximum(batch_tokens[:, None] / found.length, least)
    group = found.tensor * found.context * found.pipeline
    data = np.minimum(accelerators // group, np.floor(sequences / least))
    data = np.floor(data / found.expert) * found.expert
    replicas = np.maximum(data, found.expert) * found.context
    static = (
        found.fixed_bytes[:, None]
        + found.gathered_bytes[:, None] * (replicas > 1)
        + found.sharded_bytes[:, None] / replicas
    )
    usable = search.accelerator.memory_bytes * (1 - search.headroom)
    dynamic = found.dynamic_bytes[:, None]
    fitting = np.floor(np.min((usable - static) / dynamic, axis=0))
    filled = np.max(static[:, -1] + dynamic[:, -1] * least, axis=0) / usable
    is_sound = (data >= 1) & ((fitting >= least) if search.must_fit else True)
    per_replica = np.floor(sequences / np.maximum(data, 1))
    micro_batch: Any = least
    if search.micro_batch is None:
        largest = np.clip(fitting if search.must_fit else per_replica, 1, per_replica)
        micro_batch = np.where(found.zero_stage == 3, np.maximum(largest, 1), 1.0)
    micro_batch = np.broadcast_to(np.asarray(micro_batch, dtype=np.float64), data.shape)
    micro_batches = np.maximum(np.floor(per_replica / micro_batch), 1)
    idle = (found.pipeline - 1) / found.interleave
    busy = found.busy_s * micro_batch * (micro_batches + idle)
    exchanged = data_seconds(
        _joined(search, found),
        np.maximum(data, 1),
        shared=found.shared,
        total=found.total,
        micro_batches=micro_batches,
    )
    taken = data * micro_batch * micro_batches * found.length
    return Speeds(
        tokens_per_s=np.where(is_sound, taken / overlapped(busy, exchanged), 0.0),
        data=data,
        micro_batch=micro_batch,
        micro_batches=micro_batches,
        filled=np.where(data[-1] >= 1, filled, np.inf),
    )


def _joined(search: LayoutSearch, found: Candidates) -> TrainingStep:
    """Return a step that knows the accelerator, its network and the degrees."""
    return TrainingStep(
        architecture=_ANY,
        layout=Layouts(
            data=1,
            tensor=found.tensor,
            context=found.context,
            pipeline=found.pipeline,
            interleave=found.interleave,
            expert=found.expert,
            zero_stage=found.zero_stage,
        ),
        accelerator=search.accelerator,
        context=1,
        dtype=search.dtype,
    )


_ANY = Architecture(
    name="any", n_layers=1, d_model=1, n_heads=1, n_kv_heads=1, head_dim=1, d_ff=1, vocab=2,
    context=1,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLayout:
    """The fastest layout of a model.

    Parameters
    ----------
    step : TrainingStep
        One optimiser step in it.
    tokens_per_s : float
    idle : int
        Accelerators that it leaves over.
    """

    step: TrainingStep
    tokens_per_s: float
    idle: int

    @property
    def layout(self) -> Layout:
        """Its degrees."""
        return self.step.layout


def best_layout(
    search: LayoutSearch, architecture: Architecture, accelerators: int, batch_tokens: float
) -> FoundLayout | None:
    """Return the fastest layout that fits the memory; None where none does.

    Parameters
    ----------
    search : LayoutSearch
    architecture : Architecture
    accelerators : int
    batch_tokens : float
        Most tokens of a step.
    """
    return next(iter(fastest_layouts(search, architecture, accelerators, batch_tokens)), None)


def least_batch(
    search: LayoutSearch, architecture: Architecture, accelerators: int, limit: float, share: float
) -> float | None:
    """Return the fewest tokens of a step at which a model is nearly as fast as at most so many.

    Whole sequences for every replica of the fastest layout, and for every accelerator where a
    little more does that: else some would idle for want of a sequence.

    Parameters
    ----------
    search, architecture, accelerators
        As `best_layout`.
    limit : float
        Most tokens of a step.
    share : float
        Of the speed at the best batch within the limit that is near enough.

    Returns
    -------
    float or None
        None where no layout fits.
    """
    found = candidates(search, architecture)
    batches = np.geomspace(limit / LEAST_BATCH, limit, N_BATCHES)
    if not len(found):
        return None
    speed = speeds(search, found, accelerators, batches)
    fastest = np.argmax(speed.tokens_per_s, axis=1)[:, None]
    rates = np.take_along_axis(speed.tokens_per_s, fastest, axis=1)[:, 0]
    if not rates.max() > 0:
        return None
    is_enough = rates >= share * rates.max()
    tokens, used = (
        np.take_along_axis(values, fastest, axis=1)[:, 0]
        for values in (
            speed.data * speed.micro_batch * speed.micro_batches * found.length,
            speed.data * found.tensor * found.context * found.pipeline,
        )
    )
    first = np.argmax(is_enough)
    is_whole = is_enough & (used == accelerators) & (batches <= A_LITTLE_MORE * batches[first])
    return float(tokens[np.argmax(is_whole) if is_whole.any() else first])


def fastest_layouts(
    search: LayoutSearch, architecture: Architecture, accelerators: int, batch_tokens: float
) -> Iterator[FoundLayout]:
    """Yield the layouts that fit the memory, the fastest first."""
    found = candidates(search, architecture)
    if not len(found):
        return
    speed = speeds(search, found, accelerators, np.array([batch_tokens]))
    rates = speed.tokens_per_s[0]
    for index in np.argsort(-rates, kind="stable"):
        if not rates[index] > 0:
            return
        layout = Layout(
            data=int(speed.data[0, index]),
            tensor=int(found.tensor[index]),
            context=int(found.context[index]),
            pipeline=int(found.pipeline[index]),
            interleave=int(found.interleave[index]),
            expert=int(found.expert[index]),
            sequence_parallel=search.sequence_parallel,
            zero_stage=int(found.zero_stage[index]),
        )
        step = TrainingStep(
            architecture=architecture,
            layout=layout,
            accelerator=search.accelerator,
            micro_batch=int(speed.micro_batch[0, index]),
            micro_batches=int(speed.micro_batches[0, index]),
            context=int(found.length[index]),
            dtype=search.dtype,
            recompute=RECOMPUTED[int(found.recompute[index])],
            flash_attention=search.flash_attention,
        )
        yield FoundLayout(
            step=step,
            tokens_per_s=float(rates[index]),
            idle=accelerators - layout.n_accelerators,
        )

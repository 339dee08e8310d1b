"""One run on several processes: who this one is, and what all of them agree on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed

from isoflop.training.config import RunConfig


def is_parallel() -> bool:
    """Whether this process is one of several that train together."""
    return distributed.is_available() and distributed.is_initialized()


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return not is_parallel() or distributed.get_rank() == 0


def agree(flag: bool, *, device: torch.device) -> bool:
    """Tell whether the flag is set in any process, the same answer in all of them."""
    if not is_parallel():
        return flag
    value = torch.tensor(int(flag), device=device)
    distributed.all_reduce(value, op=distributed.ReduceOp.MAX)
    return bool(value.item())


@contextmanager
def process_group(config: RunConfig) -> Iterator[torch.device]:
    """Join the group that ``torchrun`` started; NCCL on GPUs, Gloo on CPUs."""
    on_gpu = torch.cuda.is_available() and config.device in ("auto", "cuda")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield device
    finally:
        distributed.destroy_process_group()

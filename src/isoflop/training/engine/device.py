"""Where a run computes, and how fast that place multiplies matrices."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from isoflop.errors import TrainingError
from isoflop.language import lazy_gettext
from isoflop.training.config import DeviceChoice, Family, RunConfig
from isoflop.training.engine.products import product
from isoflop.training.estimates import faster_on_accelerator

RECURRENT: tuple[Family, ...] = ("rnn", "rnn_attention", "lstm")
CARD_POLL_S = 2.0


@contextmanager
def device_for(config: RunConfig, *, root: Path) -> Iterator[torch.device]:
    """Give the device that a run is to compute on, and hold a card for it alone.

    ``"auto"`` takes an accelerator where one is free and faster for a run of this size: small
    models spend their time on starting kernels. ``"cuda"`` waits for a free card.

    Parameters
    ----------
    config : RunConfig
    root : Path
        Folder of runs, whose workers share the cards.

    Raises
    ------
    TrainingError
        If the device asked for is not there.
    """
    choice = config.device
    available = _available()
    if choice != "auto" and choice not in available:
        raise TrainingError(
            lazy_gettext("This machine has no {choice} device.", choice=choice),
            hint=lazy_gettext('Choose "auto" to take what is there.'),
        )
    if choice == "auto":
        choice = available[0] if faster_on_accelerator(config) else "cpu"
    if choice != "cuda":
        yield torch.device(choice)
        return
    with ExitStack() as held:
        card = _free_card(held, root=root)
        while card is None and config.device == "cuda":
            time.sleep(CARD_POLL_S)
            card = _free_card(held, root=root)
        yield torch.device("cpu") if card is None else torch.device("cuda", card)


def _available() -> list[DeviceChoice]:
    """List the devices that are there, accelerators first."""
    found: list[DeviceChoice] = []
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def _free_card(held: ExitStack, *, root: Path) -> int | None:
    """Take the first card that no other worker has."""
    for card in range(torch.cuda.device_count()):
        try:
            held.enter_context(
                FileLock(root / f"{socket.gethostname()}-gpu-{card}.lock", timeout=0)
            )
        except Timeout:
            continue
        return card
    return None


def precision(device: torch.device, family: Family) -> AbstractContextManager[object]:
    """Compute matrix products in bfloat16 where that is sound, else leave all in float32.

    A CPU gains nothing from it. The fused recurrent layers of CUDA are cast to float16, whose
    gradients vanish without a scale, so those families stay in float32.
    """
    if precision_name(device, family) == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def precision_name(device: torch.device, family: Family) -> str:
    """Name the type that matrix products compute in."""
    is_sound = family not in RECURRENT and device.type == "cuda" and torch.cuda.is_bf16_supported()
    return "bfloat16" if is_sound else "float32"


def to_device(ids: Tensor, device: torch.device) -> Tensor:
    """Bring a batch to where it is needed; to a card without waiting for it."""
    if device.type != "cuda":
        return ids.to(device)
    return ids.pin_memory().to(device, non_blocking=True)


def matmul_peak_flop_per_s(
    device: torch.device, *, dtype: str = "float32", size: int = 512, n_rounds: int = 5
) -> float:
    """Measure the best rate of a square matrix product, on one thread of a CPU.

    Measured in CPU time on a CPU, so that other work on the machine does not count.
    """
    size = size if device.type == "cpu" else 8 * size
    a = torch.randn(size, size, device=device).to(getattr(torch, dtype))
    best_s = float("inf")
    for _ in range(n_rounds + 1):  # the first one warms up
        start = _clock(device)
        for _ in range(4):
            product(a, a)
        best_s = min(best_s, _clock(device) - start)
    return 4 * 2.0 * size**3 / best_s


def _clock(device: torch.device) -> float:
    if device.type == "cpu":
        return time.process_time()
    if device.type == "cuda":
        torch.cuda.synchronize()
    else:
        torch.mps.synchronize()
    return time.perf_counter()

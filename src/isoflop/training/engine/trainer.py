"""The training loop: trunk, decay branches, records, and a state that can be put away."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from isoflop.errors import TrainingError
from isoflop.language import lazy_gettext as _
from isoflop.training.config import RunConfig
from isoflop.training.engine.batches import batch
from isoflop.training.engine.build import build_model
from isoflop.training.engine.device import precision, to_device
from isoflop.training.engine.evaluate import Evaluation, evaluate
from isoflop.training.engine.optimiser import build_optimiser, make_step, set_rate
from isoflop.training.engine.parallel import is_parallel
from isoflop.training.records import Record
from isoflop.training.schedule import rate_multiplier, segments
from isoflop.training.tokenizer import Tokens

LOG_EVERY_STEPS = 8
LIVE_EVAL_TOKENS = 65_536
DROPOUT_STRIDE = 1_000_003

OnRecord = Callable[[Record], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenData:
    """The corpus as the trainer sees it.

    Parameters
    ----------
    train, validation : ndarray of uint16, shape (n,)
    token_bytes : tuple of bytes
        The bytes of each id; its length is the vocabulary's size.
    """

    train: Tokens
    validation: Tokens
    token_bytes: tuple[bytes, ...]


class Trainer:
    """One run: a model, its optimiser, and where in the schedule they are.

    Parameters
    ----------
    config : RunConfig
    data : TokenData
    device : torch.device
    on_record : callable
        Receives each step record and each finished budget.

    Raises
    ------
    TrainingError
        If the corpus is shorter than one window.
    """

    def __init__(
        self, config: RunConfig, data: TokenData, *, device: torch.device, on_record: OnRecord
    ) -> None:
        if min(len(data.train), len(data.validation)) <= config.context + 1:
            raise TrainingError(
                _("The corpus is shorter than one training window."),
                detail=_(
                    "{validation:,} validation tokens, context {context}.",
                    validation=len(data.validation),
                    context=config.context,
                ),
                hint=_("Take a larger corpus or a shorter context."),
            )
        self.config, self.data, self.device, self.on_record = config, data, device, on_record
        self.model = build_model(config, vocab_size=len(data.token_bytes)).to(device)
        self._parameters = list(self.model.parameters())
        self.optimiser = build_optimiser(self.model, config)
        self.segments = segments(config)
        self.segment_index = 0
        self.step = 0
        self.trunk: dict[str, Any] | None = None  # what the trunk goes on from after a branch
        self.cpu_s = 0.0
        self._loss_sum: Tensor | float = 0.0  # of the steps since the last record, on the device
        self._n_losses = 0
        self._forward: torch.nn.Module = self.model
        if is_parallel():  # buffers are constants: to send them before every step helps nobody
            self._forward = DistributedDataParallel(self.model, broadcast_buffers=False)

    def run(self, *, should_stop: Callable[[], bool]) -> bool:
        """Train until the last budget is complete or ``should_stop`` says so.

        Returns
        -------
        bool
            Whether the run is complete; otherwise ``state`` is where to go on.
        """
        clock_s = time.process_time()
        logged_s, logged_cpu_s = time.perf_counter(), clock_s
        while self.segment_index < len(self.segments):
            segment = self.segments[self.segment_index]
            while self.step < segment.stop:
                if should_stop():
                    return False
                set_rate(self.optimiser, rate_multiplier(self.config, segment, self.step))
                loss, gradient_norm = self.train_step()
                self.step += 1
                self._loss_sum = self._loss_sum + loss
                self._n_losses += 1
                now_s = time.process_time()
                self.cpu_s += now_s - clock_s
                clock_s = now_s
                if self.step % LOG_EVERY_STEPS == 0 or self.step == segment.stop:
                    wall_s = time.perf_counter()
                    self._log_step(gradient_norm, wall_s - logged_s, now_s - logged_cpu_s)
                    logged_s, logged_cpu_s = wall_s, now_s
            self._finish_segment()
            clock_s = time.process_time()
            logged_s, logged_cpu_s = time.perf_counter(), clock_s
        return True

    def state(self) -> dict[str, Any]:
        """Return everything needed to go on bit-identically."""
        return {
            "segment_index": self.segment_index,
            "step": self.step,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "trunk": self.trunk,
            "cpu_s": self.cpu_s,
            "loss_sum": float(self._loss_sum),
            "n_losses": self._n_losses,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        self.segment_index, self.step = state["segment_index"], state["step"]
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.trunk, self.cpu_s = state["trunk"], state["cpu_s"]
        self._loss_sum, self._n_losses = state["loss_sum"], state["n_losses"]

    def evaluate(self, n_tokens: int) -> Evaluation:
        """Score the model as it stands, nothing left out, on held-out text."""
        self.model.eval()
        with precision(self.device, self.config.family):
            scores = evaluate(
                self.model,
                self.data.validation,
                token_bytes=self.data.token_bytes,
                context=self.config.context,
                n_tokens=n_tokens,
                device=self.device,
            )
        self.model.train()
        return scores

    def train_step(self) -> tuple[Tensor, Tensor]:
        """Make one optimiser step; return its loss and the norm of its gradient.

        Both stay where they were computed: to read them would make an accelerator wait.
        """
        ids = batch(self.data.train, self.config, step=self.step)
        if is_parallel():
            ids = ids[distributed.get_rank() :: distributed.get_world_size()]
        ids = to_device(ids, self.device)
        if self.config.dropout:
            # By seed and step, so that a run that was stopped goes on as if it had not been.
            torch.manual_seed(self.config.seed * DROPOUT_STRIDE + self.step)
        with precision(self.device, self.config.family):
            logits = self._forward(ids[:, :-1]).flatten(0, 1)
            loss = F.cross_entropy(logits.float(), ids[:, 1:].flatten())
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(
            self._parameters,
            self.config.clip_norm,
            # The same sums, without a call from Python for each parameter.
            foreach=True if self.device.type == "cpu" else None,
        )
        make_step(self.optimiser)
        self.optimiser.zero_grad()
        mean = loss.detach()
        if is_parallel():
            distributed.all_reduce(mean)
            mean = mean / distributed.get_world_size()
        return mean, norm

    def _log_step(self, gradient_norm: Tensor, wall_s: float, cpu_s: float) -> None:
        segment = self.segments[self.segment_index]
        loss = float(self._loss_sum) / self._n_losses
        n_tokens = self._n_losses * self.config.tokens_per_step
        self._loss_sum, self._n_losses = 0.0, 0
        if not loss < float("inf"):
            raise TrainingError(
                _("The loss is no longer a number."),
                detail=_("At step {step} of {label}.", step=self.step, label=self.config.label),
                hint=_("Lower the learning rate and start again."),
            )
        self.on_record(
            {
                "kind": "step",
                "segment": self.segment_index,
                "step": self.step,
                "tokens": self.step * self.config.tokens_per_step,
                "loss": loss,
                "gradient_norm": gradient_norm.item(),
                "rate": self.optimiser.param_groups[1]["lr"],
                "tokens_per_s": n_tokens / max(wall_s, 1e-9),
                "tokens_per_cpu_s": n_tokens / max(cpu_s, 1e-9),
                "cpu_s": self.cpu_s,
                "is_decay": segment.is_decay,
            }
        )

    def _finish_segment(self) -> None:
        """Close a trunk stretch (keep it) or a branch (score it, and go back to the trunk)."""
        segment = self.segments[self.segment_index]
        is_last = self.segment_index + 1 == len(self.segments)
        if segment.budget is None:
            following = self.segments[self.segment_index + 1 :]
            if any(not later.is_decay for later in following):
                self.trunk = copy.deepcopy(
                    {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}
                )
            self.on_record(
                {
                    "kind": "evaluation",
                    "segment": self.segment_index,
                    "step": self.step,
                    "tokens": self.step * self.config.tokens_per_step,
                    **self.evaluate(LIVE_EVAL_TOKENS).to_dict(),
                }
            )
        else:
            self.on_record(
                {
                    "kind": "point",
                    "segment": self.segment_index,
                    "step": self.step,
                    "budget": segment.budget,
                    "tokens": self.step * self.config.tokens_per_step,
                    "cpu_s": self.cpu_s,
                    **self.evaluate(self.config.eval_tokens).to_dict(),
                }
            )
            if not is_last:
                assert self.trunk is not None
                self.model.load_state_dict(self.trunk["model"])
                self.optimiser.load_state_dict(copy.deepcopy(self.trunk["optimiser"]))
                self.step = segment.start
        self.segment_index += 1

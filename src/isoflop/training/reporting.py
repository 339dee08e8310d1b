"""Runs that other code trains, written down as they go, so that the Train page follows them.

A plain function call a step is enough; `isoflop.training.callbacks` has it for Hugging Face's
Trainer and for Lightning::

    with RunReport("gpt2-small", params=124e6, tokens=2.5e9, steps=5_000, ladder="GPT-2") as run:
        for step, batch in enumerate(batches, 1):
            run.step(step, loss=train_step(batch))
            if step % 500 == 0:
                run.evaluation(step, loss=held_out_loss())
            if run.should_stop:
                break
"""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal

from isoflop.language import lazy_gettext as _
from isoflop.training.config import ReportedConfig
from isoflop.training.ladders import add_to_ladder
from isoflop.training.processes import ProcessId
from isoflop.training.records import Record, RecordWriter
from isoflop.training.runs import Run, Status, default_root

ANNEALED_SHARE = 0.2
"""A run whose learning rate ends below this share of its peak has decayed."""
PASS_FLOP_PER_PARAM = 6.0
"""Training FLOP of a token and parameter, where nothing better is given."""


class RunReport:
    """One run's record, written by the code that trains it.

    Parameters
    ----------
    name : str
        By which the page calls the run.
    params : float
        Parameters of the model, embeddings included.
    tokens, steps : float, int
        That the whole run is to take.
    ladder : str
        Runs of one name stand together on the page, whichever program reports them.
    family : str
        Runs of one family follow one law; by default all of a ladder.
    params_nonembedding : float, optional
        By default `params`.
    flop_per_token : float, optional
        Training FLOP a token; by default 6 for each parameter.
    bytes_per_token : float, optional
        Of the held-out text. Losses, which are given in nats per token, are then shown in nats per
        byte, by which models of different tokenizers compare.
    seed, width, depth : int
    root : Path, optional
        Folder of all runs; by default the Train page's.

    Raises
    ------
    TrainingError
        If a value does not work, or the disk refuses.
    """

    def __init__(
        self,
        name: str,
        *,
        params: float,
        tokens: float,
        steps: int,
        ladder: str = _("Reported runs"),
        family: str = "",
        params_nonembedding: float | None = None,
        flop_per_token: float | None = None,
        bytes_per_token: float | None = None,
        seed: int = 0,
        width: int = 0,
        depth: int = 0,
        root: Path | None = None,
    ) -> None:
        unit: Literal["nats/byte", "nats/token"]
        unit = "nats/byte" if bytes_per_token else "nats/token"
        self._per_token_bytes = bytes_per_token or 1.0
        self.config = ReportedConfig(
            name=name,
            family=family or ladder,
            token_budgets=(round(tokens),),
            n_steps=steps,
            flop_per_token=flop_per_token or PASS_FLOP_PER_PARAM * params,
            reported_unit=unit,
            seed=seed,
            width=width,
            depth=depth,
        )
        root = root or default_root()
        self.run = Run.create(root, self.config, status="running")
        self._held = ExitStack()
        self._held.enter_context(self.run.held())
        self.run.write_state("running", process=ProcessId.current())
        self._records = self._held.enter_context(RecordWriter(self.run.records_path))
        self._records.write(
            {
                "kind": "model",
                "params": params,
                "params_nonembedding": params_nonembedding or params,
                "training_flop_per_token": self.config.flop_per_token,
                "tokens_per_step": self.config.tokens_per_step,
                "total_steps": steps,
            }
        )
        self._start_s = self._logged_s = time.perf_counter()
        self._logged_tokens = 0.0
        self._peak_rate = self._rate = 0.0
        self._latest: Record | None = None  # the evaluation that is the run's row if it ends here
        self._is_open = True
        add_to_ladder(root, self.run, title=ladder)

    def step(
        self,
        step: int,
        *,
        loss: float,
        tokens: float | None = None,
        learning_rate: float | None = None,
        gradient_norm: float | None = None,
    ) -> None:
        """Write down a training loss, in nats per token, after a number of steps.

        Parameters
        ----------
        step : int
            Optimiser steps made so far.
        loss : float
        tokens : float, optional
            Trained so far; by default as many a step.
        learning_rate, gradient_norm : float, optional
        """
        now_s = time.perf_counter()
        tokens = self._tokens(step) if tokens is None else tokens
        pace = (tokens - self._logged_tokens) / max(now_s - self._logged_s, 1e-9)
        self._logged_s, self._logged_tokens = now_s, tokens
        if learning_rate is not None:
            self._rate = learning_rate
            self._peak_rate = max(self._peak_rate, learning_rate)
        self._write(
            {
                "kind": "step",
                "segment": 0,
                "step": step,
                "tokens": tokens,
                "loss": float(loss) / self._per_token_bytes,
                "gradient_norm": gradient_norm,
                "rate": learning_rate,
                "tokens_per_s": pace,
                "tokens_per_cpu_s": pace,
                "cpu_s": now_s - self._start_s,
                "is_decay": False,
            }
        )

    def evaluation(
        self,
        step: int,
        *,
        loss: float,
        tokens: float | None = None,
        accuracy: float | None = None,
        is_final: bool | None = None,
    ) -> None:
        """Write down a held-out loss, in nats per token.

        That of the last step is the run's row in the table of its ladder.

        Parameters
        ----------
        step : int
        loss : float
        tokens : float, optional
            Trained so far; by default as many a step.
        accuracy : float, optional
            Share of next tokens that are right.
        is_final : bool, optional
            Whether it is the run's row; by default at its last step.
        """
        tokens = self._tokens(step) if tokens is None else tokens
        record: Record = {
            "kind": "evaluation",
            "segment": 0,
            "step": step,
            "tokens": tokens,
            "nats_per_token": float(loss),
            "perplexity": math.exp(min(float(loss), 700.0)),
            "accuracy": accuracy,
            "cpu_s": time.perf_counter() - self._start_s,
            "compute_flop": self.config.flop_per_token * tokens,
        }
        if self.config.loss_unit == "nats/byte":
            record["nats_per_byte"] = float(loss) / self._per_token_bytes
            record["bits_per_byte"] = record["nats_per_byte"] / math.log(2)
        self._write(record)
        self._latest = record
        if is_final or (is_final is None and step >= self.config.n_steps):
            self._write_row()

    @property
    def should_stop(self) -> bool:
        """Whether somebody pressed Stop on the page."""
        return self.run.stop_path.exists()

    def finish(self) -> None:
        """Close the record: finished, or stopped where Stop was pressed."""
        if self.should_stop:
            self._close("stopped", _("Stopped on request."))
        else:
            self._write_row()
            self._close("finished")

    def fail(self, reason: str) -> None:
        """Close the record of a run that did not come to its end."""
        self._close("failed", reason)

    def __enter__(self) -> RunReport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.fail(f"{type(error).__name__}: {error}")

    def _tokens(self, step: int) -> float:
        return step * self.config.tokens_per_step

    def _write_row(self) -> None:
        """Take the latest evaluation as the run's row."""
        if self._latest is not None:
            is_annealed = self._rate <= ANNEALED_SHARE * self._peak_rate
            row = {"kind": "point", "budget": 0, "is_annealed": int(is_annealed)}
            self._write(self._latest | row)
            self._latest = None

    def _write(self, record: Record) -> None:
        record["time_s"] = time.time()
        if self._is_open:
            self._records.write(record)
        else:  # trainers score the model once more when all is done
            with RecordWriter(self.run.records_path) as records:
                records.write(record)

    def _close(self, status: Status, message: str = "") -> None:
        if self._is_open:
            self._is_open = False
            self.run.write_state(status, message=message)
            self._held.close()

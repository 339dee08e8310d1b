"""Callbacks that write an Isoflop record of what Hugging Face's Trainer or Lightning trains.

One of them among the trainer's callbacks is all::

    Trainer(..., callbacks=[hugging_face_callback("gpt2-small", tokens_per_step=2**16)])
    lightning.Trainer(..., callbacks=[lightning_callback("gpt2-small", tokens_per_step=2**16)])

Stop on the Train page ends the training at its next step. What else `RunReport` takes (the name of
the ladder, ``bytes_per_token``, ``flop_per_token``, ...) is passed on.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from isoflop.errors import TrainingError
from isoflop.language import lazy_gettext
from isoflop.training.reporting import RunReport


def hugging_face_callback(name: str, *, tokens_per_step: float, **report: Any) -> Any:
    """Return a callback for ``transformers.Trainer``.

    Losses come as often as the Trainer logs and evaluates (``logging_steps``, ``eval_steps``). The
    evaluation at the last step, during training or after it, is the run's row.

    Parameters
    ----------
    name : str
        By which the page calls the run.
    tokens_per_step : float
        Training tokens in one optimiser step of all processes together.
    **report
        To `RunReport`.

    Raises
    ------
    TrainingError
        If transformers is not installed.
    """
    base = _imported("transformers").TrainerCallback

    return type("IsoflopCallback", (_HuggingFace, base), {})(name, tokens_per_step, report)


def lightning_callback(
    name: str, *, tokens_per_step: float, monitor: str = "val_loss", **report: Any
) -> Any:
    """Return a callback for Lightning's Trainer.

    Training losses come every ``log_every_n_steps``, held-out ones after each validation. The last
    one is the run's row.

    Parameters
    ----------
    name : str
        By which the page calls the run.
    tokens_per_step : float
        Training tokens in one optimiser step of all processes together.
    monitor : str
        By which the module logs its held-out loss, in nats per token.
    **report
        To `RunReport`.

    Raises
    ------
    TrainingError
        If Lightning is not installed.
    """
    module = "lightning.pytorch" if "lightning.pytorch" in sys.modules else "pytorch_lightning"
    base = _imported(module).Callback

    return type("IsoflopCallback", (_Lightning, base), {})(name, tokens_per_step, monitor, report)


class _HuggingFace:
    """What the Trainer calls."""

    def __init__(self, name: str, tokens_per_step: float, given: dict[str, Any]) -> None:
        self.name, self.tokens_per_step, self.given = name, tokens_per_step, given
        self.report: RunReport | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **held: Any) -> None:
        """Open the record."""
        if not state.is_world_process_zero:
            return
        model = held["model"]
        sizes = {
            "params": float(model.num_parameters()),
            "params_nonembedding": float(model.num_parameters(exclude_embeddings=True)),
            "tokens": self.tokens_per_step * state.max_steps,
            "steps": state.max_steps,
            "seed": args.seed,
        }
        self.report = RunReport(self.name, **(sizes | self.given))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Write a training loss down."""
        if self.report is not None and "loss" in logs:
            self.report.step(
                state.global_step,
                loss=logs["loss"],
                learning_rate=logs.get("learning_rate"),
                gradient_norm=logs.get("grad_norm"),
            )

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any
    ) -> None:
        """Write a held-out loss down."""
        if self.report is not None and "eval_loss" in metrics:
            self.report.evaluation(
                state.global_step,
                loss=metrics["eval_loss"],
                accuracy=metrics.get("eval_accuracy"),
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End the training where Stop was pressed."""
        if self.report is not None and self.report.should_stop:
            control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the record."""
        if self.report is not None:
            self.report.finish()


class _Lightning:
    """What Lightning calls."""

    def __init__(
        self, name: str, tokens_per_step: float, monitor: str, given: dict[str, Any]
    ) -> None:
        self.name, self.tokens_per_step, self.given = name, tokens_per_step, given
        self.monitor = monitor
        self.report: RunReport | None = None

    def on_train_start(self, trainer: Any, model: Any) -> None:
        """Open the record."""
        if not trainer.is_global_zero:
            return
        steps = int(trainer.estimated_stepping_batches)
        sizes = {
            "params": float(sum(parameter.numel() for parameter in model.parameters())),
            "tokens": self.tokens_per_step * steps,
            "steps": steps,
        }
        self.report = RunReport(self.name, **(sizes | self.given))

    def on_train_batch_end(
        self, trainer: Any, model: Any, outputs: Any, batch: Any, index: int
    ) -> None:
        """Write a training loss down; end the training where Stop was pressed."""
        if self.report is None:
            return
        # Reading a loss waits for the accelerator: no oftener than the Trainer itself logs.
        if trainer.global_step % trainer.log_every_n_steps == 0:
            loss = outputs["loss"] if isinstance(outputs, dict) else outputs
            rate = trainer.optimizers[0].param_groups[0]["lr"] if trainer.optimizers else None
            self.report.step(trainer.global_step, loss=float(loss), learning_rate=rate)
        trainer.should_stop = trainer.should_stop or self.report.should_stop

    def on_validation_end(self, trainer: Any, model: Any) -> None:
        """Write a held-out loss down."""
        loss = trainer.callback_metrics.get(self.monitor)
        if self.report is not None and not trainer.sanity_checking and loss is not None:
            self.report.evaluation(trainer.global_step, loss=float(loss), is_final=False)

    def on_train_end(self, trainer: Any, model: Any) -> None:
        """Close the record."""
        if self.report is not None:
            self.report.finish()

    def on_exception(self, trainer: Any, model: Any, exception: BaseException) -> None:
        """Close the record with the reason."""
        if self.report is not None:
            self.report.fail(f"{type(exception).__name__}: {exception}")


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0].replace("_", "-")
        raise TrainingError(
            lazy_gettext("This callback needs {package}, which is not installed.", package=package),
            hint=lazy_gettext("Install it with: pip install {package}", package=package),
        ) from None

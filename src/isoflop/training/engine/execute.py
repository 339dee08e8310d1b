"""One run from its folder to its end: data, model, training, checkpoints, records, weights."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from isoflop.accounting import count_small_flop, count_small_parameters
from isoflop.errors import TrainingError
from isoflop.files import read_json, replaced, write_json
from isoflop.language import lazy_gettext
from isoflop.training.config import Family, RunConfig, epoch_notice, small_model
from isoflop.training.corpus import Corpus, load_corpus
from isoflop.training.engine.device import (
    device_for,
    matmul_peak_flop_per_s,
    precision_name,
)
from isoflop.training.engine.parallel import agree, is_first, is_parallel
from isoflop.training.engine.trainer import TokenData, Trainer
from isoflop.training.records import Record, RecordWriter
from isoflop.training.runs import Run, Status
from isoflop.training.schedule import total_steps
from isoflop.training.tokenizer import corpus_tokenizer, tokenizer_from_dict

CHECKPOINT_EVERY_S = 20.0
CHECKPOINT_FORMAT = 1
AGREE_EVERY_STEPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How the worker left a run."""

    status: Status
    message: str = ""


def execute(
    run: Run,
    *,
    root: Path,
    is_signalled: Callable[[], bool],
    device: torch.device | None = None,
) -> End:
    """Train a run, from its checkpoint if it has one.

    Parameters
    ----------
    run : Run
    root : Path
        Folder of runs, uploads and tokenizers.
    is_signalled : callable
        Whether this process was asked to end.
    device : torch.device, optional
        Instead of the one that the configuration chooses.

    Raises
    ------
    TrainingError
        If the corpus is missing or has changed, or the loss is no longer a number.
    """
    torch.set_num_threads(1)
    with ExitStack() as held:
        device = device or held.enter_context(device_for(run.config(), root=root))
        # An accelerator's driver maps more than it uses.
        _limit_memory(run.config().memory_limit_bytes if device.type == "cpu" else None)
        first = run.records_path if is_first() else Path(os.devnull)
        records = held.enter_context(RecordWriter(first))
        return _train(run, records, root=root, is_signalled=is_signalled, device=device)


def _train(
    run: Run,
    records: RecordWriter,
    *,
    root: Path,
    is_signalled: Callable[[], bool],
    device: torch.device,
) -> End:
    config = run.config()
    records.write(_environment(device, config.family))
    corpus, data = prepare_data(config, root=root, run=run)
    records.write(_corpus_record(config, corpus, data))
    trainer = Trainer(config, data, device=device, on_record=lambda record: note(record))
    per_token_flop = _describe_model(config, trainer, records)

    def note(record: Record) -> None:
        record["time_s"] = time.time()
        record["compute_flop"] = per_token_flop * record["tokens"]
        if record["kind"] == "point" and is_first():
            save_weights(trainer, run.weights_path(record["budget"]))
        records.write(record)

    restore(trainer, run.checkpoint_path, fingerprint=corpus.fingerprint)
    watch = _Watch(trainer, run, corpus.fingerprint, is_signalled)
    if trainer.run(should_stop=watch.should_stop):
        run.checkpoint_path.unlink(missing_ok=True)
        return End(status="finished")
    watch.save()
    return End(status="stopped", message=watch.reason)


class _Watch:
    """Asked before every step whether to stop; puts checkpoints away in time."""

    def __init__(
        self, trainer: Trainer, run: Run, fingerprint: str, is_signalled: Callable[[], bool]
    ) -> None:
        self.reason = ""
        self._trainer, self._run, self._fingerprint = trainer, run, fingerprint
        self._is_signalled = is_signalled
        self._saved_s = time.monotonic()
        self._start_cpu_s = trainer.cpu_s
        self._n_asked = 0

    def should_stop(self) -> bool:
        """Tell whether to stop, and keep the reason."""
        limit_s = self._trainer.config.time_limit_s
        if self._run.stop_path.exists():
            self.reason = lazy_gettext("Stopped on request.")
        elif self._is_signalled():
            self.reason = lazy_gettext("The worker was asked to end.")
        elif self._trainer.cpu_s - self._start_cpu_s > limit_s:
            self.reason = lazy_gettext(
                "The time limit of {limit_s:g} CPU seconds is reached.", limit_s=limit_s
            )
        elif time.monotonic() - self._saved_s > CHECKPOINT_EVERY_S:
            self.save()
        self._n_asked += 1
        if is_parallel() and self._n_asked % AGREE_EVERY_STEPS:
            return False  # an agreement makes all of them wait
        if agree(bool(self.reason), device=self._trainer.device):
            self.reason = self.reason or lazy_gettext(
                "Another process of the run was asked to end."
            )
            return True
        return False

    def save(self) -> None:
        """Put a checkpoint away."""
        if is_first():
            save_checkpoint(self._trainer, self._run.checkpoint_path, fingerprint=self._fingerprint)
        self._saved_s = time.monotonic()


def prepare_data(config: RunConfig, *, root: Path, run: Run) -> tuple[Corpus, TokenData]:
    """Load, tokenise and split the corpus of a run, and keep the tokenizer in its folder."""
    corpus = load_corpus(config.corpus, uploads=root / "uploads")
    train, validation = corpus.split()
    if run.checkpoint_path.exists():  # its weights belong to the tokenizer that it started with
        tokenizer = tokenizer_from_dict(read_json(run.tokenizer_path))
    else:
        tokenizer = corpus_tokenizer(config.tokenizer, corpus, folder=root / "tokenizers")
        write_json(run.tokenizer_path, tokenizer.to_dict())
    data = TokenData(
        train=tokenizer.encode(train),
        validation=tokenizer.encode(validation),
        token_bytes=tokenizer.token_bytes,
    )
    return corpus, data


def save_checkpoint(trainer: Trainer, path: Path, *, fingerprint: str) -> None:
    """Write the trainer's state in one step: a crash leaves the old file or the new one."""
    content = {"format": CHECKPOINT_FORMAT, "corpus": fingerprint, "state": trainer.state()}
    with replaced(path) as temporary:
        torch.save(content, temporary)


def restore(trainer: Trainer, path: Path, *, fingerprint: str) -> None:
    """Go on from a checkpoint, if there is one.

    Raises
    ------
    TrainingError
        If the corpus differs from the one that the checkpoint was trained on.
    """
    if not path.exists():
        return
    content: dict[str, Any] = torch.load(path, map_location=trainer.device, weights_only=True)
    if content["format"] != CHECKPOINT_FORMAT or content["corpus"] != fingerprint:
        raise TrainingError(
            lazy_gettext("The checkpoint does not belong to this corpus."),
            detail=lazy_gettext(
                "Trained on {content}, found {fingerprint}.",
                content=content["corpus"][:12],
                fingerprint=fingerprint[:12],
            ),
            hint=lazy_gettext("Python or the text was changed since: start a new run."),
        )
    trainer.restore(content["state"])


def save_weights(trainer: Trainer, path: Path) -> None:
    """Write the model's weights in one step."""
    tensors = {name: tensor.contiguous() for name, tensor in trainer.model.state_dict().items()}
    with replaced(path) as temporary:
        save_file(tensors, temporary)


def _limit_memory(limit_bytes: int | None) -> None:
    """Limit the data of this process, or lift the limit of the run before."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if limit_bytes is None:
        limit_bytes = hard
    elif hard != resource.RLIM_INFINITY:
        limit_bytes = min(limit_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, hard))


def _environment(device: torch.device, family: Family) -> Record:
    return {
        "kind": "environment",
        "device": device.type,
        "precision": precision_name(device, family),
        "matmul_peak_flop_per_s": matmul_peak_flop_per_s(
            device, dtype=precision_name(device, family)
        ),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "isoflop": version("isoflop"),
        "machine": f"{platform.system()} {platform.machine()}",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "time_s": time.time(),
    }


def _corpus_record(config: RunConfig, corpus: Corpus, data: TokenData) -> Record:
    notice = epoch_notice(config, n_train_tokens=len(data.train))
    return {
        "kind": "corpus",
        "key": corpus.key,
        "source": corpus.source,
        "fingerprint": corpus.fingerprint,
        "n_bytes": len(corpus.text),
        "vocab_size": len(data.token_bytes),
        "train_tokens": len(data.train),
        "validation_tokens": len(data.validation),
        "notice": notice.text if notice else "",
    }


def _describe_model(config: RunConfig, trainer: Trainer, records: RecordWriter) -> float:
    """Record the counts of the model; return its FLOP per trained token."""
    shape = small_model(config, vocab_size=len(trainer.data.token_bytes))
    parameters, flop = count_small_parameters(shape), count_small_flop(shape)
    records.write(
        {
            "kind": "model",
            "params": parameters.total,
            "params_nonembedding": parameters.nonembedding,
            "params_by_component": dict(parameters.by_component),
            "training_flop_per_token": flop.training_flop,
            "forward_flop_by_component": dict(flop.forward_by_component_flop),
            "total_steps": total_steps(config),
            "tokens_per_step": config.tokens_per_step,
            "peak_learning_rate": config.peak_learning_rate,
        }
    )
    return flop.training_flop

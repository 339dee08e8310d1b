"""Short work on a trained model, in a process of its own: generate text, show attention, export.

A job is a folder with its request and its records; the page starts it and polls the records. Run as
``python -m isoflop.training.jobs FOLDER``.
"""

from __future__ import annotations

import argparse
import secrets
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isoflop.errors import IsoflopError, TrainingError
from isoflop.files import read_json, write_json
from isoflop.language import lazy_gettext
from isoflop.niceness import be_nice
from isoflop.training.attention import AttentionWeights
from isoflop.training.processes import ProcessId, start_detached
from isoflop.training.records import Record, RecordWriter, read_new_records
from isoflop.training.runs import Run

MAX_TOKENS = 4000
MAX_SAMPLES = 8
MAX_TEXT = 4000
"""Characters; far more than the tokens whose attention is shown."""
NICENESS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A started job.

    Parameters
    ----------
    folder : Path
        Holds ``request.json`` and ``records.jsonl``.
    process : ProcessId
    """

    folder: Path
    process: ProcessId

    def records(self, offset: int = 0) -> tuple[list[Record], int]:
        """Return the records after an offset, and the new offset.

        The last one is of kind ``"end"`` or ``"error"`` (summary, detail, hint); a process that
        vanished counts as an error.
        """
        is_alive = self.process.is_alive()
        found, offset = read_new_records(self.folder / "records.jsonl", offset)
        if (
            not is_alive
            and not (found and found[-1]["kind"] in ("end", "error"))
            and not self._ended
        ):
            lines = _last_lines(self.folder / "log.txt")
            found.append(
                {
                    "kind": "error",
                    "summary": lazy_gettext("The job's process is gone."),
                    "detail": lines,
                }
            )
        return found, offset

    def cancel(self) -> None:
        """End the job now."""
        self.process.kill_group()

    @property
    def _ended(self) -> bool:
        records, _ = read_new_records(self.folder / "records.jsonl")
        return any(record["kind"] in ("end", "error") for record in records)


def start_generation(
    run: Run,
    *,
    budget: int | None,
    prompt: str,
    n_tokens: int = 400,
    temperature: float = 0.8,
    top_k: int = 0,
    seed: int = 0,
    n_samples: int = 1,
) -> Job:
    """Start to write text with a run's weights.

    Each ``"token"`` record holds ``sample`` (from 0), ``piece`` and ``candidates`` (pairs of piece
    and probability); pieces are bytes written as Latin-1 text. Sample ``i`` is drawn by
    ``seed + i``.

    Raises
    ------
    TrainingError
        If a number is out of range.
    """
    checks = (
        ("n_tokens", n_tokens, 1, MAX_TOKENS),
        ("temperature", temperature, 0.0, 10.0),
        ("top_k", top_k, 0, 10**6),
        ("seed", seed, 0, 2**31 - 1),
        ("n_samples", n_samples, 1, MAX_SAMPLES),
    )
    for name, value, lower, upper in checks:
        if not lower <= value <= upper:
            raise TrainingError(
                lazy_gettext(
                    "{name} is {value}: it must lie between {lower:g} and {upper:g}.",
                    name=name,
                    value=value,
                    lower=lower,
                    upper=upper,
                )
            )
    request = {"budget": budget, "prompt": prompt, "n_tokens": n_tokens}
    sampling = {"temperature": temperature, "top_k": top_k, "seed": seed, "n_samples": n_samples}
    return _start(run, {"kind": "generate", **request, **sampling})


def start_attention(run: Run, *, budget: int | None, text: str) -> Job:
    """Start to work out what each token of a text draws on.

    The ``"end"`` record holds ``pieces`` (bytes as Latin-1 text) and ``weights``, of shape (layer,
    head, token, token); `read_attention` makes `AttentionWeights` of it.
    """
    return _start(run, {"kind": "attention", "budget": budget, "text": text[:MAX_TEXT]})


def read_attention(record: Record) -> AttentionWeights:
    """Return the weights that an ``"end"`` record of attention holds."""
    return AttentionWeights(
        pieces=tuple(piece.encode("latin-1") for piece in record["pieces"]),
        weights=np.array(record["weights"], float),
    )


def start_scoring(runs: Sequence[Run], *, root: Path) -> Job:
    """Start to score every finished budget of runs on small tasks.

    A ``"scored"`` record follows each run; the scores are kept beside it
    (`isoflop.training.tasks.kept_scores`).

    Raises
    ------
    TrainingError
        If there is no run.
    """
    if not runs:
        raise TrainingError(lazy_gettext("There is no run to score."))
    names = [run.folder.name for run in runs]
    return _start(runs[0], {"kind": "tasks", "runs": names, "root": str(root)})


def start_export(run: Run, *, budget: int | None, root: Path) -> Job:
    """Start to export a run's weights; the ``"end"`` record holds the archive and the checks."""
    return _start(run, {"kind": "export", "budget": budget, "root": str(root)})


def main(arguments: list[str] | None = None) -> None:
    """Do the job of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(arguments).folder
    be_nice(NICENESS)
    with RecordWriter(folder / "records.jsonl") as records:
        try:
            for record in _work(Run(folder.parent.parent), read_json(folder / "request.json")):
                records.write(record)
        except IsoflopError as error:
            summary, detail, hint = error.summary, error.detail, error.hint
            records.write({"kind": "error", "summary": summary, "detail": detail, "hint": hint})
        except Exception as error:
            # The page shows what a person can read; the log keeps the rest.
            traceback.print_exc()
            summary = lazy_gettext("The job failed: {name}.", name=type(error).__name__)
            records.write({"kind": "error", "summary": summary, "detail": str(error)})


def _work(run: Run, request: dict[str, Any]) -> Iterator[Record]:
    kind = request.pop("kind")
    if kind == "export":
        from isoflop.training.engine.export import export

        report = export(run, budget=request["budget"], root=Path(request["root"]))
        yield {
            "kind": "end",
            "archive": str(report.archive),
            "loss_nats_per_byte": report.loss_nats_per_byte,
            "loaded_back": report.loaded_back,
        }
        return
    if kind == "tasks":
        from isoflop.training.engine.score import score_tasks
        from isoflop.training.tasks import keep_scores

        uploads = Path(request["root"]) / "uploads"
        for name in request["runs"]:
            scored = Run(run.folder.parent / name)
            keep_scores(scored, list(score_tasks(scored, uploads=uploads)))
            yield {"kind": "scored", "run": scored.id}
        yield {"kind": "end"}
        return
    from isoflop.training.engine.load import load_trained

    trained = load_trained(run, budget=request.pop("budget"))
    if kind == "attention":
        from isoflop.training.engine.attend import attention_weights

        found = attention_weights(trained, request["text"].encode())
        pieces = [piece.decode("latin-1") for piece in found.pieces]
        yield {"kind": "end", "pieces": pieces, "weights": found.weights.round(4).tolist()}
        return
    from isoflop.training.engine.generate import generate

    prompt, seed = request.pop("prompt").encode(), request.pop("seed")
    for sample in range(request.pop("n_samples")):
        for token in generate(trained, prompt=prompt, seed=seed + sample, **request):
            yield {
                "kind": "token",
                "sample": sample,
                "piece": token.piece.decode("latin-1"),
                "candidates": [
                    (piece.decode("latin-1"), share) for piece, share in token.candidates
                ],
            }
    yield {"kind": "end"}


def _start(run: Run, request: dict[str, Any]) -> Job:
    folder = run.folder / "jobs" / f"{request['kind']}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True)
        write_json(folder / "request.json", request)
        process = start_detached("isoflop.training.jobs", str(folder), log=folder / "log.txt")
    except OSError as error:
        raise TrainingError(lazy_gettext("The job cannot be started."), detail=str(error)) from None
    return Job(folder=folder, process=process)


def _last_lines(path: Path, n_lines: int = 12) -> str:
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-n_lines:])
    except OSError:
        return ""


if __name__ == "__main__":
    main()

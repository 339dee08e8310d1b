"""Trained models that answer over HTTP: requests checked, models held in processes of their own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoflop import settings
from isoflop.errors import TrainingError
from isoflop.language import joined, lazy_gettext

SWITCH = "ISOFLOP_MODEL_API"
MAX_MODELS = 2
"""Held at once: each process takes about 300 MB, most of it PyTorch."""
MAX_NEW_TOKENS = 400
MAX_TEXT = 100_000
"""Characters of a prompt, or of a text whose loss is asked."""
DEADLINE_S = 60.0
"""From a request to its answer, the model's loading included."""


def is_on() -> bool:
    """Whether models may answer: unless the setting says ``off``, or the app is read-only."""
    return settings.text(SWITCH) == "on" and not settings.is_read_only()


@dataclass(slots=True)
class _Held:
    """One model's process; requests to it go one after another."""

    process: subprocess.Popen[str]
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_ready: bool = False

    def end(self) -> None:
        """End the process, and close what led to it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # what was not yet read
                    pipe.close()


class ModelService:
    """Holds the models asked last, each in a process, and passes requests on.

    Parameters
    ----------
    max_models : int
        The one asked longest ago ends when another is asked for.
    deadline_s : float
        A model that takes longer is ended; the next request starts it again.
    """

    def __init__(self, *, max_models: int = MAX_MODELS, deadline_s: float = DEADLINE_S) -> None:
        self._max_models, self._deadline_s = max_models, deadline_s
        self._held: OrderedDict[tuple[Path, int | None], _Held] = OrderedDict()
        self._lock = threading.Lock()

    def answer(
        self, folder: Path, budget: int | None, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return a model's answer; waits for it.

        Parameters
        ----------
        folder : Path
            Of a run, or of an exported model.
        budget : int or None
            Index of a run's budget; None for its checkpoint, or for an exported model.
        request : mapping
            From `checked`.

        Raises
        ------
        TrainingError
            If there is no such model, it fails, or takes longer than the deadline.
        """
        key = (folder, budget)
        with self._lock:
            held = self._held.get(key)
            if held is not None and held.process.poll() is not None:
                held.end()
                held = None
            if held is None:
                held = self._held[key] = _Held(_start(folder, budget))
            self._held.move_to_end(key)
            for old in list(self._held)[: -self._max_models]:
                self._held.pop(old).end()
        with held.lock:
            return self._asked(held, request)

    def close(self) -> None:
        """End all models."""
        with self._lock:
            while self._held:
                self._held.popitem()[1].end()

    def _asked(self, held: _Held, request: Mapping[str, Any]) -> dict[str, Any]:
        late = threading.Event()

        def give_up() -> None:
            late.set()
            held.process.kill()

        timer = threading.Timer(self._deadline_s, give_up)
        timer.start()
        try:
            if not held.is_ready:
                _checked(_read(held.process))
                held.is_ready = True
            assert held.process.stdin is not None
            held.process.stdin.write(json.dumps(dict(request)) + "\n")
            held.process.stdin.flush()
            return _checked(_read(held.process))
        except (BrokenPipeError, EOFError):
            if late.is_set():
                raise TrainingError(
                    lazy_gettext(
                        "The model did not answer within {deadline_s:g} s.",
                        deadline_s=self._deadline_s,
                    ),
                    hint=lazy_gettext("Ask for fewer tokens."),
                ) from None
            raise TrainingError(
                lazy_gettext("The model's process is gone."),
                hint=lazy_gettext("Ask again: it is started anew."),
            ) from None
        finally:
            timer.cancel()


def _start(folder: Path, budget: int | None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "isoflop.training.answer", str(folder)]
    try:
        return subprocess.Popen(
            command + ([] if budget is None else [str(budget)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError as error:
        raise TrainingError(
            lazy_gettext("The model cannot be started."), detail=str(error)
        ) from None


def _read(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise EOFError
    answer: dict[str, Any] = json.loads(line)
    return answer


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise TrainingError(**answer["error"])
    return answer


_A_TEXT = lazy_gettext("text of at most {max_text:,} characters", max_text=MAX_TEXT)
_Check = tuple[type | tuple[type, ...], Callable[[Any], bool], Any, str]
_FIELDS: dict[str, dict[str, _Check]] = {
    "generate": {
        "prompt": (str, lambda v: len(v) <= MAX_TEXT, "", _A_TEXT),
        "n_tokens": (
            int,
            lambda v: 1 <= v <= MAX_NEW_TOKENS,
            100,
            lazy_gettext("1 to {max_new_tokens}", max_new_tokens=MAX_NEW_TOKENS),
        ),
        "temperature": ((int, float), lambda v: 0 <= v <= 10, 0.8, "0 to 10"),
        "top_k": (int, lambda v: 0 <= v <= 10**6, 0, "0 to 1,000,000"),
        "seed": (int, lambda v: 0 <= v < 2**31, 0, "0 to 2,147,483,647"),
    },
    "loss": {
        "text": (str, lambda v: 0 < len(v) <= MAX_TEXT, None, _A_TEXT),
    },
}


def checked(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request with its defaults, from the fields of a body that concern it.

    Parameters
    ----------
    kind : {"generate", "loss"}
    body : mapping

    Raises
    ------
    TrainingError
        Naming every field that is missing, unknown or out of range.
    """
    fields = _FIELDS[kind]
    problems = [
        lazy_gettext("{name} is not a field.", name=name) for name in body if name not in fields
    ]
    request: dict[str, Any] = {"kind": kind}
    for name, (types, is_sound, default, wanted) in fields.items():
        value = body.get(name, default)
        is_typed = isinstance(value, types) and not isinstance(value, bool)
        if not is_typed or not is_sound(value):
            problems.append(lazy_gettext("{name} must be {wanted}.", name=name, wanted=wanted))
        request[name] = value
    if problems:
        raise TrainingError(
            lazy_gettext("The request does not work."), detail=joined("\n", problems)
        )
    return request


def described(kind: str) -> dict[str, dict[str, Any]]:
    """Return the JSON schema of each field of a request: its type, default and range in words."""
    names = {str: "string", int: "integer"}
    return {
        name: {
            "type": names.get(types, "number") if isinstance(types, type) else "number",
            "description": wanted,
            **({} if default is None else {"default": default}),
        }
        for name, (types, _, default, wanted) in _FIELDS[kind].items()
    }

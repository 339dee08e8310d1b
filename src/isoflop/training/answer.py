"""One trained model that answers requests: loaded once, a line of JSON in, a line of JSON out.

Run as ``python -m isoflop.training.answer FOLDER [BUDGET]`` by `isoflop.training.service`: FOLDER
is a run's, whose budget (or checkpoint) is taken, or that of an exported model.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from pathlib import Path
from typing import Any

from isoflop.errors import IsoflopError
from isoflop.language import lazy_gettext as _
from isoflop.niceness import be_nice
from isoflop.training.runs import Run

NICENESS = 5


def main(arguments: list[str] | None = None) -> None:
    """Answer requests from standard input until it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("budget", type=int, nargs="?")
    parsed = parser.parse_args(arguments)
    be_nice(NICENESS)
    from isoflop.training.engine.load import load_exported, load_trained
    from isoflop.training.engine.respond import respond

    try:
        run = Run(parsed.folder)
        is_run = run.records_path.exists()
        trained = load_trained(run, budget=parsed.budget) if is_run else load_exported(run.folder)
    except IsoflopError as error:
        _write(_error(error))
        return
    _write({"ready": True})
    for line in sys.stdin:
        try:
            _write(respond(trained, json.loads(line)))
        except IsoflopError as error:
            _write(_error(error))
        except Exception as error:
            # A person reads what can be read; the log keeps the rest.
            traceback.print_exc()
            _write(
                {"error": {"summary": _("The model failed: {name}.", name=type(error).__name__)}}
            )


def _error(error: IsoflopError) -> dict[str, Any]:
    return {"error": {"summary": error.summary, "detail": error.detail, "hint": error.hint}}


def _write(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

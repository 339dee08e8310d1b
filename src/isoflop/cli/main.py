"""What can be typed, and what is done about errors."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from isoflop import __version__
from isoflop.cli import commands
from isoflop.errors import IsoflopError, UnitError
from isoflop.fitting import OBJECTIVES, FitOptions
from isoflop.fitting.options import Bootstrap
from isoflop.planning.types import DEFAULT_GOODPUT
from isoflop.units import Dimension, parse_quantity

EXIT_ERROR = 2
EXIT_STOPPED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; those of the process by default.

    Returns
    -------
    int
        0 on success, 2 for an expected error (told on standard error), 130 when stopped.
    """
    parsed = build_parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed) or 0)
    except IsoflopError as error:
        print(f"isoflop: {error}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        print("isoflop: stopped", file=sys.stderr)
        return EXIT_STOPPED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(prog="isoflop", description="Fit scaling laws, plan runs.")
    parser.add_argument("--version", action="version", version=f"isoflop {__version__}")
    names = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int | None], help: str
    ) -> argparse.ArgumentParser:
        added = names.add_parser(name, help=help, description=help)
        added.set_defaults(run=run)
        return added

    command("laws", commands.laws, "List the laws that can be fitted.")
    command("datasets", commands.datasets, "List the loss tables that can be had by name.")
    command("accelerators", commands.accelerators, "List the accelerators to plan a run on.")
    _add_fit_options(command("fit", commands.fit, "Fit a law to a loss table."))
    predicting = command("predict", commands.predict, "Predict the loss of runs from a fit.")
    _add_fit_options(predicting)
    _add_prediction_options(predicting)
    planning = command("plan", commands.plan, "Find the best run that a budget buys.")
    _add_fit_options(planning)
    _add_budget_options(planning)
    testing = command(
        "backtest", commands.backtest, "Hold out the largest decade of tables; say how laws did."
    )
    testing.add_argument("table", nargs="*", help="names from `isoflop datasets` (default: all)")
    testing.add_argument("--csv", type=Path, metavar="FILE", help="write the report")
    app = command("app", commands.app, "Start the app in the browser.")
    app.add_argument("--port", type=int, default=8501)
    app.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")
    return parser


def _quantity(dimension: Dimension) -> Callable[[str], float]:
    """Return a parser of typed quantities, such as ``"10 days"``, to the canonical unit."""

    def parse(text: str) -> float:
        try:
            return parse_quantity(text, dimension)
        except UnitError as error:
            raise argparse.ArgumentTypeError(" ".join(str(error).splitlines())) from None

    return parse


def _binding(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (separator and name and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _add_fit_options(parser: argparse.ArgumentParser) -> None:
    default = FitOptions()
    add = parser.add_argument
    add("table", help="a file, a name from `isoflop datasets`, or a fit saved as JSON")
    add("--family", action="append", default=[], help="fit the rows of this family alone")
    law = parser.add_mutually_exclusive_group()
    law.add_argument("--law", help="a name from `isoflop laws` (default: what suits the table)")
    law.add_argument("--formula", help="a law of your own, such as 'E + A/N**alpha'")
    add(
        "--input",
        type=_binding,
        action="append",
        default=[],
        metavar="SYMBOL=COLUMN",
        help="let an input of the law stand for another column",
    )
    add("--response", help="column to predict instead of the law's own")
    add("--objective", choices=list(OBJECTIVES), default=default.objective)
    add("--huber-delta", type=float, default=default.huber_delta)
    add("--bootstrap", type=int, default=0, metavar="N", help="resamples, for intervals")
    add(
        "--resample",
        choices=get_args(Bootstrap),
        default="smooth",
        help="rows by smooth weights, rows drawn as papers do, or whole runs",
    )
    add("--seed", type=int, default=default.seed)
    add("--json", type=Path, metavar="FILE", help="write the result as JSON; - for the screen")


def _add_prediction_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--at",
        type=_binding,
        action="append",
        nargs="+",
        required=True,
        metavar="SYMBOL=VALUE",
        help="one run, such as: --at N=7B D=1T; give --at again for another",
    )
    parser.add_argument("--level", type=float, default=0.9, help="coverage of the interval")
    parser.add_argument(
        "--new-run", action="store_true", help="interval of one new run, not of the mean"
    )


def _add_budget_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--flop", type=_quantity("flop"), help="such as 1e21 or '1 ZFLOP'")
    add("--usd", type=_quantity("usd"), help="such as 250k")
    add("--time", type=_quantity("seconds"), help="such as '10 days'")
    add("--accelerator", default="h100-sxm", help="a name from `isoflop accelerators`")
    add("--count", type=int, default=1, help="accelerators side by side")
    add("--mfu", type=float, help="share of the dense peak while running")
    add("--goodput", type=float, default=DEFAULT_GOODPUT, help="share of the time that trains")
    add("--price", type=float, help="USD for one accelerator-hour")
    add("--unique-tokens", type=_quantity("tokens"), help="distinct tokens there are")
    add("--inference-tokens", type=_quantity("tokens"), default=0.0, help="over its lifetime")
    add("--params", type=_quantity("params"), help="train a model of this size")
    add("--level", type=float, default=0.9, help="coverage of the intervals")

"""What can be typed, and what is done about errors."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import NoReturn, get_args

from isoflop import __version__
from isoflop.cli import commands, training
from isoflop.errors import IsoflopError, UnitError
from isoflop.fitting import FitOptions, PredictOptions
from isoflop.fitting.extrapolation import Method
from isoflop.options import add_flags
from isoflop.planning import DEFAULT_ACCELERATOR, Budget, PlanOptions
from isoflop.planning.planned import PARTS
from isoflop.rendering import FORMATS
from isoflop.tables.shapes import Curves, Seeds
from isoflop.tables.simulated import SimulationOptions
from isoflop.units import parse_number

Run = Callable[[argparse.Namespace], int | None]
Command = Callable[[str, Run, str], argparse.ArgumentParser]

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
        0 on success, 2 for an expected error (told on standard error), 3 for a serious notice under
        ``--strict``, 130 when stopped.
    """
    parser = build_parser()
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        parsed.parser.refuse(unknown)
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


class Parser(argparse.ArgumentParser):
    """A parser whose errors are short: what is wrong, and where to look."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the arguments and end the process with status 2."""
        self.exit(EXIT_ERROR, f"{self.prog}: error: {message}\nSee: {self.prog} --help\n")

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Refuse arguments that this command does not have, naming those that are like them."""
        known = {text: text for action in self._actions for text in action.option_strings}
        for action in self._actions:  # an option's name in Python, where its flag is another
            if action.option_strings:
                name = action.dest.rpartition(".")[2].replace("_", "-")
                known.setdefault(f"--{name}", action.option_strings[0])
        near = [
            known[match]
            for text in unknown
            if text.startswith("--")
            for match in _like(text.partition("=")[0], tuple(known))
        ]
        meant = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
        self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")


def _like(flag: str, known: Sequence[str]) -> list[str]:
    """Return the flag itself, else those that share a word with it, else those spelt like it."""
    if flag in known:
        return [flag]
    words = set(flag.strip("-").split("-"))
    shared = [text for text in known if words & set(text.strip("-").split("-"))]
    return shared[:3] or get_close_matches(flag, known, n=2)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(prog="isoflop", description="Fit scaling laws, plan runs.")
    parser.add_argument("--version", action="version", version=f"isoflop {__version__}")
    names = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Run, help: str) -> argparse.ArgumentParser:
        added = names.add_parser(name, help=help, description=help)
        added.set_defaults(run=run, parser=added)
        return added

    command("laws", commands.laws, "List the laws that can be fitted.")
    listing = command(
        "datasets", commands.datasets, "List the loss tables that are available by name."
    )
    listing.add_argument(
        "--fetch",
        action="store_true",
        help="download the small tables that the app opens with first, if there is a network",
    )
    listing.add_argument(
        "--mirror",
        type=Path,
        metavar="FOLDER",
        help="download every table into a folder, for ISOFLOP_DATA_MIRROR on a machine without"
        " internet",
    )
    command("accelerators", commands.accelerators, "List the accelerators to plan a run on.")
    counting = command("model", commands.model, "Count the parameters and FLOP of a model.")
    counting.add_argument("source", help="a config.json, a repository's folder, or a model's name")
    fitting = command("fit", commands.fit, "Fit a law to a loss table.")
    _add_fit_options(fitting)
    fitting.add_argument(
        "--average",
        action="store_true",
        help="fit all laws to extrapolate by, and print their weights in a prediction",
    )
    predicting = command(
        "predict", commands.predict, "Predict the loss of runs, by all laws or one."
    )
    _add_fit_options(predicting)
    _add_prediction_options(predicting)
    planning = command("plan", commands.plan, "Find the best run that a budget buys.")
    _add_fit_options(planning)
    _add_plan_options(planning)
    _add_plan_parts(planning)
    reporting = command(
        "report",
        commands.report_files,
        "Write a fit, and a plan if a budget is given, as one HTML or PDF file.",
    )
    _add_fit_options(reporting)
    _add_plan_options(reporting)
    _add_report_options(reporting)
    comparing = command(
        "plans", commands.plans, "Compare plans that were written as JSON, side by side."
    )
    comparing.add_argument("file", nargs="+", type=Path, help="what `plan --json FILE` wrote")
    comparing.add_argument(
        "--figures", type=Path, metavar="FOLDER", help="draw loss against money there"
    )
    _add_comparisons(command)
    _add_simulation_options(
        command("simulate", commands.simulate, "Simulate a loss table from a known law.")
    )
    testing = command(
        "backtest", commands.backtest, "Backtest laws: hold out the largest decade of each table."
    )
    testing.add_argument(
        "table",
        nargs="*",
        help="names from `isoflop datasets` (default: all), or a table of your own as for fit",
    )
    _add_reading_options(testing)
    testing.add_argument("--csv", type=Path, metavar="FILE", help="write the report")
    training.add_train_options(command("train", training.train, "Train one small language model."))
    training.add_ladder_options(
        command("ladder", training.ladder, "Train a ladder of small models.")
    )
    serving = command("serve", commands.serve, "Answer over HTTP with an exported model.")
    serving.add_argument("folder", type=Path, help="of the unpacked export")
    serving.add_argument("--port", type=int, default=8600)
    serving.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")
    command("mcp", commands.mcp, "Serve fits and plans to programs by MCP, on standard input.")
    completing = command(
        "completion",
        partial(commands.completion, parser),
        "Print what lets a shell complete commands, options and names.",
    )
    completing.add_argument("shell", choices=commands.SHELLS)
    app = command("app", commands.app, "Start the app in the browser.")
    app.add_argument("--port", type=int, default=8501)
    app.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")
    return parser


def _binding(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (separator and name and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _positive(text: str) -> float:
    try:
        value = parse_number(text)
    except UnitError as problem:
        raise argparse.ArgumentTypeError(" ".join(str(problem).splitlines())) from None
    if not value > 0:
        raise argparse.ArgumentTypeError(f"a number above 0 is needed, got {text}")
    return value


def _count(text: str) -> int:
    value = _positive(text)
    if value != round(value):
        raise argparse.ArgumentTypeError(f"a whole number is needed, got {text}")
    return int(value)


def _parts(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if "all" in names:
        return list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown)} is not a part of a plan; choose from {', '.join(PARTS)}, or all"
        )
    return names


def _add_comparisons(command: Command) -> None:
    """Add the commands that compare laws, families and published fits on a table."""
    of_laws = command("compare", commands.compare, "Compare laws on the same rows of a table.")
    of_families = command(
        "compare-families",
        commands.compare_families,
        "Say how much more compute one family of a table needs than another for the same loss.",
    )
    of_published = command(
        "compare-published", commands.compare_published, "Evaluate published fits on a table."
    )
    for parser in (of_laws, of_families, of_published):
        parser.add_argument("table", nargs="+", help="as of `isoflop fit`")
        _add_reading_options(parser)
        parser.add_argument(
            "--json", type=Path, metavar="FILE", help="write the result as JSON; - for the screen"
        )
    of_laws.add_argument(
        "--law",
        action="append",
        help="a name from `isoflop laws` or a formula, once for each; by default those that suit",
    )
    of_laws.add_argument(
        "--decades",
        type=_positive,
        default=1.0,
        help="how far the part that is held out reaches down from the largest scale",
    )
    of_families.add_argument("--law", help="fitted to each; by default loss over compute or size")
    of_families.add_argument(
        "--reason",
        type=_binding,
        action="append",
        default=[],
        metavar="ASPECT=WHY",
        help="why a difference in loss_unit, tokenizer or param_convention does no harm",
    )
    for parser in (of_laws, of_families):
        add_flags(parser, FitOptions, "how to fit")


def _add_fit_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "table",
        nargs="+",
        help="a file, several, a folder or a pattern, mlflow:<tracking URI>#<experiment>,"
        " a name from `isoflop datasets`, or a fit saved as JSON",
    )
    _add_reading_options(parser)
    law = parser.add_mutually_exclusive_group()
    law.add_argument(
        "--law",
        help="a name from `isoflop laws`; by default the law of lowest AICc, and predictions are of"
        " the average of all laws that suit the table",
    )
    law.add_argument("--formula", help="a law of your own, such as 'E + A/N**alpha'")
    law.add_argument(
        "--published",
        metavar="NAME",
        help="a published fit as it stands, evaluated on the table; a name of iso.published()",
    )
    add(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME",
        help="fit this name of the formula, though it reads like a column",
    )
    add(
        "--input",
        type=_binding,
        action="append",
        default=[],
        metavar="SYMBOL=COLUMN",
        help="let an input of the law stand for another column",
    )
    add("--response", help="column to predict instead of the law's own")
    add("--json", type=Path, metavar="FILE", help="write the result as JSON; - for the screen")
    add(
        "--drop-outliers",
        action="store_true",
        help="leave out the rows that a notice of the fit names, and print what that changes",
    )
    add("--strict", action="store_true", help="exit with status 3 if a notice is serious")
    add_flags(parser, FitOptions, "how to fit")


def _add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how a file is read and which of its rows are fitted, as the Data page does."""
    reading = parser.add_argument_group("how to read the table, and which rows to fit")
    add = reading.add_argument
    add("--mapping", type=Path, metavar="FILE", help="columns as the Data page wrote them (JSON)")
    add(
        "--column",
        type=_binding,
        action="append",
        default=[],
        metavar="HEADER=COLUMN",
        help="what a header means, such as n_par=params; own keeps its name, out leaves it out",
    )
    add(
        "--unit",
        type=_binding,
        action="append",
        default=[],
        metavar="HEADER=UNIT",
        help="unit of bare numbers, such as params=M or loss='bits per byte'; 1 as they stand",
    )
    add("--metric", default="", metavar="COLUMN", help="predict this column instead of the loss")
    add("--curves", choices=get_args(Curves), help="rows of each learning curve")
    add(
        "--seeds",
        choices=get_args(Seeds),
        default="all",
        help="what becomes of runs of one setting: seeds, or trials of hyper-parameters",
    )
    add(
        "--exclude",
        action="append",
        default=[],
        metavar="ROWS",
        help="leave rows out: 3,5-9, compute_below=1e19, or a condition such as 'tokens < 1e9'",
    )
    add("--family", action="append", default=[], help="fit the rows of this family alone")


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
    add_flags(parser, PredictOptions, "the interval")


def _add_report_options(parser: argparse.ArgumentParser) -> None:
    files = parser.add_argument_group("what to write; PDF and figures need Chromium or Chrome")
    add = files.add_argument
    add("--to", type=Path, metavar="FILE", help="report.html by default; PDF if it ends in .pdf")
    add("--figures", type=Path, metavar="FOLDER", help="write its figures there, a file each")
    add("--image-format", choices=FORMATS, default="svg", help="of the figures")


def _add_simulation_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--csv",
        type=Path,
        required=True,
        metavar="FILE",
        help="where to write it; - for the screen",
    )
    add("--law", help="a name from `isoflop laws`, or a formula; by default Chinchilla's")
    add(
        "--value",
        type=_binding,
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="of a parameter of that law",
    )
    add_flags(parser, SimulationOptions, "how to draw it")


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--accelerator",
        default=DEFAULT_ACCELERATOR,
        help="a name from `isoflop accelerators`, of one saved in the app, or a TOML file that "
        "describes one; by default %(default)s",
    )
    add(
        "--fix",
        "--fixed",
        dest="fixed",
        type=_binding,
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="value of an input of the law that no budget settles, such as bits=8",
    )
    add_flags(parser, Budget, "the budget: FLOP, money or time is needed")
    add_flags(parser, PlanOptions, "the plan")


def _add_plan_parts(parser: argparse.ArgumentParser) -> None:
    """Add what is to be said and drawn of a plan besides its figures."""
    add = parser.add_argument_group("what else to print").add_argument
    add(
        "--by",
        choices=get_args(Method),
        help="predict the plan's loss by the average of all laws that suit, or by its own alone; "
        "the average unless a law or an option of one fit is given",
    )
    add(
        "--target",
        type=_positive,
        metavar="LOSS",
        help="print the chance of this loss within the budget, and the least compute that reaches "
        "it",
    )
    add(
        "--show",
        type=_parts,
        action="extend",
        default=[],
        metavar="PART,...",
        help=f"what else to print of the plan: {', '.join(PARTS)}; or all",
    )
    add(
        "--figures",
        type=Path,
        metavar="FOLDER",
        help="draw the figures of the Plan page into HTML files there",
    )
    add("--serve-count", type=_count, metavar="N", help="accelerators per served replica")
    add("--serve-batch", type=_count, metavar="N", help="sequences served at once")

"""What each command does."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from isoflop import api, document, html_report, work
from isoflop.accounting.repository import read_model
from isoflop.cli import given, plan_figures, report
from isoflop.data import app_root
from isoflop.errors import CatalogError, TableError, TrainingError
from isoflop.export import plan_snippet, predictions_json, runs_csv
from isoflop.fitting import backtest as backtests
from isoflop.fitting.extrapolation import Extrapolation, Method, Pool, predict_with
from isoflop.fitting.options import FitOptions, PredictOptions
from isoflop.fitting.predict import predicted
from isoflop.laws import law_for_role, load_laws
from isoflop.notices import Notice
from isoflop.options import changed, from_flags, typed_flags
from isoflop.planning import Budget, Plan, PlanOptions, load_accelerators, sheets
from isoflop.planning.planned import planned
from isoflop.planning.scenario import Scenario
from isoflop.rendering import images
from isoflop.tables import list_datasets
from isoflop.tables.catalog import datasets_for
from isoflop.tables.fetch import fetch_what_can_be, fill_mirror
from isoflop.tables.simulated import CHINCHILLA_VALUES, SimulationOptions
from isoflop.units import format_quantity, parse_number

SHELLS = ("bash", "fish", "tcsh", "zsh")
"""Whose completion can be written."""


def laws(_parsed: argparse.Namespace) -> None:
    """List the shipped laws."""
    report.rows(
        [(law.key, law.label, " ".join(law.formula.split())) for law in load_laws().values()]
    )


def datasets(parsed: argparse.Namespace) -> None:
    """List the catalog of loss tables, those to open with fetched first if asked."""
    if parsed.fetch:
        fetch_what_can_be(datasets_for("reference-loss"))
    if parsed.mirror:
        with report.Progress() as progress:
            fill_mirror(list_datasets(), parsed.mirror, progress)
    where = {(True, True): "ships", (False, True): "downloaded", (False, False): "to download"}
    report.rows(
        [(item.id, where[item.is_shipped, item.is_here], item.title) for item in list_datasets()]
    )


def accelerators(_parsed: argparse.Namespace) -> None:
    """List the accelerators with peak, memory and price."""
    report.rows(
        [
            (
                key,
                format_quantity(item.peak(None), "flop_per_s"),
                format_quantity(item.memory_bytes, "bytes"),
                "no price"
                if item.price_usd_per_hour is None
                else format_quantity(item.price_usd_per_hour, "usd_per_hour"),
                item.label,
            )
            for key, item in load_accelerators().items()
        ]
    )


def model(parsed: argparse.Namespace) -> None:
    """Print the shape of a model and its parameters by component."""
    print(read_model(parsed.source).summary())


def backtest(parsed: argparse.Namespace) -> None:
    """Hold out the largest decade of tables and print or write how every law did."""
    if given.is_catalog(parsed):
        with report.Progress() as progress:
            rows = list(backtests.backtest(parsed.table or None, progress, executor=work.chosen()))
    else:
        rows = list(backtests.backtest_table(given.table_of(parsed)))
    if parsed.csv is None:
        print(backtests.Backtest(made=backtests.today(), rows=tuple(rows)).summary())
    else:
        backtests.write_backtest(rows, parsed.csv)


def fit(parsed: argparse.Namespace) -> int:
    """Fit a law and print or write it; or all laws, with their weights."""
    if parsed.average:
        print(given.all_laws(parsed).summary())
        return 0
    result = given.fitted(parsed)
    if not report.wrote_json(parsed.json, result.to_json):
        report.fit(result)
    return report.status(parsed.strict, result)


def predict(parsed: argparse.Namespace) -> int:
    """Print or write what all laws predict for some runs; or one law, if one is chosen."""
    if not given.asks_for_one_law(parsed):
        ahead = _ahead(given.all_laws(parsed), [dict(run) for run in parsed.at])
        if not report.wrote_json(parsed.json, ahead.to_json):
            print(ahead.summary())
        return 0
    result = given.fitted(parsed)
    runs = [given.run_inputs(result.law, dict(run)) for run in parsed.at]
    inputs = {symbol: np.array([run[symbol] for run in runs]) for symbol in result.law.symbols}
    losses, found, reason = predicted(result, inputs, from_flags(PredictOptions, parsed))
    if not report.wrote_json(
        parsed.json, lambda: predictions_json(result, inputs, losses, found, reason)
    ):
        report.predictions(runs, losses, found, reason, result)
        report.beyond(result, inputs)
    return report.status(parsed.strict, result)


def _ahead(voices: Pool, runs: list[dict[str, str]]) -> Extrapolation:
    """Predict runs by all laws; all are given by the same names.

    Raises
    ------
    TableError
        If they are not.
    """
    if len({frozenset(run) for run in runs}) > 1:
        raise TableError(
            "Every run must be given by the same names.",
            hint="Give each --at the same, such as N and D, or choose a law with --law.",
        )
    return predict_with(voices, {name: [run[name] for run in runs] for name in runs[0]})


def plan(parsed: argparse.Namespace) -> int:
    """Fit a law and print or write the best run of a budget, and what follows from it."""
    scenario = Scenario(
        accelerator=given.accelerator(parsed.accelerator),
        budget=from_flags(Budget, parsed),
        options=from_flags(PlanOptions, parsed),
    )
    fixed = {column: given.column_value(column, text) for column, text in parsed.fixed}
    result = given.fitted(parsed)
    if parsed.by == "average" and result.table is None:
        raise CatalogError(
            f"{parsed.table[0]} is a saved fit without its rows: no other law can be fitted.",
            hint="Give the table instead, or leave --by out.",
        )
    found = planned(result, scenario, fixed=fixed)
    by: Method = parsed.by or ("one" if given.asks_for_one_law(parsed) else "average")
    seen = found.outlook(by)
    told = seen.told(found.plan) if parsed.by or by == "average" else found.plan
    names = list(dict.fromkeys([*(["risk", "least"] if parsed.target else []), *parsed.show]))
    asked = {
        "target": parsed.target,
        "by": by,
        "accelerators": parsed.serve_count,
        "batch": parsed.serve_batch,
    }
    if not report.wrote_json(parsed.json, lambda: told.to_json(found.gathered(names, **asked))):
        report.plan(told, found, seen)
        report.parts(found, names, asked)
    if parsed.figures is not None:
        plan_figures.write(found, parsed.figures, target=parsed.target, by=by)
    return report.status(parsed.strict, result, *found.notices)


def plans(parsed: argparse.Namespace) -> None:
    """Print plans side by side, and draw their losses over their money."""
    read = {path.stem: Plan.from_json(document.load(path)) for path in parsed.file}
    print(sheets.plans_sheet(read).table())
    if parsed.figures is not None:
        plan_figures.compare(read, parsed.figures)


def compare(parsed: argparse.Namespace) -> None:
    """Print or write how laws fit the same rows, and predict those that are held out."""
    table = given.table_of(parsed)
    with report.Progress() as progress:
        found = api.compare(
            table,
            parsed.law,
            decades=parsed.decades,
            progress=lambda share: progress(share, "Comparing"),
            **changed(from_flags(FitOptions, parsed)),
        )
    if not report.wrote_json(parsed.json, found.to_json):
        print(found.summary())


def compare_families(parsed: argparse.Namespace) -> None:
    """Print or write how much more compute one family needs than another for the same loss."""
    found = api.compare_families(
        given.table_of(parsed),
        parsed.law,
        reasons=dict(parsed.reason),
        **changed(from_flags(FitOptions, parsed)),
    )
    if not report.wrote_json(parsed.json, found.to_json):
        print(found.summary())


def compare_published(parsed: argparse.Namespace) -> None:
    """Print or write how published fits describe the rows of a table."""
    found = api.compare_published(given.table_of(parsed))
    if not report.wrote_json(parsed.json, found.to_json):
        print(found.summary())


def simulate(parsed: argparse.Namespace) -> None:
    """Write a loss table drawn from a known law."""
    law = parsed.law or law_for_role("default")
    values = {name: parse_number(text) for name, text in parsed.value}
    table = api.simulate(
        law,
        values if parsed.law else {**CHINCHILLA_VALUES, **values},
        **changed(from_flags(SimulationOptions, parsed)),
    )
    if not report.wrote_json(parsed.csv, lambda: runs_csv(table).rstrip()):
        report.rows_fitted(table)


def report_files(parsed: argparse.Namespace) -> int:
    """Fit a law, plan if a budget is given, and write a report and its figures as files."""
    result = given.fitted(parsed)
    code = given.code(parsed, result)
    plan, seen, fixed = None, None, {}
    notices: tuple[Notice, ...] = ()
    if typed_flags(Budget, parsed):
        scenario = Scenario(
            accelerator=given.accelerator(parsed.accelerator),
            budget=from_flags(Budget, parsed),
            options=from_flags(PlanOptions, parsed),
        )
        fixed = {column: given.column_value(column, text) for column, text in parsed.fixed}
        made = planned(result, scenario, fixed=fixed)
        seen = made.outlook("one" if given.asks_for_one_law(parsed) else "average")
        plan, notices = seen.told(made.plan), made.notices
        code = code and f"{code}\n{plan_snippet(scenario, fixed)}\n"
    if parsed.to or not parsed.figures:
        path = parsed.to or Path("report.html")
        html_report.report(
            result, plan, outlook=seen, fixed=fixed, notices=notices, code=code, path=path
        )
        print(path)
    if parsed.figures:
        drawn = html_report.figures(result, plan, seen, fixed)
        for name, content in images(drawn, parsed.image_format).items():
            path = parsed.figures / f"{name}.{parsed.image_format}"
            document.save(content, path)
            print(path)
    report.wrote_json(parsed.json, result.to_json)
    return report.status(parsed.strict, result, *notices)


def serve(parsed: argparse.Namespace) -> None:
    """Answer ``POST /api/generate`` and ``/api/loss`` with one exported model until stopped."""
    if not (parsed.folder / "config.json").is_file():
        raise TrainingError(
            "This folder does not hold an exported model.",
            detail=f"{parsed.folder} has no config.json.",
            hint="Unpack the archive that the Train page's Deploy gives, and name its folder.",
        )
    import uvicorn

    from isoflop.server.app import routes_of_models

    folder = parsed.folder.resolve()
    uvicorn.run(routes_of_models(lambda _body: (folder, None)), host=parsed.host, port=parsed.port)


def mcp(_parsed: argparse.Namespace) -> None:
    """Serve the Model Context Protocol on standard input and output until they are closed."""
    if find_spec("mcp") is None:
        raise CatalogError(
            "The protocol's library is not installed.", hint="Run: pip install 'isoflop[mcp]'"
        )
    from isoflop.server.mcp import run

    run()


def completion(whole: argparse.ArgumentParser, parsed: argparse.Namespace) -> None:
    """Print the script by which a shell completes the whole command line."""
    if find_spec("shtab") is None:
        raise CatalogError(
            "What writes such scripts is not installed.",
            hint="Run: pip install 'isoflop[completion]'",
        )
    import shtab

    (names,) = (action.choices for action in whole._actions if isinstance(action.choices, dict))
    for parser in names.values():
        for action in parser._actions:
            if action.type is Path or action.dest == "table":
                vars(action)["complete"] = shtab.FILE  # where shtab looks for it
    print(shtab.complete(whole, parsed.shell))


def app(parsed: argparse.Namespace) -> int:
    """Start the app and wait for it to end."""
    if find_spec("streamlit") is None:
        raise CatalogError(
            "The app's libraries are not installed.", hint="Run: pip install 'isoflop[app]'"
        )
    command = [sys.executable, "-m", "streamlit", "run", str(app_root() / "app.py")]
    options = ["--server.address", parsed.host, "--server.port", str(parsed.port)]
    return subprocess.run([*command, *options], check=False).returncode

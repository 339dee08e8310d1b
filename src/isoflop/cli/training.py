"""The commands `train` and `ladder`: runs here, on several processes, or on a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoflop.cli import report
from isoflop.document import as_text
from isoflop.errors import CatalogError, TrainingError
from isoflop.options import add_flags, from_flags, typed_flags
from isoflop.training.cluster_settings import ClusterSettings
from isoflop.training.config import FAMILIES, FAMILY_DEFAULTS, Recipe
from isoflop.units import format_number, format_quantity, parse_number

# What follows runs needs the extra `train`, so it is imported by the commands alone.
if TYPE_CHECKING:
    from isoflop.training.ladder import LadderGrid
    from isoflop.training.ladders import Ladder
    from isoflop.training.queue import RunQueue
    from isoflop.training.runs import Run


def add_train_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of one run."""
    add = parser.add_argument
    add("family", choices=FAMILIES, help="model family")
    add("--width", type=int, required=True, metavar="N", help="size of its hidden state")
    add("--depth", type=int, metavar="N", help="layers; by default the family's own")
    add("--budget", required=True, metavar="TOKENS", help="training tokens, such as 1M or 64Ki,1Mi")
    add("--seed", type=int, default=0, metavar="N")
    add("--processes", type=int, metavar="N", help="share each batch out under torchrun")
    _add_common(parser)


def add_ladder_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a grid of runs."""
    add = parser.add_argument
    add("--preset", default="quick", metavar="NAME", help="quick, standard or families")
    add("--family", metavar="NAMES", help=f"of {', '.join(FAMILIES)}, by commas")
    add("--width", metavar="SIZES", help="such as 16,24,32,48")
    add("--depth", type=int, metavar="N", help="layers; by default each family's own")
    add("--budget", metavar="TOKENS", help="such as 64Ki,128Ki,256Ki")
    add("--seed", metavar="NUMBERS", help="such as 0,1,2")
    add("--sweep-rates", metavar="NUMBERS", help="learning rates, each at every width")
    add("--sweep-batches", metavar="NUMBERS", help="sequences a step, each at every width")
    add("--title", default="", help="by which the Train page lists it")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--root", type=Path, metavar="FOLDER", help="of all runs; by default the Train page's")
    add("--workers", type=int, metavar="N", help="processes of this machine; by default 2")
    add("--detach", action="store_true", help="do not wait: the runs go on by themselves")
    add("--csv", type=Path, metavar="FILE", help="write the points as a table for `isoflop fit`")
    add("--json", type=Path, metavar="FILE", help="write runs and points; - for the screen")
    add_flags(parser, Recipe, "the recipe")
    add_flags(parser, ClusterSettings, "on a cluster, if any of these is given")


def train(parsed: argparse.Namespace) -> None:
    """Train one run, with all its budgets."""
    _needs_torch()
    from isoflop.training.distributed import start_parallel
    from isoflop.training.ladder import LadderGrid, whole_numbers
    from isoflop.training.ladders import keep_ladder

    grid = LadderGrid(
        families=(parsed.family,),
        widths=(parsed.width,),
        token_budgets=whole_numbers(parsed.budget, "--budget"),
        seeds=(parsed.seed,),
        depths=_depths([parsed.family], parsed.depth),
    )
    if parsed.processes is None:
        _train_all(parsed, grid, title=f"{FAMILY_DEFAULTS[parsed.family].label} {parsed.width}")
        return
    queue, [config] = _queue(parsed), replace(grid, base=_recipe(parsed)).configs()
    run = start_parallel(queue, config, n_processes=parsed.processes)
    _follow(parsed, queue, keep_ladder(queue.root, [run], title=config.label))


def ladder(parsed: argparse.Namespace) -> None:
    """Train a grid of runs."""
    _needs_torch()
    from isoflop.training.ladder import PRESETS, whole_numbers

    if parsed.preset not in PRESETS:
        raise CatalogError(
            f"There is no ladder {parsed.preset!r}.", hint=f"Choose one of {', '.join(PRESETS)}."
        )
    preset = PRESETS[parsed.preset]
    given: dict[str, Any] = {
        "widths": parsed.width and whole_numbers(parsed.width, "--width"),
        "token_budgets": parsed.budget and whole_numbers(parsed.budget, "--budget"),
        "seeds": parsed.seed and whole_numbers(parsed.seed, "--seed"),
        "learning_rates": parsed.sweep_rates and _numbers(parsed.sweep_rates),
        "batch_sizes": parsed.sweep_batches
        and whole_numbers(parsed.sweep_batches, "--sweep-batches"),
        "families": parsed.family and tuple(parsed.family.split(",")),
    }
    grid = replace(preset.grid, **{name: value for name, value in given.items() if value})
    grid = replace(grid, depths=_depths(grid.families, parsed.depth))
    _train_all(
        parsed,
        grid,
        title=parsed.title or (preset.label if not any(given.values()) else "Own grid"),
    )


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(sorted({parse_number(part) for part in text.split(",") if part.strip()}))


def _depths(families: Sequence[Any], depth: int | None) -> dict[Any, int]:
    return dict.fromkeys(families, depth) if depth else {}


def _train_all(parsed: argparse.Namespace, grid: LadderGrid, *, title: str) -> None:
    """Start the runs of a grid where they are to be trained, and follow them."""
    from isoflop.training.ladders import keep_ladder

    queue, configs = _queue(parsed), replace(grid, base=_recipe(parsed)).configs()
    if typed_flags(ClusterSettings, parsed):
        from isoflop.training.cluster import submit_to_cluster

        settings = from_flags(ClusterSettings, parsed)
        found, _ = submit_to_cluster(queue.root, configs, settings, title=title)
    else:
        runs, _ = queue.take_up(configs)
        found = keep_ladder(queue.root, runs, title=title)
        queue.ensure_workers(parsed.workers)
    _follow(parsed, queue, found)


def _follow(parsed: argparse.Namespace, queue: RunQueue, found: Ladder) -> None:
    """Wait for a ladder unless told not to; print or write what it came to."""
    from isoflop.training.ladder import await_runs

    runs = list(found.runs)
    try:
        if not parsed.detach:
            with report.Progress() as progress:
                await_runs(
                    queue, runs, n_workers=parsed.workers, report=_shown_by(progress), poll_s=0.5
                )
    finally:
        _write(parsed, found, runs)


def _shown_by(progress: report.Progress) -> Callable[[list[Run]], None]:
    """Return what shows the share done, the points reached and the time to go."""
    from isoflop.training.following import look_at
    from isoflop.training.progress import overall
    from isoflop.training.records import RunHistory

    histories: dict[Path, RunHistory] = {}

    def show(runs: list[Run]) -> None:
        seen = look_at(runs, histories)
        total = overall([(one.state, one.progress) for one in seen])
        n_points = sum(one.progress.n_points for one in seen)
        n_wanted = sum(len(one.config.token_budgets) for one in seen)
        to_go = f", {format_quantity(total.eta_s, 'seconds', 2)} to go" if total.eta_s else ""
        progress(total.share, f"{n_points} of {n_wanted} points{to_go}")

    return show


def _write(parsed: argparse.Namespace, found: Ladder, runs: list[Run]) -> None:
    from isoflop.training.ladder import ladder_rows, rows_to_csv

    points = ladder_rows(runs)
    if parsed.csv is not None:
        try:
            parsed.csv.write_text(rows_to_csv(points), encoding="utf-8")
        except OSError as error:
            raise CatalogError(
                f"The points cannot be written to {parsed.csv}.", detail=str(error.strerror)
            ) from None
    states = [(run, run.state()) for run in runs]
    content = {
        "ladder": found.id,
        "title": found.title,
        "runs": [
            {
                "run_id": run.id,
                "status": state.status,
                "message": state.message,
                "config": run.config().to_dict(),
            }
            for run, state in states
        ],
        "points": points,
    }
    if report.wrote_json(parsed.json, lambda: as_text(content)):
        return
    header = ("run", "params", "tokens", "FLOP", "nats per byte", "next token right")
    labels = {run.id: run.config().label for run in runs}
    cells = [
        (
            labels[str(point["run_id"])],
            *(
                format_number(float(point[name] or 0))
                for name in ("params", "tokens", "compute_flop")
            ),
            f"{point['loss']:.4f}",
            f"{point['accuracy']:.1%}",
        )
        for point in points
    ]
    if cells:
        report.rows(cells, header=header)
    print(f"{found.title}: {found.id}, on the Train page as ?run={found.id}")


def _queue(parsed: argparse.Namespace) -> RunQueue:
    from isoflop.training.queue import RunQueue
    from isoflop.training.runs import default_root

    return RunQueue(parsed.root or default_root())


def _recipe(parsed: argparse.Namespace) -> Recipe:
    """Return the recipe that was typed; a file of text becomes a corpus of its own."""
    recipe = from_flags(Recipe, parsed)
    path = Path(recipe.corpus)
    if recipe.corpus in ("stdlib", "prose") or not path.is_file():
        return recipe
    from isoflop.training.corpus import store_upload

    uploads = _queue(parsed).root / "uploads"
    return replace(
        recipe, corpus=store_upload(path.read_bytes(), name=path.name, uploads=uploads).key
    )


def _needs_torch() -> None:
    if not all(map(find_spec, ("filelock", "psutil", "safetensors", "torch"))):
        raise TrainingError(
            "Training needs PyTorch, which is not installed here.",
            hint='Install it with: pip install "isoflop[train]"',
        )

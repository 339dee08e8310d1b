"""A ladder: the same recipe over a grid of sizes and budgets, and the loss table it becomes."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType

import pandas as pd

from isoflop.errors import TrainingError, UnitError
from isoflop.language import lazy_gettext, listed
from isoflop.tables import ColumnMapping, Provenance, RawTable, ReadResult, build_table
from isoflop.tables.annealed import ANNEALED
from isoflop.tables.mapping import ColumnRole
from isoflop.training.config import (
    FAMILIES,
    FAMILY_DEFAULTS,
    Family,
    Recipe,
    ReportedConfig,
    RunConfig,
)
from isoflop.training.queue import RunQueue
from isoflop.training.records import Record
from isoflop.training.runs import ACTIVE, Run
from isoflop.training.tasks import TaskScores, kept_scores
from isoflop.units import parse_number

KIBI = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderGrid:
    """Sizes and budgets to train.

    Parameters
    ----------
    families : tuple of str
    widths : tuple of int
    token_budgets : tuple of int
        Ascending.
    seeds : tuple of int
    depths : mapping of str to int
        Depth by family; those left out have the family's default.
    learning_rates, batch_sizes : tuple
        To sweep over: each is trained at every width; that of ``base`` if empty.
    base : Recipe
        Everything else: corpus, tokenizer, limits, context.
    """

    families: tuple[Family, ...]
    widths: tuple[int, ...]
    token_budgets: tuple[int, ...]
    seeds: tuple[int, ...] = (0,)
    depths: Mapping[Family, int] = field(default_factory=dict)
    learning_rates: tuple[float, ...] = ()
    batch_sizes: tuple[int, ...] = ()
    base: Recipe = field(default_factory=Recipe)

    def configs(self) -> list[RunConfig]:
        """List the runs of the grid.

        Raises
        ------
        TrainingError
            If the grid is empty, or a combination does not work.
        """
        if not (self.families and self.widths and self.token_budgets and self.seeds):
            raise TrainingError(
                lazy_gettext("The grid is empty."),
                hint=lazy_gettext("Choose at least one family, width, budget and seed."),
            )
        if unknown := set(self.families) - set(FAMILIES):
            raise TrainingError(
                lazy_gettext("There is no family {unknown}.", unknown=", ".join(sorted(unknown))),
                hint=lazy_gettext("Choose among {families}.", families=", ".join(FAMILIES)),
            )
        recipes = [
            replace(self.base, learning_rate=rate, batch_size=batch)
            for rate in self.learning_rates or (self.base.learning_rate,)
            for batch in self.batch_sizes or (self.base.batch_size,)
        ]
        return [
            recipe.at(
                family=family,
                width=width,
                depth=self.depths.get(family, FAMILY_DEFAULTS[family].depth),
                token_budgets=tuple(sorted(self.token_budgets)),
                seed=seed,
            )
            for family in self.families
            for width in self.widths
            for recipe in recipes
            for seed in self.seeds
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A grid that is known to work, with what it costs."""

    label: str
    help: str
    grid: LadderGrid


def _budgets(smallest: int, n_doublings: int) -> tuple[int, ...]:
    return tuple(smallest * KIBI * 2**index for index in range(n_doublings + 1))


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "quick": Preset(
            label=lazy_gettext("Quick"),
            help=lazy_gettext(
                "Four transformers at four budgets: about half a minute on two cores."
            ),
            grid=LadderGrid(
                families=("transformer",), widths=(16, 24, 32, 48), token_budgets=_budgets(64, 3)
            ),
        ),
        "standard": Preset(
            label=lazy_gettext("Standard"),
            help=lazy_gettext("Six transformers at five budgets: about five minutes on two cores."),
            grid=LadderGrid(
                families=("transformer",),
                widths=(16, 24, 32, 48, 64, 96),
                token_budgets=_budgets(256, 4),
            ),
        ),
        "families": Preset(
            label=lazy_gettext("Compare families"),
            help=lazy_gettext(
                "Five families, four widths and four budgets each: about three minutes."
            ),
            grid=LadderGrid(
                families=FAMILIES, widths=(16, 24, 32, 48), token_budgets=_budgets(128, 3)
            ),
        ),
    }
)


Row = dict[str, float | str | None]
"""A finished budget, by the names of ``ROW_COLUMNS``; None for what is not known."""

ROW_COLUMNS = (
    *("run_id", "family", "width", "depth", "seed", "params", "params_nonembedding", "tokens"),
    *("compute_flop", "loss", ANNEALED, "accuracy", "cpu_s"),
)
"""Header of a ladder's CSV. The loss is in nats per byte, whatever the tokenizer (or in nats per
token, as reported by other code); ``is_annealed`` says that a row ends on a decayed rate, as every
budget does by a branch of its own. Learning rate and tokens a batch follow where runs of one family
differ in them."""

SWEPT_COLUMNS = ("learning_rate", "batch_tokens")
TASK_COLUMNS = ("class_accuracy", "class_f1", "bleu")
"""Scores on small tasks, where all runs have them."""


def held_out_loss(config: RunConfig, point: Record) -> float:
    """Return the loss of a point in the unit of its run."""
    name = "nats_per_byte" if config.loss_unit == "nats/byte" else "nats_per_token"
    return float(point.get(name, math.nan))


def ladder_rows(runs: Iterable[Run]) -> list[Row]:
    """Collect the finished budgets of runs, as rows of ``ROW_COLUMNS``."""
    rows: list[Row] = []
    runs = list(runs)
    # Other code's runs have no recipe that is known here.
    recipes = [c for run in runs if not isinstance(c := run.config(), ReportedConfig)]
    is_sweep = len(recipes) == len(runs) and any(
        len({_swept(config) for config in recipes if config.family == family}) > 1
        for family in {config.family for config in recipes}
    )
    scores = {run.id: {score.budget: score for score in kept_scores(run)} for run in runs}
    is_scored = all(scores.values())
    for run in runs:
        config, history = run.config(), run.history()
        model = history.fact("model")
        rows.extend(
            {
                "run_id": run.id,
                "family": config.family,
                "width": config.width or None,
                "depth": config.depth or None,
                "seed": config.seed,
                "params": model["params"],
                "params_nonembedding": model["params_nonembedding"],
                "tokens": point["tokens"],
                "compute_flop": point["compute_flop"],
                "loss": round(held_out_loss(config, point), 6),
                ANNEALED: point.get(ANNEALED, 1),
                "accuracy": _rounded(point.get("accuracy"), 6),
                "cpu_s": round(point["cpu_s"], 2),
                **(dict(zip(SWEPT_COLUMNS, _swept(config), strict=True)) if is_sweep else {}),
                **(_scores(scores[run.id].get(point["budget"])) if is_scored else {}),
            }
            for point in history.of_kind("point")
            if model
        )
    return rows


def _rounded(value: float | None, n_digits: int) -> float | None:
    return None if value is None else round(value, n_digits)


def _scores(scores: TaskScores | None) -> Row:
    return {
        name: None if scores is None else round(getattr(scores, name), 6) for name in TASK_COLUMNS
    }


def _swept(config: RunConfig) -> tuple[float, float]:
    return config.peak_learning_rate, float(config.tokens_per_step)


def rows_to_csv(rows: Sequence[Row]) -> str:
    """Write rows as CSV text."""
    text = io.StringIO()
    header = list(rows[0]) if rows else list(ROW_COLUMNS)
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read_ladder(runs: Sequence[Run]) -> ReadResult:
    """Turn finished budgets into a loss table.

    What the columns are is known, so nothing is guessed.

    Raises
    ------
    TrainingError
        If no budget is finished yet.
    """
    rows = ladder_rows(runs)
    if not rows:
        raise TrainingError(
            lazy_gettext("No budget of these runs is finished yet."),
            hint=lazy_gettext("Wait for the first point."),
        )
    units = {run.config().loss_unit for run in runs}
    if len(units) > 1:
        raise TrainingError(
            lazy_gettext(
                "These runs measure their loss in different units: {units}.",
                units=listed(sorted(units)),
            ),
            hint=lazy_gettext("Report all of them with bytes_per_token, or none."),
        )
    frame = pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1)).dropna(axis=1, how="all")
    raw = RawTable(name=f"ladder-{runs[0].id}", format=lazy_gettext("run records"), frame=frame)
    roles = [
        ColumnRole(header=name, column=name, reason=lazy_gettext("written by the trainer"))
        for name in raw.headers
    ]
    mapping = ColumnMapping(roles=tuple(roles), loss_unit=units.pop(), param_convention="total")
    corpus = runs[0].history().fact("corpus") or {}
    provenance = Provenance(
        title=lazy_gettext("Own ladder"),
        source=lazy_gettext(
            "Trained on {source}",
            source=corpus.get("source", lazy_gettext("a text that other code knows")),
        ),
        retrieved=datetime.now(UTC).date().isoformat(),
        tokenizer=runs[0].config().tokenizer,
        known_problems=(
            lazy_gettext("Budgets of one run share its trunk: their losses are correlated."),
        ),
    )
    return build_table(raw, mapping, provenance=provenance)


def work_off(
    queue: RunQueue,
    configs: Sequence[RunConfig],
    *,
    n_workers: int | None = None,
    report: Callable[[list[Run]], None] = lambda runs: None,
    poll_s: float = 2.0,
) -> list[Run]:
    """Train configurations and wait; those trained before are not trained again.

    Raises
    ------
    TrainingError
        If a run failed.
    """
    runs, _ = queue.take_up(configs)
    await_runs(queue, runs, n_workers=n_workers, report=report, poll_s=poll_s)
    return runs


def await_runs(
    queue: RunQueue,
    runs: list[Run],
    *,
    n_workers: int | None = None,
    report: Callable[[list[Run]], None] = lambda runs: None,
    poll_s: float = 2.0,
) -> None:
    """Follow runs until none is active, wherever they train; Ctrl-C stops them.

    Raises
    ------
    TrainingError
        If a run did not finish.
    """
    try:
        while any(run.state().status in ACTIVE for run in runs):
            if any(run.state().status == "queued" for run in runs):
                queue.ensure_workers(n_workers)
            queue.enforce_stops(runs)
            report(runs)
            time.sleep(poll_s)
    except KeyboardInterrupt:
        queue.stop(runs)
        raise
    report(runs)
    broken = [run for run in runs if run.state().status != "finished"]
    if broken:
        state = broken[0].state()
        raise TrainingError(
            lazy_gettext(
                "{broken} of {runs} runs did not finish.", broken=len(broken), runs=len(runs)
            ),
            detail=f"{broken[0].id}: {state.message}\n{state.detail}",
            hint=lazy_gettext("Start the same command again to go on."),
        )


def whole_numbers(text: str, what: str) -> tuple[int, ...]:
    """Read whole numbers, such as ``"64Ki, 1M"``, ascending and each once.

    Raises
    ------
    UnitError
        If one of them is not a whole number.

    Examples
    --------
    >>> whole_numbers("64Ki, 16, 1M", "Budgets")
    (16, 65536, 1000000)
    """
    return tuple(sorted({_whole(part, what) for part in text.split(",") if part.strip()}))


def _whole(text: str, what: str) -> int:
    stripped = text.strip()
    factor = {"ki": KIBI, "mi": KIBI**2}.get(stripped[-2:].lower(), 1)
    value = parse_number(stripped[:-2] if factor > 1 else stripped) * factor
    if value != round(value) or abs(value) > 1e15:
        raise UnitError(
            lazy_gettext("{stripped} is not a whole number.", stripped=stripped),
            detail=lazy_gettext("In {what}.", what=what),
        )
    return round(value)

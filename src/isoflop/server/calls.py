"""What a job does for a route: from plain arguments, by the functions of `isoflop.api`, to JSON.

Nothing here knows of HTTP: a job's process imports the engine alone.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from isoflop import __version__, api, export, rendering
from isoflop.accounting.config_import import import_config
from isoflop.accounting.repository import released_model
from isoflop.document import as_text, to_json
from isoflop.errors import OptionError
from isoflop.fitting import Fit, FitOptions, PredictOptions
from isoflop.fitting import fit as fit_law
from isoflop.fitting.before_after import without_named
from isoflop.fitting.extrapolation import Method
from isoflop.fitting.options import Objective
from isoflop.fitting.points import points_of
from isoflop.fitting.predict import predicted
from isoflop.laws import Law, rebind, typed_law
from isoflop.options import changed
from isoflop.planning import Accelerator, Budget, PlanOptions
from isoflop.planning.hardware import parse_accelerator
from isoflop.planning.planned import Planned
from isoflop.tables import COLUMNS, LossTable, find_dataset, mapping_from_json
from isoflop.tables.select import family_names
from isoflop.tables.shapes import Curves, Seeds
from isoflop.tables.simulated import SimulationOptions
from isoflop.tables.summary import columns_frame
from isoflop.units import parse_number, parse_quantity

Share = Callable[..., None]
"""Takes how far the work is, 0 to 1, and what is being done."""
Paper = Literal["html", "pdf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A result that is no JSON.

    Parameters
    ----------
    name : str
        To save it under.
    media_type : str
    content : bytes
    """

    name: str
    media_type: str
    content: bytes


Made: TypeAlias = str | File
"""What a function here returns: JSON, or a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A table as a body describes it, with the files that it names.

    Parameters
    ----------
    name : str or None
        Of the catalog.
    files : tuple of (str, bytes)
        Names and contents, where it is no table of the catalog.
    columns, units, loss_unit, metric, curves, seeds, exclude, mapping
        As of `isoflop.load`; the mapping as the Data page writes it.
    families : tuple of str
        Whose rows are kept; all where there is none.
    """

    name: str | None = None
    files: tuple[tuple[str, bytes], ...] = ()
    columns: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    loss_unit: str = ""
    mapping: dict[str, Any] | None = None
    metric: str = ""
    curves: Curves | None = None
    seeds: Seeds = "all"
    exclude: tuple[str, ...] = ()
    families: tuple[str, ...] = ()

    def load(self) -> LossTable:
        """Read the table.

        Raises
        ------
        IsoflopError
            As `isoflop.load` does; a name is one of the catalog, never a path.
        """
        if self.name is not None:
            find_dataset(self.name)
        files = [_file(name, content) for name, content in self.files]
        table = api.load(
            self.name if self.name is not None else files[0] if len(files) == 1 else files,
            columns=self.columns,
            units=self.units,
            loss_unit=self.loss_unit,
            mapping=None if self.mapping is None else mapping_from_json(json.dumps(self.mapping)),
            metric=self.metric,
            curves=self.curves,
            seeds=self.seeds,
            exclude=self.exclude,
        )
        return table.families(*self.families) if self.families else table


@dataclass(frozen=True, slots=True, kw_only=True)
class LawGiven:
    """A law as a body describes it.

    Parameters
    ----------
    law : str
        Its name in the catalog, or a formula.
    params : tuple of str
        Names in a formula that are parameters, though they read like columns.
    inputs : dict of str to str
        Column that an input stands for, by its symbol.
    response : str or None
        Column to predict.
    """

    law: str
    params: tuple[str, ...] = ()
    inputs: dict[str, str] = field(default_factory=dict)
    response: str | None = None

    def law_for(self, table: LossTable) -> Law:
        """Return the law, a formula read with the columns of the table.

        Raises
        ------
        IsoflopError
            If there is none of this name, or the formula is none.
        """
        if self.params:
            response = self.response or "loss"
            found = typed_law(self.law, table, response=response, params=self.params)
        else:
            found = api.law_of(self.law, table)
        return rebind(found, self.inputs, self.response) if self.inputs or self.response else found


@dataclass(frozen=True, slots=True, kw_only=True)
class FitGiven:
    """A fit to be made, or one that was saved.

    Parameters
    ----------
    source : Source or None
    law : LawGiven or None
        By default the law that suits the table.
    published : str or None
        Name of a published fit, in place of fitting a law.
    options : FitOptions
    drop_outliers : bool
        Leave out the rows that a notice of the fit names.
    document : dict or None
        A saved fit, in place of all this.
    """

    source: Source | None = None
    law: LawGiven | None = None
    published: str | None = None
    options: FitOptions = field(default_factory=FitOptions)
    drop_outliers: bool = False
    document: dict[str, Any] | None = None

    @property
    def is_one_law(self) -> bool:
        """Whether one law is chosen, or anything that only one fit has; else all laws predict."""
        is_named = self.law is not None or self.published is not None or self.document is not None
        is_metric = self.source is not None and bool(self.source.metric)
        return is_named or is_metric or self.drop_outliers or self.options != FitOptions()

    @property
    def method(self) -> Method:
        """What predicts a plan's loss unless it is said."""
        return "one" if self.is_one_law else "average"

    def fit(self, progress: Share | None = None) -> Fit:
        """Make or read the fit.

        Raises
        ------
        IsoflopError
            As reading, parsing a formula and fitting do.
        """
        if self.document is not None:
            return Fit.from_json(json.dumps(self.document))
        assert self.source is not None  # a body has one of the two
        table = self.source.load()
        if self.published is not None:
            return api.evaluate(self.published, table)
        if self.law is None:
            table, law = api.suited(table)
        else:
            law = self.law.law_for(table)
        found = fit_law(law, table, self.options, progress=progress)
        return without_named(found, progress) if self.drop_outliers else found


def read(*, source: Source) -> str:
    """Return how a table was read: its columns, rows, what was left out, and what to know of it."""
    table = source.load()
    reading, provenance = table.reading, table.provenance
    return as_text(
        {
            "format": "isoflop-table-1",
            "isoflop": __version__,
            "id": table.id,
            "fingerprint": table.fingerprint,
            "title": provenance.title,
            "loss_unit": table.loss_unit,
            "param_convention": table.param_convention,
            "n_rows": len(table.frame),
            "n_included": len(table.included()),
            "families": family_names(table),
            "columns": table_columns(table),
            "known_problems": provenance.known_problems,
            "problems": () if reading is None else reading.problems,
            "notices": () if reading is None else reading.notices,
            "mapping": None if reading is None else json.loads(reading.mapping.to_json()),
        }
    )


def table_columns(table: LossTable) -> list[dict[str, str]]:
    """Return name, unit, values and origin of each column of a table."""
    return [
        {str(name).replace(" ", "_"): str(value) for name, value in row.items()}
        for row in columns_frame(table).to_dict("records")
    ]


def fit(*, of: FitGiven, progress: Share | None = None) -> str:
    """Return a fit as JSON."""
    return of.fit(progress).to_json()


def predict(
    *,
    of: FitGiven,
    at: Sequence[Mapping[str, Any]],
    interval: PredictOptions,
    progress: Share | None = None,
) -> str:
    """Return what one fit predicts for some runs, as JSON."""
    found = of.fit(progress)
    points = points_of(found.law, _columns_of(at), {})
    return export.predictions_json(found, points, *predicted(found, points, interval))


def extrapolate(
    *,
    source: Source,
    law: LawGiven | None,
    at: Sequence[Mapping[str, Any]],
    method: Method,
    seed: int,
) -> str:
    """Return what all laws that suit a table predict for some runs, as JSON."""
    table = source.load()
    if law is None:
        table = api.suited_rows(table)
    chosen = None if law is None else law.law_for(table)
    return api.extrapolate(table, _columns_of(at), method=method, law=chosen, seed=seed).to_json()


def optimum(
    *,
    of: FitGiven,
    compute_flop: Sequence[float | str],
    level: float,
    fixed: Mapping[str, float | str],
    progress: Share | None = None,
) -> str:
    """Return the compute-optimal models of some amounts of compute, as JSON."""
    found = of.fit(progress)
    return api.optimum(found, compute_flop, level=level, fixed=_fixed(fixed)).to_json()


def plan(
    *,
    of: FitGiven,
    accelerator: str | dict[str, Any],
    budget: Budget,
    options: PlanOptions,
    fixed: Mapping[str, float | str],
    by: Method | None,
    target: float | None,
    show: Sequence[str],
    progress: Share | None = None,
) -> str:
    """Return the best run that a budget buys, as JSON; its loss by all laws where none is named."""
    found = _planned(of.fit(progress), accelerator, budget, options, fixed)
    method = by or of.method
    told = found.plan
    if by or method == "average":
        told = found.outlook(method).told(found.plan)
    parts = dict.fromkeys([*(["risk", "least"] if target else []), *show])
    return told.to_json(found.gathered(tuple(parts), target=target, by=method))


def compare(
    *,
    source: Source,
    laws: Sequence[LawGiven] | None,
    decades: float,
    options: FitOptions,
    progress: Share | None = None,
) -> str:
    """Return how laws fit the same rows and predict held-out ones, as JSON."""
    table = source.load()
    chosen = None if laws is None else [one.law_for(table) for one in laws]
    return api.compare(
        table, chosen, decades=decades, progress=progress, **changed(options)
    ).to_json()


def compare_families(
    *,
    source: Source,
    law: LawGiven | None,
    families: tuple[str, str] | None,
    reasons: Mapping[str, str],
    options: FitOptions,
) -> str:
    """Return how much more compute one of two families needs for the same loss, as JSON."""
    table = source.load()
    chosen = None if law is None else law.law_for(table)
    return api.compare_families(
        table, chosen, families, reasons=reasons, **changed(options)
    ).to_json()


def compare_published(*, source: Source) -> str:
    """Return how published fits describe the rows of a table, as JSON."""
    return api.compare_published(source.load()).to_json()


def backtest(
    *,
    sources: Sequence[Source],
    laws: Sequence[str] | None,
    objectives: Sequence[Objective] | None,
    progress: Share | None = None,
) -> str:
    """Return how laws predict the largest decade of tables, which is held out, as JSON."""
    tables = [source.load() for source in sources]
    return api.backtest(tables, laws, objectives=objectives, progress=progress).to_json()


def simulate(
    *,
    law: str,
    values: Mapping[str, float],
    compute_flop: tuple[float | str, float | str],
    options: SimulationOptions,
) -> str:
    """Return a table drawn from a known law, as other requests take one, as JSON."""
    made = api.simulate(law, values, compute_flop=compute_flop, **changed(options))
    return as_text(
        {
            "format": "isoflop-simulated-table-1",
            "isoflop": __version__,
            "id": made.id,
            "fingerprint": made.fingerprint,
            "source": made.provenance.source,
            "n_rows": len(made.frame),
            "table": {"text": export.runs_csv(made)},
        }
    )


def report(
    *,
    of: FitGiven,
    accelerator: str | dict[str, Any],
    budget: Budget | None,
    options: PlanOptions,
    fixed: Mapping[str, float | str],
    by: Method | None,
    format: Paper,
    progress: Share | None = None,
) -> File:
    """Return a fit, and a plan if there is a budget, as a page or as PDF."""
    found = of.fit(progress)
    if budget is None:
        page = api.report(found)
    else:
        made = _planned(found, accelerator, budget, options, fixed)
        page = api.report(found, made, outlook=made.outlook(by or of.method))
    if format == "pdf":
        content = rendering.pdf(page)
        return File(name="isoflop-report.pdf", media_type="application/pdf", content=content)
    return File(name="isoflop-report.html", media_type="text/html", content=page.encode())


def model(*, name: str | None, config: Mapping[str, Any] | None) -> str:
    """Return a model's shape, with its parameters by component, as JSON."""
    if config is None:
        assert name is not None  # a body has one of the two
        found = released_model(name)
    else:
        found = import_config(json.dumps(config), name=name or "Imported model")
    return to_json(
        found,
        "isoflop-model-1",
        derived={"n_params": found.parameters.total, "summary": str(found)},
    )


def _planned(
    fit: Fit,
    accelerator: str | dict[str, Any],
    budget: Budget,
    options: PlanOptions,
    fixed: Mapping[str, float | str],
) -> Planned:
    device: str | Accelerator
    device = accelerator if isinstance(accelerator, str) else parse_accelerator("own", accelerator)
    return api.planned(fit, device, fixed=_fixed(fixed), **changed(budget), **changed(options))


def _file(name: str, content: bytes) -> io.BytesIO:
    file = io.BytesIO(content)
    file.name = name
    return file


def _columns_of(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return values by name, one a run.

    Raises
    ------
    OptionError
        If the runs are not all given by the same names.
    """
    if len({frozenset(run) for run in runs}) != 1:
        raise OptionError(
            "Every run must be given by the same names.",
            hint='Give each the same, such as {"N": "7B", "D": "1T"}.',
        )
    return {name: [run[name] for run in runs] for name in runs[0]}


def _fixed(given: Mapping[str, float | str]) -> dict[str, float]:
    return {column: _column_value(column, value) for column, value in given.items()}


def _column_value(column: str, value: float | str) -> float:
    if not isinstance(value, str):
        return float(value)
    known = COLUMNS.get(column)
    if known is None or known.dimension is None:
        return parse_number(value)
    return parse_quantity(value, known.dimension)

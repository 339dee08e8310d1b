"""What a user calls: functions that start from a name, a file, or several results.

``import isoflop as iso`` gives all of them; what needs one result alone is a method of that result.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop import fitting, planning
from isoflop.accounting.imported import ImportedModel
from isoflop.accounting.repository import read_model
from isoflop.errors import CatalogError, FormulaError, OptionError, TableError
from isoflop.fitting import Fit, FitOptions
from isoflop.fitting import backtest as backtests
from isoflop.fitting.backtest import Backtest
from isoflop.fitting.compare import (
    LawComparison,
    PublishedComparison,
    compare_laws,
    functional_forms,
    laws_of_size_and_data,
    scale_column,
)
from isoflop.fitting.compare import compare_published as published_comparison
from isoflop.fitting.extrapolation import Extrapolation, Method
from isoflop.fitting.opening import suited_law
from isoflop.fitting.options import Objective
from isoflop.fitting.published import evaluate_published
from isoflop.fitting.weights import GIVEN, with_weights
from isoflop.html_report import report
from isoflop.language import lazy_gettext as _
from isoflop.laws import (
    Law,
    law_for_role,
    load_laws,
    load_published_fits,
    rebind,
    typed_law,
)
from isoflop.laws.catalog import laws_frame as laws
from isoflop.options import from_mapping, options_of
from isoflop.planning import (
    Accelerator,
    Budget,
    Frontier,
    Plan,
    PlanOptions,
    compute_optimal,
    find_accelerator,
    load_accelerators,
)
from isoflop.planning.families import FamilyComparison
from isoflop.planning.families import compare_families as family_comparison
from isoflop.planning.hardware import read_accelerator
from isoflop.planning.inputs import inputs_at, trades_size_for_data
from isoflop.planning.outlook import Outlook
from isoflop.planning.outlook import outlook as plan_outlook
from isoflop.planning.planned import Planned
from isoflop.planning.planned import planned as plan_scenario
from isoflop.planning.rule import SIX_ND
from isoflop.planning.scenario import Scenario
from isoflop.planning.trajectory import assumed_params
from isoflop.rendering import save_figure
from isoflop.tables import (
    COLUMNS,
    ColumnMapping,
    LossTable,
    find_dataset,
    list_datasets,
    load_dataset,
    names_files,
    of_families,
    open_dataset,
    read_table,
)
from isoflop.tables.exclude import exclusion_of
from isoflop.tables.prepare import default_preparation, prepare
from isoflop.tables.select import family_names
from isoflop.tables.shapes import Curves, Seeds
from isoflop.tables.simulated import SimulationOptions, simulate_runs
from isoflop.tables.source import Sources
from isoflop.units import parse_quantity

__all__ = [
    "accelerators",
    "backtest",
    "compare",
    "compare_families",
    "compare_published",
    "datasets",
    "extrapolate",
    "fit",
    "law",
    "laws",
    "load",
    "optimum",
    "outlook",
    "plan",
    "published",
    "report",
    "save_figure",
    "simulate",
]

Progress = Callable[[float, str], None]
TableLike: TypeAlias = LossTable | Sources | pd.DataFrame
LawLike: TypeAlias = Law | str

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NAME = re.compile(r"\w+")


# --- Tables


def load(
    source: Sources | pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    loss_unit: str = "",
    mapping: ColumnMapping | None = None,
    metric: str = "",
    curves: Curves | None = None,
    seeds: Seeds = "all",
    exclude: Iterable[str] = (),
    progress: Progress | None = None,
) -> LossTable:
    """Return a loss table by its catalog name, or read one from a file, its bytes, or a frame.

    Parameters
    ----------
    source : str, path, bytes, binary file, a sequence of these, or pandas.DataFrame
        Several files, a folder or a pattern (``"runs/*.csv"``) make one table;
        ``"mlflow:<tracking URI>#<experiment>"`` reads an MLflow store.
    columns : mapping of str to str, optional
        Canonical column by header, such as ``{"n_par": "params"}``.
    units : mapping of str to str, optional
        Unit of bare numbers by header or canonical column, such as ``{"tokens": "B"}``.
    loss_unit : str
        Such as ``"bits/byte"``.
    mapping : ColumnMapping, optional
        How to understand all columns, as the app writes it.
    metric : str
        Column to be explained instead of the loss.
    curves : {"all", "last", "best", "smoothed"}, optional
        Which rows of each learning curve to keep; by default as the catalog says, else the last of
        each long one.
    seeds : {"all", "clustered", "mean", "best"}
        What becomes of runs of one setting: repetitions, or trials of hyper-parameters.
    exclude : iterable of str
        Rows to leave out: numbers such as ``"3,5-9"``, a rule such as ``"compute_below=1e19"``, or
        a condition such as ``"tokens < 1e9"``.
    progress : callable, optional
        Called with the share done and what is being done; may raise to cancel.

    Returns
    -------
    LossTable
        Whose ``reading`` says what each column was taken for, and every cell left out.

    Raises
    ------
    TableError
        If the file cannot be read, needs an answer first, or the source is an address.
    CatalogError
        If there is no such name, or its file cannot be had.

    Examples
    --------
    >>> load(pd.DataFrame({"size": ["1B", "7B"], "D": [20, 140], "loss": [2.1, 1.8]}),
    ...      columns={"size": "params"}, units={"tokens": "B"})
    <LossTable table: 2 rows, 4 columns, loss in nats/token>
    """
    if isinstance(source, str) and _ADDRESS.match(source):
        raise TableError(
            _("A table is not read from an address."),
            detail=_("Given: {source}.", source=source[:80]),
            hint=_("Download the file and give its path, or choose a name of isoflop.datasets()."),
        )
    if isinstance(source, str) and _is_dataset(source):
        if columns or units or loss_unit or mapping is not None:
            raise TableError(
                _("The columns and units of {source} are settled by the catalog.", source=source),
                hint=_("Leave columns, units and loss_unit out, or read a file of your own."),
            )
        full = open_dataset(source, progress).table
        usual = find_dataset(source).preparation
    else:
        full = read_table(
            source,
            mapping=mapping,
            columns=columns,
            units=units,
            loss_unit=loss_unit,
            progress=progress,
        ).table
        usual = default_preparation(full)
    left_out = tuple(exclusion_of(text, full) for text in exclude)
    preparation = replace(
        usual,
        metric=metric,
        curves=curves or usual.curves,
        seeds=seeds,
        exclusions=(*usual.exclusions, *left_out),
    )
    return prepare(full, preparation)


def _is_dataset(name: str) -> bool:
    """Say whether a text is meant as a name of the catalog: it is one, or does not look a file."""
    if Path(name).is_file():
        return False
    return any(item.id == name for item in list_datasets()) or not (
        Path(name).suffix or os.sep in name or names_files(name)
    )


def simulate(
    law: LawLike,
    values: Mapping[str, float],
    *,
    compute_flop: tuple[float | str, float | str] = (1e18, 1e22),
    **options: Any,
) -> LossTable:
    """Return a table drawn from a known law of parameters and tokens.

    Parameters
    ----------
    law : Law or str
        Law, its catalog name or a formula.
    values : mapping of str to float
        Of every parameter, in natural units.
    compute_flop : (float, float)
        Range of training compute; numbers or text such as ``"1e18 FLOP"``.
    **options
        Of `isoflop.tables.simulated.SimulationOptions`, such as ``design="grid"``, ``noise=0.01``,
        ``n_rows=100`` or ``seed=1``.

    Raises
    ------
    OptionError
        Naming every option that is unknown or out of range.
    TableError
        If a value is missing or unknown, or the law has no positive loss at some run.
    PlanError
        If the law needs more than parameters and tokens.

    Examples
    --------
    >>> simulate("kaplan_n", {"Nc": 8.8e13, "alpha_N": 0.076}, design="grid", n_rows=16)
    <LossTable simulated-grid: 16 rows, 6 columns, loss in nats/token>
    """
    chosen, asked = law_of(law), from_mapping(SimulationOptions, options)
    unlike = sorted((set(values) - set(dict(chosen.fixed))) ^ set(chosen.param_names))
    if unlike:
        raise TableError(
            _("A simulated table cannot be made."),
            detail=_(
                "The values must be of {param_names}; in only one of the two: {unlike}.",
                param_names=", ".join(chosen.param_names),
                unlike=", ".join(unlike),
            ),
        )
    theta = np.array([float(values[name]) for name in chosen.param_names])
    named = ", ".join(f"{name} = {values[name]:g}" for name in chosen.param_names)
    low, high = (_quantity(end) for end in compute_flop)
    return simulate_runs(
        lambda params, tokens: chosen.loss(theta, inputs_at(chosen, params, tokens, rule=SIX_ND)),
        partial(_best_sizes, chosen, theta),
        truth=_("{formula} with {named}", formula=chosen.formula, named=named),
        noise=asked.noise,
        outliers=asked.outliers,
        seed=asked.seed,
        design=asked.design,
        n_rows=asked.n_rows,
        compute_flop=(low, high),
    )


def _best_sizes(
    law: Law, theta: NDArray[np.float64], flop: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the best size at each compute, or an assumed one where the law has none."""
    if not trades_size_for_data(law):
        return assumed_params(flop)
    best = compute_optimal(law, theta, flop)
    return np.where(best.is_interior, best.params, assumed_params(flop))


# --- Catalogs


def law(name_or_formula: str, *, response: str = "loss", params: Collection[str] = ()) -> Law:
    """Return a shipped law by its name, or a law of a formula.

    Parameters
    ----------
    name_or_formula : str
        A name of ``isoflop.laws()``; or a formula in which N, D, C and U, or names of canonical
        columns, are inputs and all other names parameters. A formula with other columns of a table
        is given to `fit` as it is.
    response : str
        Column that a formula predicts.
    params : collection of str
        Names in a formula that are parameters, whatever they read like.

    Raises
    ------
    CatalogError
        If there is no law of that name.
    FormulaError
        If the formula is malformed, uses no input or no parameter, or a name may be either.

    Examples
    --------
    >>> law("chinchilla").param_names
    ('E', 'A', 'B', 'alpha', 'beta')
    >>> law("E + A/N**alpha").symbols
    ('N',)
    """
    if not _NAME.fullmatch(name_or_formula.strip()):
        numeric = [name for name, column in COLUMNS.items() if column.kind == "number"]
        return typed_law(name_or_formula, numeric, response=response, params=params)
    known = load_laws()
    if name_or_formula not in known:
        raise CatalogError(
            _("There is no law called {name_or_formula!r}.", name_or_formula=name_or_formula),
            detail=_("Known: {known}.", known=", ".join(known)),
            hint=_("Choose one of them, or write a formula, such as 'E + A/N**alpha'."),
        )
    return known[name_or_formula]


def law_of(given: LawLike, table: LossTable | None = None) -> Law:
    """Return a law as given, or by name or formula; a formula may use the table's own columns.

    Raises
    ------
    CatalogError, FormulaError
        If there is none of that name, or the formula is none.
    """
    if isinstance(given, Law):
        _require_no_column(given, table)
        return given
    if table is None:
        return law(given)
    if _NAME.fullmatch(given.strip()):
        found = law(given)
        is_free = found.symbols == (backtests.FREE_INPUT,)
        return rebind(found, {backtests.FREE_INPUT: scale_column(table)}) if is_free else found
    return typed_law(given, table)


def _require_no_column(law: Law, table: LossTable | None) -> None:
    """Refuse a formula that was read without the table, where a column became a parameter."""
    columns = set() if table is None else set(table.frame)
    clashes = [name for name in law.param_names if name in columns]
    if clashes and law.source == "typed":
        raise FormulaError(
            _(
                "{clashes} is a parameter of the formula and a column of the table.",
                clashes=clashes[0],
            ),
            hint=_("Give the formula itself in place of the law, or the parameter another name."),
        )


def datasets() -> pd.DataFrame:
    """Return the catalog of loss tables by name: title, unit of the loss, law, licence, source."""
    rows = [
        {
            "name": item.id,
            "title": item.title,
            "is_here": item.is_here,
            "loss_unit": item.loss_unit,
            "law": item.law,
            "licence": item.provenance.licence,
            "source": item.provenance.source,
        }
        for item in list_datasets()
    ]
    return pd.DataFrame(rows).set_index("name")


def accelerators() -> pd.DataFrame:
    """Return the catalog of accelerators by name: dense peak, memory, power, price and source."""
    rows = [
        {
            "name": key,
            "label": item.label,
            "dtype": item.training_dtype,
            "peak_flop_per_s": item.peak(),
            "memory_bytes": item.memory_bytes,
            "power_w": item.power_w,
            "price_usd_per_hour": item.price_usd_per_hour,
            "source": item.source,
        }
        for key, item in load_accelerators().items()
    ]
    return pd.DataFrame(rows).set_index("name")


def model(source: Path | str) -> ImportedModel:
    """Return a model's shape, with its parameters counted by component.

    Parameters
    ----------
    source : path or str
        The folder of a repository, a Hugging Face ``config.json``, or the name of a released model.

    Raises
    ------
    ArchitectureError
        If there is none, or its configuration cannot be read.

    Examples
    --------
    >>> model("Llama-3-8B").parameters.total
    8030261248
    """
    return read_model(source)


def published() -> pd.DataFrame:
    """Return the catalog of published fits by name: law, values, loss unit, data and source."""
    rows = [
        {
            "name": key,
            "label": item.label,
            "law": item.law.key,
            "values": dict(item.values),
            "loss_unit": item.loss_unit,
            "param_convention": item.param_convention,
            "data": item.data,
            "is_verified": item.is_verified,
            "source": item.source,
        }
        for key, item in load_published_fits().items()
    ]
    return pd.DataFrame(rows).set_index("name")


# --- Fit and plan


def fit(
    table: TableLike,
    law: LawLike | None = None,
    *,
    progress: Callable[[float], None] | None = None,
    **options: Any,
) -> Fit:
    """Fit a law to a loss table.

    Parameters
    ----------
    table : LossTable, or what `load` takes
    law : Law or str, optional
        Law, its catalog name or a formula; by default the one that suits the table.
    progress : callable, optional
        Called with the share of the work done; may raise to cancel.
    **options
        Of `FitOptions`, such as ``objective="huber_log"``, ``n_bootstrap=1000``,
        ``params={"alpha": 0.34, "E": (1.5, 2.0)}`` or ``weights="loss_std"``; weights may also be
        one number a row, which the fit's table then holds as ``row_weight``.

    Raises
    ------
    OptionError
        Naming every option that is unknown or cannot be read.
    IsoflopError
        As reading the table, the formula and the fit do.

    Examples
    --------
    >>> fit("pile-cerebras-pythia", "kaplan_joint")
    <Fit Kaplan L(N, D): 15 rows of pile-cerebras-pythia>
    """
    rows, options = _weighted(_table(table), options)
    if law is None:
        rows, chosen = suited(rows)
    else:
        chosen = law_of(law, rows)
    return fitting.fit(chosen, rows, from_mapping(FitOptions, options), progress=progress)


def evaluate(name: str, table: TableLike) -> Fit:
    """Return a published fit with its residuals on a table's rows, to predict and plan with.

    Parameters
    ----------
    name : str
        Of ``isoflop.published()``.
    table : LossTable, or what `load` takes

    Raises
    ------
    CatalogError
        If there is no published fit of that name.
    TableError
        If the table lacks a column of its law.

    Examples
    --------
    >>> evaluate("hoffmann", "pile-cerebras-pythia").values["E"]
    1.69337368
    """
    known = load_published_fits()
    if name not in known:
        raise CatalogError(
            _("There is no published fit called {name!r}.", name=name),
            detail=_("Known: {known}.", known=", ".join(known)),
            hint=_("Choose one of them."),
        )
    return evaluate_published(known[name], _table(table))


def _table(given: TableLike) -> LossTable:
    return given if isinstance(given, LossTable) else load(given)


def _weighted(table: LossTable, options: dict[str, Any]) -> tuple[LossTable, dict[str, Any]]:
    """Return the table with a column of the weights that are given one a row, and its name."""
    weights = options.get("weights")
    if weights is None or isinstance(weights, str):
        return table, options
    return with_weights(table, weights), {**options, "weights": GIVEN}


def suited(table: LossTable) -> tuple[LossTable, Law]:
    """Return the rows and the law that suit a table.

    The law is that of most evidence (lowest AICc) of those to extrapolate by; where there is none,
    as for accuracies, the catalog's word, else what the columns allow.

    Raises
    ------
    FitError
        If the table has no column for the scale of a run.
    """
    known = {item.id: item for item in list_datasets()}.get(table.id)
    table = suited_rows(table)
    columns = set(table.included())
    if (found := suited_law(table)) is not None:
        return table, found
    if known is not None:
        chosen = rebind(load_laws()[known.law], known.law_inputs)
        if {item.column for item in chosen.inputs} | {chosen.response} <= columns:
            return table, chosen
    usual = law_for_role("default")
    if {item.column for item in usual.inputs} | {usual.response} <= columns:
        return table, usual
    role = law_for_role("over-compute" if "loss" in columns else "metric-of-scale")
    response = None if "loss" in columns else "accuracy"
    return table, rebind(role, {role.symbols[0]: scale_column(table)}, response)


def suited_rows(table: LossTable) -> LossTable:
    """Return the rows of the family that the catalog names for a table of it, else all."""
    known = {item.id: item for item in list_datasets()}.get(table.id)
    if known is not None and known.law_family in family_names(table):
        return of_families(table, [known.law_family])
    return table


def optimum(
    fit: Fit,
    compute_flop: float | str | Iterable[float | str],
    *,
    level: float = 0.9,
    fixed: Mapping[str, float] | None = None,
) -> Frontier:
    """Return the compute-optimal model size, tokens and loss, with intervals from the draws.

    Parameters
    ----------
    fit : Fit
    compute_flop : float, str, or several of them
        Such as ``1e24`` or ``"1e24 FLOP"``.
    level : float
        Nominal coverage of the intervals.
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.

    Raises
    ------
    UnitError
        If the compute cannot be read.
    PlanError
        If the law has no best size there.
    """
    given = [compute_flop] if isinstance(compute_flop, str | float | int) else list(compute_flop)
    flop = np.array([_quantity(value) for value in given])
    return planning.frontier(fit, flop, level=level, fixed=fixed)


def _quantity(value: float | str) -> float:
    return parse_quantity(value, "flop") if isinstance(value, str) else float(value)


def plan(
    fit: Fit,
    accelerator: Accelerator | Path | str,
    *,
    fixed: Mapping[str, float] | None = None,
    **options: Any,
) -> Plan:
    """Return the best run that a budget buys.

    Parameters
    ----------
    fit : Fit
    accelerator : Accelerator, Path or str
        Its catalog name, or the path of a TOML file that describes one.
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.
    **options
        Of `Budget` and `PlanOptions`, numbers in canonical units or quantities as text, such as
        ``usd="250k"``, ``wall_time_s="30 days"``, ``accelerators=1024``, ``unique_tokens="3T"``.

    Raises
    ------
    OptionError
        Naming every option that is unknown or cannot be read.
    PlanError
        If the budget buys no run.
    CatalogError
        If there is no such accelerator.
    """
    return planned(fit, accelerator, fixed=fixed, **options).plan


def planned(
    fit: Fit,
    accelerator: Accelerator | Path | str,
    *,
    fixed: Mapping[str, float] | None = None,
    **options: Any,
) -> Planned:
    """Return the best run that a budget buys, with a method for all that follows from it.

    Parameters
    ----------
    fit, accelerator, fixed, **options
        As `plan`.

    Returns
    -------
    Planned
        ``plan``, and the chance of a loss (``risk``), the least that reaches one (``least``),
        ``surface``, ``frontier``, ``tornado``, ``memory``, ``shape``, ``hints``, ``serving``,
        ``smaller_models``, ``lifetime``; ``sheets(part)`` writes any of them.

    Raises
    ------
    OptionError, PlanError, CatalogError
        As `plan`.
    """
    chosen: Accelerator
    if isinstance(accelerator, str):  # never a file: it may come from anyone
        chosen = find_accelerator(accelerator)
    else:
        chosen = read_accelerator(accelerator) if isinstance(accelerator, Path) else accelerator
    of_budget = {entry.name.partition(".")[0] for entry in options_of(Budget)}
    of_plan = {entry.name.partition(".")[0] for entry in options_of(PlanOptions)}
    if unknown := sorted(set(options) - of_budget - of_plan):
        raise OptionError(
            _("A plan has no option {unknown}.", unknown=", ".join(unknown)),
            hint=_(
                "Options of the budget: {of_budget}; of the plan: {of_plan}.",
                of_budget=", ".join(sorted(of_budget)),
                of_plan=", ".join(sorted(of_plan)),
            ),
        )
    budget = from_mapping(Budget, {k: v for k, v in options.items() if k in of_budget})
    asked = from_mapping(PlanOptions, {k: v for k, v in options.items() if k in of_plan})
    scenario = Scenario(accelerator=chosen, budget=budget, options=asked)
    return plan_scenario(fit, scenario, fixed=fixed)


def extrapolate(
    table: TableLike,
    at: Mapping[str, Any] | pd.DataFrame | None = None,
    *,
    method: Method = "average",
    law: LawLike | None = None,
    seed: int = 0,
    **named: Any,
) -> Extrapolation:
    """Predict the loss of runs beyond the data: the number to sign, with a measured band.

    All suitable laws of the catalog, each weighted by how it predicted the table's own largest
    runs; the band allows for scatter, refits, disagreement of the laws and distance.

    Parameters
    ----------
    table : LossTable, or what `load` takes
    at : mapping or DataFrame, optional
        Where, by symbol or column, numbers in canonical units or quantities as text.
    method : {"average", "one"}
        ``"one"`` is the law of lowest AICc alone, a quick first answer.
    law : Law or str, optional
        Predict by this law alone, with the same term of distance.
    seed : int
        Of the resampling.
    **named
        As ``at``, such as ``N="70B", D="1.4T"``.

    Raises
    ------
    IsoflopError
        As reading the table, the points and the fits do.

    Examples
    --------
    >>> extrapolate("pile-cerebras-pythia", N="20B", D="400B", law="kaplan_joint")
    <Extrapolation of pile-cerebras-pythia by one law alone (Kaplan L(N, D)): 1 point>
    """
    rows = _table(table)
    chosen = None if law is None else law_of(law, rows)
    return fitting.extrapolation.extrapolate(
        rows, at, method=method, law=chosen, seed=seed, **named
    )


def outlook(
    plan: Plan,
    table: TableLike,
    *,
    alone: Fit | None = None,
    fixed: Mapping[str, float] | None = None,
) -> Outlook:
    """Say what is to be believed of a plan: its loss by all laws, and the best size by all.

    Parameters
    ----------
    plan : Plan
    table : LossTable, or what `load` takes
        The rows of the plan's fit.
    alone : Fit, optional
        Predict by this fit alone instead of by all laws that suit.
    fixed : mapping of str to float, optional
        Values of the laws' other inputs, by table column, as the plan was made with.

    Returns
    -------
    Outlook
        ``ahead``, an `Extrapolation` of the planned run, and ``sizes``, a `SizeAgreement`.
    """
    return plan_outlook(_table(table), plan, alone=alone, fixed=fixed)


# --- Comparisons


def compare(
    table: TableLike,
    laws: Sequence[LawLike] | None = None,
    *,
    decades: float = 1.0,
    progress: Callable[[float], None] | None = None,
    **options: Any,
) -> LawComparison:
    """Fit laws to the same rows and see how each predicts rows it has not seen.

    Parameters
    ----------
    table : LossTable, or what `load` takes
    laws : sequence of Law or str, optional
        By default those of model size and data that the table has columns for, and one of
        compute; else the functional forms of one measure of scale.
    decades : float
        How far the held-out part reaches down from the largest scale.
    progress : callable, optional
        Called with the share done; may raise to cancel.
    **options
        Of `FitOptions`, the same for all.

    Raises
    ------
    IsoflopError
        As reading the table and fitting do.
    """
    rows, options = _weighted(_table(table), options)
    chosen = (
        laws_of_size_and_data(rows) or functional_forms(scale_column(rows))
        if laws is None
        else tuple(law_of(item, rows) for item in laws)
    )
    settings = from_mapping(FitOptions, options)
    return compare_laws(rows, chosen, settings, decades=decades, progress=progress)


def compare_families(
    table: TableLike,
    law: LawLike | None = None,
    families: tuple[str, str] | None = None,
    *,
    reasons: Mapping[str, str] | None = None,
    **options: Any,
) -> FamilyComparison:
    """Compare two model families: how much more compute one needs for the same loss.

    Parameters
    ----------
    table : LossTable, or what `load` takes
    law : Law or str, optional
        Fitted to each; by default loss against the table's scale.
    families : (str, str), optional
        By default the two of a table that has two.
    reasons : mapping of str to str, optional
        Why a difference in ``loss_unit``, ``tokenizer`` or ``param_convention`` does no harm.
    **options
        Of `FitOptions`.

    Raises
    ------
    FitError
        If the families are not known to be comparable and no reason is given.
    TableError
        If the table has not just these families.
    """
    rows = _table(table)
    names = families or family_names(rows)
    if len(names) != 2:
        raise TableError(
            _(
                "Two families are compared; the table {id} has {names}.",
                id=rows.id,
                names=len(names),
            ),
            detail=_("Families: {names}.", names=", ".join(names) or _("none")),
            hint=_('Name two, such as families=("Pythia", "Cerebras-GPT").'),
        )
    column = scale_column(rows)
    usual = law_for_role("over-compute")
    chosen = rebind(usual, {usual.symbols[0]: column}) if law is None else law_of(law, rows)
    groups = [fitting.compare.Group(label=name, table=rows.families(name)) for name in names]
    return family_comparison(
        (groups[0], groups[1]),
        chosen,
        from_mapping(FitOptions, options),
        column=column,
        reasons=reasons,
    )


def compare_published(table: TableLike) -> PublishedComparison:
    """Evaluate every published fit on a table's rows.

    Parameters
    ----------
    table : LossTable, or what `load` takes
    """
    return published_comparison(_table(table))


def backtest(
    given: Iterable[LossTable | str] | None = None,
    laws: Sequence[LawLike] | None = None,
    *,
    objectives: Sequence[Objective] | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Hold out the largest decade of tables and see how laws predict it.

    Parameters
    ----------
    given : iterable of LossTable or str, optional
        Tables or their catalog names; by default all of the catalog, downloaded if need be.
    laws : sequence of Law or str, optional
        By default every shipped law that a table has the columns for.
    objectives : sequence of str, optional
        By default all.
    progress : callable, optional
        Called with the share of tables done and the next one's name; may raise to cancel.
    """
    chosen = list(backtests.datasets() if given is None else given)
    rows = []
    for i, item in enumerate(chosen):
        table = load_dataset(item) if isinstance(item, str) else item
        if progress:
            progress(i / len(chosen), table.id)
        bound = None if laws is None else [law_of(one, table) for one in laws]
        more = {} if objectives is None else {"objectives": objectives}
        rows += list(backtests.backtest_table(table, bound, **more))
    return Backtest(made=backtests.today(), rows=tuple(rows))

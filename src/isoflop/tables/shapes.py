"""From what was logged to what is fitted: learning curves, metrics, seeds, parameter counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import TableError
from isoflop.language import lazy_gettext as _
from isoflop.tables.derive import COMPUTE_FORMULA, FLOP_PER_PARAM_TOKEN
from isoflop.tables.reading.columns import COLUMNS, ParamConvention, normalise, words

if TYPE_CHECKING:
    from isoflop.tables.schema import LossTable

Curves = Literal["all", "last", "best", "smoothed"]
Seeds = Literal["all", "clustered", "mean", "best"]

THINNED = "rows"
"""Of a table's derived columns: how its rows were thinned, where they were."""
SMOOTHED_SHARE = 0.1
"""Of a run's steps, at its end, that a smoothed final loss is the mean of."""

# What makes two runs repetitions of each other, where the table has it.
_DESIGN = (
    "family", "params", "params_nonembedding", "params_active", "tokens", "unique_tokens",
    "compute_flop", "step", "width", "depth", "heads", "vocabulary", "n_experts", "granularity",
    "sparsity",
)  # fmt: skip
_SEEDS = ("seed",)
_METRIC_REASON = _("no value of ")


# --- Learning curves ---


def has_curves(table: LossTable) -> bool:
    """Return whether runs have several rows that a step or token count orders."""
    frame = table.included()
    if "run_id" not in frame or _order_column(frame) is None:
        return False
    return bool(frame["run_id"].duplicated().any())


def _order_column(frame: pd.DataFrame) -> str | None:
    return next((name for name in ("step", "tokens") if name in frame), None)


def reduce_curves(table: LossTable, how: Curves, *, response: str = "loss") -> LossTable:
    """Keep one row of each run's learning curve.

    Parameters
    ----------
    table : LossTable
        Rows without a run are kept as they are; excluded rows are dropped from curves.
    how : {"all", "last", "best", "smoothed"}
        Every row; the last step; the step of lowest loss; the last step with the mean loss of the
        last tenth of the run's steps.
    response : str
        Column of the loss.

    Raises
    ------
    TableError
        If there are no learning curves.
    """
    if how == "all":
        return table
    frame = table.included()
    order = _order_column(frame)
    if "run_id" not in frame or order is None:
        raise TableError(
            _("The table {id} has no learning curves.", id=table.id),
            hint=_("Map a column to the run and one to the step (or tokens)."),
        )
    ordered = frame.sort_values(order, kind="stable")
    runs = ordered["run_id"].where(
        ordered["run_id"].notna(), "\0" + ordered.index.astype(str).to_series(ordered.index)
    )
    groups = ordered.groupby(runs.to_numpy(), sort=False)
    if how == "best":
        kept = ordered.loc[groups[response].idxmin()]
        return table.with_frame(kept.sort_index(), derived={response: _("lowest of each run")})
    kept = groups.tail(1).copy()
    derived = {}
    if how == "smoothed":
        last = groups[order].transform("max")
        first = groups[order].transform("min")
        is_end = ordered[order] >= last - SMOOTHED_SHARE * (last - first)
        means = ordered[is_end].groupby(runs[is_end].to_numpy())[response].mean()
        kept[response] = means.loc[runs.loc[kept.index]].to_numpy()
        derived = {
            response: _(
                "mean over the last {smoothed_share:.0%} of each run's steps",
                smoothed_share=SMOOTHED_SHARE,
            )
        }
    return table.with_frame(kept.sort_index(), derived=derived)


def thin(table: LossTable, max_rows: int) -> LossTable:
    """Keep every k-th step of each run, its last always, so that a fit takes seconds.

    Parameters
    ----------
    table : LossTable
    max_rows : int
        A table of no more included rows is returned as it is. Otherwise about so many stay.

    Notes
    -----
    Neighbouring steps of a learning curve say nearly the same; a table without runs is thinned
    evenly in its order.
    """
    frame = table.included()
    if len(frame) <= max_rows:
        return table
    order = _order_column(frame)
    ordered = frame.sort_values(order, kind="stable") if order else frame
    runs = ordered["run_id"].fillna("") if "run_id" in ordered else pd.Series("", ordered.index)
    every = -(-len(frame) // max_rows)
    from_end = ordered.groupby(runs.to_numpy(), sort=False).cumcount(ascending=False).to_numpy()
    kept = ordered[from_end % every == 0].sort_index()
    thinned = (
        _("every {every}th step of each run", every=every)
        if "run_id" in ordered
        else _("every {every}th row", every=every)
    )
    return table.with_frame(kept, derived={THINNED: thinned})


# --- Metrics ---


def metrics(table: LossTable) -> tuple[str, ...]:
    """Return the columns that may be explained instead of the loss: other losses and scores."""
    numeric = table.frame.select_dtypes("number").columns
    own = [str(name) for name in numeric if str(name) not in COLUMNS]
    return tuple(name for name in own if table.frame[name].nunique() > 1)


def is_bounded(values: NDArray[np.float64]) -> bool:
    """Return whether a metric's values all lie between 0 and 1."""
    finite = values[np.isfinite(values)]
    return bool(len(finite)) and bool(finite.min() >= 0 and finite.max() <= 1)


def use_metric(table: LossTable, column: str, *, as_accuracy: bool | None = None) -> LossTable:
    """Make another column the one to be explained.

    Parameters
    ----------
    table : LossTable
    column : str
        An own column of the table.
    as_accuracy : bool or None
        Whether it is a bounded score (it becomes ``accuracy``) or a loss (it becomes ``loss``);
        told by its values and name if None.

    Returns
    -------
    LossTable
        Rows without a value are excluded; those that only lacked another metric are not.

    Raises
    ------
    TableError
        If there is no such column, or a bounded score leaves its bounds.
    """
    if column not in table.frame:
        raise TableError(
            _("The table {id} has no metric {column}.", id=table.id, column=column),
            detail=_("Metrics: {table}.", table=", ".join(metrics(table)) or _("none")),
        )
    values = table.frame[column].to_numpy(dtype=np.float64)
    if as_accuracy is None:
        as_accuracy = is_bounded(values) and "loss" not in column.lower()
    if as_accuracy and not is_bounded(values):
        raise TableError(
            _("{column} is no bounded score: its values leave 0 to 1.", column=column),
            hint=_("Divide percentages by 100, or take it for a loss."),
        )
    target = "accuracy" if as_accuracy else "loss"
    frame = table.frame.copy()
    frame[target] = values
    is_missing = ~np.isfinite(values)
    excluded, reasons = exclusions_of(frame)
    lacked_other = reasons.str.startswith(_METRIC_REASON)
    excluded = (excluded & ~lacked_other) | is_missing
    reasons = reasons.where(~lacked_other, "").where(~is_missing, _METRIC_REASON + column)
    if excluded.any():
        frame["is_excluded"], frame["exclusion_reason"] = excluded, reasons
    return table.with_frame(frame, derived={target: column})


def exclusions_of(frame: pd.DataFrame) -> tuple[pd.Series[bool], pd.Series[str]]:
    """Return which rows of a frame are excluded, and why, as new columns."""
    if "is_excluded" not in frame:
        return (
            pd.Series(False, index=frame.index),
            pd.Series("", index=frame.index, dtype="str"),
        )
    return frame["is_excluded"].astype(bool).copy(), frame["exclusion_reason"].copy()


# --- Repetitions ---


def has_repetitions(table: LossTable) -> bool:
    """Return whether several runs share their size, data and every other input of a law."""
    frame = table.included()
    design = _design_columns(frame)
    return bool(design) and len(frame) > 1 and bool(frame.duplicated(subset=design).any())


def has_hyper_parameters(table: LossTable) -> bool:
    """Return whether a table says how its runs were trained."""
    return bool(_hyper_parameters(table.frame))


def sweep(table: LossTable) -> tuple[str, ...]:
    """Return the hyper-parameters that runs of one setting differ in; empty where none is swept.

    A setting is a size with its data, and every other input of a law.
    """
    frame = table.included()
    hyper = _hyper_parameters(frame)
    if not hyper or not has_repetitions(table):
        return ()
    design = _design_columns(frame)
    repeated = frame[frame.duplicated(subset=design, keep=False)]
    groups = repeated.groupby(design, sort=False, dropna=False)
    return tuple(name for name in hyper if (groups[name].nunique() > 1).any())


def n_of_settings(table: LossTable) -> int:
    """Return how many settings of size, data and other inputs of a law a table has."""
    frame = table.included()
    return len(frame.drop_duplicates(subset=_design_columns(frame)))


def merge_seeds(table: LossTable, how: Seeds, *, response: str = "loss") -> LossTable:
    """Treat runs of one setting as repetitions: of several seeds, or trials of hyper-parameters.

    Parameters
    ----------
    table : LossTable
    how : {"all", "clustered", "mean", "best"}
        Leave rows as they are; give repetitions one run, so that a cluster bootstrap draws them
        together; replace them by their mean, with ``loss_std`` and ``n_seeds``; or keep the row of
        the lowest loss, as of a sweep of learning rates.
    response : str

    Raises
    ------
    TableError
        If the table has no column that describes a run.
    """
    if how == "all":
        return table
    design = _design_columns(table.frame)
    if how == "mean":  # never of trials that were trained in another way
        design += [name for name in _hyper_parameters(table.frame) if name not in _SEEDS]
    if not design:
        raise TableError(_("The table {id} has no column that tells runs apart.", id=table.id))
    if how == "clustered":
        frame = table.frame.copy()
        codes = frame.groupby(design, sort=False, dropna=False).ngroup()
        frame["run_id"] = ("repetition " + codes.astype(str)).astype("str")
        return table.with_frame(frame, derived={"run_id": _("one name for all repetitions")})
    frame = table.included()
    groups = frame.groupby(design, sort=False, dropna=False)
    if how == "best":
        is_loss = response == "loss"
        best = groups[response].idxmin() if is_loss else groups[response].idxmax()
        kept = frame.loc[best].sort_index()
        return table.with_frame(kept, derived={response: _("best of each setting")})
    kept = groups.head(1).copy()
    codes = groups.ngroup().loc[kept.index]
    spread = groups[response].agg(["mean", "std", "count"]).reset_index(drop=True)
    kept[response] = spread["mean"].iloc[codes].to_numpy()
    kept[f"{response}_std"] = spread["std"].iloc[codes].to_numpy()
    kept["n_seeds"] = spread["count"].iloc[codes].to_numpy(dtype=np.float64)
    return table.with_frame(kept, derived={response: _("mean over repetitions")})


def _hyper_parameters(frame: pd.DataFrame) -> list[str]:
    """Return the columns that say how a run was trained, and not which run it is."""
    known = words().hyper_parameters
    names = [str(name) for name in frame if name not in _DESIGN]
    return [
        name
        for name in names
        if name in {"learning_rate", "batch_tokens", *_SEEDS} or normalise(name) in known
    ]


def _design_columns(frame: pd.DataFrame) -> list[str]:
    return [name for name in _DESIGN if name in frame]


# --- Parameter counts ---

_COUNTS: dict[ParamConvention, str] = {
    "non-embedding": "params_nonembedding",
    "active": "params_active",
}


def conventions(table: LossTable) -> tuple[ParamConvention, ...]:
    """Return the ways of counting parameters that a table offers; its own first."""
    others = [name for name, column in _COUNTS.items() if column in table.frame]
    return tuple(dict.fromkeys((table.param_convention, *others)))


def with_convention(table: LossTable, convention: ParamConvention) -> LossTable:
    """Return a table whose ``params`` count as a convention says.

    The former count is kept as ``params (<its convention>)``. Compute is not recounted: it is what
    was spent, however parameters are counted, unless it was derived from them.

    Raises
    ------
    TableError
        If the table does not have that count.
    """
    if convention == table.param_convention:
        return table
    column = _COUNTS.get(convention)
    if column is None or column not in table.frame:
        raise TableError(
            _(
                "The table {id} does not count {convention} parameters.",
                id=table.id,
                convention=convention,
            ),
            detail=_("It offers: {table}.", table=", ".join(conventions(table))),
        )
    frame = table.frame.copy()
    frame[_("params ({param_convention})", param_convention=table.param_convention)] = frame[
        "params"
    ]
    frame["params"] = frame[column]
    derived = {"params": column}
    if table.provenance.derived_columns.get("compute_flop") == COMPUTE_FORMULA:
        frame["compute_flop"] = FLOP_PER_PARAM_TOKEN * frame["params"] * frame["tokens"]
    return table.with_frame(frame, derived=derived, param_convention=convention)

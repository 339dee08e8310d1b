"""Tables that stand on their side, and tables of one metric a row, turned into one row a run."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from isoflop.language import lazy_gettext as _
from isoflop.tables.problems import shorten
from isoflop.tables.raw import RawTable, unique_headers
from isoflop.tables.reading.cells import own_dimension, plain_numbers
from isoflop.tables.reading.columns import normalise
from isoflop.tables.reading.header import is_column
from isoflop.tables.run_values import column_of

_MOST_RUNS = 500
_MOST_METRICS = 500
_METRIC = {"metric", "metrics", "metricname", "tag", "key", "measure", "variable", "quantity"}
_VALUE = {"value", "values", "metricvalue", "score", "result"}
# What says of which text a metric is, and becomes part of its name.
_OF_TEXT = {"task", "dataset", "benchmark", "split", "subset", "evalset", "evaldataset"}
# What differs from metric to metric of one step.
_CLOCK = {"timestamp", "walltime", "relativetime", "datetime"}


def upright(raw: RawTable) -> RawTable:
    """Return a table of one row a quantity as one row a run; any other table as it is.

    Parameters
    ----------
    raw : RawTable
        On its side if the cells of its first column are names of columns, a loss among them.
    """
    first, *others = raw.headers
    names = [str(cell).strip() for cell in raw.frame[first].head(_MOST_RUNS)]
    if not others or len(raw.frame) > _MOST_RUNS or pd.api.types.is_numeric_dtype(raw.frame[first]):
        return raw
    is_name = [is_column(name) for name in names]
    has_loss = any(column_of(name) == "loss" for name in names if is_column(name))
    n_across = sum(map(is_column, others))
    if not has_loss or sum(is_name) < max(2, len(names) / 2, n_across + 1):
        return raw
    body = raw.frame[others].T
    body.columns = pd.Index(names)
    if is_column(first) and all(own_dimension(pd.Series([header])) == "count" for header in others):
        body.insert(0, first, others, allow_duplicates=True)  # the header is a row like the others
    else:
        body.insert(0, first if is_column(first) else "run", others, allow_duplicates=True)
    headers, repeated = unique_headers([str(name) for name in body.columns])
    body.columns = pd.Index(headers)
    body.index = pd.RangeIndex(1, len(body) + 1)
    note = _("The table stands on its side: one row a quantity was read as one row a run.")
    return replace(
        raw,
        frame=body.apply(plain_numbers),
        notes=(*raw.notes, note),
        problems=(),
        duplicate_headers=repeated,
    )


def one_row_a_run(raw: RawTable) -> RawTable:
    """Return a table of one metric a row as one row a run and step; any other table as it is.

    Parameters
    ----------
    raw : RawTable
        With a column of metrics' names, a loss or an accuracy among them, and one of their values.
    """
    keys = {normalise(header): header for header in raw.headers}
    metric = next((keys[key] for key in keys if key in _METRIC), "")
    value = next((keys[key] for key in keys if key in _VALUE), "")
    if not metric or not value or raw.frame[metric].nunique() > _MOST_METRICS:
        return raw
    texts = [keys[key] for key in keys if key in _OF_TEXT]
    left = {metric, value, *texts, *(keys[key] for key in keys if key in _CLOCK)}
    index = [header for header in raw.headers if header not in left]
    named = raw.frame[[*texts, metric]].astype("str").agg("/".join, axis=1)
    if not index or not {"loss", "accuracy"} & set(map(column_of, named.unique())):
        return raw
    long = raw.frame[index].assign(**{metric: named, value: raw.frame[value]})
    if long.duplicated([*index, metric]).any():
        return raw
    wide = long.set_index([*index, metric])[value].unstack(metric, sort=False).reset_index()
    headers, repeated = unique_headers([str(header) for header in wide.columns])
    wide.columns = pd.Index(headers)
    wide.index = pd.RangeIndex(1, len(wide) + 1)
    note = _(
        "One metric a row ({metric}, {value}) was read as one column each.",
        metric=shorten(metric),
        value=shorten(value),
    )
    return replace(
        raw,
        frame=wide.apply(plain_numbers),
        notes=(*raw.notes, note),
        problems=(),
        duplicate_headers=repeated,
    )

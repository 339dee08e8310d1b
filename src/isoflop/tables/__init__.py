"""Loss tables: from any file to canonical columns in canonical units.

A file goes one way: `read_raw` (any format to cells) -> `guess_mapping` (headers to canonical
columns, with reasons) -> `build_table` (cells to a `LossTable`, with every problem at once).
`read_table` does all three. `list_datasets` and `load_dataset` give published tables by name,
`simulated_table` makes one of a known law.

What is fitted is chosen from a table without changing it: one row of each learning curve
(`reduce_curves`), another metric (`use_metric`), repetitions (`merge_seeds`), the way of counting
parameters (`with_convention`), rows left out (`exclude`). `quality_report` says what to look at.
"""

from isoflop.tables.catalog import (
    DATASET_ROLES,
    Dataset,
    DatasetRole,
    dataset_for_role,
    datasets_for,
    find_dataset,
    list_datasets,
    load_dataset,
    open_dataset,
)
from isoflop.tables.exclude import Exclusion, exclude
from isoflop.tables.load import ReadResult, build_table, read_table
from isoflop.tables.mapping import (
    Choice,
    ColumnMapping,
    ColumnRole,
    Question,
    headers_key,
    mapping_from_json,
)
from isoflop.tables.problems import Problem
from isoflop.tables.quality import Finding, quality_report
from isoflop.tables.raw import RawTable
from isoflop.tables.read import READERS, Reader, names_files, read_files, read_raw
from isoflop.tables.reading.choose import checked, guess_mapping
from isoflop.tables.reading.columns import COLUMNS, Column, LossUnit, ParamConvention
from isoflop.tables.schema import LossTable, Provenance
from isoflop.tables.select import family_names, of_families
from isoflop.tables.shapes import (
    merge_seeds,
    reduce_curves,
    use_metric,
    with_convention,
)
from isoflop.tables.simulated import simulated_table
from isoflop.tables.source import Progress, max_upload_bytes

__all__ = [
    "COLUMNS",
    "DATASET_ROLES",
    "READERS",
    "Choice",
    "Column",
    "ColumnMapping",
    "ColumnRole",
    "Dataset",
    "DatasetRole",
    "Exclusion",
    "Finding",
    "LossTable",
    "LossUnit",
    "ParamConvention",
    "Problem",
    "Progress",
    "Provenance",
    "Question",
    "RawTable",
    "ReadResult",
    "Reader",
    "build_table",
    "checked",
    "dataset_for_role",
    "datasets_for",
    "exclude",
    "family_names",
    "find_dataset",
    "guess_mapping",
    "headers_key",
    "list_datasets",
    "load_dataset",
    "mapping_from_json",
    "max_upload_bytes",
    "merge_seeds",
    "names_files",
    "of_families",
    "open_dataset",
    "quality_report",
    "read_files",
    "read_raw",
    "read_table",
    "reduce_curves",
    "simulated_table",
    "use_metric",
    "with_convention",
]

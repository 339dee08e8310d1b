"""Loss tables by name: some ship with Isoflop, others are downloaded on request.

Each is a folder ``data/datasets/<id>/`` with a ``dataset.toml`` that says where the file comes
from, what its columns are, and what is known to be wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

import pandas as pd

from isoflop.data import data_root, one_with_role, read_toml, require_keys, with_role
from isoflop.errors import CatalogError
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.tables.exclude import Exclusion
from isoflop.tables.fetch import cached_path, fetch, is_in_mirror
from isoflop.tables.load import ReadResult, build_table
from isoflop.tables.mapping import ColumnMapping, ColumnRole
from isoflop.tables.prepare import Preparation, prepare
from isoflop.tables.raw import RawTable
from isoflop.tables.read import read_raw
from isoflop.tables.reading.choose import guess_mapping
from isoflop.tables.reading.columns import COLUMNS, LossUnit, ParamConvention
from isoflop.tables.schema import LossTable, Provenance
from isoflop.tables.shapes import Curves
from isoflop.tables.source import Progress

FOLDER = "datasets"

DatasetRole = Literal["reference-loss", "downstream", "small-runs", "plan-example"]
DATASET_ROLES: Mapping[DatasetRole, str] = MappingProxyType(
    {
        "reference-loss": _("Losses that a law is fitted to, to give models without one theirs."),
        "downstream": _("Bounded metrics, to be had from compute by way of the loss."),
        "small-runs": _("A ladder of small runs as the Train page makes them. One."),
        "plan-example": _("Runs of language models large enough to plan from. One."),
    }
)
"""What data sets are for, and what it means; those that end in "One." belong to one alone."""

_PROVENANCE = {"source", "licence", "citation", "retrieved", "tokenizer", "known_problems"}
_REQUIRED = _PROVENANCE | {
    *("title", "summary", "file", "homepage", "law", "loss_unit", "param_convention")
}
_OPTIONAL = {
    *("url", "sha256", "rank", "response", "columns", "constants", "joins"),
    *("law_inputs", "law_family", "curves", "exclusions", "roles"),
}
_ROLE_OPTIONAL = {"unit", "transform"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One entry of the catalog.

    Parameters
    ----------
    id : str
    title : str
    summary : str
        What it holds, in one or two sentences.
    file : str
        Name of the file.
    url, sha256 : str
        Where it is downloaded from and its hash; empty for one that ships.
    rank : int
        Position in lists; lower comes first.
    roles : tuple of str
        What it is for, of `DATASET_ROLES`.
    law : str
        Key of a law that suits it.
    law_inputs : mapping of str to str
        Columns that inputs of that law stand for, where they are not its own.
    law_family : str
        Family to fit it to; all rows if empty.
    provenance : Provenance
    columns : mapping of str to dict
        Header to role, where guessing is not enough.
    constants : mapping of str to str
        Text columns that the file lacks.
    joins : mapping of str to list of str
        Text columns made of several of the file's.
    curves : {"all", "last", "best", "smoothed"}
        Which rows of each run's learning curve are meant to be fitted.
    exclusions : tuple of Exclusion
        Rows that are known to be wrong.
    loss_unit, param_convention, response : str
    """

    id: str
    title: str
    summary: str
    file: str
    url: str = ""
    sha256: str = ""
    rank: int = 100
    roles: tuple[DatasetRole, ...] = ()
    law: str = ""
    law_inputs: Mapping[str, str] = field(default_factory=dict)
    law_family: str = ""
    provenance: Provenance
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    joins: Mapping[str, list[str]] = field(default_factory=dict)
    curves: Curves = "all"
    exclusions: tuple[Exclusion, ...] = ()
    loss_unit: LossUnit = "unknown"
    param_convention: ParamConvention = "unknown"
    response: str = "loss"

    @property
    def preparation(self) -> Preparation:
        """What is done to its rows before they are fitted, unless a person says otherwise."""
        return Preparation(curves=self.curves, exclusions=self.exclusions)

    @property
    def is_shipped(self) -> bool:
        """Whether the file comes with the package."""
        return not self.url

    @property
    def is_here(self) -> bool:
        """Whether it can be loaded without a download."""
        return self.is_shipped or cached_path(self).is_file() or is_in_mirror(self)


@once
def list_datasets() -> tuple[Dataset, ...]:
    """Return the catalog, in the order to show it.

    Raises
    ------
    CatalogError
        If an entry is malformed.
    """
    folder = data_root() / FOLDER
    ids = sorted(path.parent.name for path in folder.glob("*/dataset.toml"))
    return tuple(sorted((_load_entry(id) for id in ids), key=lambda d: (d.rank, d.title)))


def find_dataset(id: str) -> Dataset:
    """Return one entry of the catalog.

    Raises
    ------
    CatalogError
        If there is none of that id; names those that there are.
    """
    for dataset in list_datasets():
        if dataset.id == id:
            return dataset
    raise CatalogError(
        _("There is no data set called {id!r}.", id=id),
        detail=_(
            "Known: {list_datasets}.",
            list_datasets=", ".join(dataset.id for dataset in list_datasets()),
        ),
    )


def title_of(id: str) -> str:
    """Return the title of a data set by its id; of any other table, the id that it goes by.

    Examples
    --------
    >>> title_of("pile-cerebras-pythia"), title_of("my-runs")
    ('Cerebras-GPT and Pythia on the Pile', 'my-runs')
    """
    return next((dataset.title for dataset in list_datasets() if dataset.id == id), id)


def datasets_for(role: DatasetRole) -> tuple[Dataset, ...]:
    """Return the data sets that have a role, in the order to show them.

    Raises
    ------
    CatalogError
        If none has it.

    Examples
    --------
    >>> [dataset.id for dataset in datasets_for("reference-loss")]
    ['chinchilla', 'gemstones', 'datablations']
    """
    return tuple(with_role(_by_id(), role, _("data set")).values())


def dataset_for_role(role: DatasetRole) -> Dataset:
    """Return the one data set that has a role.

    Raises
    ------
    CatalogError
        If none has it, or several.

    Examples
    --------
    >>> dataset_for_role("small-runs").id
    'isoflop-ladder'
    """
    return one_with_role(_by_id(), role, _("data set"))


def _by_id() -> dict[str, Dataset]:
    return {dataset.id: dataset for dataset in list_datasets()}


def load_dataset(
    id: str, progress: Progress | None = None, *, curves: Curves | None = None
) -> LossTable:
    """Return a loss table of the catalog, downloading its file if need be.

    Parameters
    ----------
    id : str
    progress : callable or None
        Called with the share done and what is being done; may raise to cancel.
    curves : {"all", "last", "best", "smoothed"} or None
        Which rows of each learning curve to keep; as the catalog says if None.

    Raises
    ------
    CatalogError
        If there is no such entry or its file cannot be had.

    Examples
    --------
    >>> len(load_dataset("pile-cerebras-pythia").frame)
    15
    """
    usual = find_dataset(id).preparation
    preparation = replace(usual, curves=curves or usual.curves)
    return prepare(open_dataset(id, progress).table, preparation, max_rows=None)


def open_dataset(id: str, progress: Progress | None = None) -> ReadResult:
    """Return a data set with all rows, its mapping, problems and raw cells, as for an upload."""
    dataset = find_dataset(id)
    if dataset.is_shipped:
        path = data_root() / FOLDER / dataset.id / dataset.file
    else:
        path = fetch(dataset, progress)
    raw = _with_texts(read_raw(path, dataset.file), dataset)
    return build_table(
        raw,
        dataset_mapping(dataset, raw),
        id=dataset.id,
        provenance=dataset.provenance,
        progress=progress,
    )


def dataset_mapping(dataset: Dataset, raw: RawTable) -> ColumnMapping:
    """Return the mapping of a data set: the catalog's word, guesses for the rest."""
    guessed = guess_mapping(raw)
    claimed = {entry["column"] for entry in dataset.columns.values()}
    roles = []
    for role in guessed.roles:
        entry = dataset.columns.get(role.header)
        if entry is not None:
            settled = ColumnRole(
                header=role.header, reason=_("the catalog says so"), **cast("dict[str, Any]", entry)
            )
            roles.append(settled)
        elif role.column in claimed:
            reason = _("the catalog gives its place to another column")
            roles.append(ColumnRole(header=role.header, column=role.header, reason=reason))
        else:
            roles.append(role)
    return ColumnMapping(
        roles=tuple(roles),
        response=dataset.response,
        loss_unit=dataset.loss_unit,
        param_convention=dataset.param_convention,
    )


def _with_texts(raw: RawTable, dataset: Dataset) -> RawTable:
    """Add the text columns that the catalog makes."""
    if not dataset.constants and not dataset.joins:
        return raw
    frame = raw.frame.copy()
    for name, value in dataset.constants.items():
        frame[name] = pd.Series(value, index=frame.index, dtype="str")
    for name, parts in dataset.joins.items():
        frame[name] = frame[parts[0]].astype("str").str.cat(frame[parts[1:]].astype("str"), ", ")
    return replace(raw, frame=frame)


# --- Loading entries ---


def _load_entry(id: str) -> Dataset:
    where = f"{FOLDER}/{id}/dataset.toml"
    entry = read_toml(where)
    require_keys(entry, where=where, required=_REQUIRED, optional=_OPTIONAL)
    columns = {
        header: _column_entry(value, f"{where} [columns] {header}")
        for header, value in entry.get("columns", {}).items()
    }
    exclusions = []
    for excluded in entry.get("exclusions", ()):
        require_keys(excluded, where=f"{where} [[exclusions]]", required={"rows", "reason"})
        exclusions.append(
            Exclusion(rule="rows", rows=tuple(excluded["rows"]), reason=excluded["reason"])
        )
    plain = (_REQUIRED | _OPTIONAL) - _PROVENANCE - {"homepage", "columns", "exclusions", "roles"}
    dataset = Dataset(
        id=id,
        **{key: entry[key] for key in plain if key in entry},
        roles=tuple(entry.get("roles", ())),
        columns=columns,
        exclusions=tuple(exclusions),
        provenance=Provenance(
            title=entry["title"],
            url=entry["homepage"],
            **{key: entry[key] for key in _PROVENANCE - {"known_problems"}},
            known_problems=tuple(entry["known_problems"]),
        ),
    )
    _check_entry(dataset, where)
    return dataset


def _column_entry(value: str | dict[str, str], where: str) -> dict[str, str]:
    if isinstance(value, str):
        return {"column": value}
    require_keys(value, where=where, required={"column"}, optional=_ROLE_OPTIONAL)
    return value


def _check_entry(dataset: Dataset, where: str) -> None:
    faults = []
    if dataset.loss_unit not in get_args(LossUnit):
        faults.append(_("loss_unit {loss_unit!r} is unknown", loss_unit=dataset.loss_unit))
    if dataset.param_convention not in get_args(ParamConvention):
        faults.append(
            _(
                "param_convention {param_convention!r} is unknown",
                param_convention=dataset.param_convention,
            )
        )
    if dataset.curves not in get_args(Curves):
        faults.append(_("curves {curves!r} is unknown", curves=dataset.curves))
    if unknown := set(dataset.roles) - set(DATASET_ROLES):
        faults.append(_("unknown roles: {unknown}", unknown=", ".join(sorted(unknown))))
    if bool(dataset.url) != bool(dataset.sha256):
        faults.append(_("url and sha256 go together"))
    if dataset.sha256 and len(dataset.sha256) != 64:
        faults.append(_("sha256 is not 64 digits long"))
    own = set(dataset.columns)
    faults += [
        _(
            "{entry!r} is neither a canonical column nor the header {header!r}",
            entry=entry["column"],
            header=header,
        )
        for header, entry in dataset.columns.items()
        if entry["column"] not in {"", header, *COLUMNS} and entry["column"] not in own
    ]
    if faults:
        raise CatalogError(
            _("The data file entry {where} is malformed.", where=where), detail=joined("; ", faults)
        )

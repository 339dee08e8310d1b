"""The laws and published fits that ship, read from ``laws.toml`` and ``published_fits.toml``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.data import one_with_role, read_toml, require_keys, with_role
from isoflop.errors import CatalogError, FormulaError
from isoflop.language import joined, listed
from isoflop.language import lazy_gettext as _
from isoflop.language import lazy_ngettext as n_
from isoflop.laws.formula import parse
from isoflop.laws.law import Input, Law, Param
from isoflop.laws.names import NameQuestion, Names, read_names
from isoflop.laws.roles import FIT_ROLES, ROLES, FitRole, Role
from isoflop.once import once
from isoflop.tables.schema import LossTable

_LAW_KEYS = {"label", "formula", "inputs", "params", "help", "source"}
_LAW_OPTIONAL = {"response", "roles"}
_PARAM_KEYS = {"lower", "upper", "scale", "unit", "help", "latex", "search", "search_input"}
_FIT_KEYS = {
    "label",
    "law",
    "values",
    "loss_unit",
    "param_convention",
    "data",
    "range",
    "source",
    "verified",
    "retrieved",
}
_FIT_OPTIONAL = {"note", "roles", "reduces_to"}

INPUT_LABELS = MappingProxyType(
    {
        "params": _("Parameters N"),
        "params_active": _("Active parameters"),
        "tokens": _("Tokens D"),
        "unique_tokens": _("Unique tokens U"),
        "compute_flop": _("Compute C (FLOP)"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFit:
    """Parameter values of a law as a paper gives them.

    Parameters
    ----------
    key, label : str
    law : Law
    values : mapping of str to float
        In canonical units.
    loss_unit, param_convention : str
        What the predicted loss and N mean.
    data : str
        What it was fitted to.
    input_ranges : mapping of str to (float, float)
        Range of each input symbol that the fit rests on, where published.
    source : str
    is_verified : bool
        Whether the values were seen in the source named.
    retrieved : str
        Date.
    note : str
    roles : tuple of str
        What the fit is for, of `FIT_ROLES`.
    reduces_to : mapping of str to mapping of str to str
        Keys of laws that its own law becomes where nothing is repeated, each with the names of its
        parameters where they differ.
    """

    key: str
    label: str
    law: Law
    values: Mapping[str, float]
    loss_unit: str
    param_convention: str
    data: str
    input_ranges: Mapping[str, tuple[float, float]]
    source: str
    is_verified: bool
    retrieved: str
    note: str = ""
    roles: tuple[FitRole, ...] = ()
    reduces_to: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def theta(self) -> NDArray[np.float64]:
        """Parameter values as a vector, shape (n_params,)."""
        return np.array([self.values[param.name] for param in self.law.params])


_R = TypeVar("_R", bound=str)


def _param(name: str, entry: dict[str, Any], where: str) -> Param:
    require_keys(entry, where=where, required=set(), optional=_PARAM_KEYS)
    search = entry.get("search")
    return Param(
        name=name,
        latex=entry.get("latex", ""),
        lower=float(entry.get("lower", -np.inf)),
        upper=float(entry.get("upper", np.inf)),
        scale=entry.get("scale", "linear"),
        unit=entry.get("unit", ""),
        help=entry.get("help", ""),
        search=None if search is None else (float(search[0]), float(search[1])),
        search_input=entry.get("search_input", ""),
    )


def _law(key: str, entry: dict[str, Any]) -> Law:
    where = _("laws.toml: {key}", key=key)
    require_keys(entry, where=where, required=_LAW_KEYS, optional=_LAW_OPTIONAL)
    names = set(parse(entry["formula"]).names)
    declared = set(entry["inputs"]) | set(entry["params"])
    if names != declared:
        raise CatalogError(
            _("The data file entry {where} does not match its formula.", where=where),
            detail=_("In only one of them: {names}.", names=", ".join(sorted(names ^ declared))),
        )
    return Law(
        key=key,
        label=entry["label"],
        formula=entry["formula"].strip(),
        inputs=tuple(
            Input(symbol=symbol, column=column, label=INPUT_LABELS.get(column, column))
            for symbol, column in entry["inputs"].items()
        ),
        params=tuple(_param(n, e, f"{where}.{n}") for n, e in entry["params"].items()),
        response=entry.get("response", "loss"),
        help=entry["help"],
        source=entry["source"],
        roles=_roles(entry, ROLES, where),
    )


def _roles(entry: dict[str, Any], known: Mapping[_R, str], where: str) -> tuple[_R, ...]:
    """Return the roles that an entry names, which must all be known."""
    named = entry.get("roles", [])
    if unknown := set(named) - set(known):
        raise CatalogError(
            _("The data file entry {where} is malformed.", where=where),
            detail=_("Unknown roles: {unknown}.", unknown=", ".join(sorted(unknown))),
            hint=_("Choose of {known}.", known=", ".join(known)),
        )
    return tuple(role for role in known if role in named)


@once
def load_laws() -> Mapping[str, Law]:
    """Return the shipped laws by key, in the order of the file.

    Raises
    ------
    CatalogError
        If the file is malformed.

    Examples
    --------
    >>> load_laws()["chinchilla"].formula
    'E + A/N**alpha + B/D**beta'
    """
    return MappingProxyType({k: _law(k, entry) for k, entry in read_toml("laws.toml").items()})


def laws_frame() -> pd.DataFrame:
    """Return the shipped laws as a frame by key: label, formula, inputs, source and help."""
    rows = [
        {
            "key": law.key,
            "label": law.label,
            "formula": " ".join(law.formula.split()),
            "inputs": ", ".join(f"{item.symbol}: {item.column}" for item in law.inputs),
            "response": law.response,
            "source": law.source,
            "help": law.help,
        }
        for law in load_laws().values()
    ]
    return pd.DataFrame(rows).set_index("key")


def laws_for(role: Role) -> tuple[Law, ...]:
    """Return the laws that have a role, in the order of the catalog.

    Raises
    ------
    CatalogError
        If no law has it.

    Examples
    --------
    >>> [law.label for law in laws_for("parametric-fit")]
    ['Chinchilla', 'Chinchilla, one exponent']
    """
    return tuple(with_role(load_laws(), role, "law").values())


def law_for_role(role: Role) -> Law:
    """Return the one law that has a role.

    Raises
    ------
    CatalogError
        If none has it, or several.

    Examples
    --------
    >>> law_for_role("default").formula
    'E + A/N**alpha + B/D**beta'
    """
    return one_with_role(load_laws(), role, "law")


def _published(key: str, entry: dict[str, Any]) -> PublishedFit:
    where = f"published_fits.toml: {key}"
    require_keys(entry, where=where, required=_FIT_KEYS, optional=_FIT_OPTIONAL)
    law = load_laws().get(entry["law"])
    if law is None or set(entry["values"]) != set(law.param_names):
        raise CatalogError(
            _(
                "The data file entry {where} does not match its law {entry}.",
                where=where,
                entry=entry["law"],
            )
        )
    reduces_to = entry.get("reduces_to", {})
    for other, names in reduces_to.items():
        reduced = load_laws().get(other)
        if (
            reduced is None
            or not set(names) <= set(law.param_names)
            or not set(names.values()) <= set(reduced.param_names)
        ):
            raise CatalogError(
                _(
                    "The data file entry {where} cannot become the law {other}.",
                    where=where,
                    other=other,
                )
            )
    return PublishedFit(
        key=key,
        label=entry["label"],
        law=law,
        values={name: float(entry["values"][name]) for name in law.param_names},
        loss_unit=entry["loss_unit"],
        param_convention=entry["param_convention"],
        data=entry["data"],
        input_ranges={s: (float(r[0]), float(r[1])) for s, r in entry["range"].items()},
        source=entry["source"],
        is_verified=bool(entry["verified"]),
        retrieved=entry["retrieved"],
        note=entry.get("note", ""),
        roles=_roles(entry, FIT_ROLES, where),
        reduces_to=reduces_to,
    )


@once
def load_published_fits() -> Mapping[str, PublishedFit]:
    """Return the published fits by key, in the order of the file.

    Raises
    ------
    CatalogError
        If the file is malformed or names an unknown law.
    """
    entries = read_toml("published_fits.toml")
    return MappingProxyType({key: _published(key, entry) for key, entry in entries.items()})


def published_fit_for_role(role: FitRole) -> PublishedFit:
    """Return the one published fit that has a role.

    Raises
    ------
    CatalogError
        If none has it, or several.

    Examples
    --------
    >>> published_fit_for_role("repetition").law.label
    'Data-constrained (repeated tokens)'
    """
    return one_with_role(load_published_fits(), role, _("published fit"))


def rebind(law: Law, columns: Mapping[str, str], response: str | None = None) -> Law:
    """Return a law with some inputs, or its response, standing for other columns.

    Parameters
    ----------
    law : Law
    columns : mapping of str to str
        Column by input symbol.
    response : str, optional
        Column that the law is to predict.

    Raises
    ------
    FormulaError
        If the law has no such input.

    Examples
    --------
    >>> rebind(load_laws()["power_floor"], {"x": "tokens"}).inputs[0].column
    'tokens'
    """
    unknown = set(columns) - set(law.symbols)
    if unknown:
        raise FormulaError(
            _(
                "The law {label} has no input {unknown}.",
                label=law.label,
                unknown=", ".join(sorted(unknown)),
            )
        )
    inputs = tuple(
        replace(i, column=c, label=INPUT_LABELS.get(c, c))
        if (c := columns.get(i.symbol, i.column)) != i.column
        else i
        for i in law.inputs
    )
    return replace(law, inputs=inputs, response=response or law.response)


def formula_names(
    formula: str,
    source: LossTable | Collection[str],
    *,
    response: str = "loss",
    params: Collection[str] = (),
) -> Names:
    """Tell the inputs, the parameters and the doubtful names of a typed formula apart.

    Parameters are those of `typed_law`.

    Raises
    ------
    FormulaError
        If the formula is malformed.
    """
    parsed = parse(formula)
    usual = _known_params(parsed.text)
    return read_names(parsed.names, source, response=response, params=params, usual=usual)


def _known_params(text: str) -> dict[str, Param]:
    """Return the parameters of a shipped law of the same formula, by name."""
    same = [law for law in load_laws().values() if parse(law.formula).text == text]
    return {param.name: param for law in same for param in law.params}


def typed_law(
    formula: str,
    source: LossTable | Collection[str],
    *,
    response: str = "loss",
    params: Collection[str] = (),
) -> Law:
    """Make a law of a formula that a person typed.

    Names that are written as columns, as headers of the table's file, or as the symbols N, D, C
    and U, are inputs; all other names are parameters. A name that only reads like a column, such
    as ``lr`` where there is a learning rate, is neither until a person says which. A formula that
    ships takes the shipped law's bounds.

    Parameters
    ----------
    formula : str
    source : LossTable or collection of str
        The table at hand, or its numeric columns.
    response : str
        Column to predict; it cannot be an input.
    params : collection of str
        Names that are parameters, whatever they read like.

    Raises
    ------
    FormulaError
        If the formula is malformed, has no parameters or uses no input, or a name may be either.

    Examples
    --------
    >>> law = typed_law("E + A/N**a", ["params", "loss"])
    >>> law.symbols, law.param_names
    (('N',), ('E', 'A', 'a'))
    >>> typed_law("E + A/N**a + b*log(lr)", ["params", "learning_rate", "loss"])
    Traceback (most recent call last):
    isoflop.errors.FormulaError: What lr stands for is not certain.
    lr reads like learning_rate.
    Write learning_rate for the column. For a parameter to fit, say so: below the formula on the \
page, --parameter lr on the command line, params=["lr"] in Python.
    """
    parsed = parse(formula)
    known = _known_params(parsed.text)
    found = formula_names(formula, source, response=response, params=params)
    _require_certain(parsed.names, found, params)
    return Law(
        key="typed",
        label=_("Typed formula"),
        formula=parsed.text,
        inputs=tuple(
            Input(symbol=name, column=column, label=INPUT_LABELS.get(column, name))
            for name, column in found.inputs.items()
        ),
        params=tuple(known.get(name, Param(name=name)) for name in found.params),
        response=response,
        help=_("A formula of your own."),
        source="typed",
    )


def _require_certain(names: Sequence[str], found: Names, params: Collection[str]) -> None:
    """Refuse a formula whose names do not make a law."""
    missing = [name for name in params if name not in names]
    if missing:
        raise FormulaError(
            _("The formula has no {missing} that could be a parameter.", missing=missing[0]),
            detail=_("Names in it: {names}.", names=", ".join(names)),
        )
    if found.questions:
        raise _uncertain(found.questions)
    if not found.inputs:
        raise FormulaError(
            _("The formula uses no column of the table."),
            detail=_(
                "Names that stand for columns here: {usable}.",
                usable=", ".join(found.usable) or _("none"),
            ),
            hint=_("Write at least one of them into the formula."),
        )
    if not found.params:
        raise FormulaError(
            _("The formula has no parameters to fit."),
            detail=_("Every name in it is a column: {inputs}.", inputs=", ".join(found.inputs)),
            hint=_("Add names that are not columns, such as E, A or alpha."),
        )


def _uncertain(questions: Sequence[NameQuestion]) -> FormulaError:
    """Return the error that asks what names stand for."""
    names = [question.name for question in questions]
    columns = [
        _("{instead} for the column", instead=listed(q.instead, last="or"))
        for q in questions
        if q.instead
    ]
    write = _("Write {columns}. ", columns=joined(", ", columns)) if columns else ""
    quoted = ", ".join(f'"{name}"' for name in names)
    flags = " ".join(f"--parameter {name}" for name in names)
    return FormulaError(
        n_(
            "What {names} stands for is not certain.",
            "What {names} stand for is not certain.",
            len(names),
            names=", ".join(names),
        ),
        detail=joined("\n", [f"{question.name} {question.why}." for question in questions]),
        hint=_(
            "{write}For a parameter to fit, say so: below the formula on the "
            "page, {flags} on the command line, params=[{quoted}] in Python.",
            write=write,
            flags=flags,
            quoted=quoted,
        ),
    )

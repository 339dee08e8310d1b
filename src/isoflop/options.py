"""Options said once: on the dataclass that holds them, for all that asks for one.

A frozen dataclass describes each of its fields in the annotation::

    huber_delta: Annotated[float, Option(label="Huber δ", help="...", gt=0.0)] = 1e-3

From that come the flags of the command line (`add_flags`, `from_flags`), the reading of a query or
a JSON body (`from_mapping`), the code that makes the options again (`code`), their table in the
documentation (`markdown`), and the label, help, range and choices of a widget (`option`). A field
that is such a dataclass itself contributes its own, named with a point: ``site.pue``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from numbers import Real
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from isoflop.errors import OptionError, UnitError
from isoflop.language import joined, lazy_gettext, listed
from isoflop.once import once
from isoflop.units import Dimension, accelerator_time, parse_quantity, parse_share

Options = TypeVar("Options")

_SWITCH = {"true": True, "yes": True, "on": True, "1": True}
_SWITCH |= {"false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How an option is read and written that is more than one number, text or switch.

    Parameters
    ----------
    read : callable
        Any value that may be given to the one that the field holds; raises UnitError.
    plain : callable
        The held value as Python's own numbers, texts, tuples and mappings, which `read` takes.
    metavar : str
        One of it on the command line, where its flag may be given several times.
    values : str
        What may be given, in words.
    """

    read: Callable[[object], Any]
    plain: Callable[[Any], Any]
    metavar: str
    values: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """What is to be known of one option.

    Parameters
    ----------
    label : str
        As a form names it.
    help : str
        What it does, in a sentence or two.
    dimension : Dimension or None
        Of a quantity, which may then be given as a person writes it: ``"250k"``, ``"10 days"``.
    flag : str
        On the command line, without dashes; the field's name unless given.
    choices : mapping of object to str
        Label by value, where only some values are allowed; those of a Literal unless given.
    gt, ge, le, lt : float or None
        Ends of the values of a number: above, at least, at most, below.
    form : Form or None
        Of a value of another kind.
    term : str
        Key of the glossary's entry that says what the option is about; empty where its help does.
    name, kind, is_optional, default
        Of the field, filled in by `options_of`: its name, type, whether it may be None, and what it
        is where nothing is given.
    """

    label: str
    help: str
    dimension: Dimension | None = None
    flag: str = ""
    choices: Mapping[Any, str] = field(default_factory=dict)
    gt: float | None = None
    ge: float | None = None
    le: float | None = None
    lt: float | None = None
    form: Form | None = None
    term: str = ""
    name: str = ""
    kind: type = str
    is_optional: bool = False
    default: Any = None

    @property
    def is_share(self) -> bool:
        """Whether it is a share of a whole, which a bare 45 may say in percent."""
        ends = [end for end in (self.le, self.lt) if end is not None]
        return self.dimension == "fraction" and bool(ends) and min(ends) <= 1

    @property
    def values(self) -> str:
        """What may be given, in words."""
        if self.form:
            return self.form.values
        if self.choices:
            return ", ".join(map(str, self.choices))
        if self.kind is bool:
            return lazy_gettext("yes or no")
        if self.kind is str:
            return "text"
        noun = (
            lazy_gettext("whole number")
            if self.kind is int
            else _NOUNS.get(self.dimension, "number")
        )
        if self.ge is not None and self.le is not None:
            return lazy_gettext("{noun} from {ge:g} to {le:g}", noun=noun, ge=self.ge, le=self.le)
        ends = {
            "above": self.gt,
            lazy_gettext("at least"): self.ge,
            lazy_gettext("at most"): self.le,
            "below": self.lt,
        }
        said = listed(f"{word} {end:g}" for word, end in ends.items() if end is not None)
        return f"{noun} {said}".rstrip()

    def read(self, value: object) -> Any:
        """Return a value as the field holds it, from text, a number, a switch or None.

        Raises
        ------
        UnitError
            If it is of another kind, none of the choices, or out of range.
        """
        if self.form:
            return self.form.read(value)
        if value is None or value == "":
            if self.is_optional:
                return None
            raise UnitError(lazy_gettext("a value is needed."))
        if self.choices:
            for choice in self.choices:
                if value in (choice, str(choice)) and not isinstance(value, bool):
                    return choice
            raise UnitError(
                lazy_gettext("{value} is none of {values}.", value=value, values=self.values)
            )
        if self.kind is bool:
            asked = value if isinstance(value, bool) else _SWITCH.get(str(value).lower())
            if asked is None:
                raise UnitError(lazy_gettext("{value} is neither yes nor no.", value=value))
            return asked
        if self.kind is str:
            if not isinstance(value, str):
                raise UnitError(lazy_gettext("{value} is not a text.", value=value))
            return value
        return self._number(value)

    def _number(self, value: object) -> float:
        if isinstance(value, str):
            number = self._written(value)
        elif isinstance(value, Real) and not isinstance(value, bool):
            number = float(value)
        else:
            raise UnitError(lazy_gettext("{value} is not a number.", value=value))
        is_inside = (
            math.isfinite(number)
            and (self.gt is None or number > self.gt)
            and (self.ge is None or number >= self.ge)
            and (self.le is None or number <= self.le)
            and (self.lt is None or number < self.lt)
            and (self.kind is not int or number == round(number))
        )
        if not is_inside:
            raise UnitError(
                lazy_gettext("a {values} is needed, got {value}.", values=self.values, value=value)
            )
        return int(number) if self.kind is int else number

    def _written(self, text: str) -> float:
        """Return the number that a person wrote."""
        if self.is_share:
            return parse_share(text)
        try:
            return parse_quantity(text, self.dimension or "count")
        except UnitError:
            if self.dimension not in {"seconds", "flop"} or accelerator_time(text) is None:
                raise
            raise UnitError(
                lazy_gettext(
                    "{text} is accelerators times a time: give the number of "
                    "accelerators and the time, each by itself.",
                    text=text,
                )
            ) from None


_NOUNS: dict[Dimension | None, str] = {
    "params": lazy_gettext("number of parameters"),
    "tokens": lazy_gettext("number of tokens"),
    "flop": lazy_gettext("number of FLOP"),
    "usd": lazy_gettext("sum of US dollars"),
    "seconds": "time",
    "bytes": lazy_gettext("number of bytes"),
    "usd_per_hour": lazy_gettext("price in US dollars an hour"),
    "fraction": "share",
}


def options_of(owner: type) -> tuple[Option, ...]:
    """Return the options of a dataclass, in the order of its fields.

    Raises
    ------
    TypeError
        If a field says nothing about itself.
    """
    return _described(owner)


@once
def _described(owner: type) -> tuple[Option, ...]:
    hints = get_type_hints(owner, include_extras=True)
    found: list[Option] = []
    for item in fields(owner):
        hint = hints[item.name]
        if is_dataclass(hint) and isinstance(hint, type):
            inner = options_of(hint)
            found += [replace(entry, name=f"{item.name}.{entry.name}") for entry in inner]
        else:
            found.append(_of_field(owner, item, hint))
    return tuple(found)


def _of_field(owner: type, item: Field[Any], hint: Any) -> Option:
    said = next((part for part in get_args(hint) if isinstance(part, Option)), None)
    if said is None:
        raise TypeError(f"{owner.__name__}.{item.name} has no Option in its annotation.")
    plain = get_args(hint)[0]
    is_whole = get_origin(plain) is Literal or said.form is not None
    kinds = [plain] if is_whole else list(get_args(plain) or (plain,))
    (kind,) = [entry for entry in kinds if entry is not NoneType]
    values = get_args(kind) if get_origin(kind) is Literal else ()
    return replace(
        said,
        flag=said.flag or item.name.replace("_", "-"),
        choices=said.choices or {value: str(value) for value in values},
        name=item.name,
        kind=type(values[0]) if values else kind,
        is_optional=NoneType in kinds,
        default=_default(item),
    )


def _default(item: Field[Any]) -> Any:
    return item.default if item.default_factory is MISSING else item.default_factory()


def option(owner: type, name: str) -> Option:
    """Return one option by its name, such as ``option(FitOptions, "objective")``."""
    return next(entry for entry in options_of(owner) if entry.name == name)


def problems(options: object, owner: type | None = None) -> list[str]:
    """Say, for each option whose value is not one it may have, what is wrong with it.

    Parameters
    ----------
    options : object
    owner : type, optional
        The class whose options are looked at, where that of the object has fields besides.
    """
    found = []
    for entry in options_of(owner or type(options)):
        value = options
        for part in entry.name.split("."):
            value = getattr(value, part)
        try:
            if entry.read(value) != value:  # text is for `from_mapping` to read
                raise UnitError(
                    lazy_gettext("{value!r} is not a {values}.", value=value, values=entry.values)
                )
        except UnitError as problem:
            found.append(f"{entry.label}: {problem.summary}")
    return found


def from_mapping(owner: type[Options], values: Mapping[str, object]) -> Options:
    """Make options from a query or a JSON body.

    Parameters
    ----------
    owner : type
    values : mapping of str to object
        Text as a person writes it, numbers in canonical units, switches, None, and mappings of
        these, or the dataclass itself, for the options of a part: ``{"site": {"pue": 1.1}}`` is
        ``{"site.pue": 1.1}`` and ``{"site": Site(pue=1.1)}``.

    Raises
    ------
    OptionError
        Naming every option that is unknown or cannot be read.
    IsoflopError
        As the class itself does.
    """
    known = {entry.name: entry for entry in options_of(owner)}
    read, wrong = {}, []
    for name, value in _flat(values, known):
        try:
            if name not in known:
                raise UnitError(lazy_gettext("there is no such option."))
            read[name] = known[name].read(value)
        except UnitError as problem:
            wrong.append(f"{name}: {problem.summary}")
    if wrong:
        raise OptionError(
            lazy_gettext("{wrong} of the options cannot be used.", wrong=len(wrong)),
            detail=joined("\n", wrong),
            hint=lazy_gettext("Options: {known}.", known=", ".join(known)),
        )
    return _make(owner, read)


def _flat(
    values: Mapping[str, object], known: Mapping[str, Option]
) -> Iterable[tuple[str, object]]:
    for name, value in values.items():
        if name in known and known[name].form:
            yield name, value
            continue
        if is_dataclass(value) and not isinstance(value, type):
            value = changed(value)
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", held) for inner, held in _flat(value, {}))
        else:
            yield name, value


def _make(owner: type[Options], values: Mapping[str, object]) -> Options:
    """Build a dataclass, and those within it, from values by dotted name."""
    parts: dict[str, dict[str, object]] = {}
    given: dict[str, object] = {}
    for name, value in values.items():
        first, _, rest = name.partition(".")
        if rest:
            parts.setdefault(first, {})[rest] = value
        else:
            given[name] = value
    hints = get_type_hints(owner) if parts else {}
    return owner(**given, **{name: _make(hints[name], held) for name, held in parts.items()})


def add_flags(parser: argparse.ArgumentParser, owner: type, title: str) -> None:
    """Add a group with a flag for each option; what is not typed leaves no trace."""
    group = parser.add_argument_group(title)
    for entry in options_of(owner):
        given: dict[str, Any] = {"type": _reader(entry), "metavar": _metavar(entry)}
        if entry.kind is bool:
            given = {"action": argparse.BooleanOptionalAction}
        if entry.form:
            given["action"] = "append"
        is_set = entry.default is not None and not entry.form
        text = (
            lazy_gettext("{help} Default: {entry}.", help=entry.help, entry=_written(entry))
            if is_set
            else entry.help
        )
        group.add_argument(
            f"--{entry.flag}",
            dest=f"{owner.__name__}.{entry.name}",
            default=argparse.SUPPRESS,
            help=text.replace("%", "%%"),
            **given,
        )


def from_flags(owner: type[Options], parsed: argparse.Namespace) -> Options:
    """Make options from the flags that were typed.

    Raises
    ------
    IsoflopError
        As the class itself does.
    """
    typed, start = vars(parsed), f"{owner.__name__}."
    given = {k.removeprefix(start): v for k, v in typed.items() if k.startswith(start)}
    for entry in options_of(owner):
        if entry.form and entry.name in given:  # one of each time that the flag was typed
            given[entry.name] = entry.read(given[entry.name])
    return _make(owner, given)


def typed_flags(owner: type, parsed: argparse.Namespace) -> list[str]:
    """Return the flags of a class that were typed."""
    typed = vars(parsed)
    return [f"--{o.flag}" for o in options_of(owner) if f"{owner.__name__}.{o.name}" in typed]


def _reader(entry: Option) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if entry.dimension == "seconds" and _is_number(text):
            raise argparse.ArgumentTypeError(
                lazy_gettext("{text} of what? Write {text} s, {text} h or {text} days.", text=text)
            )
        try:
            return entry.read(text)
        except UnitError as problem:
            raise argparse.ArgumentTypeError(" ".join(str(problem).splitlines())) from None

    return read


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _metavar(entry: Option) -> str:
    if entry.form:
        return entry.form.metavar
    if entry.choices:
        return f"{{{','.join(map(str, entry.choices))}}}"
    return "N" if entry.kind is int else entry.flag.upper()


def _written(entry: Option) -> str:
    """Write the default as a person would."""
    if entry.default is None or entry.default in ("", ()):
        return "none"
    if isinstance(entry.default, bool):
        return "yes" if entry.default else "no"
    return f"{entry.default:g}" if isinstance(entry.default, float) else str(entry.default)


def changed(options: Any) -> dict[str, Any]:
    """Return the fields that differ from their defaults."""
    return {
        item.name: getattr(options, item.name)
        for item in fields(options)
        if getattr(options, item.name) != _default(item)
    }


def code(options: Any) -> str:
    """Return the Python expression that makes the options again: what differs from the default."""
    forms = {entry.name: entry.form for entry in options_of(type(options)) if entry.form}
    given = (
        f"{name}={code(value) if is_dataclass(value) else _literal(value, forms.get(name))}"
        for name, value in changed(options).items()
    )
    return f"{type(options).__name__}({', '.join(given)})"


def _literal(value: Any, form: Form | None) -> str:
    """Write a value in Python; NumPy's numbers as plain ones."""
    return repr(form.plain(value) if form else value.item() if hasattr(value, "item") else value)


def classes_in(options: Any) -> set[str]:
    """Return the names of the classes that `code` calls, to be imported."""
    parts = (value for value in changed(options).values() if is_dataclass(value))
    return {type(options).__name__}.union(*map(classes_in, parts))


def schema(owner: type) -> dict[str, Any]:
    """Return the JSON schema of what `from_mapping` reads."""
    found: dict[str, Any] = _object_schema(owner)
    for entry in options_of(owner):
        first, _, rest = entry.name.partition(".")
        if rest:
            part = found["properties"].setdefault(
                first, _object_schema(get_type_hints(owner)[first])
            )
            part["properties"][rest] = _option_schema(entry)
        else:
            found["properties"][first] = _option_schema(entry)
    return found


def _object_schema(owner: type) -> dict[str, Any]:
    said = (owner.__doc__ or "").strip().partition("\n")[0]
    return {"type": "object", "description": said, "properties": {}, "additionalProperties": False}


def _option_schema(entry: Option) -> dict[str, Any]:
    plain = entry.form.plain(entry.default) if entry.form else entry.default
    return {
        **_values_schema(entry),
        "title": entry.label,
        "description": lazy_gettext(
            "{help} Values: {values}.", help=entry.help, values=entry.values
        ),
        "default": list(plain) if isinstance(plain, tuple) else plain,
    }


def _values_schema(entry: Option) -> dict[str, Any]:
    """Return what may be given; the range of a quantity as text is for `Option.read` to hold."""
    nothing: list[Any] = [{"type": "null"}] if entry.is_optional else []
    if entry.form:
        return {"type": ["object", "array", "string", "null"]}
    if entry.choices:
        texts = [str(value) for value in entry.choices if not isinstance(value, str)]
        return {"enum": [*entry.choices, *texts, *([None] if entry.is_optional else [])]}
    if entry.kind is bool:
        return {"anyOf": [{"type": "boolean"}, {"enum": list(_SWITCH)}]}
    if entry.kind is str:
        return {"type": ["string", "null"] if entry.is_optional else "string"}
    ends = {
        "exclusiveMinimum": entry.gt,
        "minimum": entry.ge,
        "maximum": entry.le,
        "exclusiveMaximum": entry.lt,
    }
    number = {
        "type": "integer" if entry.kind is int else "number",
        **{name: end for name, end in ends.items() if end is not None},
    }
    return {"anyOf": [number, {"type": "string"}, *nothing]}


def markdown(owner: type) -> str:
    """Return the table of a class's options for the documentation."""
    lines = [
        lazy_gettext("| Option | Flag | Default | Values | What it does |"),
        "|---|---|---|---|---|",
    ]
    for entry in options_of(owner):
        flag = f"--[no-]{entry.flag}" if entry.kind is bool else f"--{entry.flag}"
        cells = (f"`{entry.name}`", f"`{flag}`", _written(entry), entry.values, entry.help)
        lines.append(f"| {' | '.join(cells)} |")
    return joined("\n", lines)

"""What the names of a typed formula stand for: columns of the table, or parameters to fit.

A name is an input if it is written as a column, as a header of the file, or as one of the symbols
N, D, C and U. A name that only reads like one of them is asked about: fitted as a parameter, it
would give a plausible law that says nothing of the column.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from string import ascii_lowercase
from types import MappingProxyType

from isoflop.language import lazy_gettext as _
from isoflop.language import listed
from isoflop.laws.formula import CONSTANTS, FUNCTIONS
from isoflop.once import once
from isoflop.tables.mapping import ColumnRole
from isoflop.tables.reading.columns import COLUMNS, PERPLEXITY
from isoflop.tables.reading.header import meanings
from isoflop.tables.schema import LossTable

INPUT_COLUMNS = MappingProxyType(
    {"N": "params", "D": "tokens", "C": "compute_flop", "U": "unique_tokens"}
)
"""Symbols that always mean a canonical column."""

_OF_A_RUN = {"params", "tokens", "compute_flop"}
"""Two of them settle the third."""
_UNDONE = {"log10": "log10", "log2": "log2", "ln": "log", PERPLEXITY: "exp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NameQuestion:
    """A name that may be meant as a column, but is not written as one that can be used.

    Parameters
    ----------
    name : str
    why : str
        What it reads like, to stand behind the name.
    instead : tuple of str
        What to write for the column; empty where there is none to be used.
    """

    name: str
    why: str
    instead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of a formula, sorted.

    Parameters
    ----------
    inputs : mapping of str to str
        Column by name.
    params : tuple of str
        To be fitted.
    questions : tuple of NameQuestion
        Which of the two is not known.
    usable : tuple of str
        Names that stand for a column of the table.
    """

    inputs: Mapping[str, str]
    params: tuple[str, ...]
    questions: tuple[NameQuestion, ...]
    usable: tuple[str, ...]


def identifier(header: str) -> str:
    """Return how a header is written in a formula: itself, where that is a name.

    Other characters than letters, digits and underscores become one underscore; a name that begins
    with a digit, or is a word of the language of formulas, is marked.

    Examples
    --------
    >>> identifier("Batch Size"), identifier("train/lr"), identifier("2nd"), identifier("lambda")
    ('Batch_Size', 'train_lr', 'column_2nd', 'lambda_')
    """
    text = unicodedata.normalize("NFKC", header)  # as Python reads names
    name = re.sub("_+", "_", "".join(c if f"a{c}".isidentifier() else "_" for c in text))
    if text != name or name.startswith("_"):
        name = name.strip("_") or "column"
    if not name.isidentifier():
        name = f"column_{name}"
    return f"{name}_" if keyword.iskeyword(name) or name in {*FUNCTIONS, *CONSTANTS} else name


def rename(formula: str, name: str, instead: str) -> str:
    """Return a formula with something else written for a name.

    Examples
    --------
    >>> rename("E + a*log(lr)", "lr", "learning_rate")
    'E + a*log(learning_rate)'
    """
    return re.sub(
        r"(?<![\w.])[^\W\d]\w*",
        lambda found: instead if unicodedata.normalize("NFKC", found[0]) == name else found[0],
        formula,
    )


def read_names(
    names: Iterable[str],
    source: LossTable | Collection[str],
    *,
    response: str = "loss",
    params: Collection[str] = (),
    usual: Collection[str] = (),
) -> Names:
    """Tell the inputs of a formula from its parameters.

    Parameters
    ----------
    names : iterable of str
    source : LossTable or collection of str
        The table at hand, or its numeric columns.
    response : str
        Column to predict; it cannot be an input.
    params : collection of str
        Names that are parameters, whatever they read like.
    usual : collection of str
        Names that are parameters unless a column is called so, as in a law that ships.
    """
    columns = _Columns.of(source)
    inputs: dict[str, str] = {}
    others = []
    for name in names:
        meant = columns.meanings.get(name, ())
        if name not in params and len(meant) == 1 and columns.is_input(meant[0], response):
            inputs[name] = meant[0]
        else:
            others.append(name)
    plain = {*usual, *_alphabet(others)}
    questions = []
    for name in others:
        if name not in params:
            used = set(inputs.values())
            asked = columns.question(name, response, used, is_usual=name in plain)
            questions += [asked] if asked else []
    doubtful = {question.name for question in questions}
    return Names(
        inputs=inputs,
        params=tuple(name for name in others if name not in doubtful),
        questions=tuple(questions),
        usable=tuple(
            name
            for name, meant in columns.meanings.items()
            if len(meant) == 1 and columns.is_input(meant[0], response)
        ),
    )


def _alphabet(names: Collection[str]) -> list[str]:
    """Return the letters that only go on counting: a, b and c, but not a lone c."""
    letters = takewhile(lambda letter: letter in names, ascii_lowercase)
    return list(letters)


@dataclass(frozen=True, slots=True)
class _Columns:
    """A table's columns as a formula can name them.

    Parameters
    ----------
    numeric : tuple of str
    meanings : mapping of str to tuple of str
        Every column that a name is written as.
    reading : tuple of ColumnRole
        Of the file.
    """

    numeric: tuple[str, ...]
    meanings: Mapping[str, tuple[str, ...]]
    reading: tuple[ColumnRole, ...]

    @classmethod
    def of(cls, source: LossTable | Collection[str]) -> _Columns:
        reading: tuple[ColumnRole, ...] = ()
        if isinstance(source, LossTable):
            every = [str(name) for name in source.frame.columns]
            made = source.provenance.derived_columns
            if source.reading is not None:  # no header stands for a column that another became
                roles = source.reading.mapping.roles
                reading = tuple(role for role in roles if made.get(role.column) not in every)
            numeric = [str(name) for name in source.frame.select_dtypes("number").columns]
        else:
            every = numeric = list(source)
        meanings: dict[str, dict[str, None]] = {}
        for column in every:
            meanings.setdefault(identifier(column), {})[column] = None
        for role in reading:
            if role.column in every and not _undo(role):
                meanings.setdefault(identifier(role.header), {})[role.column] = None
        for symbol, column in INPUT_COLUMNS.items():
            if column in numeric:
                meanings.setdefault(symbol, {})[column] = None
        return cls(tuple(numeric), {k: tuple(v) for k, v in meanings.items()}, reading)

    def is_input(self, column: str, response: str) -> bool:
        return column in self.numeric and column != response

    def written(self, column: str) -> str:
        """Return a name that means a column and no other; empty if there is none."""
        return next((name for name, meant in self.meanings.items() if meant == (column,)), "")

    def question(
        self, name: str, response: str, used: Collection[str], *, is_usual: bool
    ) -> NameQuestion | None:
        """Return what to ask about a name that is not certainly an input; None for a parameter."""
        meant = self.meanings.get(name, ())
        if len(meant) > 1:
            return self._ask(
                name, _("may mean {meant}", meant=listed(meant, last="or")), meant, response
            )
        if meant:
            is_text = meant[0] not in self.numeric
            what = _("a column without numbers") if is_text else _("what the law predicts")
            return NameQuestion(name=name, why=_("is {what}", what=what))
        header = next((role for role in self.reading if identifier(role.header) == name), None)
        if header is not None:
            return _of_header(name, header, self.written(header.column))
        reads_like = {meaning.column for meaning in meanings(name) if not meaning.doubt}
        alike = tuple(
            column
            for column in self.numeric
            if column in reads_like or _fold(name) in self._called(column)
        )
        if len(_fold(name)) == 1:  # n beside N is another thing, and so is c beside N and D
            settled = {*used, *_OF_A_RUN} if len(_OF_A_RUN & set(used)) > 1 else used
            alike = tuple(column for column in alike if column not in settled)
        if alike and not is_usual:
            return self._ask(
                name, _("reads like {alike}", alike=listed(alike, last="or")), alike, response
            )
        absent = INPUT_COLUMNS.get(name, name)
        if absent in COLUMNS and not is_usual:
            why = _(
                "stands for {label}, which the table does not have", label=COLUMNS[absent].label
            )
            return NameQuestion(name=name, why=why)
        return None

    def _called(self, column: str) -> frozenset[str]:
        headers = tuple(role.header for role in self.reading if role.column == column)
        return _folds(column, headers)

    def _ask(self, name: str, why: str, meant: tuple[str, ...], response: str) -> NameQuestion:
        usable = [self.written(column) for column in meant if self.is_input(column, response)]
        return NameQuestion(name=name, why=why, instead=tuple(filter(None, usable)))


def _of_header(name: str, role: ColumnRole, written: str) -> NameQuestion:
    """Return what to ask about a header that the table holds in another form, or not at all."""
    undo = _undo(role)
    if not role.column or not written or not undo:
        return NameQuestion(name=name, why=_("is a column of the file that the table leaves out"))
    instead = f"{undo}({written})"
    return NameQuestion(
        name=name, why=_("is kept as {column}", column=role.column), instead=(instead,)
    )


def _undo(role: ColumnRole) -> str:
    """Return the function that gives the file's numbers back; empty where they were kept."""
    return _UNDONE.get(role.transform or role.unit, "")


@once(max_entries=512)
def _folds(column: str, headers: tuple[str, ...]) -> frozenset[str]:
    """Return what a column may be called, folded: its names, aliases and initials."""
    names, known = [column, *headers], COLUMNS.get(column)
    found = {_fold(text) for text in [*names, *(known.aliases if known else ())]}
    for text in [*names, *([known.label] if known else [])]:
        words = re.findall(r"[^\W_]+", re.sub(r"[(\[].*", "", text))  # without its unit
        if len(words) > 1:
            found.add(_fold("".join(word[0] for word in words)))
    return frozenset(found)


def _fold(text: str) -> str:
    """Return a name without case and punctuation."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text).casefold())

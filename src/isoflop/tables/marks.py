"""Marks that people put into cells: emphasis, ``~``, daggers, footnotes, and spreads.

A bold minimum is a number like any other; what stands behind ``±`` is its standard error, and goes
into a column of its own.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from isoflop.language import lazy_gettext
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.cells import distinct, plain_numbers

_MOST_TEXTS = 100_000  # distinct cells; a column of more is of names
_SAMPLE = 2_000
_NUMBER = r"[+-]?(?:\d[\d.,]*|\.\d+)(?:[eE][+-]?\d+)?"
_EMPHASIS = re.compile(r"(\*{1,3}|_{1,3}|`{1,2}|</?(?:b|i|em|strong|code)>)(.+?)(\1|</\w+>)")
_APPROXIMATELY = re.compile(
    r"(?:[~≈∼≃]|(?:ca|c|approx|approximately|about)\.?\s)\s*(?=[\d.+-])", re.I
)
_FOOTNOTE = re.compile(
    r"(?:\s*(?:[†‡§¶‖⁎⋆★↓↑]|\[\^?\w{1,3}\]|<sup>.{1,5}</sup>|\\(?:dagger|ddagger|ast)\b|\$\^.{1,9}\$))+$"
)
_STARS = re.compile(rf"(?<=\d)\s*(?:\\?\*)+$|(?<=\d)[{'¹²³⁴⁵⁶⁷⁸⁹⁰ᵃᵇᶜᵈ'}]+$")
_QUANTITY = re.compile(rf"{_NUMBER}\s*[A-Za-z%]*")
_SPREAD = re.compile(
    rf"(?P<value>{_NUMBER}\s*[A-Za-z%]*)\s*(?:±|\+/-|\+-|\\pm|\$\\pm\$)\s*(?P<spread>{_NUMBER}\s*[A-Za-z%]*)"
)
_DIGITS = re.compile(r"(?P<value>[+-]?\d*[.,](?P<decimals>\d+))\((?P<digits>\d{1,2})\)")
_ANY_MARK = re.compile(
    r"[*_`~≈∼≃†‡§¶‖⁎⋆★↓↑\[<\\±¹²³⁴⁵⁶⁷⁸⁹⁰ᵃᵇᶜᵈ$(]|\+/?-|\b(?:ca|c|approx|about)\b", re.I
)


def without_marks(raw: RawTable) -> RawTable:
    """Return a table whose cells hold no marks; spreads become columns such as ``loss_std``.

    Parameters
    ----------
    raw : RawTable
    """
    columns: dict[str, pd.Series] = {}
    marked: list[str] = []
    spreads: list[str] = []
    for header in raw.headers:
        cells = raw.frame[header]
        cleaned = _cleaned(cells)
        if cleaned is None:
            columns[header] = cells
            continue
        values, spread = cleaned
        columns[header] = plain_numbers(values)
        marked.append(header)
        if spread is not None:
            name = _name_of_spread(header, raw.headers)
            columns[name] = plain_numbers(spread)
            spreads.append(name)
    if not marked:
        return raw
    notes = [lazy_gettext("Marks in cells were taken off: {marked}.", marked=", ".join(marked))]
    if spreads:
        notes.append(
            lazy_gettext(
                "What stands behind ± or in (3) is in columns of its own: {spreads}.",
                spreads=", ".join(spreads),
            )
        )
    return replace(
        raw, frame=pd.DataFrame(columns, index=raw.frame.index), notes=(*raw.notes, *notes)
    )


def _cleaned(cells: pd.Series) -> tuple[pd.Series, pd.Series | None] | None:
    """Return a column's cells without marks, and spreads if there are some; None if it has none."""
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return None
    texts = distinct(cells)  # several times faster than numbering them, which few columns need
    if not any(map(_has_mark, texts[:_SAMPLE] if len(texts) > _MOST_TEXTS else texts)):
        return None
    codes, uniques = pd.factorize(cells)
    found = [split_marks(text) if _has_mark(text) else (text, "") for text in uniques]
    if all(
        value == text and not spread for (value, spread), text in zip(found, uniques, strict=True)
    ):
        return None
    values = np.array([value for value, _ in found] + [None], dtype=object)
    spreads = np.array([spread or None for _, spread in found] + [None], dtype=object)
    has_spread = any(spread for _, spread in found)
    spread_of_row = pd.Series(spreads[codes], index=cells.index) if has_spread else None
    return pd.Series(values[codes], index=cells.index), spread_of_row


def _has_mark(text: object) -> bool:
    return isinstance(text, str) and len(text) < 200 and _ANY_MARK.search(text) is not None


def split_marks(text: str) -> tuple[str, str]:
    """Return a cell without its marks, and the spread that it states, if any.

    Examples
    --------
    >>> split_marks("**3.45**"), split_marks("~1.3B"), split_marks("2.10†")
    (('3.45', ''), ('1.3B', ''), ('2.10', ''))
    >>> split_marks("3.45 ± 0.02"), split_marks("3.45(3)")
    (('3.45', '0.02'), ('3.45', '0.03'))
    """
    plain, before = _without_latex(text.strip()), ""
    while plain != before:
        before = plain
        plain = _FOOTNOTE.sub("", plain).strip()
        emphasis = _EMPHASIS.fullmatch(plain)
        plain = emphasis[2].strip() if emphasis else plain
        starless = _STARS.sub("", plain).strip()
        plain = starless if _QUANTITY.fullmatch(starless) else plain
        plain = _APPROXIMATELY.sub("", plain, count=1) if _APPROXIMATELY.match(plain) else plain
    if (spread := _SPREAD.fullmatch(plain)) is not None:
        return spread["value"].strip(), spread["spread"].strip()
    if (digits := _DIGITS.fullmatch(plain)) is not None:
        size = len(digits["decimals"])
        return digits["value"], f"{int(digits['digits']) * 10.0**-size:.{size}f}"
    return (plain, "") if plain and plain != text.strip() else (text, "")


_LATEX = (
    (re.compile(r"\\(?:times|cdot)(?![A-Za-z])\s*"), "x"),
    (re.compile(r"\\[,;!~ ]|~"), ""),
    (re.compile(r"\^\{\s*([+-]?\d+)\s*\}"), r"^\1"),
    (re.compile(r"\\(?:mathrm|text|textbf|mathbf|textit|emph|underline)\{([^{}]*)\}"), r"\1"),
)


def _without_latex(text: str) -> str:
    r"""Return a number as LaTeX writes it, such as ``$1.2\times10^{8}$``, as plain text."""
    if "\\" not in text and not (text.startswith("$") and text.endswith("$") and len(text) > 2):
        return text
    plain = text[1:-1] if text.startswith("$") and text.endswith("$") else text
    for mark, instead in _LATEX:
        plain = mark.sub(instead, plain)
    return plain.strip() if "\\" not in plain and _READS.fullmatch(plain.strip()) else text


_READS = re.compile(rf"{_NUMBER}\s*(?:[x*]\s*10\^[+-]?\d+)?\s*[A-Za-z%]*")


def _name_of_spread(header: str, headers: tuple[str, ...]) -> str:
    match = re.fullmatch(r"(.+?)(\s*[(\[].*[)\]])?", header)
    name = f"{match[1]}_std{match[2] or ''}" if match else f"{header}_std"
    return name if name not in headers else lazy_gettext("{name} (cells)", name=name)

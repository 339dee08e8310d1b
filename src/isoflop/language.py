"""The language that texts are shown in: English stands in the code, catalogs hold the others.

A text that people read is marked where it is written, the gettext way. There are two kinds of mark.
Where it is shown (pages, figures, the command line), it is said at once::

    from isoflop.language import gettext as _
    st.button(_("Save {name}", name=name))

Where it becomes part of a result or an error, which readers of several languages may share, it is
kept as a `Text`, and said when it is shown::

    from isoflop.language import lazy_gettext as _
    Notice(text=_("The fit ends at {n} bounds.", n=2), ...)    # a str: in English as it stands
    translated(notice.text)                                    # in the language of who is asking

A mark takes the whole sentence and names what it leaves open, since other languages put words in
another order. ``make messages`` collects what is marked into the catalogs of ``locale``.
"""

from __future__ import annotations

import gettext as catalogs
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar, cast

from isoflop.once import once

LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "zh": "中文"})
"""Every language by its code, by the name that it has for itself; English first."""
ENGLISH = next(iter(LANGUAGES))
FOLDER = Path(__file__).parent / "locale"

_Source = Callable[[], str | None]
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Key = TypeVar("Key")
_SPOKEN: ContextVar[str | None] = ContextVar("language", default=None)
_SOURCES: list[_Source] = []


class Text(str):
    """A text in English that can be said in another language, also when it is part of a result.

    It is a `str`: what does not know of languages has the English text.

    Parameters
    ----------
    one : str
        English, with what it leaves open by name in braces, as `str.format` reads it.
    values : mapping
        What is put there; a `Text` is said in the same language.
    many : str
        English for any number but one; empty where the text has no number.
    number : int or None
        That number, for ``n`` in the text.
    said : mapping of str to str
        The text by language, where it does not come from a catalog.
    then : callable or None
        What becomes of the text once it is said, such as a capital letter: a function of a module,
        which can go to another process.

    Raises
    ------
    KeyError, ValueError
        If a name is missing in the values, or the braces do not match.
    """

    __slots__ = ("_many", "_number", "_one", "_said", "_then", "_values")

    _one: str
    _many: str
    _number: int | None
    _values: Mapping[str, Any]
    _said: Mapping[str, str]
    _then: Callable[[str], str] | None

    def __new__(
        cls,
        one: str,
        values: Mapping[str, Any] = MappingProxyType({}),
        *,
        many: str = "",
        number: int | None = None,
        said: Mapping[str, str] = MappingProxyType({}),
        then: Callable[[str], str] | None = None,
    ) -> Text:
        """Make the text, in English."""
        values = {"n": number, **values} if number is not None else dict(values)
        filled = _filled(many if many and number != 1 else one, values)
        text = super().__new__(cls, then(filled) if then else filled)
        text._one, text._many, text._number = one, many, number
        text._values, text._said, text._then = values, dict(said), then
        return text

    def __reduce__(self) -> tuple[Callable[..., Text], tuple[Any, ...]]:
        """Go to another process with everything that another language needs."""
        return _text, (self._one, self._values, self._many, self._number, self._said, self._then)

    def __add__(self, other: str) -> Text:
        """Stay a text with what follows it."""
        return joined("", (self, other))

    def __radd__(self, other: str) -> Text:
        """Stay a text with what goes before it."""
        return joined("", (other, self))

    def lower(self) -> Text:
        """Return it in small letters, in the languages that have those."""
        return cast(Text, _changed(self, str.lower))

    def capitalize(self) -> Text:
        """Return it with a capital letter, in the languages that have those."""
        return cast(Text, _changed(self, str.capitalize))

    def in_language(self, language: str) -> str:
        """Return the text in a language; in English where its catalog lacks the text."""
        if language == ENGLISH:
            return str.__str__(self)
        if self._said:
            template = self._said.get(language) or self._one
        elif self._many:
            number = cast(int, self._number)
            template = _catalog(language).ngettext(self._one, self._many, number)
        else:
            # Of an empty text, a catalog has its own header.
            template = self._one and _catalog(language).gettext(self._one)
        values = {
            name: value.in_language(language) if isinstance(value, Text) else value
            for name, value in self._values.items()
        }
        said = _filled(template, values)
        return self._then(said) if self._then else said


def _text(
    one: str,
    values: Mapping[str, Any],
    many: str,
    number: int | None,
    said: Mapping[str, str],
    then: Callable[[str], str] | None,
) -> Text:
    return Text(one, values, many=many, number=number, said=said, then=then)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    return template.format_map(values) if values or "{" in template else template


def lazy_gettext(template: str, /, **values: Any) -> str:
    """Mark a text of a result or an error, which is said when it is shown.

    Parameters
    ----------
    template : str
        In English, with names in braces for the values, which may have a format:
        ``"{share:.0%} of {rows} rows"``.
    **values
        By those names.

    Returns
    -------
    str
        A `Text`.
    """
    return Text(template, values)


def lazy_ngettext(one: str, many: str, n: int, /, **values: Any) -> str:
    """Mark a text of a result or an error that has a number, ``n`` in the text."""
    return Text(one, values, many=many, number=n)


def gettext(template: str, /, **values: Any) -> str:
    """Mark a text, and say it in the current language; see `lazy_gettext`."""
    language = current()
    # A page says hundreds: English, which most ask for, is made without a text of many languages.
    if language == ENGLISH:
        return _filled(template, values)
    return Text(template, values).in_language(language)


def ngettext(one: str, many: str, n: int, /, **values: Any) -> str:
    """Mark a text that has a number, ``n`` in it, and say it in the current language."""
    return Text(one, values, many=many, number=n).in_language(current())


def translated(text: str) -> str:
    """Return a text in the current language; one that is not marked as it stands."""
    return text.in_language(current()) if isinstance(text, Text) else text


def all_translated(texts: Mapping[Key, str]) -> dict[Key, str]:
    """Return texts in the current language, by the same keys."""
    return {key: translated(text) for key, text in texts.items()}


def of_languages(said: Mapping[str, str]) -> Text:
    """Return the text of a data file, which holds every language itself.

    Parameters
    ----------
    said : mapping of str to str
        By language; English is needed.
    """
    templates = {language: _escaped(text) for language, text in said.items()}
    return Text(templates[ENGLISH], said=templates)


def joined(separator: str, parts: Iterable[str]) -> Text:
    """Join texts so that each is still said in the language of who is asking."""
    values = {f"part{i}": part for i, part in enumerate(parts)}
    return Text(_escaped(separator).join(f"{{{name}}}" for name in values), values)


def sentences(parts: Iterable[str]) -> str:
    """Join whole sentences, those that are not empty, as each language does."""
    whole = ""
    for part in filter(None, parts):
        # A text of its own, since Chinese has no space between sentences.
        whole = lazy_gettext("{before} {after}", before=whole, after=part) if whole else part
    return whole


def listed(parts: Iterable[str], *, last: str = "and") -> str:
    """Return a list in words: ``a, b and c``.

    Parameters
    ----------
    parts : iterable of str
    last : {"and", "or"}

    Returns
    -------
    str
        A `Text`; empty where there are no parts.
    """
    *begin, end = tuple(parts) or ("",)
    if not begin:
        return end
    before, *others = begin
    for part in others:
        before = lazy_gettext("{before}, {after}", before=before, after=part)
    if last == "or":
        return lazy_gettext("{before} or {after}", before=before, after=end)
    return lazy_gettext("{before} and {after}", before=before, after=end)


def in_a_sentence(name: str) -> str:
    """Return a name as it stands within a sentence: its first letter small, where it has cases."""
    return _changed(name, _small)


def as_a_title(name: str) -> str:
    """Return a name as it stands alone: its first letter large, where it has cases."""
    return _changed(name, _large)


def without_stop(sentence: str) -> str:
    """Return a sentence without its full stop, as a part of another."""
    return _changed(sentence, _unstopped)


def _changed(text: str, then: Callable[[str], str]) -> str:
    if not isinstance(text, Text):
        return then(text)
    return _text(text._one, text._values, text._many, text._number, text._said, then)


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _unstopped(text: str) -> str:
    return text.rstrip(".。")


def _large(text: str) -> str:
    return text[:1].upper() + text[1:]


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def current() -> str:
    """Return the code of the language that texts are to be said in."""
    spoken = _SPOKEN.get()
    if spoken is not None:
        return spoken
    for source in _SOURCES:
        language = source()
        if language is not None:
            return language
    return ENGLISH


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Say texts in a language while the block runs, in this thread.

    Raises
    ------
    ValueError
        If there is no such language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language is one of {', '.join(LANGUAGES)}, not {language!r}")
    token = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def ask(source: _Source) -> None:
    """Have `current` ask whoever knows which language is spoken.

    A page of the app runs in a new thread each time, in parts, and its buttons before it: what
    knows its visitor is asked, in place of being told at each of these places.

    Parameters
    ----------
    source : callable
        The code of a language, or None where it does not know; must not fail.
    """
    if source not in _SOURCES:
        _SOURCES.append(source)


def nearest(tags: str) -> str | None:
    """Return the first language that a browser or an environment asks for and Isoflop has.

    Parameters
    ----------
    tags : str
        Such as ``"zh-CN,zh;q=0.9,en;q=0.8"`` or ``"zh_CN.UTF-8"``; in the order of preference.
    """
    for tag in tags.split(","):
        code = tag.strip().replace("_", "-").partition("-")[0].partition(";")[0].lower()
        if code in LANGUAGES:
            return code
    return None


def kept_by_language(
    *, max_entries: int
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Keep what a function returns for equal arguments, in each language apart.

    Parameters
    ----------
    max_entries : int
        Results kept, those used last.
    """

    def decorated(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        @once(max_entries=max_entries)
        def kept(language: str, *args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        @wraps(function)
        def asked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            found: Result = cast(Any, kept)(current(), *args, **kwargs)
            return found

        return asked

    return decorated


@once
def _catalog(language: str) -> catalogs.NullTranslations:
    return catalogs.translation("isoflop", FOLDER, [language], fallback=True)

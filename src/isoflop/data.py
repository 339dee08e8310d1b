"""The one place through which the package finds and reads the files beside its code.

An editable install uses the repository's ``data/`` folder, ``app.py`` and ``pages/``; a wheel
carries the same files inside the package.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, Protocol, TypeVar

from isoflop.errors import CatalogError
from isoflop.language import ENGLISH, LANGUAGES, joined, lazy_gettext, of_languages
from isoflop.once import once

_PACKAGE = Path(__file__).resolve().parent


class HasRoles(Protocol):
    """An entry of a catalog that says what it is for."""

    @property
    def roles(self) -> tuple[str, ...]:
        """What code may ask for it by."""


_Entry = TypeVar("_Entry", bound=HasRoles)


@once
def data_root() -> Path:
    """Return the folder that holds the data files.

    Raises
    ------
    CatalogError
        If neither the installed package nor the repository carries them.
    """
    return _first_with("laws.toml", _PACKAGE / "_data", _PACKAGE.parents[1] / "data")


@once
def app_root() -> Path:
    """Return the folder that holds the app: ``app.py``, ``pages/`` and its settings.

    Raises
    ------
    CatalogError
        If neither the installed package nor the repository carries them.
    """
    return _first_with("app.py", _PACKAGE / "_app", _PACKAGE.parents[1])


def _first_with(name: str, *folders: Path) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder
    raise CatalogError(
        lazy_gettext("The files that ship with Isoflop are missing."),
        detail=lazy_gettext(
            "Found no {name} in {folders}.", name=name, folders=" or ".join(map(str, folders))
        ),
        hint=lazy_gettext("Reinstall the package."),
    )


def read_toml(relative: str) -> dict[str, Any]:
    """Parse one TOML file of the data folder.

    A text may be said in other languages beside it: ``label_zh`` after ``label``. It is then one
    `isoflop.language.Text`, and the second key is gone.

    Parameters
    ----------
    relative : str
        Path inside the data folder, such as ``"laws.toml"``.

    Raises
    ------
    CatalogError
        If the file is missing or is not valid TOML.
    """
    path = data_root() / relative
    try:
        return _with_languages(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise CatalogError(
            lazy_gettext("The data file {relative} is missing.", relative=relative)
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(
            lazy_gettext("The data file {relative} is not valid TOML.", relative=relative),
            detail=str(error),
        ) from None


def _with_languages(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a table of a TOML file, and those in it, with each text in all its languages."""
    found: dict[str, Any] = {}
    for key, value in entry.items():
        name, _, language = key.rpartition("_")
        if language in LANGUAGES and name in entry:
            continue
        others = {code: entry[f"{key}_{code}"] for code in LANGUAGES if f"{key}_{code}" in entry}
        found[key] = _said({ENGLISH: value, **others}) if others else _nested(value)
    return found


def _nested(value: Any) -> Any:
    if isinstance(value, list):
        return [_nested(item) for item in value]
    return _with_languages(value) if isinstance(value, dict) else value


def _said(values: Mapping[str, Any]) -> Any:
    """Return a text in several languages; of lists of texts, each so."""
    if isinstance(values[ENGLISH], str):
        return of_languages(values)
    parts = [dict(zip(values, item, strict=True)) for item in zip(*values.values(), strict=True)]
    return [of_languages(part) for part in parts]


def require_keys(
    entry: dict[str, Any], *, where: str, required: Set[str], optional: Set[str] = frozenset()
) -> None:
    """Check that a data file's entry has all required keys and no unknown ones.

    Raises
    ------
    CatalogError
        Naming every missing and every unknown key.
    """
    missing = sorted(required - entry.keys())
    unknown = sorted(entry.keys() - required - optional)
    if missing or unknown:
        problems = (
            [lazy_gettext("missing: {missing}", missing=", ".join(missing))] if missing else []
        )
        problems += (
            [lazy_gettext("unknown: {unknown}", unknown=", ".join(unknown))] if unknown else []
        )
        raise CatalogError(
            lazy_gettext("The data file entry {where} is malformed.", where=where),
            detail=joined("; ", problems),
        )


def with_role(catalog: Mapping[str, _Entry], role: str, kind: str) -> dict[str, _Entry]:
    """Return the entries of a catalog that have a role, by name and in their order.

    Parameters
    ----------
    catalog : mapping of str to object
        By name.
    role : str
    kind : str
        What an entry is, in words, such as ``"law"``.

    Raises
    ------
    CatalogError
        If none has it.
    """
    found = {name: entry for name, entry in catalog.items() if role in entry.roles}
    if not found:
        raise CatalogError(
            lazy_gettext("No {kind} of the catalog has the role {role!r}.", kind=kind, role=role)
        )
    return found


def one_with_role(catalog: Mapping[str, _Entry], role: str, kind: str) -> _Entry:
    """Return the one entry of a catalog that has a role.

    Raises
    ------
    CatalogError
        If none has it, or several.
    """
    found = with_role(catalog, role, kind)
    if len(found) > 1:
        raise CatalogError(
            lazy_gettext(
                "The role {role!r} is for one {kind}; {found} have it.",
                role=role,
                kind=kind,
                found=len(found),
            ),
            detail=lazy_gettext("Found: {found}.", found=", ".join(found)),
        )
    return next(iter(found.values()))

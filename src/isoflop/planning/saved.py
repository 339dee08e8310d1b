"""Scenarios and accelerators that a person saved, kept in the store of documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isoflop.errors import CatalogError, DocumentError
from isoflop.language import lazy_gettext as _
from isoflop.planning.hardware import describe_accelerator, load_accelerators, parse_accelerator
from isoflop.planning.scenario import Scenario, from_document, to_document
from isoflop.planning.types import Accelerator, Plan

if TYPE_CHECKING:  # SQLAlchemy is not needed before something is saved
    from isoflop.store import Document, Documents

SCENARIO, ACCELERATOR = "scenario", "accelerator"
OWN_PREFIX = "own-"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedScenario:
    """One saved scenario with its plan.

    Parameters
    ----------
    name : str
        Of the document; with its owner's where it is another's.
    document : Document
    scenario : Scenario
    plan : Plan
    fit : str
        Table and law that the loss rests on, in words.
    link : str
        Query part of the address that shows it again.
    saved : datetime
        In UTC.
    """

    name: str
    document: Document
    scenario: Scenario
    plan: Plan
    fit: str
    link: str
    saved: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAccelerator:
    """One saved accelerator.

    Parameters
    ----------
    accelerator : Accelerator
        With its owner's name in its label where that is another.
    document : Document
    """

    accelerator: Accelerator
    document: Document


def save_scenario(
    store: Documents,
    name: str,
    scenario: Scenario,
    plan: Plan,
    *,
    fit: str,
    link: str,
    over: Document | None = None,
    seen: Iterable[Document] | None = None,
) -> Document:
    """Save a scenario and its plan; what was there becomes an earlier version.

    Parameters
    ----------
    store : Documents
    name : str
        Of one's own, made or changed; without effect where another is replaced.
    scenario : Scenario
    plan : Plan
    fit, link : str
        As of a `SavedScenario`.
    over : Document, optional
        The scenario to replace, which may be another's that one may edit.
    seen : iterable of Document, optional
        Those that the person saw: what was saved since is not replaced.

    Raises
    ------
    CatalogError
        If the name is empty.
    ConflictError
        If somebody saved it since the person saw it.
    StoreError
        If the store refuses.
    """
    if not name.strip():
        raise CatalogError(_("A scenario needs a name."), hint=_("Give it one."))
    body = {
        "scenario": to_document(scenario),
        "plan": json.loads(plan.to_json()),
        "fit": fit,
        "link": link,
    }
    return _save(store, SCENARIO, name.strip(), body, over=over, seen=seen)


def _save(
    store: Documents,
    kind: str,
    key: str,
    body: Mapping[str, Any],
    *,
    over: Document | None,
    seen: Iterable[Document] | None,
) -> Document:
    """Save over a document, or under a name of one's own, unless it changed since it was seen."""
    if over is not None:
        return store.change(over.id, body, expected=over.version)
    expected = None
    if seen is not None:
        own = (one.version for one in seen if one.key == key and one.owner == store.actor.id)
        expected = next(own, 0)
    return store.put(kind, key, body, expected=expected)


def saved_scenarios(store: Documents) -> tuple[list[SavedScenario], list[str]]:
    """Return every scenario that can be read, the last saved first, and the names of the others.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    documents = store.find(SCENARIO)
    found, unreadable = [], list(documents.unreadable)
    taken = set()
    for document in documents:
        name = store.name(document)
        name = f"{name}, {document.id[:6]}" if name in taken else name  # two people of one name
        taken.add(name)
        try:
            found.append(_scenario(document, name))
        except CatalogError:
            unreadable.append(document.key)
    return found, unreadable


def _scenario(document: Document, name: str) -> SavedScenario:
    body = document.body
    try:
        return SavedScenario(
            name=name,
            document=document,
            scenario=from_document(body["scenario"]),
            plan=Plan.from_json(json.dumps(body["plan"])),
            fit=body["fit"],
            link=body["link"],
            saved=document.updated,
        )
    except (DocumentError, KeyError, TypeError) as error:
        raise CatalogError(
            _("This saved scenario cannot be read."), detail=f"{type(error).__name__}: {error}"
        ) from None


def save_accelerator(
    store: Documents,
    accelerator: Accelerator,
    *,
    over: Document | None = None,
    seen: Iterable[Document] | None = None,
) -> Accelerator:
    """Save an accelerator of one's own, under a key made from its label, and return it.

    Parameters
    ----------
    store : Documents
    accelerator : Accelerator
    over, seen
        As for `save_scenario`.

    Raises
    ------
    CatalogError
        If a figure cannot be right, or the label is empty.
    ConflictError
        If somebody saved it since the person saw it.
    StoreError
        If the store refuses.
    """
    words = "".join(c if c.isalnum() else " " for c in accelerator.label.lower()).split()
    if not words:
        raise CatalogError(_("An accelerator needs a name."), hint=_("Give it one."))
    entry = describe_accelerator(accelerator)
    key = OWN_PREFIX + "-".join(words) if over is None else over.key
    checked = parse_accelerator(key, entry)
    _save(store, ACCELERATOR, key, entry, over=over, seen=seen)
    return checked


def saved_accelerators(store: Documents) -> tuple[dict[str, SavedAccelerator], list[str]]:
    """Return the saved accelerators that can be read, by key, and the names of the others.

    Of one name, one's own has the key; those of others have a longer one.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    documents = store.find(ACCELERATOR)
    found: dict[str, SavedAccelerator] = {}
    unreadable = list(documents.unreadable)
    for document in sorted(documents, key=lambda d: d.owner != store.actor.id):
        key = document.key if document.key not in found else f"{document.key}-{document.id[:6]}"
        try:
            read = parse_accelerator(key, document.body)
        except (CatalogError, AttributeError, TypeError):
            unreadable.append(document.key)
            continue
        if document.owner != store.actor.id:
            read = replace(read, label=f"{read.label} ({document.owner_name})")
        found[key] = SavedAccelerator(accelerator=read, document=document)
    return found, unreadable


def own_accelerators(store: Documents) -> dict[str, Accelerator]:
    """Return the accelerators that were saved and can be read, by key.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    return {key: saved.accelerator for key, saved in saved_accelerators(store)[0].items()}


def all_accelerators(store: Documents) -> dict[str, Accelerator]:
    """Return what ships and what was saved, by key.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    return dict(load_accelerators()) | own_accelerators(store)

"""Scenarios and accelerators that a person saved, kept in the store of documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from isoflop.errors import CatalogError, DocumentError
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


def save_scenario(
    store: Documents,
    name: str,
    scenario: Scenario,
    plan: Plan,
    *,
    fit: str,
    link: str,
) -> Document:
    """Save a scenario and its plan; one's own of that name becomes its earlier version.

    Raises
    ------
    CatalogError
        If the name is empty.
    StoreError
        If the store refuses.
    """
    if not name.strip():
        raise CatalogError("A scenario needs a name.", hint="Give it one.")
    body = {
        "scenario": to_document(scenario),
        "plan": json.loads(plan.to_json()),
        "fit": fit,
        "link": link,
    }
    return store.put(SCENARIO, name.strip(), body)


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
            "This saved scenario cannot be read.", detail=f"{type(error).__name__}: {error}"
        ) from None


def save_accelerator(store: Documents, accelerator: Accelerator) -> Accelerator:
    """Save an accelerator of one's own, under a key made from its label, and return it.

    Raises
    ------
    CatalogError
        If a figure cannot be right, or the label is empty.
    StoreError
        If the store refuses.
    """
    words = "".join(c if c.isalnum() else " " for c in accelerator.label.lower()).split()
    if not words:
        raise CatalogError("An accelerator needs a name.", hint="Give it one.")
    entry = describe_accelerator(accelerator)
    checked = parse_accelerator(OWN_PREFIX + "-".join(words), entry)
    store.put(ACCELERATOR, checked.key, entry)
    return checked


def own_accelerators(store: Documents) -> dict[str, Accelerator]:
    """Return the accelerators that were saved and can be read, by key.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    found = {}
    # One's own of a name, which come last here, count before others'.
    documents = sorted(store.find(ACCELERATOR), key=lambda d: d.owner == store.actor.id)
    for document in documents:
        try:
            found[document.key] = parse_accelerator(document.key, document.body)
        except CatalogError:
            continue
    return found


def all_accelerators(store: Documents) -> dict[str, Accelerator]:
    """Return what ships and what was saved, by key.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    return dict(load_accelerators()) | own_accelerators(store)

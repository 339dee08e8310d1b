"""What the field calls things, and where to read on: glossary, resources, texts of the tour.

All of it stands in data files, in every language; pages and documentation come from there.
"""

from isoflop.reference.glossary import Term, find_term, load_glossary, search_terms
from isoflop.reference.resources import KINDS, Resource, load_parts, load_resources
from isoflop.reference.stops import Stop, load_stops

__all__ = [
    "KINDS",
    "Resource",
    "Stop",
    "Term",
    "find_term",
    "load_glossary",
    "load_parts",
    "load_resources",
    "load_stops",
    "search_terms",
]

"""What people save: small JSON documents of one owner each, in SQLite or PostgreSQL.

Saved scenarios, workspaces, remembered column mappings, own accelerators and forecasts are all
documents. The default is one SQLite file in the person's data folder; ``ISOFLOP_DATABASE_URL``
names another database, for a team that shares one. Importing this package imports SQLAlchemy, which
start-up need not wait for: import it where a document is first needed.

A `Store` gives nothing away by itself: ``store.of(actor)`` returns the `Documents` that an
`isoflop.people.Actor` may see, and lets the actor do what the actor may do; and
``store.teams_of(actor)`` the teams that the actor belongs to.
"""

from isoflop.store.database import URL_SETTING, Database
from isoflop.store.documents import Document, Documents, Found, Room, Store, Version
from isoflop.store.teams import Invitation, Member, Teams

__all__ = [
    "URL_SETTING",
    "Database",
    "Document",
    "Documents",
    "Found",
    "Invitation",
    "Member",
    "Room",
    "Store",
    "Teams",
    "Version",
]

"""The tables of the store, as the latest migration leaves them."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

KEEP_DELETED = timedelta(days=30)
"""How long what was deleted can be taken back."""
MAX_ID_CHARACTERS = 160
MAX_KIND_CHARACTERS = 40
MAX_KEY_CHARACTERS = 200
# ISO 8601 in UTC: the same text, in the same order, in every database.
TIME = sa.String(32)

METADATA = sa.MetaData()

DOCUMENTS = sa.Table(
    "documents",
    METADATA,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("owner", sa.String(MAX_ID_CHARACTERS), nullable=False),
    sa.Column("kind", sa.String(MAX_KIND_CHARACTERS), nullable=False),
    sa.Column("key", sa.String(MAX_KEY_CHARACTERS), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("n_bytes", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("visibility", sa.String(8), nullable=False),
    sa.Column("role", sa.String(8), nullable=False),
    # That it is shared with; empty for none.
    sa.Column("team", sa.String(MAX_ID_CHARACTERS), nullable=False, server_default=""),
    sa.Column("author", sa.String(MAX_ID_CHARACTERS), nullable=False),
    sa.Column("created", TIME, nullable=False),
    sa.Column("updated", TIME, nullable=False),
    sa.Column("deleted", TIME),
)
sa.Index(
    "one_live_document",
    DOCUMENTS.c.owner,
    DOCUMENTS.c.kind,
    DOCUMENTS.c.key,
    unique=True,
    sqlite_where=DOCUMENTS.c.deleted.is_(None),
    postgresql_where=DOCUMENTS.c.deleted.is_(None),
)
sa.Index("documents_by_kind", DOCUMENTS.c.kind, DOCUMENTS.c.updated)

VERSIONS = sa.Table(
    "versions",
    METADATA,
    sa.Column("document", sa.String(32), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("n_bytes", sa.Integer, nullable=False),
    sa.Column("author", sa.String(MAX_ID_CHARACTERS), nullable=False),
    sa.Column("saved", TIME, nullable=False),
)
"""What a document was before it was changed."""

ATTACHMENTS = sa.Table(
    "attachments",
    METADATA,
    sa.Column("document", sa.String(32), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("n_bytes", sa.Integer, nullable=False),
)
"""Files that a document, or a version of it, names by their hash."""

PEOPLE = sa.Table(
    "people",
    METADATA,
    sa.Column("id", sa.String(MAX_ID_CHARACTERS), primary_key=True),
    sa.Column("name", sa.String(MAX_ID_CHARACTERS), nullable=False),
)
"""What other people read for an id."""

TEAMS = sa.Table(
    "teams",
    METADATA,
    sa.Column("id", sa.String(MAX_ID_CHARACTERS), primary_key=True),
    sa.Column("name", sa.String(MAX_ID_CHARACTERS), nullable=False),
    sa.Column("created", TIME, nullable=False),
    sa.Column("deleted", TIME),
)
"""Teams that people founded, and those of a login or a proxy that something belongs to."""

MEMBERS = sa.Table(
    "members",
    METADATA,
    sa.Column("team", sa.String(MAX_ID_CHARACTERS), primary_key=True),
    sa.Column("person", sa.String(MAX_ID_CHARACTERS), primary_key=True),
    sa.Column("role", sa.String(8), nullable=False),
    sa.Column("joined", TIME, nullable=False),
)
sa.Index("teams_by_person", MEMBERS.c.person)

INVITATIONS = sa.Table(
    "invitations",
    METADATA,
    sa.Column("team", sa.String(MAX_ID_CHARACTERS), primary_key=True),
    sa.Column("role", sa.String(8), primary_key=True),
    sa.Column("code", sa.String(32), nullable=False),
    sa.Column("author", sa.String(MAX_ID_CHARACTERS), nullable=False),
    sa.Column("until", TIME, nullable=False),
)
"""Links by which people join a team: one a role."""
sa.Index("invitations_by_code", INVITATIONS.c.code, unique=True)

"""Owners, versions, attachments; what was nobody's belongs to this machine and stays everyone's."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# As they are here and now: a later change of the package must not change this migration.
LOCAL, EVERYONE, CHANGES = "local", "team", "editor"


def upgrade() -> None:
    """Make the tables anew and carry every document over."""
    op.rename_table("documents", "documents_0001")
    documents = op.create_table(
        "documents",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("owner", sa.String(160), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("n_bytes", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("visibility", sa.String(8), nullable=False),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("author", sa.String(160), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("updated", sa.String(32), nullable=False),
        sa.Column("deleted", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="documents_0002_pkey"),
    )
    live = sa.text("deleted IS NULL")
    op.create_index(
        "one_live_document",
        "documents",
        ["owner", "kind", "key"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_index("documents_by_kind", "documents", ["kind", "updated"])
    op.create_table(
        "versions",
        sa.Column("document", sa.String(32), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("n_bytes", sa.Integer, nullable=False),
        sa.Column("author", sa.String(160), nullable=False),
        sa.Column("saved", sa.String(32), nullable=False),
    )
    op.create_table(
        "attachments",
        sa.Column("document", sa.String(32), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("n_bytes", sa.Integer, nullable=False),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.String(160), primary_key=True),
        sa.Column("name", sa.String(160), nullable=False),
    )
    old = op.get_bind().execute(
        sa.text("SELECT kind, key, body, created, updated FROM documents_0001")
    )
    rows = [
        {
            "id": secrets.token_urlsafe(12),
            "owner": LOCAL,
            "author": LOCAL,
            "version": 1,
            "visibility": EVERYONE,
            "role": CHANGES,
            "n_bytes": len(row.body.encode()),
            **row._mapping,
        }
        for row in old
    ]
    if rows:
        op.bulk_insert(documents, rows)
    op.drop_table("documents_0001")

"""Teams, their members and invitations; documents shared with a team rather than with everyone."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables; what was shared with all of the server's one team is shared with everyone."""
    op.add_column("documents", sa.Column("team", sa.String(160), nullable=False, server_default=""))
    op.execute("UPDATE documents SET visibility = 'everyone' WHERE visibility = 'team'")
    op.create_table(
        "teams",
        sa.Column("id", sa.String(160), primary_key=True),
        sa.Column("name", sa.String(160), nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("deleted", sa.String(32)),
    )
    op.create_table(
        "members",
        sa.Column("team", sa.String(160), primary_key=True),
        sa.Column("person", sa.String(160), primary_key=True),
        sa.Column("role", sa.String(8), nullable=False),
        sa.Column("joined", sa.String(32), nullable=False),
    )
    op.create_index("teams_by_person", "members", ["person"])
    op.create_table(
        "invitations",
        sa.Column("team", sa.String(160), primary_key=True),
        sa.Column("role", sa.String(8), primary_key=True),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("author", sa.String(160), nullable=False),
        sa.Column("until", sa.String(32), nullable=False),
    )
    op.create_index("invitations_by_code", "invitations", ["code"], unique=True)

"""Voices and their history; pictures, translations, tool calls and the ranking of candidates"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Rows of the shape before get the empty value.
NEW_COLUMNS = {
    "post": {"pictures": "[]"},
    "comment": {"pictures": "[]", "translations": "{}"},
    "draft": {"ranking": "[]", "steps": "[]", "pictures": "[]"},
}


def upgrade() -> None:
    for table, columns in NEW_COLUMNS.items():
        for name, empty in columns.items():
            op.add_column(table, sa.Column(name, sa.JSON(), nullable=False, server_default=empty))

    op.create_table(
        "voice",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("channel_id", BIG_ID, nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("base_model", sa.String(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("data_hash", sa.String(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("status_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "voice_event",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("voice_id", BIG_ID, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("from_status", sa.String(), nullable=False),
        sa.Column("to_status", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["voice_id"], ["voice.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_voice_event_voice_id", "voice_event", ["voice_id"], unique=False)

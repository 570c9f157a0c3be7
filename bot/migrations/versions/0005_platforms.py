"""Platforms: credentials, budgets, what an account may do, whose reply goes out first"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("channel", sa.Column("can", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("channel", sa.Column("connected_at", sa.DateTime(), nullable=True))
    op.add_column("channel", sa.Column("to_connect", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("channel", sa.Column("auth_owner", sa.String(), nullable=True))
    op.add_column("channel", sa.Column("auth_until", sa.DateTime(), nullable=True))
    op.add_column("comment", sa.Column("likes", sa.Integer(), nullable=True))
    op.add_column("channel", sa.Column("quota", sa.JSON(), nullable=True))
    op.add_column("channel", sa.Column("reply_gap_s", sa.Float(), nullable=False, server_default="0"))
    op.add_column("channel", sa.Column("refusals", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("channel", sa.Column("unseen", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("comment", sa.Column("turn", BIG_ID, nullable=False, server_default="0"))
    op.create_index("ix_comment_turn", "comment", ["channel_id", "state", "turn", "created_at", "id"])
    op.add_column("reply", sa.Column("label", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "credential",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("channel_id", BIG_ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel_id", "name"),
    )
    op.add_column("webhook", sa.Column("alerts", BIG_ID, nullable=False, server_default="0"))
    op.create_table(
        "alert",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("channel_id", BIG_ID, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "quota_use",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("budget", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("budget", "day"),
    )

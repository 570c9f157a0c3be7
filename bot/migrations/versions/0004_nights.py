"""Nights: runs of the nightly training"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "night",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("turn", sa.String(), nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", sa.DateTime(), nullable=True),
        sa.Column("channel_id", BIG_ID, nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("base_model", sa.String(), nullable=False),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("voice", sa.String(), nullable=True),
        sa.Column("data_hash", sa.String(), nullable=False),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("refusals", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("turn"),
    )
    op.create_index("ix_night_began_at", "night", ["began_at"], unique=False)

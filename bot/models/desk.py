"""What the review desk remembers between two looks, and how far the outgoing notices have come."""

from datetime import datetime

from sqlalchemy import Column, ForeignKey, UniqueConstraint
from sqlmodel import Field, SQLModel

from bot.models.base import BigId, long_text, moment, primary_key, refers_to


class Hold(SQLModel, table=True):
    """A person has a comment on the screen; until it ends, others are told so and nobody is led to it."""

    __tablename__ = "hold"

    comment_id: int = Field(
        sa_column=Column(BigId, ForeignKey("comment.id"), primary_key=True, autoincrement=False)
    )
    by: str
    until: datetime = moment()


class KeptText(SQLModel, table=True):
    """What a person had written when the verdict was refused, so that it is not lost."""

    __tablename__ = "kept_text"
    __table_args__ = (UniqueConstraint("comment_id", "by"),)

    id: int | None = primary_key()
    comment_id: int = refers_to("comment")
    by: str
    text: str = long_text()
    at: datetime = moment()


class Alert(SQLModel, table=True):
    """A channel has stopped by itself, and people are to be told."""

    __tablename__ = "alert"

    id: int | None = primary_key()
    channel_id: int = refers_to("channel")
    at: datetime = moment()
    detail: str = long_text(default="")
    """Why, in one line."""


class Webhook(SQLModel, table=True):
    """How far the notices to one address of the settings have come."""

    __tablename__ = "webhook"

    name: str = Field(primary_key=True)
    cursor: int = Field(default=0, sa_type=BigId)
    """Number of the last event that was told or passed over."""
    alerts: int = Field(default=0, sa_type=BigId)
    """Number of the last alert that was told or passed over."""
    attempts: int = 0
    """Failures in a row."""
    due_at: datetime = moment()
    """When to try next; while `lease_owner` is set, when that lease ends."""
    lease_owner: str | None = None
    last_error: str | None = long_text(default=None)
    delivered_at: datetime | None = moment(default=None)

"""Who may use the pages and the API, and who did what."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, Text
from sqlmodel import Field, SQLModel

from bot.models.base import BigId, json_of, long_text, moment, primary_key, refers_to


class Role(StrEnum):
    """`viewer`: sees. `reviewer`: decides, too. `owner`: manages, too."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    OWNER = "owner"


class Person(SQLModel, table=True):
    """Somebody who may log in."""

    __tablename__ = "person"

    id: int | None = primary_key()
    name: str = Field(unique=True)
    role: Role = Field(sa_type=Text)
    password_hash: str = long_text()
    """argon2id, with its parameters and salt."""
    created_at: datetime = moment()
    disabled_at: datetime | None = moment(default=None)


class Sitting(SQLModel, table=True):
    """One log-in of one person in one browser, until it ends."""

    __tablename__ = "sitting"

    id: int | None = primary_key()
    person_id: int = refers_to("person", index=True)
    token_hash: str = Field(unique=True)
    """SHA-256 of the cookie's value, in hexadecimal."""
    csrf: str
    agent_hash: str
    """SHA-256 of the User-Agent header that it was begun with."""
    address: str = ""
    created_at: datetime = moment()
    seen_at: datetime = moment()
    ends_at: datetime = moment()


class OneTimeLink(SQLModel, table=True):
    """A link that lets its first reader choose a name and password."""

    __tablename__ = "one_time_link"

    id: int | None = primary_key()
    token_hash: str = Field(unique=True)
    role: str
    person_id: int | None = Field(default=None, foreign_key="person.id", sa_type=BigId)
    """Whose password it replaces; None: it makes a new person."""
    created_by: str
    created_at: datetime = moment()
    ends_at: datetime = moment()
    used_at: datetime | None = moment(default=None)


class ApiToken(SQLModel, table=True):
    """A key for programs; it was shown once and only its hash is kept."""

    __tablename__ = "api_token"

    id: int | None = primary_key()
    person_id: int = refers_to("person", index=True)
    name: str
    token_hash: str = Field(unique=True)
    role: str
    """At most the person's own."""
    created_at: datetime = moment()
    seen_at: datetime | None = moment(default=None)
    ends_at: datetime | None = moment(default=None)
    revoked_at: datetime | None = moment(default=None)


class AuditEntry(SQLModel, table=True):
    """Who did what, when and from where. Verdicts stand in `verdict` and moves in `event`; this is the rest."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_at", "at"), Index("ix_audit_act", "act", "at"))

    id: int | None = primary_key()
    at: datetime = moment()
    actor: str
    """The person's name; what was typed in its place, where a log-in failed."""
    via: str
    """`page`, `api` or `terminal`."""
    act: str
    """`log_in`, `pause_channel` …; the pages have a word `act_…` for each."""
    subject: str = long_text(default="")
    """What it was done to."""
    detail: dict[str, Any] = json_of(dict)
    address: str = ""

"""Nights: what was learned from which verdicts, and what became of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

from bot.models.base import BigId, json_of, long_text, moment, primary_key


class NightStatus(StrEnum):
    """`running`: a process holds the lease, or it stopped and the next start goes on; then `error` may say why.
    `promoted`: a new voice answers. `passed`: the gate said yes, but none answers: a dry run, or a candidate that a
    person must promote. `refused`: the gate said no. `skipped`: too little to learn from. `failed`: `error` says why.
    """

    RUNNING = "running"
    PASSED = "passed"
    PROMOTED = "promoted"
    REFUSED = "refused"
    SKIPPED = "skipped"
    FAILED = "failed"


class Night(SQLModel, table=True):
    """One run of the nightly training. While any row has `turn` set, no other night may begin."""

    __tablename__ = "night"

    id: int | None = primary_key()
    turn: str | None = Field(default=None, unique=True)
    """`night` while it runs, else None: the lock."""
    lease_owner: str | None = None
    lease_until: datetime | None = moment(default=None)
    """When another process may take a running night over."""
    channel_id: int | None = Field(default=None, foreign_key="channel.id", sa_type=BigId)
    """Whose voice is trained; None: that of all channels."""
    status: NightStatus = Field(sa_type=Text)
    step: str = ""
    """The step that is being done, or at which it ended; see `training.nightly`."""
    began_at: datetime = moment(index=True)
    ended_at: datetime | None = moment(default=None)
    folder: str = long_text()
    """Where its files are, relative to `data_dir`."""
    base_model: str = ""
    parent: str | None = None
    """Name of the voice that it began with; None: the base model."""
    voice: str | None = None
    """Name of the voice that it made."""
    data_hash: str = ""
    code_version: str = ""
    settings: dict[str, Any] = json_of(dict)
    """`training` as it was, whole."""
    figures: dict[str, Any] = json_of(dict)
    """Counts of the snapshot, then what each step measured, under the step's name."""
    refusals: list[Any] = json_of(list)
    """Guards of the gate that tripped: `guard`, `detail` (English)."""
    error: str = long_text(default="")

"""Versions of the LoRA weights, and their history."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Text
from sqlmodel import Field, SQLModel

from bot.models.base import BigId, json_of, long_text, moment, primary_key, refers_to


class VoiceStatus(StrEnum):
    """`candidate`: may be tried. `canary`: answers a share of the comments. `live`: answers the others.
    `retired`: answers nothing."""

    CANDIDATE = "candidate"
    CANARY = "canary"
    LIVE = "live"
    RETIRED = "retired"


class Voice(SQLModel, table=True):
    """One version of the LoRA weights. Its name and its folder are never used again for other weights."""

    __tablename__ = "voice"

    id: int | None = primary_key()
    name: str = Field(unique=True)
    channel_id: int | None = Field(default=None, foreign_key="channel.id", sa_type=BigId)
    """The channel whose comments it answers; None: every channel that has no voice of its own."""
    path: str = long_text()
    """The folder of the weights, relative to `data_dir`; nobody writes there again. Empty: the files were removed."""
    digest: str
    """SHA-256 of the weights and their configuration, in hexadecimal."""
    base_model: str = ""
    """What the weights were trained on, as their configuration names it."""
    rank: int = 0
    parent: str | None = None
    """Name of the voice that the training began with."""
    data_hash: str = ""
    """Hash of the data that it was trained on."""
    metrics: dict[str, Any] = json_of(dict)
    note: str = long_text(default="")
    status: VoiceStatus = Field(sa_type=Text)
    share: float = 0.0
    """Of a canary: the part of the comments that it answers, 0 to 1."""
    created_at: datetime = moment()
    status_at: datetime = moment()
    """When `status` last changed."""


class VoiceEvent(SQLModel, table=True):
    """One change of one voice. The rows, in order, are the history that `rollback` goes back in."""

    __tablename__ = "voice_event"

    id: int | None = primary_key()
    voice_id: int = refers_to("voice", index=True)
    at: datetime = moment()
    actor: str
    act: str
    """What was done: `load`, `promote`, `rollback`, `retire`, `return` (of a canary, by itself) or `remove`."""
    from_status: str
    to_status: str
    detail: str = long_text(default="")

"""What an account needs on its platform: credentials, and how much of the platform's budget is used."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from bot.models.base import long_text, moment, primary_key, refers_to


class Credential(SQLModel, table=True):
    """One secret of one channel, encrypted."""

    __tablename__ = "credential"
    __table_args__ = (UniqueConstraint("channel_id", "name"),)

    id: int | None = primary_key()
    channel_id: int = refers_to("channel")
    name: str
    """Of the option that it stands for, or of the token that the adapter keeps."""
    sealed: str = long_text()
    """The ciphertext; it names no key."""
    updated_at: datetime = moment()


class QuotaUse(SQLModel, table=True):
    """Units that were used of one budget on one of the platform's own days."""

    __tablename__ = "quota_use"
    __table_args__ = (UniqueConstraint("budget", "day"),)

    id: int | None = primary_key()
    budget: str
    """The platform with what shares the budget there; see `adapters.base.Quota`."""
    day: str
    """As 2026-11-20, by the platform's clock."""
    units: int = Field(default=0)

"""Credentials, sealed: kept, looked up, sealed anew; and whose turn it is to get new tokens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, text, update
from sqlmodel import Session, col, or_, select

from bot.models import Channel, Credential


class Kind(StrEnum):
    """What a credential is; its name in the table begins with it."""

    OPTION = "option"
    """A secret that a person typed in."""
    TOKEN = "token"  # noqa: S105  (a kind, no token)
    """What the adapter keeps."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One row, with the channel's name."""

    channel: str
    channel_id: int
    name: str
    sealed: str


def name_of(kind: Kind, name: str) -> str:
    return f"{kind}:{name}"


def sealed(session: Session, channel_id: int, kind: Kind) -> dict[str, str]:
    """The ciphertexts of a channel by the name in the table."""
    rows = session.exec(
        select(Credential).where(
            Credential.channel_id == channel_id, col(Credential.name).startswith(f"{kind}:")
        )
    )
    return {row.name: row.sealed for row in rows}


def replace(
    session: Session, channel_id: int, kind: Kind, seal: Callable[[], Mapping[str, str]], *, now: datetime
) -> None:
    """Keep what `seal` returns, by the name in the table, and forget the others of this kind.

    `seal` is called once no change of the keys can come in between.
    """
    _lock(session, "ROW EXCLUSIVE")
    session.exec(select(Channel.id).where(Channel.id == channel_id).with_for_update(key_share=True)).one()
    session.execute(
        delete(Credential).where(
            col(Credential.channel_id) == channel_id, col(Credential.name).startswith(f"{kind}:")
        )
    )
    for name, text_ in seal().items():
        session.add(Credential(channel_id=channel_id, name=name, sealed=text_, updated_at=now))
    session.flush()


def every(session: Session) -> list[Kept]:
    rows = session.exec(
        select(Credential, Channel.name)
        .join(Channel, col(Channel.id) == col(Credential.channel_id))
        .order_by(Channel.name, Credential.name)
    )
    return [Kept(channel, row.channel_id, row.name, row.sealed) for row, channel in rows]


def lock_all(session: Session) -> list[Kept]:
    """Every credential; until the transaction ends nobody keeps another one."""
    _lock(session, "SHARE ROW EXCLUSIVE")
    return every(session)


def reseal(session: Session, channel_id: int, name: str, sealed: str) -> None:
    """Put another ciphertext of the same credential in its place."""
    session.execute(
        update(Credential)
        .where(col(Credential.channel_id) == channel_id, col(Credential.name) == name)
        .values(sealed=sealed)
    )


def take_turn(session: Session, channel_id: int, *, owner: str, now: datetime, until: datetime) -> bool:
    """Whether it is `owner`'s turn now to get new tokens for the channel, until `until` at the longest."""
    free = or_(
        col(Channel.auth_owner).is_(None), col(Channel.auth_until).is_(None), col(Channel.auth_until) <= now
    )
    mine = update(Channel).where(col(Channel.id) == channel_id, free)
    return bool(session.connection().execute(mine.values(auth_owner=owner, auth_until=until)).rowcount)


def end_turn(session: Session, channel_id: int, *, owner: str) -> None:
    """Let the next one go at once."""
    mine = update(Channel).where(col(Channel.id) == channel_id, col(Channel.auth_owner) == owner)
    session.execute(mine.values(auth_owner=None, auth_until=None))


def _lock(session: Session, mode: str) -> None:
    """SQLite lets one transaction write at a time anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"LOCK TABLE credential IN {mode} MODE"))

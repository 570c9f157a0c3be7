"""Channels: added, listed, paused, and what went wrong on them last."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from adapters.base import Quota
from bot.models import Alert, Channel, Comment, State
from bot.reasons import Reason
from bot.store import budgets, sending, shadow
from bot.store.states import Move, move


class ChannelExists(ValueError):
    """The name is taken."""


class NoSuchChannel(ValueError):
    """No channel has this name."""


def add(
    session: Session,
    *,
    name: str,
    platform: str,
    options: Mapping[str, Any],
    rules: Mapping[str, Any],
    now: datetime,
    answer_since: datetime | None = None,
) -> Channel:
    """A new channel that answers what is written from `answer_since` (default: now) on. Raises ChannelExists."""
    refuse_taken(session, name)
    channel = Channel(
        name=name,
        platform=platform,
        options=dict(options),
        rules=dict(rules),
        created_at=now,
        answer_since=answer_since or now,
        next_poll_at=now,
        next_send_at=now,
    )
    session.add(channel)
    session.flush()
    return channel


def refuse_taken(session: Session, name: str) -> None:
    """Raises ChannelExists when a channel has this name."""
    if session.exec(select(Channel.id).where(Channel.name == name)).first() is not None:
        raise ChannelExists(f"a channel named {name!r} exists already; choose another name")


def every(session: Session) -> list[Channel]:
    return list(session.exec(select(Channel).order_by(Channel.name)))


def named(session: Session, name: str) -> Channel:
    """Raises NoSuchChannel."""
    channel = session.exec(select(Channel).where(Channel.name == name)).first()
    if channel is None:
        known = ", ".join(channel.name for channel in every(session)) or "none yet"
        raise NoSuchChannel(f"no channel is named {name!r}; there are: {known}")
    return channel


def with_id(session: Session, channel_id: int) -> Channel | None:
    return session.get(Channel, channel_id)


def set_rules(session: Session, name: str, rules: Mapping[str, Any], *, now: datetime) -> None:
    """What waits for the next opening follows new opening hours at once. Raises NoSuchChannel."""
    channel = named(session, name)
    moved = any(channel.rules.get(key) != rules.get(key) for key in ("hours", "time_zone"))
    channel.rules = dict(rules)
    session.add(channel)
    if moved:
        sending.open_again(session, channel.id or 0, now=now)


def changed_rules(known: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """For the audit: each rule that differs, as [before, after]. Pure."""
    names = sorted(known.keys() | rules.keys())
    return {name: [known.get(name), rules.get(name)] for name in names if known.get(name) != rules.get(name)}


def set_shadow(session: Session, name: str, *, on: bool, now: datetime) -> int:
    """Let nothing be sent on the channel any more, or allow it again; returns how many ready replies went to review.

    Allowing it again sends nothing that was held back: that waits for a person. Raises NoSuchChannel.
    """
    # Not against those who only point at the channel: a sender that moves a comment of it would wait for this
    # transaction, and this one for the comment.
    channel = session.exec(
        select(Channel).where(Channel.id == named(session, name).id).with_for_update(key_share=True)
    ).one()
    channel.shadow = on
    session.add(channel)
    session.flush()
    return shadow.hold_back(session, channel_id=channel.id, now=now) if on else 0


def set_options(session: Session, name: str, options: Mapping[str, Any], *, now: datetime) -> None:
    """Lead the channel to another place; it is polled at once. Raises NoSuchChannel."""
    channel = named(session, name)
    channel.options, channel.next_poll_at, channel.poll_owner, channel.failures = dict(options), now, None, 0
    session.add(channel)


def pause(session: Session, name: str, *, paused: bool, now: datetime) -> Channel:
    """Stop or start polling and sending. Starting also forgets the last error and is due at once."""
    channel = named(session, name)
    channel.paused = paused
    if not paused:
        channel.last_error, channel.error_since, channel.failures = None, None, 0
        channel.to_connect, channel.refusals, channel.unseen = False, 0, 0
        channel.next_poll_at = channel.next_send_at = now
        channel.poll_owner = None
    session.add(channel)
    return channel


def rewind(session: Session, name: str, *, since: datetime, now: datetime) -> Channel:
    """Poll again from `since` and answer what was written from then on, what is known already included."""
    channel = named(session, name)
    channel.answer_since = min(channel.answer_since, since)
    channel.cursor, channel.poll_owner, channel.next_poll_at = None, None, now
    session.add(channel)
    history = select(Comment.id).where(
        Comment.channel_id == channel.id,
        Comment.state == State.SKIPPED,
        Comment.reason == Reason.BEFORE_BASELINE,
        Comment.created_at >= since,
    )
    reopened = [Move(row or 0, State.SKIPPED, State.NEW, Reason.BACKFILLED) for row in session.exec(history)]
    move(session, reopened, now=now, actor="backfill")
    return channel


def known_as(
    session: Session,
    channel_id: int,
    *,
    account_id: str,
    account_name: str,
    can: Mapping[str, bool],
    max_reply_chars: int,
    flat_threads: bool,
    quota: Quota | None = None,
    reply_gap_s: float = 0.0,
) -> None:
    """Remember who we are on the platform, and what replies are like there."""
    session.execute(
        update(Channel)
        .where(col(Channel.id) == channel_id)
        .values(
            account_id=account_id,
            account_name=account_name,
            can=dict(can),
            max_reply_chars=max_reply_chars,
            flat_threads=flat_threads,
            quota=budgets.as_row(quota),
            reply_gap_s=reply_gap_s,
        )
    )


def connected(session: Session, name: str, options: Mapping[str, Any], *, now: datetime) -> Channel:
    """A person has connected the account; a channel that stopped by itself goes on. Raises NoSuchChannel."""
    channel = named(session, name)
    channel.options, channel.connected_at, channel.to_connect = dict(options), now, False
    session.add(channel)
    return pause(session, name, paused=False, now=now) if channel.last_error else channel


def begin_at(session: Session, channel_id: int, cursor: Mapping[str, Any]) -> None:
    """Where the first poll starts."""
    session.execute(update(Channel).where(col(Channel.id) == channel_id).values(cursor=dict(cursor)))


def restrict(
    session: Session, channel_id: int, *, error: str, now: datetime, to_connect: bool = False
) -> None:
    """Stop the channel until a person resumes it, or connects it again, and have people told: the account itself is in
    trouble.
    """
    channel = session.get(Channel, channel_id)
    if channel is not None and not channel.paused:
        session.add(Alert(channel_id=channel_id, at=now, detail=error))
    changed = {"to_connect": True} if to_connect else {}
    _note(session, channel_id, error=error, now=now, paused=True, **changed)


def hold_sending(session: Session, channel_id: int, *, until: datetime, error: str, now: datetime) -> None:
    """Send nothing before `until`, nor before what an earlier hold said."""
    channel = session.get(Channel, channel_id)
    if channel is not None:
        _note(session, channel_id, error=error, now=now, next_send_at=max(until, channel.next_send_at))


def _note(session: Session, channel_id: int, *, error: str, now: datetime, **values: object) -> None:
    channel = session.get(Channel, channel_id)
    if channel is None:
        return
    channel.last_error = error
    channel.error_since = channel.error_since or now
    for name, value in values.items():
        setattr(channel, name, value)
    session.add(channel)

"""Which replies the platform is to be asked about, and what it showed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, update
from sqlmodel import Session, col, select

from adapters.base import CommentRef
from bot.models import Channel, Comment, Post, Reply, Signal
from bot.store import circuit
from bot.store.polling import reference

AGES = (timedelta(minutes=15), timedelta(hours=1), timedelta(days=1), timedelta(days=7))
"""How old a reply is at each look; the first one is about nothing but whether it is to be seen."""
TOO_OLD = timedelta(days=9)
AGAIN_AFTER = timedelta(hours=1)
"""When to look again for a reply that was not there."""
CONFIRMED = 2
"""Looks in a row at which a reply was missing, before it counts as removed: one may be a platform's hiccup."""


@dataclass(frozen=True, slots=True)
class Look:
    """A reply of ours to ask about."""

    reply_id: int
    comment_id: int
    channel: Channel
    target: CommentRef
    platform_id: str


def claim(
    session: Session,
    *,
    now: datetime,
    resting: frozenset[int],
    limit: int,
    short: frozenset[int] = frozenset(),
) -> list[Look]:
    """At most one reply a channel, the oldest first; each look is counted here, so that no other process takes it.

    Channels that are paused, failing or in `resting` (their ids) are left alone. Those in `short` have no units to
    spare: there only first looks are taken.
    """
    due = and_(_due(now), or_(col(Reply.channel_id).not_in(short), col(Reply.looks) == 0))
    channels = (
        select(Channel)
        .join(Reply, col(Reply.channel_id) == Channel.id)
        .where(
            col(Channel.paused).is_(False),
            Channel.failures == 0,
            col(Channel.last_error).is_(None),
            col(Channel.id).not_in(resting),
            due,
        )
        .group_by(col(Channel.id))
        .order_by(func.min(Reply.sent_at))
        .limit(limit)
    )
    found = (_claim_of(session, channel, due, now) for channel in list(session.exec(channels)))
    return [look for look in found if look is not None]


def save_look(
    session: Session, look: Look, *, shown: Mapping[str, int], missing: bool | None, now: datetime
) -> None:
    """Keep what was seen; `shown`: how many, by kind. What was missing for the first time is looked for again.

    `missing`: the platform does not have our reply; None where it was not asked.
    """

    def seen(kind: str, value: int) -> Signal:
        return Signal(comment_id=look.comment_id, kind=kind, value=value, first_at=now, last_at=now)

    known = select(Signal).where(Signal.comment_id == look.comment_id)
    rows = {row.kind: row for row in session.exec(known)}
    gone = rows.get("removed")
    for kind, value in shown.items():
        if kind in rows or value:
            _put(session, rows.get(kind), seen(kind, value))
    if missing:
        times = (gone.value if gone is not None else 0) + 1
        _put(session, gone, seen("removed", times))
        if times < CONFIRMED:
            _uncount(session, look)
    elif gone is not None and missing is False:
        session.delete(gone)
    if (missing and gone is None) or (missing is False and look.channel.unseen):
        circuit.note(session, look.channel.id or 0, "unseen", [missing], now=now)


def answers_to(session: Session, look: Look) -> list[str]:
    """What fans wrote under our reply; in a flat thread, what the asker wrote there after it."""
    asked = session.get_one(Comment, look.comment_id)
    rows = select(Comment.text).where(
        Comment.channel_id == asked.channel_id,
        Comment.thread_id == asked.thread_id,
        col(Comment.is_own).is_(False),
        col(Comment.id) != asked.id,
    )
    if look.channel.flat_threads:
        sent = select(Reply.sent_at).where(Reply.id == look.reply_id).scalar_subquery()
        rows = rows.where(Comment.author_id == asked.author_id, col(Comment.created_at) >= sent)
    else:
        rows = rows.where(Comment.parent_id == look.platform_id)
    return list(session.exec(rows.order_by(col(Comment.id)).limit(100)))


def _due(now: datetime) -> Any:
    seen = (
        select(Signal.id)
        .where(
            Signal.comment_id == Reply.comment_id,
            Signal.kind == "removed",
            or_(col(Signal.value) >= CONFIRMED, col(Signal.last_at) > now - AGAIN_AFTER),
        )
        .exists()
    )
    ages = [
        and_(col(Reply.looks) == looks, col(Reply.sent_at) <= now - age) for looks, age in enumerate(AGES)
    ]
    return and_(col(Reply.sent_at) > now - TOO_OLD, col(Reply.platform_id).is_not(None), or_(*ages), ~seen)


def _claim_of(session: Session, channel: Channel, due: Any, now: datetime) -> Look | None:
    oldest = (
        select(Reply)
        .where(Reply.channel_id == channel.id, due)
        .order_by(col(Reply.sent_at), col(Reply.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    reply = session.exec(oldest).first()
    if reply is None:
        return None
    # One look is enough for all the ages that have passed meanwhile.
    sent_at = reply.sent_at or now
    reply.looks = max(reply.looks + 1, sum(now - sent_at >= age for age in AGES))
    session.add(reply)
    around = select(Comment, Post).join(Post, col(Post.id) == Comment.post_id)
    comment, post = session.exec(around.where(Comment.id == reply.comment_id)).one()
    return Look(
        reply.id or 0,
        reply.comment_id,
        channel,
        reference(comment, post),
        reply.platform_id or "",
    )


def _uncount(session: Session, look: Look) -> None:
    counted = update(Reply).where(col(Reply.id) == look.reply_id, col(Reply.looks) > 0)
    session.execute(counted.values(looks=Reply.looks - 1))


def _put(session: Session, row: Signal | None, fresh: Signal) -> None:
    if row is None:
        session.add(fresh)
    else:
        row.value, row.last_at = fresh.value, fresh.last_at
        session.add(row)

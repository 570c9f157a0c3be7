"""Verdicts with all that they are about, page by page, so that a ledger of any size fits into little memory."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from bot.models import Channel, Comment, Draft, Post, Reply, Signal, Verdict
from bot.store.drafting import TURNS


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier comment of the thread."""

    is_own: bool
    author_name: str
    text: str
    ingested_at: datetime


@dataclass(frozen=True, slots=True)
class Judged:
    """A comment that people have decided about."""

    comment: Comment
    post: Post
    channel: Channel
    drafts: dict[int, Draft]
    """By id."""
    verdicts: tuple[Verdict, ...]
    """All of them, oldest first."""
    thread: tuple[Turn, ...]
    """What stood before the comment, oldest first."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A signal, with the reply that it is about."""

    signal: Signal
    comment: Comment
    channel: Channel


def judged(
    session: Session, *, after: int, limit: int, channel: str | None = None, since: datetime | None = None
) -> list[Judged]:
    """Comments with ids above `after` and a verdict given at `since` or later, in the order of their ids.

    Six queries, however many comments.
    """
    decided = select(Verdict.comment_id).where(col(Verdict.comment_id) > after).distinct()
    if since is not None:
        decided = decided.where(col(Verdict.at) >= since)
    if channel is not None:
        decided = decided.join(Comment, col(Comment.id) == Verdict.comment_id)
        decided = decided.join(Channel, col(Channel.id) == Comment.channel_id).where(Channel.name == channel)
    return _whole(session, list(session.exec(decided.order_by(col(Verdict.comment_id)).limit(limit))))


def number_new(
    session: Session, *, until: datetime, channel: str | None = None, since: datetime | None = None
) -> int:
    """How many verdicts on drafts, not taken back, were given after `since` and up to `until`."""
    counted = select(func.count(col(Verdict.id))).where(
        col(Verdict.undone_at).is_(None),
        col(Verdict.draft_id).is_not(None),
        col(Verdict.kind).in_(["approve", "edit", "reject"]),
        col(Verdict.at) <= until,
    )
    if since is not None:
        counted = counted.where(col(Verdict.at) > since)
    if channel is not None:
        counted = counted.join(Comment, col(Comment.id) == Verdict.comment_id)
        counted = counted.join(Channel, col(Channel.id) == Comment.channel_id).where(Channel.name == channel)
    return session.exec(counted).one()


def sent(
    session: Session, *, before: int | None, limit: int, until: datetime, channel: str | None = None
) -> list[tuple[Judged, Reply]]:
    """Replies with ids below `before` that went out up to `until`, when no verdict was about them; the newest first."""
    taught = select(Verdict.id).where(
        Verdict.comment_id == Reply.comment_id, col(Verdict.undone_at).is_(None), col(Verdict.at) <= until
    )
    rows = (
        select(Reply)
        .where(col(Reply.sent_at) <= until, col(Reply.draft_id).is_not(None), ~taught.exists())
        .order_by(col(Reply.id).desc())
        .limit(limit)
    )
    if before is not None:
        rows = rows.where(col(Reply.id) < before)
    if channel is not None:
        rows = rows.join(Channel, col(Channel.id) == Reply.channel_id).where(Channel.name == channel)
    replies = {reply.comment_id: reply for reply in session.exec(rows)}
    drafts = select(Draft).where(col(Draft.id).in_([reply.draft_id for reply in replies.values()]))
    of_comment = {draft.comment_id: {draft.id or 0: draft} for draft in session.exec(drafts)}
    whole = {one.comment.id or 0: one for one in _whole(session, list(replies))}
    return [
        (replace(whole[number], drafts=of_comment[number]), reply)
        for number, reply in replies.items()
        if number in of_comment
    ]


def number_judged(session: Session, *, channel: str | None = None, since: datetime | None = None) -> int:
    """How many comments `judged` gives, all pages together."""
    decided = select(func.count(func.distinct(col(Verdict.comment_id))))
    if channel is not None:
        decided = decided.join(Comment, col(Comment.id) == Verdict.comment_id)
        decided = decided.join(Channel, col(Channel.id) == Comment.channel_id).where(Channel.name == channel)
    if since is not None:
        decided = decided.where(col(Verdict.at) >= since)
    return session.exec(decided).one()


def signs(
    session: Session, *, after: int, limit: int, channel: str | None = None, since: datetime | None = None
) -> list[Sign]:
    """Signals with ids above `after` that were seen at `since` or later, in the order of their ids."""
    rows = (
        select(Signal, Comment, Channel)
        .join(Comment, col(Comment.id) == Signal.comment_id)
        .join(Channel, col(Channel.id) == Comment.channel_id)
        .where(col(Signal.id) > after)
        .order_by(col(Signal.id))
        .limit(limit)
    )
    if channel is not None:
        rows = rows.where(Channel.name == channel)
    if since is not None:
        rows = rows.where(col(Signal.last_at) >= since)
    return [Sign(*row) for row in session.exec(rows)]


def _whole(session: Session, ids: Sequence[int]) -> list[Judged]:
    """In the order of the ids. Five queries, however many comments."""
    rows = (
        select(Comment, Post, Channel)
        .join(Post, col(Post.id) == Comment.post_id)
        .join(Channel, col(Channel.id) == Comment.channel_id)
        .where(col(Comment.id).in_(ids))
        .order_by(col(Comment.id))
    )
    verdicts, drafts, threads = _verdicts(session, ids), _drafts(session, ids), _threads(session, ids)
    return [
        Judged(
            comment,
            post,
            its_channel,
            drafts[comment.id or 0],
            tuple(verdicts[comment.id or 0]),
            tuple(reversed(threads[comment.id or 0])),
        )
        for comment, post, its_channel in session.exec(rows)
    ]


def _verdicts(session: Session, ids: Sequence[int]) -> dict[int, list[Verdict]]:
    found: dict[int, list[Verdict]] = defaultdict(list)
    rows = select(Verdict).where(col(Verdict.comment_id).in_(ids)).order_by(col(Verdict.id))
    for verdict in session.exec(rows):
        found[verdict.comment_id].append(verdict)
    return found


def _drafts(session: Session, ids: Sequence[int]) -> dict[int, dict[int, Draft]]:
    """Only those that a verdict is about: a comment may have had many."""
    found: dict[int, dict[int, Draft]] = defaultdict(dict)
    meant = select(Verdict.draft_id).where(col(Verdict.comment_id).in_(ids))
    for draft in session.exec(select(Draft).where(col(Draft.id).in_(meant))):
        found[draft.comment_id][draft.id or 0] = draft
    return found


def _threads(session: Session, ids: Sequence[int]) -> dict[int, list[Turn]]:
    """Newest first, no more of each than a generator may see."""
    found: dict[int, list[Turn]] = defaultdict(list)
    asked, turn = aliased(Comment), aliased(Comment)
    place: Any = (
        func.row_number()
        .over(partition_by=col(asked.id), order_by=(col(turn.created_at).desc(), col(turn.id).desc()))
        .label("place")
    )
    before = (
        sa.select(col(asked.id).label("asked_id"), col(turn.id).label("turn_id"), place)
        .join(turn, (col(turn.channel_id) == asked.channel_id) & (col(turn.thread_id) == asked.thread_id))
        .where(
            col(asked.id).in_(ids),
            col(asked.parent_id).is_not(None),
            col(turn.created_at) <= asked.created_at,
            col(turn.id) != asked.id,
        )
        .subquery()
    )
    rows = (
        sa.select(
            before.c.asked_id,
            col(Comment.is_own),
            col(Comment.author_name),
            col(Comment.text),
            col(Comment.ingested_at),
        )
        .join(before, before.c.turn_id == Comment.id)
        .where(before.c.place <= TURNS)
        .order_by(before.c.asked_id, before.c.place)
    )
    for asked_id, *what in session.execute(rows):
        found[asked_id].append(Turn(*what))
    return found

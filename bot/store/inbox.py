"""What the inbox needs: which comments are known, posts that keep what they have, and replies that wait to be taken."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from adapters.base import Post as PlatformPost
from bot.models import Channel, Comment, Post, Reply, State
from bot.reasons import Reason
from bot.store.states import AT_ONCE, Move, move

UNCLEAR: Final = (Reason.INTERRUPTED, Reason.SEND_UNCLEAR)
"""Of a comment whose reply was taken, and of which nothing was heard."""
ACTOR: Final = "outbox"


@dataclass(frozen=True, slots=True)
class Known:
    """A comment that is in the ledger."""

    id: int
    state: State
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A reply that waits to be taken, or that somebody has taken."""

    reply: Reply
    comment: Comment
    post: Post


def known(session: Session, channel_id: int, platform_ids: Collection[str]) -> dict[str, Known]:
    """Those of the channel's comments that the ledger has, by the platform's id."""
    ids, found = list(platform_ids), {}
    for start in range(0, len(ids), AT_ONCE):
        rows = select(Comment).where(
            Comment.channel_id == channel_id, col(Comment.platform_id).in_(ids[start : start + AT_ONCE])
        )
        for row in session.exec(rows):
            found[row.platform_id] = Known(row.id or 0, State(row.state), row.reason, row.text)
    return found


def posts_as_known(session: Session, channel_id: int, posts: Iterable[PlatformPost]) -> list[PlatformPost]:
    """One of each; where an import leaves a title or an address out, what is known of it stays."""
    merged: dict[str, PlatformPost] = {}
    for post in posts:
        merged[post.id] = _filled(post, merged[post.id]) if post.id in merged else post
    ids = list(merged)
    for start in range(0, len(ids), AT_ONCE):
        rows = select(Post).where(
            Post.channel_id == channel_id, col(Post.platform_id).in_(ids[start : start + AT_ONCE])
        )
        for row in session.exec(rows):
            before = PlatformPost(row.platform_id, row.title, row.text, row.url, tuple(row.pictures))
            merged[row.platform_id] = _filled(merged[row.platform_id], before)
    return list(merged.values())


def _filled(post: PlatformPost, before: PlatformPost) -> PlatformPost:
    return replace(
        post,
        title=post.title or before.title,
        text=post.text or before.text,
        url=post.url or before.url,
        pictures=post.pictures or before.pictures,
    )


def waiting(session: Session, channel_ids: Collection[int], *, limit: int) -> list[Waiting]:
    """Replies that are ready or taken, the one that is due first first."""
    rows = (
        select(Reply, Comment, Post)
        .join(Comment, col(Comment.id) == Reply.comment_id)
        .join(Post, col(Post.id) == Comment.post_id)
        .where(
            col(Comment.channel_id).in_(channel_ids),
            col(Comment.state).in_((State.READY, State.SENDING)),
        )
        .order_by(col(Comment.due_at), col(Comment.id))
        .limit(limit)
    )
    return [Waiting(*row) for row in session.exec(rows)]


def those_of(session: Session, comment_ids: Sequence[int]) -> list[Waiting]:
    """The same of these comments, in their order, whatever their state."""
    rows = (
        select(Reply, Comment, Post)
        .join(Comment, col(Comment.id) == Reply.comment_id)
        .join(Post, col(Post.id) == Comment.post_id)
        .where(col(Reply.comment_id).in_(comment_ids))
    )
    found = {row[0].comment_id: Waiting(*row) for row in session.exec(rows)}
    return [found[comment_id] for comment_id in comment_ids if comment_id in found]


def reply_of(session: Session, channel_id: int, reply_id: int) -> tuple[Reply, Comment] | None:
    """The reply with its comment, locked; None where the channel has no such reply."""
    row = session.exec(
        select(Reply, Comment)
        .join(Comment, col(Comment.id) == Reply.comment_id)
        .where(Reply.id == reply_id, Reply.channel_id == channel_id)
        .with_for_update()
    ).first()
    return (row[0], row[1]) if row is not None else None


def ask_person(session: Session, channel_id: int, *, now: datetime) -> int:
    """unknown → review for all that nobody is asking about: of an inbox, nobody but a person can find out."""
    rows = session.exec(
        select(Comment.id, Comment.attempts).where(
            Comment.channel_id == channel_id,
            col(Comment.state) == State.UNKNOWN,
            (col(Comment.lease_owner).is_(None)) | (col(Comment.due_at) <= now),
        )
    )
    moves = [
        Move(row_id or 0, State.UNKNOWN, State.REVIEW, Reason.SEND_UNCLEAR, attempts=attempts)
        for row_id, attempts in rows
    ]
    return len(move(session, moves, now=now, actor=ACTOR))


def sent_after_all(
    session: Session, reply: Reply, comment: Comment, *, platform_id: str | None, now: datetime, actor: str
) -> bool:
    """Whoever took the reply tells late that it went out; False where a person has decided otherwise meanwhile."""
    if comment.reason not in UNCLEAR or comment.state not in (State.UNKNOWN, State.REVIEW):
        return False
    wish = Move(comment.id or 0, State(comment.state), State.SENT, Reason.SENT, attempts=comment.attempts)
    if not move(session, [wish], now=now, actor=actor):
        return False
    reply.sent_at, reply.platform_id = now, platform_id
    session.add(reply)
    return True


def taken(session: Session, channel_id: int, platform_id: str) -> int | None:
    """The comment whose reply is known by this id of the platform."""
    rows = select(Reply.comment_id).where(Reply.channel_id == channel_id, Reply.platform_id == platform_id)
    return session.exec(rows).first()


def channel_for_update(session: Session, channel_id: int) -> Channel:
    return session.exec(select(Channel).where(Channel.id == channel_id).with_for_update(key_share=True)).one()

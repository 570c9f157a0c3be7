"""Comments with all that is known about them: the post, the thread, the drafts with their evidence, the history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from bot.models import Channel, Comment, Draft, Event, Hold, Post, Reply, Signal, State, Verdict

SelectOfItems = Select[Comment, Channel, Post, Draft]
_TOLD = (State.REVIEW, State.SENT, State.SKIPPED, State.FAILED)


class NoSuchComment(ValueError):
    """The message says which number it is that no comment has."""

    def __init__(self, comment_id: int) -> None:
        super().__init__(f"there is no comment {comment_id}; 'rejoinder review list' shows what waits")


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a list."""

    comment: Comment
    channel: Channel
    post: Post
    draft: Draft | None
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class Case:
    """One comment with everything that is known about it."""

    item: Item
    thread: tuple[Comment, ...]
    drafts: tuple[Draft, ...]
    verdicts: tuple[Verdict, ...]
    history: tuple[Event, ...]
    hold: Hold | None = None
    """Who has it on the screen, or had it last."""
    signals: tuple[Signal, ...] = ()


def latest(session: Session, *, limit: int) -> list[Item]:
    """What was decided or done last, newest first, each comment once; our own comments and old history left out.

    Looks at the last `limit` × 50 moves only, so that it stays quick in a ledger of any size.
    """
    newest = select(Event).order_by(col(Event.id).desc()).limit(limit * 50).subquery()
    moves = (
        select(newest.c.comment_id)
        .where(newest.c.from_state != "", newest.c.to_state.in_(_TOLD))
        .order_by(newest.c.id.desc())
    )
    ids = list(dict.fromkeys(session.exec(moves)))[:limit]
    found = with_replies(session, select_items().where(col(Comment.id).in_(ids)))
    return sorted(found, key=lambda item: ids.index(item.comment.id or 0))


def following(
    session: Session, *, after: int, limit: int, channel: str | None = None, since: datetime | None = None
) -> list[Item]:
    """Comments with ids above `after`, in the order of their ids; `since` is the earliest time of writing."""
    rows = (
        select_items()
        .where(col(Comment.id) > after, col(Comment.is_own).is_(False))
        .order_by(col(Comment.id))
    )
    if channel is not None:
        rows = rows.where(Channel.name == channel)
    if since is not None:
        rows = rows.where(Comment.created_at >= since)
    return with_replies(session, rows.limit(limit))


def items(session: Session, comment_ids: Sequence[int]) -> list[Item]:
    """These comments, by number; those that are not there are left out."""
    rows = select_items().where(col(Comment.id).in_(comment_ids)).order_by(col(Comment.id))
    return with_replies(session, rows)


def drafts_of(session: Session, comment_ids: Sequence[int]) -> list[Draft]:
    """Every draft of these comments, oldest first."""
    return list(
        session.exec(select(Draft).where(col(Draft.comment_id).in_(comment_ids)).order_by(col(Draft.id)))
    )


def verdicts_of(session: Session, comment_ids: Sequence[int]) -> list[Verdict]:
    """Every verdict on these comments, oldest first."""
    return list(
        session.exec(
            select(Verdict).where(col(Verdict.comment_id).in_(comment_ids)).order_by(col(Verdict.id))
        )
    )


def case(session: Session, comment_id: int) -> Case:
    """Raises NoSuchComment."""
    found = with_replies(session, select_items().where(Comment.id == comment_id))
    if not found:
        raise NoSuchComment(comment_id)
    item = found[0]
    thread = select(Comment).where(
        Comment.channel_id == item.comment.channel_id, Comment.thread_id == item.comment.thread_id
    )
    return Case(
        item,
        tuple(session.exec(thread.order_by(col(Comment.created_at), col(Comment.id)).limit(200))),
        tuple(session.exec(select(Draft).where(Draft.comment_id == comment_id).order_by(col(Draft.id)))),
        tuple(
            session.exec(select(Verdict).where(Verdict.comment_id == comment_id).order_by(col(Verdict.id)))
        ),
        tuple(session.exec(select(Event).where(Event.comment_id == comment_id).order_by(col(Event.id)))),
        session.get(Hold, comment_id),
        tuple(session.exec(select(Signal).where(Signal.comment_id == comment_id).order_by(Signal.kind))),
    )


def select_items() -> SelectOfItems:
    """Comments, each with its channel, its post and the draft in force."""
    return (
        select(Comment, Channel, Post, Draft)
        .join(Channel, col(Channel.id) == Comment.channel_id)
        .join(Post, col(Post.id) == Comment.post_id)
        .join(Draft, col(Draft.id) == Comment.draft_id, isouter=True)
    )


def with_replies(session: Session, rows: SelectOfItems) -> list[Item]:
    """What `rows` selects, with the replies that were ordered."""
    found = list(session.exec(rows))
    ids = [comment.id for comment, *_ in found]
    replies = {
        reply.comment_id: reply for reply in session.exec(select(Reply).where(col(Reply.comment_id).in_(ids)))
    }
    return [Item(*row, replies.get(row[0].id or 0)) for row in found]

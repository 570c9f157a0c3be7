"""What a person at the review desk needs: the queue, one comment with all its evidence, and the verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from bot.models import Channel, Comment, Draft, Event, Post, Reply, State, Verdict
from bot.reasons import Reason
from bot.store.drafting import Order, order_replies
from bot.store.states import Move, move

SelectOfItems = Select[Comment, Channel, Post, Draft]
_TOLD = (State.REVIEW, State.SENT, State.SKIPPED, State.FAILED)


class VerdictRefused(ValueError):
    """The comment is not there, or no longer in a state that the verdict applies to; the message says which."""


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


def queue(
    session: Session,
    *,
    states: Sequence[State] = (State.REVIEW,),
    limit: int = 50,
    channel: str | None = None,
    newest_first: bool = False,
) -> list[Item]:
    """Comments in `states`, those that wait longest first. Our own comments are no work and are left out."""
    age = col(Comment.updated_at)
    rows = (
        _items()
        .where(col(Comment.state).in_(states), col(Comment.is_own).is_(False))
        .order_by(age.desc() if newest_first else age, col(Comment.id))
        .limit(limit)
    )
    if channel is not None:
        rows = rows.where(Channel.name == channel)
    return _with_replies(session, rows)


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
    found = _with_replies(session, _items().where(col(Comment.id).in_(ids)))
    return sorted(found, key=lambda item: ids.index(item.comment.id or 0))


def following(
    session: Session, *, after: int, limit: int, channel: str | None = None, since: datetime | None = None
) -> list[Item]:
    """Comments with ids above `after`, in the order of their ids; `since` is the earliest time of writing."""
    rows = _items().where(col(Comment.id) > after, col(Comment.is_own).is_(False)).order_by(col(Comment.id))
    if channel is not None:
        rows = rows.where(Channel.name == channel)
    if since is not None:
        rows = rows.where(Comment.created_at >= since)
    return _with_replies(session, rows.limit(limit))


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
    """Raises VerdictRefused when there is no such comment."""
    found = _with_replies(session, _items().where(Comment.id == comment_id))
    if not found:
        raise VerdictRefused(f"there is no comment {comment_id}; 'rejoinder review list' shows what waits")
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
    )


def approve(session: Session, comment_id: int, *, by: str, now: datetime) -> str:
    """Send the draft as it stands; returns its text. Raises VerdictRefused."""
    comment = _waiting(session, comment_id, (State.REVIEW,))
    draft = session.get(Draft, comment.draft_id) if comment.draft_id is not None else None
    if draft is None or not draft.text.strip():
        raise VerdictRefused(
            f"comment {comment_id} has no draft to approve; "
            f"write the answer: rejoinder review edit {comment_id} --text …"
        )
    _to_ready(session, comment, text=draft.text, kind="approve", by=by, now=now)
    return draft.text


def edit(session: Session, comment_id: int, *, text: str, by: str, now: datetime) -> None:
    """Send `text` in the draft's place; also answers what was skipped or has failed. Raises VerdictRefused."""
    if not text.strip():
        raise VerdictRefused(
            "the reply is empty; give its text, or use 'review skip' to leave the comment unanswered"
        )
    comment = _waiting(session, comment_id, (State.REVIEW, State.SKIPPED, State.FAILED))
    _to_ready(session, comment, text=text, kind="edit", by=by, now=now)


def reject(session: Session, comment_id: int, *, reason: str, by: str, now: datetime) -> None:
    """The draft is wrong: don't send it. `edit` may answer the comment later. Raises VerdictRefused."""
    comment = _waiting(session, comment_id, (State.REVIEW,))
    _record(session, comment, kind="reject", text="", reason=reason, by=by, now=now)
    _go(session, comment, State.SKIPPED, Reason.REJECTED_BY_PERSON, reason, by=by, now=now)


def skip(session: Session, comment_id: int, *, by: str, now: datetime) -> None:
    """Leave the comment unanswered; says nothing about the draft. Raises VerdictRefused."""
    comment = _waiting(session, comment_id, (State.REVIEW, State.FAILED))
    _go(session, comment, State.SKIPPED, Reason.SKIPPED_BY_PERSON, "", by=by, now=now)


def confirm_sent(session: Session, comment_id: int, *, by: str, now: datetime) -> None:
    """A person saw the reply on the platform, or posted it there. Raises VerdictRefused."""
    comment = _waiting(session, comment_id, (State.REVIEW,))
    ordered = session.exec(select(Reply).where(Reply.comment_id == comment_id)).first()
    if ordered is not None:
        ordered.sent_at = now
        session.add(ordered)
    _go(session, comment, State.SENT, Reason.CONFIRMED_BY_PERSON, "", by=by, now=now)


def retry(session: Session, comment_id: int, *, by: str, now: datetime) -> None:
    """Try again what has failed: to send the reply, if there is one, else to draft it. Raises VerdictRefused."""
    comment = _waiting(session, comment_id, (State.FAILED,))
    ordered = session.exec(select(Reply).where(Reply.comment_id == comment_id)).first()
    _go(session, comment, State.READY if ordered else State.NEW, Reason.RETRIED, "", by=by, now=now)


def _items() -> SelectOfItems:
    return (
        select(Comment, Channel, Post, Draft)
        .join(Channel, col(Channel.id) == Comment.channel_id)
        .join(Post, col(Post.id) == Comment.post_id)
        .join(Draft, col(Draft.id) == Comment.draft_id, isouter=True)
    )


def _with_replies(session: Session, rows: SelectOfItems) -> list[Item]:
    found = list(session.exec(rows))
    ids = [comment.id for comment, *_ in found]
    replies = {
        reply.comment_id: reply for reply in session.exec(select(Reply).where(col(Reply.comment_id).in_(ids)))
    }
    return [Item(*row, replies.get(row[0].id or 0)) for row in found]


def _waiting(session: Session, comment_id: int, states: tuple[State, ...]) -> Comment:
    comment = session.exec(select(Comment).where(Comment.id == comment_id).with_for_update()).first()
    if comment is None:
        raise VerdictRefused(f"there is no comment {comment_id}; 'rejoinder review list' shows what waits")
    if comment.state not in states or comment.is_own:
        wanted = " or ".join(states)
        raise VerdictRefused(
            f"comment {comment_id} is {comment.state} ({comment.reason or 'no reason'}); "
            f"this needs one that is {wanted}"
        )
    return comment


def _to_ready(session: Session, comment: Comment, *, text: str, kind: str, by: str, now: datetime) -> None:
    channel = session.get_one(Channel, comment.channel_id)
    if channel.max_reply_chars is not None and len(text) > channel.max_reply_chars:
        raise VerdictRefused(
            f"the reply has {len(text)} characters, {channel.name} takes {channel.max_reply_chars}; shorten it"
        )
    _record(session, comment, kind=kind, text=text, reason="", by=by, now=now)
    order_replies(session, [Order(comment, comment.draft_id, text)], approved_by=by, now=now)
    _go(
        session,
        comment,
        State.READY,
        Reason.APPROVED if kind == "approve" else Reason.EDITED,
        "",
        by=by,
        now=now,
    )


def _record(
    session: Session, comment: Comment, *, kind: str, text: str, reason: str, by: str, now: datetime
) -> None:
    session.add(
        Verdict(
            comment_id=comment.id or 0,
            draft_id=comment.draft_id,
            kind=kind,
            text=text,
            reason=reason,
            by=by,
            at=now,
        )
    )
    session.flush()


def _go(
    session: Session, comment: Comment, target: State, reason: str, detail: str, *, by: str, now: datetime
) -> None:
    wish = Move(comment.id or 0, State(comment.state), target, reason, detail, version=comment.version)
    if not move(session, [wish], now=now, actor=by):
        raise VerdictRefused(f"comment {comment.id} was changed by someone else just now; look at it again")

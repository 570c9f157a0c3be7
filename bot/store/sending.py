"""What the sender needs: take ready replies, write the intent before the call, and settle what came of it.

    ready ──intent──► sending ──► sent
                         └─ unclear, or the process died ─► unknown ─ platform asked ─► sent | ready | review

The intent is committed before the platform is called, so a reply that may be out there is never `ready` again
before the platform was asked for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, update
from sqlmodel import Session, col, select

from adapters.base import CommentRef
from bot.models import Channel, Comment, Post, Reply, State
from bot.reasons import Reason
from bot.store.drafting import POLICY, take
from bot.store.polling import reference
from bot.store.states import Move, move


@dataclass(frozen=True, slots=True)
class Job:
    """One reply to bring out, or to find out about."""

    comment_id: int
    target: CommentRef
    text: str
    key: str
    attempts: int
    first_attempt_at: datetime | None
    """None when nothing was ever sent."""
    approved_at: datetime | None
    """When a person approved it; None when the policy did."""
    waiting_since: datetime
    """When it came into its present state."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a job."""

    comment_id: int
    source: State
    target: State
    reason: str
    detail: str = ""
    due_at: datetime | None = None
    attempts: int = 0
    platform_id: str | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """Our replies to other comments of a thread."""

    known_ids: frozenset[str]
    """Of those that are known to stand on the platform."""
    pending: tuple[str, ...]
    """Texts of those that may be on their way there."""


def channels_with_work(session: Session, *, now: datetime) -> list[int]:
    """Channels with replies to send or to ask about now."""
    due = (
        select(Comment.channel_id)
        .join(Channel)
        .where(
            col(Comment.state).in_((State.READY, State.SENDING, State.UNKNOWN)),
            col(Comment.due_at) <= now,
            col(Channel.paused).is_(False),
            col(Channel.next_send_at) <= now,
        )
        .distinct()
    )
    return list(session.exec(due))


def claim_ready(
    session: Session,
    *,
    channel_id: int,
    owner: str,
    now: datetime,
    lease: timedelta,
    limit: int,
    gap: timedelta,
    max_per_hour: int | None,
) -> list[Job]:
    """Replies that may go out on the channel now, within its gap and hourly limit, leased to `owner`."""
    row = session.exec(
        select(Channel).where(Channel.id == channel_id).with_for_update(key_share=True)
    ).first()
    if row is None or row.paused or row.next_send_at > now:
        return []
    if max_per_hour is not None:
        limit = min(limit, max_per_hour - _sent_since(session, channel_id, now - timedelta(hours=1)))
    if gap:
        limit = min(limit, 1)
    if limit <= 0:
        return []
    jobs = _claim(session, State.READY, channel_id=channel_id, owner=owner, now=now, lease=lease, limit=limit)
    if jobs and gap:
        row.next_send_at = now + gap
        session.add(row)
    return jobs


def write_intents(
    session: Session, jobs: Iterable[Job], *, owner: str, now: datetime, lease: timedelta
) -> list[Job]:
    """ready → sending. Only the jobs returned may be sent, and only before the lease ends."""
    wanted = {job.comment_id: job for job in jobs}
    moves = [
        Move(
            job.comment_id,
            State.READY,
            State.SENDING,
            Reason.SENDING,
            due_at=now + lease,
            attempts=job.attempts + 1,
        )
        for job in wanted.values()
    ]
    granted = move(session, moves, now=now, actor="sender", owner=owner)
    if granted:
        session.execute(
            update(Comment).where(col(Comment.id).in_(granted)).values(lease_owner=owner),
        )
        session.execute(
            update(Reply)
            .where(col(Reply.comment_id).in_(granted))
            .values(attempted_at=now, first_attempt_at=func.coalesce(Reply.first_attempt_at, now)),
        )
    return [wanted[comment_id] for comment_id in wanted if comment_id in granted]


def settle(session: Session, outcomes: Iterable[Settled], *, owner: str, now: datetime) -> set[int]:
    """Record what came of `owner`'s jobs; returns the ids that were still its own."""
    wanted = list(outcomes)
    moves = [
        Move(o.comment_id, o.source, o.target, o.reason, o.detail, due_at=o.due_at, attempts=o.attempts)
        for o in wanted
    ]
    done = move(session, moves, now=now, actor="sender", owner=owner)
    proofs = [
        {"row_id": outcome.comment_id, "to_sent_at": now, "to_platform_id": outcome.platform_id}
        for outcome in wanted
        if outcome.comment_id in done and outcome.target is State.SENT
    ]
    if proofs:
        session.connection().execute(_PROOF, proofs)
    return done


_PROOF = (
    update(Reply.__table__)  # type: ignore[attr-defined]
    .where(Reply.__table__.c.comment_id == bindparam("row_id"))  # type: ignore[attr-defined]
    .values(sent_at=bindparam("to_sent_at"), platform_id=bindparam("to_platform_id"))
)


def give_back(
    session: Session, comment_ids: Iterable[int], *, state: State, owner: str, due_at: datetime, detail: str
) -> None:
    """End the lease without a move: the row waits in `state` until `due_at`."""
    session.execute(
        update(Comment)
        .where(
            col(Comment.id).in_(list(comment_ids)),
            col(Comment.state) == state,
            col(Comment.lease_owner) == owner,
        )
        .values(lease_owner=None, due_at=due_at, detail=detail)
        .execution_options(synchronize_session=False)
    )


def expire_intents(session: Session, *, channel_id: int, now: datetime, settle_s: float) -> int:
    """sending → unknown for every intent whose holder is gone; the platform is asked after `settle_s`."""
    lost = select(Comment.id, Comment.attempts).where(
        Comment.channel_id == channel_id, col(Comment.state) == State.SENDING, col(Comment.due_at) <= now
    )
    later = now + timedelta(seconds=settle_s)
    moves = [
        Move(row_id or 0, State.SENDING, State.UNKNOWN, Reason.INTERRUPTED, due_at=later, attempts=attempts)
        for row_id, attempts in session.exec(lost.with_for_update(skip_locked=True))
    ]
    return len(move(session, moves, now=now, actor="sender"))


def claim_unknown(
    session: Session, *, channel_id: int, owner: str, now: datetime, lease: timedelta, limit: int
) -> list[Job]:
    """Sends of unclear outcome that the platform may be asked about now, leased to `owner`."""
    return _claim(
        session, State.UNKNOWN, channel_id=channel_id, owner=owner, now=now, lease=lease, limit=limit
    )


def thread_of(session: Session, comment_id: int) -> Thread:
    """What the ledger knows of our replies to the other comments of this comment's thread."""
    here = select(Comment.channel_id, Comment.thread_id).where(Comment.id == comment_id)
    channel_id, thread_id = session.exec(here).one()
    replies = (
        select(Reply.platform_id, Reply.text, Comment.state)
        .join(Comment, col(Comment.id) == Reply.comment_id)
        .where(
            Comment.channel_id == channel_id,
            Comment.thread_id == thread_id,
            col(Reply.comment_id) != comment_id,
        )
    )
    rows = list(session.exec(replies))
    return Thread(
        frozenset(platform_id for platform_id, _, _ in rows if platform_id is not None),
        tuple(text for _, text, state in rows if state in (State.SENDING, State.UNKNOWN)),
    )


def release(session: Session, *, owner: str, now: datetime) -> None:
    """Give back every lease of `owner` but those on intents: these become unknown by themselves, in time."""
    session.execute(
        update(Comment)
        .where(col(Comment.lease_owner) == owner, col(Comment.state) != State.SENDING)
        .values(lease_owner=None, due_at=now)
        .execution_options(synchronize_session=False)
    )


def _sent_since(session: Session, channel_id: int, since: datetime) -> int:
    sent = select(func.count()).where(Reply.channel_id == channel_id, col(Reply.attempted_at) > since)
    return session.exec(sent).one()


def _claim(
    session: Session,
    state: State,
    *,
    channel_id: int,
    owner: str,
    now: datetime,
    lease: timedelta,
    limit: int,
) -> list[Job]:
    due = (
        select(Comment)
        .where(Comment.channel_id == channel_id, col(Comment.state) == state, col(Comment.due_at) <= now)
        .order_by(col(Comment.due_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    comments = {comment.id: comment for comment in session.exec(due)}
    take(session, comments.values(), owner=owner, until=now + lease)
    around = select(Reply, Post).join(Comment, col(Comment.id) == Reply.comment_id).join(Post)
    rows = session.exec(around.where(col(Reply.comment_id).in_(comments)))
    return [
        Job(
            reply.comment_id,
            reference(comments[reply.comment_id], post),
            reply.text,
            reply.key,
            comments[reply.comment_id].attempts,
            reply.first_attempt_at,
            None if reply.approved_by == POLICY else reply.ordered_at,
            comments[reply.comment_id].updated_at,
        )
        for reply, post in rows
    ]

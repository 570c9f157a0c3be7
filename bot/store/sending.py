"""What the sender needs: take ready replies, write the intent before the call, and settle what came of it.

    ready ──intent──► sending ──► sent
                         └─ unclear, or the process died ─► unknown ─ platform asked ─► sent | ready | review

The intent is committed before the platform is called, so a reply that may be out there is never `ready` again
before the platform was asked for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, func, update
from sqlmodel import Session, col, select

from adapters.base import CommentRef, Quota, ReplyRef
from bot.models import Channel, Comment, Post, Reply, State
from bot.planning import PollShare, day_of
from bot.reasons import Reason
from bot.store import budgets, shadow
from bot.store.drafting import take
from bot.store.polling import reference
from bot.store.shadow import POLICY
from bot.store.states import Move, move

_OPENS = "opens "
NO_POLLS = PollShare(0.0, float("inf"))


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
    seen_by_person: frozenset[str] | None
    """Our comments in the thread that whoever approved the reply could see; None when the policy approved it."""
    earlier_texts: tuple[str, ...]
    """Other texts that were tried before."""
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
    waiting = select(Comment.id).where(
        col(Comment.channel_id) == col(Channel.id),
        col(Comment.state).in_((State.READY, State.SENDING, State.UNKNOWN)),
        col(Comment.due_at) <= now,
    )
    open_now = select(Channel.id).where(
        col(Channel.paused).is_(False), col(Channel.next_send_at) <= now, waiting.exists()
    )
    return [channel_id for channel_id in session.exec(open_now) if channel_id is not None]


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
    opens_at: datetime | None = None,
    quota: Quota | None = None,
    polls: PollShare = NO_POLLS,
    only: int | None = None,
) -> list[Job]:
    """Replies that may go out on the channel now, within its gap, its hourly limit and the platform's `quota`, leased
    to `owner`: those whose turn is first.

    Before `opens_at`, only those that a person approved; the others wait until then. `only`: to this comment alone.
    """
    row = _open_channel(session, channel_id, now)
    if row is None:
        return []
    if row.shadow:
        shadow.hold_back(session, channel_id=channel_id, now=now)
        return []
    if opens_at is not None and opens_at > now:
        _wait_for_opening(session, channel_id, now=now, opens_at=opens_at)
    if max_per_hour is not None:
        used = sent_since(session, channel_id, now - timedelta(hours=1))
        limit = min(limit, max_per_hour - used - _about_to_send(session, channel_id, now))
    if gap:
        limit = min(limit, 1)
    if limit > 0 and quota is not None:
        limit = min(limit, _affordable(session, row, quota, now=now, polls=polls))
    if limit <= 0:
        return []
    jobs = _claim(
        session, State.READY, channel_id=channel_id, owner=owner, now=now, lease=lease, limit=limit, only=only
    )
    if jobs and gap:
        row.next_send_at = now + gap
        session.add(row)
    return jobs


def write_intents(
    session: Session,
    jobs: Iterable[Job],
    *,
    owner: str,
    now: datetime,
    lease: timedelta,
    actor: str = "sender",
) -> list[Job]:
    """ready → sending. Only the jobs returned may be sent, and only before the lease ends; none in shadow."""
    given = {job.comment_id: job for job in jobs}
    held = shadow.among(session, given.keys())
    wanted = {comment_id: job for comment_id, job in given.items() if comment_id not in held}
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
    granted = move(session, moves, now=now, actor=actor, owner=owner)
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


def settle(
    session: Session, outcomes: Iterable[Settled], *, owner: str, now: datetime, actor: str = "sender"
) -> set[int]:
    """Record what came of `owner`'s jobs; returns the ids that were still its own.

    In shadow, what would wait to be sent again waits for a person instead.
    """
    wanted = _held_in_shadow(session, _with_proof_of_their_own(session, list(outcomes)))
    moves = [
        Move(o.comment_id, o.source, o.target, o.reason, o.detail, due_at=o.due_at, attempts=o.attempts)
        for o in wanted
    ]
    done = move(session, moves, now=now, actor=actor, owner=owner)
    proofs = [
        {"row_id": outcome.comment_id, "to_sent_at": now, "to_platform_id": outcome.platform_id}
        for outcome in wanted
        if outcome.comment_id in done and outcome.target is State.SENT
    ]
    if proofs:
        session.connection().execute(_PROOF, proofs)
    return done


def _held_in_shadow(session: Session, outcomes: list[Settled]) -> list[Settled]:
    again = [outcome.comment_id for outcome in outcomes if outcome.target is State.READY]
    held = shadow.among(session, again) if again else set()
    return [
        replace(outcome, target=State.REVIEW, reason=Reason.SHADOW, due_at=None)
        if outcome.target is State.READY and outcome.comment_id in held
        else outcome
        for outcome in outcomes
    ]


def _with_proof_of_their_own(session: Session, outcomes: list[Settled]) -> list[Settled]:
    """Without those whose reply on the platform is another comment's already: they stay, and are asked about again."""
    ids = [outcome.platform_id for outcome in outcomes if outcome.platform_id is not None]
    if not ids:
        return outcomes
    held = (
        select(Reply.platform_id, Reply.comment_id)
        .join(Comment, col(Comment.channel_id) == col(Reply.channel_id))
        .where(col(Comment.id) == outcomes[0].comment_id, col(Reply.platform_id).in_(ids))
    )
    holder = dict(session.exec(held).all())
    for outcome in outcomes:
        if outcome.platform_id is not None:
            holder.setdefault(outcome.platform_id, outcome.comment_id)
    return [o for o in outcomes if o.platform_id is None or holder[o.platform_id] == o.comment_id]


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
    if _open_channel(session, channel_id, now) is None:
        return []
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


def own_answers(session: Session, comment_id: int) -> list[ReplyRef]:
    """What the ledger itself knows of our account's comments that may answer this one and that it did not send."""
    comment = session.get_one(Comment, comment_id)
    flat = session.get_one(Channel, comment.channel_id).flat_threads
    own = (
        select(Comment)
        .join(
            Reply,
            (col(Reply.platform_id) == col(Comment.platform_id))
            & (col(Reply.channel_id) == col(Comment.channel_id)),
            isouter=True,
        )
        .where(
            Comment.channel_id == comment.channel_id,
            Comment.thread_id == comment.thread_id,
            col(Comment.is_own).is_(True),
            Comment.created_at >= comment.created_at,
            col(Reply.id).is_(None),
        )
    )
    if not flat:
        own = own.where(Comment.parent_id == comment.platform_id)
    return [
        ReplyRef(row.platform_id, row.parent_id or "", row.text, row.created_at) for row in session.exec(own)
    ]


def _seen_by_person(session: Session, comment: Comment, reply: Reply) -> frozenset[str]:
    own = select(Comment.platform_id).where(
        Comment.channel_id == comment.channel_id,
        Comment.thread_id == comment.thread_id,
        col(Comment.is_own).is_(True),
        Comment.ingested_at <= reply.ordered_at,
    )
    return frozenset(session.exec(own))


def release(session: Session, *, owner: str, now: datetime) -> None:
    """Give back every lease of `owner` but those on intents: these become unknown by themselves, in time."""
    session.execute(
        update(Comment)
        .where(col(Comment.lease_owner) == owner, col(Comment.state) != State.SENDING)
        .values(lease_owner=None, due_at=now)
        .execution_options(synchronize_session=False)
    )


def _open_channel(session: Session, channel_id: int, now: datetime) -> Channel | None:
    """The channel, locked; None while it is paused or told to wait."""
    row = session.exec(
        select(Channel).where(Channel.id == channel_id).with_for_update(key_share=True)
    ).first()
    return None if row is None or row.paused or row.next_send_at > now else row


def _affordable(session: Session, row: Channel, quota: Quota, *, now: datetime, polls: PollShare) -> int:
    """How many replies the platform's budget still pays for; where it is none, the channel waits for the reset."""
    day = day_of(quota, now)
    # Counting nothing takes the budget's row until this transaction ends: channels that share it take turns.
    budgets.add_units(session, budgets.name_of(row.platform, row.id or 0, quota), day, 0)
    number = budgets.for_replies(session, row, quota, now=now, polls=polls).today
    if number <= 0:
        row.next_send_at = day.ends
        session.add(row)
        _wait_for_reset(session, row.id or 0, now=now, resets_at=day.ends)
    return number


def _wait_for_reset(session: Session, channel_id: int, *, now: datetime, resets_at: datetime) -> None:
    """Say of what is due that the platform's budget is used up; the channel itself is held until then."""
    session.execute(
        update(Comment)
        .where(
            col(Comment.channel_id) == channel_id,
            col(Comment.state) == State.READY,
            col(Comment.due_at) <= now,
        )
        .values(
            reason=Reason.WAITING_FOR_PLATFORM,
            detail=f"the day's units are used up; it goes on at {resets_at:%Y-%m-%dT%H:%MZ}",
            lease_owner=None,
        )
        .execution_options(synchronize_session=False)
    )


def _wait_for_opening(session: Session, channel_id: int, *, now: datetime, opens_at: datetime) -> None:
    """Put off what is due and was approved by the policy: each once, so that waiting replies cost nothing."""
    # Also where a lease has run out: its holder is gone.
    due = col(Comment.due_at) <= now
    _put_off(session, channel_id, due, due_at=opens_at, detail=f"{_OPENS}{opens_at:%Y-%m-%dT%H:%MZ}")


def open_again(session: Session, channel_id: int, *, now: datetime) -> None:
    """The opening hours were changed: what waits for an opening is due now, and put off again if need be."""
    # Those alone: a random delay, or a pause that the platform asked for, is not about the hours.
    for_hours = col(Comment.detail).startswith(_OPENS)
    waits = (col(Comment.due_at) > now) & col(Comment.lease_owner).is_(None) & for_hours
    _put_off(session, channel_id, waits, due_at=now, detail="")


def _put_off(
    session: Session, channel_id: int, which: ColumnElement[bool], *, due_at: datetime, detail: str
) -> None:
    by_policy = select(Reply.id).where(
        col(Reply.comment_id) == col(Comment.id), col(Reply.approved_by) == POLICY
    )
    session.execute(
        update(Comment)
        .where(
            col(Comment.channel_id) == channel_id,
            col(Comment.state) == State.READY,
            which,
            by_policy.exists(),
        )
        .values(due_at=due_at, detail=detail, lease_owner=None)
        .execution_options(synchronize_session=False)
    )


def _about_to_send(session: Session, channel_id: int, now: datetime) -> int:
    """Ready replies that some process holds."""
    held = select(func.count()).where(
        Comment.channel_id == channel_id,
        col(Comment.state) == State.READY,
        col(Comment.lease_owner).is_not(None),
        col(Comment.due_at) > now,
    )
    return session.exec(held).one()


def sent_since(session: Session, channel_id: int, since: datetime) -> int:
    """Replies of a channel that were tried after `since`."""
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
    only: int | None = None,
) -> list[Job]:
    due = (
        select(Comment)
        .where(
            Comment.channel_id == channel_id,
            col(Comment.state) == state,
            # Kept from the index on `due_at`: with 100,000 due rows, their order is what has to come from one.
            func.coalesce(Comment.due_at, now) <= now,
        )
        .order_by(col(Comment.turn), col(Comment.created_at), col(Comment.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if only is not None:
        due = due.where(Comment.id == only)
    comments = {comment.id: comment for comment in session.exec(due)}
    take(session, comments.values(), owner=owner, until=now + lease)
    around = select(Reply, Post).join(Comment, col(Comment.id) == Reply.comment_id).join(Post)
    found = session.exec(around.where(col(Reply.comment_id).in_(comments)))
    place = {comment_id: number for number, comment_id in enumerate(comments)}
    rows = sorted(found, key=lambda row: place[row[0].comment_id])
    return [
        Job(
            reply.comment_id,
            reference(comments[reply.comment_id], post),
            reply.text,
            reply.key,
            comments[reply.comment_id].attempts,
            reply.first_attempt_at,
            None
            if reply.approved_by == POLICY
            else _seen_by_person(session, comments[reply.comment_id], reply),
            tuple(reply.earlier_texts),
            comments[reply.comment_id].updated_at,
        )
        for reply, post in rows
    ]

"""Replies that a person or another program brings out, each handed out once.

    ready ──lease──► sending ──acknowledged──► sent | failed | ready or review (not sent)
                        └─ the lease ends ─► unknown ─► review: a person finds out

As in `bot.sender` the intent is written before anybody may speak, by the same rules: opening hours, gap, hourly limit,
shadow; refusals in a row stop the channel. What was handed out and not acknowledged is never handed out again unless a
person says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import uuid4

from sqlmodel import Session

from adapters.inbox import capabilities_of
from bot.inbox import options_of
from bot.models import Channel, Comment, Reply, State
from bot.opening import next_opening
from bot.reasons import Reason
from bot.sender import gap_s, seen
from bot.settings import ChannelRulesSettings
from bot.store import circuit, inbox, sending
from bot.store.inbox import Waiting
from bot.store.sending import Job, Settled

MOST: Final = 50
"""Replies handed out at once."""
Delivery = Literal["person", "outbox"]


class NotHandedOut(ValueError):
    """Nothing was changed; the message is one line that says why."""


class NoSuchReply(NotHandedOut):
    """The channel has none of this number."""


class LeaseEnded(NotHandedOut):
    """Whoever acknowledges no longer has the reply."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The reply stands on the platform."""

    platform_id: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The platform does not take it, and trying again does not help."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing went out. Another try may follow after `wait`; None: a person decides."""

    wait: timedelta | None = None


Outcome = Sent | Failed | NotSent


@dataclass(frozen=True, slots=True)
class Leased:
    """A reply that whoever asked may bring out until `ends_at`."""

    waiting: Waiting
    lease: str
    ends_at: datetime


def lease(
    session: Session,
    channel_id: int,
    *,
    delivery: Delivery,
    who: str,
    now: datetime,
    limit: int = MOST,
    only: int | None = None,
) -> list[Leased]:
    """ready → sending for replies that may go out now, at most `limit`, or `only` the one to this comment.

    Raises NotHandedOut where the channel's replies go another way, NotAnInbox.
    """
    channel = inbox.channel_for_update(session, channel_id)
    options = options_of(channel)
    if options.delivery != delivery:
        raise NotHandedOut(
            f"replies of {channel.name} are not taken here: its option delivery is {options.delivery}"
        )
    settle_lost(session, channel_id, now=now)
    owner, term = f"{delivery}/{uuid4().hex}/{who}", timedelta(seconds=options.lease_s)
    rules, able = ChannelRulesSettings.model_validate(channel.rules), capabilities_of(options)
    jobs = sending.claim_ready(
        session,
        channel_id=channel_id,
        owner=owner,
        now=now,
        lease=term,
        limit=min(limit, MOST),
        gap=timedelta(seconds=gap_s(rules, able)),
        max_per_hour=rules.max_per_hour,
        opens_at=next_opening(rules.hours, rules.time_zone, now),
        only=only,
    )
    free = _fit(session, jobs, owner=owner, now=now, longest=able.max_reply_chars)
    granted = sending.write_intents(session, free, owner=owner, now=now, lease=term, actor=who)
    session.expire_all()  # moves go past the session's own objects
    found = inbox.those_of(session, [job.comment_id for job in granted])
    return [Leased(one, owner, now + term) for one in found]


def _fit(session: Session, jobs: Sequence[Job], *, owner: str, now: datetime, longest: int) -> list[Job]:
    """Without those that somebody with the account has answered, as far as imports tell, and those that are too long
    since the channel's limit was changed; these are settled.
    """
    free: list[Job] = []
    settled: list[Settled] = []
    for job in jobs:
        known = seen(job, sending.own_answers(session, job.comment_id), State.READY) or _too_long(
            job, longest
        )
        if known is None:
            free.append(job)
        else:
            settled.append(known)
    if settled:
        sending.settle(session, settled, owner=owner, now=now)
    return free


def _too_long(job: Job, longest: int) -> Settled | None:
    if len(job.text) <= longest:
        return None
    detail = f"{len(job.text)} > {longest}"
    return Settled(job.comment_id, State.READY, State.REVIEW, Reason.REPLY_TOO_LONG, detail)


def settle_lost(session: Session, channel_id: int, *, now: datetime) -> int:
    """Have a person find out about replies whose lease has ended; returns how many."""
    sending.expire_intents(session, channel_id=channel_id, now=now, settle_s=0)
    session.expire_all()
    return inbox.ask_person(session, channel_id, now=now)


def acknowledge(
    session: Session,
    channel: Channel,
    reply_id: int,
    *,
    lease: str,
    outcome: Outcome,
    who: str,
    now: datetime,
) -> State:
    """What came of a reply; returns the state of its comment. The same acknowledgement may be given again.

    Raises NoSuchReply, LeaseEnded, and NotHandedOut where the platform's id is another reply's.
    """
    # Before any comment: whoever leases takes the locks in this order too.
    channel = inbox.channel_for_update(session, channel.id or 0)
    settle_lost(session, channel.id or 0, now=now)
    found = inbox.reply_of(session, channel.id or 0, reply_id)
    if found is None:
        raise NoSuchReply(f"{channel.name} has no reply {reply_id}")
    reply, comment = found
    wish = _settled(comment, outcome, now)
    if isinstance(outcome, Sent):
        _refuse_of_another(session, reply, outcome)
    if comment.state == wish.target and comment.lease_owner is None:
        return State(comment.state)
    if sending.settle(session, [wish], owner=lease, now=now, actor=who):
        _watch(session, channel, outcome, now)
        session.refresh(comment)
        return State(comment.state)
    told = outcome.platform_id if isinstance(outcome, Sent) else None
    if isinstance(outcome, Sent) and inbox.sent_after_all(
        session, reply, comment, platform_id=told, now=now, actor=who
    ):
        _watch(session, channel, outcome, now)
        return State.SENT
    raise LeaseEnded(
        f"reply {reply_id} is not yours: its lease has ended or is another's, and its comment is {comment.state}; "
        "send nothing more for it, a person looks after it"
    )


def _watch(session: Session, channel: Channel, outcome: Outcome, now: datetime) -> None:
    """As the sender does: replies that the platform refuses in a row are the first sign of a block."""
    if isinstance(outcome, Failed):
        circuit.note(session, channel.id or 0, "refusals", [True], now=now, detail=outcome.reason)
    elif isinstance(outcome, Sent) and channel.refusals:
        circuit.note(session, channel.id or 0, "refusals", [False], now=now)


def _settled(comment: Comment, outcome: Outcome, now: datetime) -> Settled:
    row, before = comment.id or 0, comment.attempts
    if isinstance(outcome, Sent):
        return Settled(row, State.SENDING, State.SENT, Reason.SENT, platform_id=outcome.platform_id)
    if isinstance(outcome, Failed):
        return Settled(row, State.SENDING, State.FAILED, Reason.REFUSED_BY_PLATFORM, outcome.reason)
    if outcome.wait is None:
        return Settled(row, State.SENDING, State.REVIEW, Reason.GIVEN_BACK)
    due_at, attempts = now + outcome.wait, max(before - 1, 0)
    return Settled(row, State.SENDING, State.READY, Reason.GIVEN_BACK, due_at=due_at, attempts=attempts)


def _refuse_of_another(session: Session, reply: Reply, outcome: Sent) -> None:
    if outcome.platform_id is None:
        return
    holder = inbox.taken(session, reply.channel_id, outcome.platform_id)
    if holder not in (None, reply.comment_id):
        raise NotHandedOut(
            f"the id {outcome.platform_id} is that of the reply to comment {holder} already; give the right one"
        )


def taken_by(lease_owner: str | None) -> str:
    """Who has taken a reply, by its lease; empty where nobody has."""
    parts = (lease_owner or "").split("/", 2)
    return parts[2] if len(parts) == 3 and parts[0] in ("person", "outbox") else ""

"""What the overview counts: each day by itself, found through the indexes, so that a large ledger costs no more.

Everything is told with its channel and added up by the reader: a query for one channel alone would lead SQLite away
from the index of the times.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func
from sqlalchemy import select as sqlalchemy_select
from sqlmodel import Session, col, select

from bot.models import Channel, Comment, Draft, Post, Reply, State, Verdict
from bot.reasons import Reason
from bot.settings import ChannelRulesSettings
from bot.store.sending import sent_since
from bot.store.unanswered import Unanswered

MOST_REPLIES, MOST_VERDICTS = 2_000, 2_000
"""Of one day, the newest; more would change no percentile or rate that a person reads."""
MOST_COMMENTS = 10_000
"""How many of the newest comments are searched for what the documents don't answer."""
MOST_DRAFTS = 5_000
JUDGES = ("approve", "edit", "reject")

Came = tuple[int, State, str]
"""Channel, state and reason of comments."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a person decided about a draft."""

    channel_id: int
    draft_id: int
    voice: str | None
    kind: str
    """`approve`, `edit` or `reject`."""
    draft: str
    """What the person started from."""
    text: str
    """What is to be sent; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class Day:
    """What the ledger holds of one day."""

    start: datetime
    end: datetime
    came: Mapping[Came, int]
    """Comments that came in on that day, by what has become of them until now."""
    waits: tuple[tuple[int, float], ...]
    """Of the replies sent on that day: channel, and seconds since the comment came in."""
    opinions: tuple[Opinion, ...]


@dataclass(frozen=True, slots=True)
class Quota:
    """What a channel may still send within the hour."""

    channel: str
    used: int
    """Replies tried in the last 60 minutes."""
    allowed: int | None
    """None: no limit."""
    waits_until: datetime | None
    """The platform, or the gap between two replies, lets nothing out before; None: nothing holds it."""

    @property
    def left(self) -> int | None:
        return None if self.allowed is None else max(0, self.allowed - self.used)


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft, as much as is needed to say whether it would go out under other rules."""

    intent: str
    support: float
    """Probability, 0 to 1, that its passages answer the comment."""
    rests: bool
    """It cites a passage."""
    reason: str
    findings: bool
    """The checks found something."""


def days(session: Session, spans: Iterable[tuple[datetime, datetime]]) -> list[Day]:
    """One for each span, from its start to before its end. Our own comments and history are left out, and so is what
    a person took back."""
    return [
        Day(
            start,
            end,
            _came(session, start, end),
            _waits(session, start, end),
            _opinions(session, start, end),
        )
        for start, end in spans
    ]


def quotas(session: Session, *, now: datetime) -> list[Quota]:
    """One for each channel that is not paused, by name."""
    rows = session.exec(select(Channel).where(col(Channel.paused).is_(False)).order_by(Channel.name))
    return [
        Quota(
            channel.name,
            sent_since(session, channel.id or 0, now - timedelta(hours=1)),
            ChannelRulesSettings.model_validate(channel.rules).max_per_hour,
            channel.next_send_at if channel.next_send_at > now else None,
        )
        for channel in rows
    ]


def asked_in_vain(session: Session, *, since: datetime) -> list[Unanswered]:
    """Of the newest `MOST_COMMENTS` comments that came in at `since` or later, those whose draft found nothing in the
    documents, oldest first."""
    rows = (
        _columns(
            Comment.id, Comment.text, Channel.name, Post.title, Post.platform_id, Comment.created_at, Comment.state
        )
        .join(Draft, col(Draft.id) == Comment.draft_id)
        .join(Channel, col(Channel.id) == Comment.channel_id)
        .join(Post, col(Post.id) == Comment.post_id)
        .where(
            col(Comment.id).in_(_newest(since, MOST_COMMENTS)),
            col(Draft.reason) == Reason.NOT_IN_DOCUMENTS,
            col(Comment.is_own).is_(False),
        )
        .order_by(col(Comment.created_at), col(Comment.id))
    )  # fmt: skip
    return [
        Unanswered(number, text, channel, title or post, at, state == State.REVIEW)
        for number, text, channel, title, post, at, state in session.connection().execute(rows)
    ]


def drafted(session: Session, *, channel_id: int, since: datetime) -> list[Drafted]:
    """The drafts in force of a channel's comments that came in at `since` or later, `MOST_DRAFTS` at most."""
    rows = (
        _columns(Draft.intent, Draft.support, Draft.citations, Draft.reason, Draft.findings)
        .join(Draft, col(Draft.id) == Comment.draft_id)
        # Not by an index of the channel: see above.
        .where(col(Comment.ingested_at) >= since, (col(Comment.channel_id) + 0) == channel_id)
        .order_by(col(Comment.ingested_at).desc())
        .limit(MOST_DRAFTS)
    )
    return [
        Drafted(intent, support, bool(citations), reason, bool(findings))
        for intent, support, citations, reason, findings in session.connection().execute(rows)
    ]


def waiting(session: Session) -> dict[int, Counter[State]]:
    """Of each channel, how many comments are in a state that is no end."""
    open_states = (State.NEW, State.REVIEW, State.READY, State.SENDING, State.UNKNOWN, State.FAILED)
    rows = (
        select(Comment.channel_id, Comment.state, func.count())
        .where(col(Comment.state).in_(open_states), col(Comment.is_own).is_(False))
        .group_by(col(Comment.channel_id), col(Comment.state))
    )
    found: dict[int, Counter[State]] = {}
    for channel_id, state, number in session.exec(rows):
        found.setdefault(channel_id, Counter())[State(state)] = number
    return found


def _came(session: Session, start: datetime, end: datetime) -> dict[Came, int]:
    rows = (
        select(Comment.channel_id, Comment.state, Comment.reason, func.count())
        .where(
            col(Comment.ingested_at) >= start,
            col(Comment.ingested_at) < end,
            col(Comment.is_own).is_(False),
            col(Comment.reason) != Reason.BEFORE_BASELINE,
        )
        .group_by(col(Comment.channel_id), col(Comment.state), col(Comment.reason))
    )
    return {(channel, State(state), reason): number for channel, state, reason, number in session.exec(rows)}


def _waits(session: Session, start: datetime, end: datetime) -> tuple[tuple[int, float], ...]:
    sent_at = col(Reply.sent_at)
    rows = (
        sqlalchemy_select(col(Reply.channel_id), col(Comment.ingested_at), sent_at)
        .join(Comment, col(Comment.id) == col(Reply.comment_id))
        .where(sent_at >= start, sent_at < end)
        .order_by(sent_at.desc())
        .limit(MOST_REPLIES)
    )
    found: Iterable[Any] = session.connection().execute(rows)
    return tuple((channel, max(0.0, (sent - came).total_seconds())) for channel, came, sent in found)


def _opinions(session: Session, start: datetime, end: datetime) -> tuple[Opinion, ...]:
    rows = (
        _columns(
            Comment.channel_id, Draft.id, Draft.voice, Verdict.kind, Draft.text, Verdict.text, Verdict.candidates,
            Verdict.chosen, origin=Verdict,
        )
        .join(Draft, col(Draft.id) == Verdict.draft_id)
        .join(Comment, col(Comment.id) == Verdict.comment_id)
        .where(
            col(Verdict.at) >= start,
            col(Verdict.at) < end,
            col(Verdict.undone_at).is_(None),
            col(Verdict.kind).in_(JUDGES),
        )
        .order_by(col(Verdict.at).desc())
        .limit(MOST_VERDICTS)
    )  # fmt: skip
    return tuple(
        Opinion(channel, draft, voice, kind, _began_with(before, candidates, chosen), after)
        for channel, draft, voice, kind, before, after, candidates, chosen in session.connection().execute(
            rows
        )
    )


def _began_with(draft: str, candidates: list[str], chosen: int | None) -> str:
    return candidates[chosen] if chosen is not None and 0 <= chosen < len(candidates) else draft


def _newest(since: datetime, most: int) -> Any:
    newest = select(Comment.id).where(col(Comment.ingested_at) >= since)
    return newest.order_by(col(Comment.ingested_at).desc()).limit(most)


def _columns(*columns: Any, origin: Any = Comment) -> Select[Any]:
    """A query of single columns; SQLModel's own `select` is typed for four."""
    return sqlalchemy_select(*columns).select_from(origin)

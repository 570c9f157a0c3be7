"""What a channel's replies have to look forward to: when each goes out, and how much of the budget is used."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from adapters.base import Quota
from bot.models import Channel, Comment, Reply, State
from bot.planning import Limits, PollShare, Waiting, day_of, plan
from bot.settings import ChannelRulesSettings
from bot.store import budgets
from bot.store.shadow import POLICY

MOST_PLANNED = 500
"""Replies whose moments are told; those behind go out after them."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A platform's budget on its present day."""

    units: int
    used: int
    resets_at: datetime
    today: int
    """Replies that it still pays for until then."""
    a_day: int
    """And on each day after."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of one channel."""

    ready: int
    """Replies that wait to go out."""
    goes: dict[int, datetime | None]
    """When the first `MOST_PLANNED` of them do, by comment, in their order; None where the rules let none out."""
    spent: Spent | None
    """None where the platform counts no units."""


def spent(session: Session, channel: Channel, *, now: datetime, polls: PollShare) -> Spent | None:
    """How much of the channel's budget is used."""
    quota = budgets.quota_of(channel.quota)
    if quota is None:
        return None
    day = day_of(quota, now)
    left = budgets.for_replies(session, channel, quota, now=now, polls=polls)
    used = budgets.used(session, budgets.name_of(channel.platform, channel.id or 0, quota), day)
    return Spent(quota.units, used, day.ends, left.today, left.a_day)


def outlook(session: Session, channel: Channel, *, now: datetime, polls: PollShare) -> Outlook:
    """What is ready on the channel, by its present rules. Replies to come, and those of other channels that share the
    budget, are not foreseen.
    """
    number = select(func.count()).where(Comment.channel_id == channel.id, Comment.state == State.READY)
    quota = budgets.quota_of(channel.quota)
    limits = _limits(session, channel, quota, now=now, polls=polls)
    goes = {} if channel.paused or channel.shadow else plan(_waiting(session, channel), limits, now)
    return Outlook(session.exec(number).one(), goes, spent(session, channel, now=now, polls=polls))


def _waiting(session: Session, channel: Channel) -> list[Waiting]:
    rows = (
        select(Comment.id, Comment.due_at, Reply.approved_by)
        .join(Reply, col(Reply.comment_id) == Comment.id)
        .where(Comment.channel_id == channel.id, Comment.state == State.READY)
        .order_by(col(Comment.turn), col(Comment.created_at), col(Comment.id))
        .limit(MOST_PLANNED)
    )
    return [Waiting(number or 0, due_at, by != POLICY) for number, due_at, by in session.exec(rows)]


def _limits(
    session: Session, channel: Channel, quota: Quota | None, *, now: datetime, polls: PollShare
) -> Limits:
    rules = ChannelRulesSettings.model_validate(channel.rules)
    tried = select(Reply.attempted_at).where(
        Reply.channel_id == channel.id, col(Reply.attempted_at) > now - timedelta(hours=1)
    )
    return Limits(
        starts_at=channel.next_send_at,
        gap_s=max(rules.min_gap_s or 0.0, channel.reply_gap_s),
        max_per_hour=rules.max_per_hour,
        tried=tuple(sorted(at for at in session.exec(tried) if at is not None)),
        week=rules.hours,
        time_zone=rules.time_zone,
        affordable=None
        if quota is None
        else budgets.for_replies(session, channel, quota, now=now, polls=polls),
    )

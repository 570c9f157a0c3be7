"""Numbers: where the comments are, and what happened day by day."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field
from sqlmodel import Session

from adapters.base import Clock
from bot.api.operations import Call, Operation
from bot.api.types import Given, Moment, Name, Told
from bot.models import State
from bot.store import channels, daily, stats
from bot.store.channels import NoSuchChannel
from bot.store.ledger import Ledger
from bot.web.problems import Problem

LONGEST: Final = timedelta(days=366)
_USUAL: Final = timedelta(days=30)


class DayTold(Told):
    """One day, as UTC counts days."""

    date: str
    comments: int = Field(description="Of other people, that came in.")
    sent: int
    approved: int
    edited: int
    rejected: int
    skipped: int = Field(description="By a person.")


class ReasonCount(Told):
    """How many comments are in a state for a reason."""

    state: State
    reason: str
    comments: int


class StatsTold(Told):
    """Comments of other people; the states always add up to `comments`."""

    comments: int
    waiting: int = Field(description="Those that Rejoinder itself still has to move.")
    by_state: dict[State, int]
    by_reason: list[ReasonCount]
    days: list[DayTold] = Field(description="Those on which something happened.")


class StatsQuery(Given):
    """Which days and which channel; the counts by state are of all days."""

    channel: Name | None = None
    since: Moment | None = Field(default=None, description="Default: 30 days before `until`.")
    until: Moment | None = Field(default=None, description="Default: now.")


class StatsApi:
    """Handlers."""

    def __init__(self, *, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        return [Operation("GET", "/stats", self.get_stats)]

    async def get_stats(self, call: Call, query: StatsQuery) -> StatsTold:
        """Counts, and what happened on each day; at most a year."""
        until = query.until or self._clock()
        try:
            since = query.since or until - _USUAL
        except OverflowError as error:
            raise Problem(400, "invalid", "until: lies too early", field="until") from error
        if not since <= until or until - since > LONGEST:
            raise Problem(400, "invalid", "since: must lie before until, by at most 366 days", field="since")
        return await self._ledger.aread(_gathered, query.channel, since, until)


def _gathered(session: Session, channel: str | None, since: datetime, until: datetime) -> StatsTold:
    try:
        channel_id = channels.named(session, channel).id if channel is not None else None
    except NoSuchChannel as error:
        raise Problem(404, "not_found", str(error), field="channel") from error
    counts = stats.counts(session, channel_id=channel_id)
    reasons = sorted(counts.by_reason.items())
    return StatsTold(
        comments=counts.comments,
        waiting=counts.waiting,
        by_state={state: counts[state] for state in State},
        by_reason=[ReasonCount(state=state, reason=why, comments=count) for (state, why), count in reasons],
        days=[
            DayTold.model_validate(day)
            for day in daily.days(session, since=since, until=until, channel_id=channel_id)
        ],
    )

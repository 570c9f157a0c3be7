"""Channels: how they are, and what they may do."""

from collections.abc import Collection, Sequence
from datetime import datetime

from pydantic import Field
from sqlmodel import Session

from adapters.base import Clock
from bot.access.visitor import Visitor
from bot.api import cursors
from bot.api.operations import Call, Operation
from bot.api.types import Given, Id, Paged, PageOf, Told
from bot.models import Channel, Role
from bot.planning import PollShare
from bot.settings import ChannelRulesSettings
from bot.store import channel_acts, channels
from bot.store.ledger import Ledger
from bot.store.outlook import outlook
from bot.web.problems import Problem


class BudgetTold(Told):
    """A platform's budget on its present day."""

    units: int
    used: int
    resets_at: datetime
    today: int = Field(description="Replies that it still pays for until then.")
    a_day: int = Field(description="And on each day after.")


class GoesTold(Told):
    """A reply that is ready."""

    comment: int
    at: datetime | None = Field(description="When it goes out; null where the rules let none out.")


class PlanTold(Told):
    """When the replies of a channel go out."""

    ready: int = Field(description="All that wait; the first 500 of them are told.")
    budget: BudgetTold | None = Field(description="Null where the platform counts no units.")
    replies: list[GoesTold]


class ChannelTold(Told):
    """One account on one platform. Its options, which lead to secrets, are not told."""

    id: int
    name: str
    platform: str
    paused: bool
    shadow: bool = Field(description="Everything is drafted and decided, nothing is sent.")
    to_connect: bool = Field(description="The account must be connected again, on the service's machine.")
    rules: ChannelRulesSettings
    max_reply_chars: int | None
    created_at: datetime
    answer_since: datetime
    last_poll_at: datetime | None
    last_error: str | None
    error_since: datetime | None
    failures: int = Field(description="Polls that failed in a row.")


class ChannelsPage(PageOf):
    """Channels, oldest first."""

    items: list[ChannelTold]


class ChannelPath(Given):
    """Which channel."""

    channel_id: Id


class Shadow(Given):
    """Whether a channel sends nothing."""

    on: bool


class ChannelsApi:
    """Handlers; `personas` are the names that rules may hold."""

    def __init__(self, *, ledger: Ledger, clock: Clock, personas: Collection[str], polls: PollShare) -> None:
        self._ledger = ledger
        self._clock = clock
        self._polls = polls
        self._personas = personas

    def operations(self) -> Sequence[Operation]:
        one = "/channels/{channel_id}"
        return [
            Operation("GET", "/channels", self.list_channels),
            Operation("GET", one, self.get_channel),
            Operation("GET", f"{one}/plan", self.plan_channel),
            Operation("POST", f"{one}/pause", self.pause_channel, Role.OWNER),
            Operation("POST", f"{one}/resume", self.resume_channel, Role.OWNER),
            Operation("PUT", f"{one}/shadow", self.shadow_channel, Role.OWNER),
            Operation("PUT", f"{one}/rules", self.set_channel_rules, Role.OWNER),
        ]

    async def list_channels(self, call: Call, query: Paged) -> ChannelsPage:
        """Every channel, with its health."""
        after = cursors.after_id(query.cursor, "channels")
        found = sorted(await self._ledger.aread(channels.every), key=lambda channel: channel.id or 0)
        behind = [channel for channel in found if (channel.id or 0) > after]
        rows = [told(channel) for channel in behind[: query.limit]]
        return ChannelsPage(items=rows, next=cursors.next_of(rows, len(behind) > query.limit, "channels"))

    async def get_channel(self, call: Call, path: ChannelPath) -> ChannelTold:
        """One channel."""
        return told(await self._ledger.aread(_known, path.channel_id))

    async def plan_channel(self, call: Call, path: ChannelPath) -> PlanTold:
        """When its ready replies go out, and how much of the platform's budget is used."""
        return await self._ledger.aread(_plan, path.channel_id, self._clock(), self._polls)

    async def pause_channel(self, call: Call, path: ChannelPath) -> ChannelTold:
        """Stop polling and sending."""
        return told(await self._ledger.awrite(_pause, path.channel_id, True, call.visitor, self._clock()))

    async def resume_channel(self, call: Call, path: ChannelPath) -> ChannelTold:
        """Poll and send again, at once; forgets the last error."""
        return told(await self._ledger.awrite(_pause, path.channel_id, False, call.visitor, self._clock()))

    async def shadow_channel(self, call: Call, path: ChannelPath, body: Shadow) -> ChannelTold:
        """Send nothing, or send again; everything is drafted and decided either way."""
        return told(await self._ledger.awrite(_shadow, path.channel_id, body.on, call.visitor, self._clock()))

    async def set_channel_rules(
        self, call: Call, path: ChannelPath, body: ChannelRulesSettings
    ) -> ChannelTold:
        """Put these rules in the place of all that the channel had."""
        if body.persona and body.persona not in self._personas:
            known = ", ".join(sorted(self._personas))
            raise Problem(
                422, "persona", f"there is no persona of that name; known: {known}", field="persona"
            )
        return told(await self._ledger.awrite(_set_rules, path.channel_id, body, call.visitor, self._clock()))


def told(channel: Channel) -> ChannelTold:
    return ChannelTold.model_validate(channel)


def _known(session: Session, channel_id: int) -> Channel:
    channel = channels.with_id(session, channel_id)
    if channel is None:
        raise Problem(404, "not_found", f"there is no channel {channel_id}; see /api/v1/channels")
    return channel


def _plan(session: Session, channel_id: int, now: datetime, polls: PollShare) -> PlanTold:
    found = outlook(session, _known(session, channel_id), now=now, polls=polls)
    return PlanTold(
        ready=found.ready,
        budget=None if found.spent is None else BudgetTold.model_validate(found.spent),
        replies=[GoesTold(comment=comment, at=at) for comment, at in found.goes.items()],
    )


def _pause(session: Session, channel_id: int, paused: bool, who: Visitor, now: datetime) -> Channel:
    return channel_acts.pause(session, who, _known(session, channel_id).name, paused=paused, now=now)


def _shadow(session: Session, channel_id: int, on: bool, who: Visitor, now: datetime) -> Channel:
    channel = _known(session, channel_id)
    channel_acts.set_shadow(session, who, channel.name, on=on, now=now)
    return channel


def _set_rules(
    session: Session, channel_id: int, rules: ChannelRulesSettings, who: Visitor, now: datetime
) -> Channel:
    name = _known(session, channel_id).name
    return channel_acts.set_rules(session, who, name, rules.model_dump(exclude_none=True), now=now)

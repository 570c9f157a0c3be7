"""Voices: which there are, and which answers whom."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from sqlmodel import Session

from adapters.base import Clock
from bot.access.visitor import Visitor
from bot.api import cursors
from bot.api.operations import Call, Operation
from bot.api.types import Given, Id, Name, Paged, PageOf, Told
from bot.models import Role, Voice, VoiceEvent, VoiceStatus
from bot.store import channels, tallies, voice_acts, voices
from bot.store.channels import NoSuchChannel
from bot.store.ledger import Ledger
from bot.store.voices import ChangeRefused
from bot.voices.canary import Tally
from bot.voices.keeper import VoiceServers, voice_ref
from bot.voices.registering import load_everywhere
from bot.web.problems import Problem


class VerdictCounts(Told):
    """What people decided about a voice's drafts, each draft counted once."""

    approved: int
    edited: int
    rejected: int


class VoiceTold(Told):
    """One version of the LoRA weights."""

    id: int
    name: str
    channel: str | None = Field(
        description="Whose comments it answers; null: every channel's without its own."
    )
    status: VoiceStatus
    share: float = Field(description="Of a canary: the part of the comments that it answers.")
    digest: str
    base_model: str
    rank: int
    parent: str | None
    data_hash: str
    metrics: dict[str, Any]
    note: str
    created_at: datetime
    status_at: datetime
    verdicts: VerdictCounts


class VoiceChange(Told):
    """One change of a voice."""

    at: datetime
    actor: str
    act: str
    from_status: str
    to_status: str
    detail: str


class VoiceWhole(VoiceTold):
    """A voice with its history."""

    history: list[VoiceChange]


class VoicesPage(PageOf):
    """Voices, oldest first."""

    items: list[VoiceTold]


class VoicePath(Given):
    """Which voice."""

    voice_id: Id


class Promotion(Given):
    """How far a voice is promoted."""

    share: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="Part of the comments, as a canary; null: all of them."
    )


class Rollback(Given):
    """Where to go back."""

    channel: Name | None = Field(default=None, description="Null: the voice of all channels.")


class RolledBack(Told):
    """Which voices changed places."""

    went: str
    came: str | None = Field(description="Null: the base model answers.")


class VoicesApi:
    """Handlers; `servers` is None where no model server is configured."""

    def __init__(self, *, ledger: Ledger, clock: Clock, servers: VoiceServers | None, data_dir: Path) -> None:
        self._ledger = ledger
        self._clock = clock
        self._servers = servers
        self._data_dir = data_dir

    def operations(self) -> Sequence[Operation]:
        return [
            Operation("GET", "/voices", self.list_voices),
            Operation("GET", "/voices/{voice_id}", self.get_voice),
            Operation("POST", "/voices/{voice_id}/promote", self.promote_voice, Role.OWNER),
            Operation("POST", "/voices/rollback", self.roll_voices_back, Role.OWNER),
        ]

    async def list_voices(self, call: Call, query: Paged) -> VoicesPage:
        """Every voice, and what people decided about its drafts."""
        after = cursors.after_id(query.cursor, "voices")
        rows = [row for row in await self._ledger.aread(_told) if row.id > after]
        shown = rows[: query.limit]
        return VoicesPage(items=shown, next=cursors.next_of(shown, len(rows) > query.limit, "voices"))

    async def get_voice(self, call: Call, path: VoicePath) -> VoiceWhole:
        """One voice with its history."""
        return await self._ledger.aread(_whole, path.voice_id)

    async def promote_voice(self, call: Call, path: VoicePath, body: Promotion) -> VoiceWhole:
        """Let a voice answer, from the next comment on; every model server loads it first."""
        voice = await self._ledger.aread(_known, path.voice_id)
        if self._servers is None:
            raise Problem(409, "no_server", "no model server is configured, so no voice can answer")
        if voice.path:
            await load_everywhere(self._servers, voice_ref(voice, self._data_dir))
        await self._ledger.awrite(_promote, voice.name, body.share, call.visitor, self._clock())
        return await self._ledger.aread(_whole, path.voice_id)

    async def roll_voices_back(self, call: Call, body: Rollback) -> RolledBack:
        """Go back to the voice that was live before, from the next comment on."""
        return await self._ledger.awrite(_roll_back, body.channel, call.visitor, self._clock())


def _told(session: Session) -> list[VoiceTold]:
    tallied = tallies.by_voice(session)
    names = {channel.id: channel.name for channel in channels.every(session)}
    return [
        VoiceTold.model_validate(
            {
                **voice.model_dump(exclude={"channel_id", "path", "status"}),
                "status": voice.status,
                "channel": names.get(voice.channel_id),
                "verdicts": tallied.get(voice.name, Tally()),
            }
        )
        for voice in voices.every(session)
    ]


def _whole(session: Session, voice_id: int) -> VoiceWhole:
    voice = _known(session, voice_id)
    [row] = [row for row in _told(session) if row.id == voice.id]
    return VoiceWhole(**dict(row), history=[_change(event) for event in voices.history(session, voice_id)])


def _change(event: VoiceEvent) -> VoiceChange:
    return VoiceChange.model_validate(event)


def _known(session: Session, voice_id: int) -> Voice:
    for voice in voices.every(session):
        if voice.id == voice_id:
            return voice
    raise Problem(404, "not_found", f"there is no voice {voice_id}; see /api/v1/voices")


def _promote(session: Session, name: str, share: float | None, who: Visitor, now: datetime) -> None:
    try:
        voice_acts.promote(session, who, name, share=share, now=now)
    except ChangeRefused as error:
        raise Problem(409, "refused", str(error)) from error


def _roll_back(session: Session, channel: str | None, who: Visitor, now: datetime) -> RolledBack:
    try:
        channel_id = channels.named(session, channel).id if channel is not None else None
        went, came = voice_acts.roll_back(session, who, channel_id, now=now)
    except NoSuchChannel as error:
        raise Problem(422, "channel", str(error), field="channel") from error
    except ChangeRefused as error:
        raise Problem(409, "refused", str(error)) from error
    return RolledBack(went=went.name, came=came.name if came is not None else None)

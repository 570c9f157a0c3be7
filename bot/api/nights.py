"""Nights: what was learned from which verdicts, and what became of it. Read only: a night is started on its machine."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import Field
from sqlmodel import Session

from bot.api import cursors
from bot.api.operations import Call, Operation
from bot.api.types import Given, Id, Paged, PageOf, Told
from bot.models import NightStatus, Role
from bot.store import nights
from bot.store.ledger import Ledger
from bot.store.nights import Listed, NoSuchNight
from bot.web.problems import Problem


class Refusal(Told):
    """A guard of the gate that tripped."""

    guard: str
    detail: str


class NightTold(Told):
    """One run of the nightly training."""

    id: int
    status: NightStatus
    channel: str | None = Field(description="Whose voice was trained; null: that of all channels.")
    step: str = Field(description="The step that is being done, or at which it ended.")
    began_at: datetime
    ended_at: datetime | None
    base_model: str
    parent: str | None = Field(description="The voice that it began with; null: the base model.")
    voice: str | None = Field(description="The voice that it made.")
    data_hash: str
    code_version: str
    figures: dict[str, Any] = Field(description="Of the snapshot and of each step, under its name.")
    refusals: list[Refusal]
    error: str


class NightWhole(NightTold):
    """A night with the settings that it was run with."""

    settings: dict[str, Any]


class NightsPage(PageOf):
    """Nights, newest first."""

    items: list[NightTold]


class NightPath(Given):
    """Which night."""

    night_id: Id


class NightsApi:
    """Handlers."""

    def __init__(self, *, ledger: Ledger) -> None:
        self._ledger = ledger

    def operations(self) -> Sequence[Operation]:
        return [
            Operation("GET", "/nights", self.list_nights, Role.REVIEWER),
            Operation("GET", "/nights/{night_id}", self.get_night, Role.REVIEWER),
        ]

    async def list_nights(self, call: Call, query: Paged) -> NightsPage:
        """Every night, newest first, with what each step measured and what the gate refused."""
        before = cursors.after_id(query.cursor, "nights") or None
        rows = await self._ledger.aread(_told, before, query.limit + 1)
        shown = rows[: query.limit]
        return NightsPage(items=shown, next=cursors.next_of(shown, len(rows) > query.limit, "nights"))

    async def get_night(self, call: Call, path: NightPath) -> NightWhole:
        """One night with its settings."""
        return await self._ledger.aread(_whole, path.night_id)


def _told(session: Session, before: int | None, limit: int) -> list[NightTold]:
    return [NightTold(**_about(one)) for one in nights.page(session, before=before, limit=limit)]


def _whole(session: Session, night_id: int) -> NightWhole:
    try:
        found = nights.get(session, night_id)
    except NoSuchNight as error:
        raise Problem(404, "not_found", f"there is no night {night_id}; see /api/v1/nights") from error
    return NightWhole(**_about(found), settings=found.night.settings)


def _about(listed: Listed) -> dict[str, Any]:
    night, rest = listed.night, {"channel", "refusals"}
    return {
        **{name: getattr(night, name) for name in NightTold.model_fields.keys() - rest},
        "channel": listed.channel,
        "refusals": [Refusal.model_validate(one) for one in night.refusals],
    }

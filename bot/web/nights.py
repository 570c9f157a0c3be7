"""The nights: what was learned from people's verdicts, what it changed, and what the gate said.

GET /nights               newest first; `before`: where the page before ended
GET /nights/{id}
GET /nights/{id}/report   the night's own report, as it was written
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from adapters.base import Clock
from bot.models import Role
from bot.settings import Settings
from bot.store import night_case, nights
from bot.store.ledger import Ledger
from bot.store.night_case import NightCase
from bot.store.nights import NoSuchNight
from bot.training_settings import TrainingSettings, trigger_of
from bot.web import night_files
from bot.web.forms import number_of, row_number
from bot.web.nights_view import case_context, line_row
from bot.web.refusing import refusal
from bot.web.rendering import Renderer, html
from bot.web.routes import Route, known_visitor
from bot.web.words import WORDS

ON_PAGE: Final = 30
NIGHTS: Final = Role.REVIEWER
"""The least role that sees them: reports show comments, and what was sent."""
REPORT_POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Of a report: whatever a commenter wrote into its samples, nothing of it runs, loads or leads anywhere."""


class NightPages:
    """Handlers."""

    def __init__(self, *, render: Renderer, ledger: Ledger, settings: Settings, clock: Clock) -> None:
        self._render = render
        self._ledger = ledger
        self._settings = settings
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        one = "/nights/{id:[0-9]+}"
        return [
            Route("GET", "/nights", self.index, NIGHTS),
            Route("GET", one, self.show, NIGHTS),
            Route("GET", f"{one}/report", self.report, NIGHTS),
        ]

    async def index(self, request: web.Request) -> web.StreamResponse:
        language, before = self._render.language(request), row_number(request.query.get("before", ""))
        found = await self._ledger.aread(nights.page, before=before, limit=ON_PAGE + 1)
        shown, words = found[:ON_PAGE], WORDS[language]
        context = {
            "nights": [line_row(line, language, self._clock()) for line in shown],
            "older": shown[-1].night.id if len(found) > ON_PAGE else None,
            "newest": before is None,
            "next": _next_line(self._settings.training, self._clock(), words),
        }
        return self._render.page(request, "nights.html", context)

    async def show(self, request: web.Request) -> web.StreamResponse:
        case = await self._case(request)
        left = await asyncio.to_thread(night_files.left, self._settings.data_dir, case.listed.night)
        context = case_context(case, left, self._render.language(request), self._clock())
        owns = known_visitor(request).may(Role.OWNER)
        return self._render.page(request, "night.html", {**context, "owns": owns})

    async def report(self, request: web.Request) -> web.StreamResponse:
        night = (await self._case(request)).listed.night
        found = await asyncio.to_thread(night_files.report_page, self._settings.data_dir, night)
        if found is None:
            language = self._render.language(request)
            raise refusal(language, 404, "no_report", "nights_no_report", number=night.id)
        answer = html(found.decode("utf-8", "replace"))
        answer.headers["Content-Security-Policy"] = REPORT_POLICY
        return answer

    async def _case(self, request: web.Request) -> NightCase:
        number = number_of(request.match_info["id"])
        try:
            return await self._ledger.aread(night_case.case_of, number)
        except NoSuchNight as error:
            language = self._render.language(request)
            raise refusal(language, 404, "no_such_night", "nights_unknown", number=number) from error


def _next_line(settings: TrainingSettings, now: datetime, words: Any) -> str:
    """When the next night begins by the settings; empty where none does by itself."""
    if not settings.cron:
        return ""
    begins = trigger_of(settings.cron, settings.time_zone).get_next_fire_time(None, now)
    if begins is None:
        return ""
    return str(words["nights_next"].format(at=f"{begins:%Y-%m-%d %H:%M}", zone=settings.time_zone))

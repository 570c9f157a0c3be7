"""What the service has done and what it waits for, for people and for programs.

    GET /          the page; `?days=7|30`, `?channel=NAME`
    GET /healthz   JSON; 200, or 503 while a loop fails or the database cannot be read
    GET /metrics   for Prometheus

The last two need no log-in. Bound elsewhere than to a loopback address, /healthz names the part that fails but not why.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from bot.metrics import Metrics
from bot.models import Role
from bot.store.ledger import LedgerError
from bot.web.figures import PERIODS, FiguresReader
from bot.web.glance import Glance, Watcher
from bot.web.nights import NIGHTS
from bot.web.overview_view import overview_context
from bot.web.rendering import Renderer
from bot.web.routes import Route, visitor_of
from bot.web.view import page_context
from knowledge.store import LibraryError

_DATABASE_WAIT_S: Final = 5.0


class StatusPages:
    """Handlers. `private`: only this machine can reach the site. `shadow`: `service.shadow`."""

    def __init__(
        self,
        *,
        render: Renderer,
        watcher: Watcher,
        figures: FiguresReader,
        metrics: Metrics,
        translates: bool,
        private: bool,
        shadow: bool,
    ) -> None:
        self._render = render
        self._watcher = watcher
        self._figures = figures
        self._metrics = metrics
        self._translates = translates
        self._private = private
        self._shadow = shadow

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/", self.page),
            Route("GET", "/healthz", self.health, needs=None, page=False),
            Route("GET", "/metrics", self.metrics, needs=None, page=False),
        ]

    async def page(self, request: web.Request) -> web.StreamResponse:
        try:
            glance = await self._watcher.glance()
            over = await self._over(request, glance)
        except (LedgerError, LibraryError) as error:
            return self._shown(request, None, {"database": str(error)}, 503)
        return self._shown(request, glance, self._watcher.troubles, 200, over)

    async def _over(self, request: web.Request, glance: Glance) -> dict[str, Any]:
        """The figures of the days and the channel that the address asks for; of all, where it knows no such."""
        days = next((number for number in PERIODS if request.query.get("days") == str(number)), PERIODS[0])
        chosen = next((one for one in glance.channels if one.name == request.query.get("channel")), None)
        channel = (chosen.id or 0, chosen.name) if chosen is not None else None
        return overview_context(
            await self._figures.figures(days, channel),
            glance.channels,
            days=days,
            channel=chosen.name if chosen is not None else None,
            language=self._render.language(request),
        )

    def _shown(
        self,
        request: web.Request,
        glance: Glance | None,
        troubles: dict[str, str],
        status: int,
        over: dict[str, Any] | None = None,
    ) -> web.Response:
        visitor = visitor_of(request)
        translates = self._translates and visitor is not None and visitor.may(Role.REVIEWER)
        context = page_context(glance, troubles, self._render.language(request), translates=translates)
        more = {
            "over": over,
            "everywhere": self._shadow,
            "sees_nights": visitor is not None and visitor.may(NIGHTS),
        }
        return self._render.page(request, "status.html", {**context, **more}, status)

    async def health(self, _: web.Request) -> web.StreamResponse:
        troubles = self._watcher.troubles
        failing: set[str] = set(self._watcher.failing_loops)
        try:
            async with asyncio.timeout(_DATABASE_WAIT_S):
                await self._watcher.reach_database()
        except (LedgerError, TimeoutError) as error:
            troubles["database"] = str(error) or f"no answer within {_DATABASE_WAIT_S:g} s"
            failing.add("database")
        shown = troubles if self._private else dict.fromkeys(troubles, "see the log")
        # A generator that is away is no reason to restart this process: comments wait for it.
        answer = {"ok": not failing, "troubles": shown}
        return web.json_response(answer, status=503 if failing else 200)

    async def metrics(self, _: web.Request) -> web.StreamResponse:
        try:
            text = self._metrics.render(await self._watcher.counts())
        except LedgerError as error:
            raise web.HTTPServiceUnavailable(text=str(error) if self._private else "no database") from error
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

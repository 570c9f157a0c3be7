"""Pages for reading what people wrote: the digest, and translations.

GET  /digest      `?days=1|7`
POST /digest      the same, with the model's names and summary
POST /translate   `id`, `lang`: has a comment translated, then shows the status page
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from aiohttp import web

from adapters.base import Clock
from bot.digest import Digest, digest
from bot.generator import GeneratorError
from bot.models import Role
from bot.store import digest as rows
from bot.store.cases import NoSuchComment
from bot.store.ledger import Ledger, LedgerError
from bot.summary import summarised
from bot.translate import Translator
from bot.web.digest_view import digest_context
from bot.web.forms import form_of, row_number, text_of
from bot.web.glance import KEPT_S, Kept
from bot.web.guard import Busy, Turns
from bot.web.rendering import Renderer
from bot.web.routes import Route
from bot.web.words import WORDS
from bot.writer import Writer

PERIODS: Final = {1: "last_day", 7: "last_week"}
"""Days that a digest may go back, and the word for them."""


class ReadingPages:
    """Handlers. `on_change` is called when a translation came into the ledger."""

    def __init__(
        self,
        *,
        render: Renderer,
        ledger: Ledger,
        writer: Writer | None,
        clock: Clock,
        on_change: Callable[[], None],
    ) -> None:
        self._render = render
        self._ledger = ledger
        self._writer = writer
        self._clock = clock
        self._on_change = on_change
        self._translator = Translator(ledger, writer) if writer is not None else None
        self._turns = Turns()
        self._digests = {days: Kept(partial(self._digest, days), KEPT_S) for days in PERIODS}

    def routes(self) -> Sequence[Route]:
        reading = [Route("GET", "/digest", self.digest)]
        asking = [
            Route("POST", "/digest", self.summary, Role.REVIEWER),
            Route("POST", "/translate", self.translate, Role.REVIEWER),
        ]
        return reading + (asking if self._writer is not None else [])

    async def digest(self, request: web.Request) -> web.StreamResponse:
        days = _days(request.query.get("days"))
        try:
            found = await self._digests[days].get()
        except LedgerError as error:
            return self._render.notice(request, str(error), 503)
        return self._page(request, found, days)

    async def summary(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        language, days = self._render.language(request), _days(text_of(form, "days"))
        if self._writer is None:
            raise web.HTTPNotFound
        try:
            with self._turns.turn():
                found = await summarised(await self._digests[days].get(), self._writer, language)
        except Busy:
            return self._render.notice(request, WORDS[language]["busy"], 429)
        except (GeneratorError, LedgerError) as error:
            return self._render.notice(request, str(error), 503)
        return self._page(request, found, days)

    async def translate(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        language, comment_id = self._render.language(request), row_number(text_of(form, "id"))
        if self._translator is None or comment_id is None:
            raise web.HTTPNotFound
        try:
            with self._turns.turn():
                await self._translator.translated(comment_id, language)
        except Busy:
            return self._render.notice(request, WORDS[language]["busy"], 429)
        except NoSuchComment as error:
            return self._render.notice(request, str(error), 404)
        except (GeneratorError, LedgerError) as error:
            return self._render.notice(request, str(error), 503)
        self._on_change()
        raise web.HTTPSeeOther(f"/#c{comment_id}")

    async def _digest(self, days: int) -> Digest:
        until = self._clock()
        since = until - timedelta(days=days)
        found = await self._ledger.aread(rows.span, since=since, until=until)
        return await asyncio.to_thread(digest, found, since=since, until=until)

    def _page(self, request: web.Request, found: Digest, days: int) -> web.Response:
        language = self._render.language(request)
        words = WORDS[language]
        context: dict[str, Any] = {
            **digest_context(found, language),
            "days": days,
            "periods": [{"days": number, "word": words[key]} for number, key in PERIODS.items()],
            "has_model": self._writer is not None,
        }
        return self._render.page(request, "digest.html", context)


def _days(given: str | None) -> int:
    return int(given) if given in {str(days) for days in PERIODS} else 1

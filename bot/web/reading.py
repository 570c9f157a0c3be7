"""Pages for reading what people wrote: the digest, and translations.

GET  /digest      `?days=1|7`
POST /digest      the same, with the model's names and summary
POST /translate   `id`, `lang`: has a comment translated, then shows the status page
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

import jinja2
from aiohttp import web

from adapters.base import Clock
from bot.digest import Digest, digest
from bot.generator import GeneratorError
from bot.plain import excerpt
from bot.settings import Language
from bot.store import digest as rows
from bot.store.ledger import Ledger, LedgerError
from bot.store.review import VerdictRefused
from bot.summary import summarised
from bot.translate import Translator
from bot.web.digest_view import digest_context
from bot.web.glance import KEPT_S, Kept
from bot.web.guard import Busy, Turns
from bot.web.rendering import html
from bot.web.words import WORDS
from bot.writer import Writer

NOTICE_CHARS: Final = 300
PERIODS: Final = {1: "last_day", 7: "last_week"}
"""Days that a digest may go back, and the word for them."""
MAX_ID: Final = 2**63 - 1


class ReadingPages:
    """Handlers. `on_change` is called when a translation came into the ledger."""

    def __init__(
        self,
        *,
        templates: jinja2.Environment,
        ledger: Ledger,
        writer: Writer | None,
        clock: Clock,
        language_of: Callable[[web.Request, str | None], Language],
        on_change: Callable[[], None],
    ) -> None:
        self._templates = templates
        self._ledger = ledger
        self._writer = writer
        self._clock = clock
        self._language_of = language_of
        self._on_change = on_change
        self._translator = Translator(ledger, writer) if writer is not None else None
        self._turns = Turns()
        self._digests = {days: Kept(partial(self._digest, days), KEPT_S) for days in PERIODS}

    def routes(self) -> list[web.RouteDef]:
        reading = [web.get("/digest", self.digest)]
        asking = [web.post("/digest", self.summary), web.post("/translate", self.translate)]
        return reading + (asking if self._writer is not None else [])

    async def digest(self, request: web.Request) -> web.StreamResponse:
        language = self._language_of(request, request.query.get("lang"))
        days = _days(request.query.get("days"))
        try:
            found = await self._digests[days].get()
        except LedgerError as error:
            return self._notice(language, str(error), 503)
        return self._page(found, days, language)

    async def summary(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        language, days = self._language_of(request, text_of(form, "lang")), _days(text_of(form, "days"))
        if self._writer is None:
            raise web.HTTPNotFound
        try:
            with self._turns.turn():
                found = await summarised(await self._digests[days].get(), self._writer, language)
        except Busy:
            return self._notice(language, WORDS[language]["busy"], 429)
        except (GeneratorError, LedgerError) as error:
            return self._notice(language, str(error), 503)
        return self._page(found, days, language)

    async def translate(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        language, comment_id = self._language_of(request, text_of(form, "lang")), _id(text_of(form, "id"))
        if self._translator is None or comment_id is None:
            raise web.HTTPNotFound
        try:
            with self._turns.turn():
                await self._translator.translated(comment_id, language)
        except Busy:
            return self._notice(language, WORDS[language]["busy"], 429)
        except VerdictRefused as error:
            return self._notice(language, str(error), 404)
        except (GeneratorError, LedgerError) as error:
            return self._notice(language, str(error), 503)
        self._on_change()
        raise web.HTTPSeeOther(f"/?lang={language}#c{comment_id}")

    async def _digest(self, days: int) -> Digest:
        until = self._clock()
        since = until - timedelta(days=days)
        found = await self._ledger.aread(rows.span, since=since, until=until)
        return await asyncio.to_thread(digest, found, since=since, until=until)

    def _page(self, found: Digest, days: int, language: Language) -> web.StreamResponse:
        words = WORDS[language]
        context: dict[str, Any] = {
            **digest_context(found, language),
            "here": f"/digest?days={days}&",
            "days": days,
            "periods": [{"days": number, "word": words[key]} for number, key in PERIODS.items()],
            "has_model": self._writer is not None,
        }
        return html(self._templates.get_template("digest.html").render(context), forms=True)

    def _notice(self, language: Language, line: str, status: int) -> web.StreamResponse:
        context = {"words": WORDS[language], "language": language, "notice": excerpt(line, NOTICE_CHARS)}
        return html(self._templates.get_template("notice.html").render(context), status)


def text_of(form: Any, name: str) -> str:
    """A field of a form; empty where it is missing, or where a file stands in its place."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _days(given: str | None) -> int:
    return int(given) if given in {str(days) for days in PERIODS} else 1


def _id(given: str) -> int | None:
    known = given.isascii() and given.isdigit() and len(given) < 20
    return int(given) if known and 0 < int(given) <= MAX_ID else None

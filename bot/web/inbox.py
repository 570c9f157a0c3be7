"""Bringing comments in by hand, from the clipboard or from a file.

    GET  /inbox            the form
    POST /inbox/preview    what was understood; changes nothing
    POST /inbox/import     brings it in

Both take the form of the page (`channel`, `post`, `text`) and answer with the whole page, or take the content itself
as application/octet-stream with `channel` and `post` in the address, and answer with the part of the page that tells
what became of it: this is how the page's script sends files.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from sqlmodel import Session

from adapters.base import Clock
from adapters.inbox_rows import Read, Reading, read_import, reading_of
from adapters.inbox_tables import MOST_BYTES, BadRow
from adapters.registry import BadOptions
from bot.inbox import NotAnInbox, Told, foretell, options_of, take_in
from bot.models import Channel, Role
from bot.settings import Language
from bot.store import audit, channels
from bot.store.ledger import Ledger
from bot.web.forms import form_of, lines_of, row_number, text_of
from bot.web.inbox_view import inbox_channels, told_context
from bot.web.refusing import refusal
from bot.web.rendering import Renderer, html
from bot.web.routes import Route, known_visitor
from bot.web.words import WORDS

_POST_CHARS: Final = 2_000
_RAW: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Given:
    """What a person wants brought in."""

    channel: str
    post: str
    content: bytes | str

    @property
    def text(self) -> str:
        """For the form, where it came from one."""
        return self.content if isinstance(self.content, str) else ""


class InboxPages:
    """Handlers. `on_new` is called when comments were brought in; a file has at most `most_bytes`."""

    def __init__(
        self, *, render: Renderer, ledger: Ledger, clock: Clock, on_new: Callable[[], None], most_bytes: int
    ) -> None:
        self._render = render
        self._ledger = ledger
        self._clock = clock
        self._on_new = on_new
        self._most_bytes = min(most_bytes, MOST_BYTES)

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/inbox", self.show, Role.REVIEWER),
            Route("POST", "/inbox/preview", self.preview, Role.REVIEWER),
            Route("POST", "/inbox/import", self.bring_in, Role.REVIEWER),
        ]

    async def show(self, request: web.Request) -> web.StreamResponse:
        return await self._page(request, Given(request.query.get("channel", ""), "", ""))

    async def preview(self, request: web.Request) -> web.StreamResponse:
        given = await self._given(request)
        channel = await self._channel(request, given)
        read, why = await asyncio.to_thread(self._read, channel, given)
        told = await self._ledger.aread(foretell, channel.id or 0, read.rows)
        return await self._answer(request, given, read, told, why, done=False)

    async def bring_in(self, request: web.Request) -> web.StreamResponse:
        given = await self._given(request)
        channel = await self._channel(request, given)
        read, why = await asyncio.to_thread(self._read, channel, given)
        told = await take_in(self._ledger, channel.id or 0, read.rows, now=self._clock())
        if any(one.status == "new" for one in told):
            self._on_new()
        await self._ledger.awrite(self._note, request, channel.name, told)
        return await self._answer(request, given, read, told, why, done=True)

    def _note(self, session: Session, request: web.Request, name: str, told: Sequence[Told]) -> None:
        statuses = [one.status for one in told]
        detail = {status: statuses.count(status) for status in ("new", "known", "refused")}
        audit.note(session, known_visitor(request), "import_comments", name, now=self._clock(), detail=detail)

    # --- what was sent ---

    async def _given(self, request: web.Request) -> Given:
        if request.content_type == _RAW:
            post = request.query.get("post", "")[:_POST_CHARS]
            return Given(request.query.get("channel", ""), post, await self._body(request))
        form = await form_of(request)
        return Given(text_of(form, "channel"), text_of(form, "post")[:_POST_CHARS], lines_of(form, "text"))

    async def _body(self, request: web.Request) -> bytes:
        """The content, which is counted while it arrives. Raises Problem."""
        read = bytearray()
        if (request.content_length or 0) <= self._most_bytes:
            async for chunk in request.content.iter_any():
                read += chunk
                if len(read) > self._most_bytes:
                    break
            else:
                return bytes(read)
        language, most = self._render.language(request), self._most_bytes // 1_000_000
        raise refusal(language, 413, "too_large", "inbox_too_large", limit=most)

    async def _channel(self, request: web.Request, given: Given) -> Channel:
        number = row_number(given.channel)
        channel = await self._ledger.aread(channels.with_id, number) if number is not None else None
        try:
            if channel is not None:
                options_of(channel)
                return channel
        except (NotAnInbox, BadOptions) as error:
            raise refusal(
                self._render.language(request), 422, "channel", "inbox_bad_channel", why=str(error)
            ) from error
        raise refusal(self._render.language(request), 422, "channel", "inbox_no_such_channel")

    def _read(self, channel: Channel, given: Given) -> tuple[Read, BadRow | None]:
        """On a thread: thousands of rows take seconds."""
        reading: Reading = reading_of(options_of(channel), self._clock(), given.post)
        try:
            return read_import(given.content, reading), None
        except BadRow as error:
            return Read(()), error

    # --- what is answered ---

    async def _answer(
        self,
        request: web.Request,
        given: Given,
        read: Read,
        told: Sequence[Told],
        why: BadRow | None,
        *,
        done: bool,
    ) -> web.StreamResponse:
        language = self._render.language(request)
        context = told_context(read, told, why, language, done=done)
        status = 422 if why is not None else 200
        if request.content_type == _RAW:
            part = self._render.text("inbox_told.html", {"words": WORDS[language], "told": context})
            return html(part, status)
        kept = Given(given.channel, given.post, "" if done and why is None else given.text)
        return await self._page(request, kept, context, status)

    async def _page(
        self, request: web.Request, given: Given, told: dict[str, Any] | None = None, status: int = 200
    ) -> web.StreamResponse:
        language: Language = self._render.language(request)
        found = await self._ledger.aread(channels.every)
        context = {
            "channels": inbox_channels(found, language),
            "given": given,
            "told": told,
            "limit": self._most_bytes // 1_000_000,
            "most": self._most_bytes,
        }
        return self._render.page(request, "inbox.html", context, status)

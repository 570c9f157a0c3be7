"""The documents: what the library holds, and changing that.

GET  /documents               `?q=&tag=&page=`
GET  /documents/{id}          one document and its passages, `?page=`
POST /documents/read          `addresses` (one a line), `tags`: has web addresses read
POST /documents/{id}/again    has it read again
POST /documents/{id}/tags     `tags`
POST /documents/{id}/remove
"""

import asyncio
import socket
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from adapters.base import Clock
from bot.models import Role
from bot.plain import excerpt
from bot.settings import Settings
from bot.stock.intake import Intake, IntakeFull, Job
from bot.store.audit import note
from bot.store.ledger import Ledger
from bot.web.documents_view import PER_PAGE, Wish, document_row, job_row, list_context, paging, passage_row
from bot.web.forms import form_of, lines_of, row_number, text_of
from bot.web.refusing import refusal
from bot.web.rendering import Renderer
from bot.web.routes import Route, known_visitor
from bot.web.words import WORDS
from knowledge.base import Document
from knowledge.fetch import without_login
from knowledge.ingest import Library
from knowledge.inspect import freshness
from knowledge.loaders import SUFFIXES
from knowledge.tags import MAX_CHARS, checked_tag

MOST_ADDRESSES: Final = 100
MOST_TAGS: Final = 20
_WISH_CHARS: Final = 200


class DocumentPages:
    """Handlers."""

    def __init__(
        self,
        *,
        render: Renderer,
        library: Library,
        ledger: Ledger,
        intake: Intake,
        settings: Settings,
        works: bool,
        clock: Clock,
    ) -> None:
        """`works`: this process answers comments, too."""
        self._render = render
        self._library = library
        self._ledger = ledger
        self._intake = intake
        self._settings = settings
        self._works = works
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        one = "/documents/{id:[0-9]+}"
        return [
            Route("GET", "/documents", self.index),
            Route("GET", one, self.show),
            Route("POST", "/documents/read", self.read, Role.OWNER),
            Route("POST", f"{one}/again", self.again, Role.OWNER),
            Route("POST", f"{one}/tags", self.tag, Role.OWNER),
            Route("POST", f"{one}/remove", self.remove, Role.OWNER),
        ]

    async def index(self, request: web.Request) -> web.StreamResponse:
        language = self._render.language(request)
        asked = request.query
        wish = Wish(asked.get("q", "")[:_WISH_CHARS], asked.get("tag", "")[:_WISH_CHARS], page_of(request))
        documents = await asyncio.to_thread(self._library.documents)
        given = {
            **list_context(documents, wish, language),
            "jobs": [job_row(job, WORDS[language]) for job in self._intake.jobs],
            "active": self._intake.busy,
            "elsewhere": self.elsewhere(request),
            "owns": known_visitor(request).may(Role.OWNER),
            "kinds": " ".join(sorted(SUFFIXES)),
            "limit": self._settings.web.max_upload_mb,
        }
        return self._render.page(request, "documents.html", given)

    def elsewhere(self, request: web.Request) -> str:
        """One line that says whose library this is; empty where the same process answers comments from it."""
        folder = Path(self._settings.data_dir / "knowledge").absolute()
        line = WORDS[self._render.language(request)]["doc_here"]
        return "" if self._works else line.format(folder=excerpt(str(folder), 300), host=socket.gethostname())

    async def show(self, request: web.Request) -> web.StreamResponse:
        language = self._render.language(request)
        words, document = WORDS[language], await self._document(request)
        passages = await asyncio.to_thread(self._library.passages, document.source)
        pages = max(1, ceil(len(passages) / PER_PAGE))
        page = min(page_of(request), pages)
        given = {
            "document": document_row(document, words),
            "state": await asyncio.to_thread(self._state, document),
            "removal": words["doc_remove_upload" if self._uploaded(document) else "doc_remove_file"].format(
                number=document.passages
            ),
            "owns": known_visitor(request).may(Role.OWNER),
            "passages": [
                passage_row(one, words) for one in passages[(page - 1) * PER_PAGE : page * PER_PAGE]
            ],
            **paging(page, pages, lambda number: f"/documents/{document.id}?page={number}", words),
        }
        return self._render.page(request, "document.html", given)

    async def read(self, request: web.Request) -> web.StreamResponse:
        form, language = await form_of(request), self._render.language(request)
        given = [line.strip() for line in lines_of(form, "addresses").split("\n") if line.strip()]
        if not given:
            raise refusal(language, 400, "no_address", "doc_address_empty")
        if len(given) > MOST_ADDRESSES:
            raise refusal(language, 400, "many", "doc_addresses_many", limit=MOST_ADDRESSES)
        # The library also takes paths: a file of the server is not read because somebody on a page names it.
        for address in given:
            if not address.startswith(("http://", "https://")):
                raise refusal(language, 400, "no_address", "doc_no_address", address=excerpt(address, 100))
        tags = tags_given(text_of(form, "tags"), self._render.language(request))
        await self._ordered(request, given, tags)
        raise web.HTTPSeeOther("/documents")

    async def again(self, request: web.Request) -> web.StreamResponse:
        document = await self._document(request)
        await self._ordered(request, [document.source], None)
        raise web.HTTPSeeOther("/documents")

    async def tag(self, request: web.Request) -> web.StreamResponse:
        form, document = await form_of(request), await self._document(request)
        tags = tags_given(text_of(form, "tags"), self._render.language(request)) or frozenset()
        await self._noted(request, "tag_document", document.source, {"tags": sorted(tags)})
        await asyncio.to_thread(self._library.tag, document.source, tags)
        raise web.HTTPSeeOther(f"/documents/{document.id}")

    async def remove(self, request: web.Request) -> web.StreamResponse:
        document = await self._document(request)
        if self._intake.busy:
            raise refusal(self._render.language(request), 409, "busy", "doc_busy")
        await self._noted(request, "remove_document", document.source, {"passages": document.passages})
        await asyncio.to_thread(self._removed, document)
        raise web.HTTPSeeOther("/documents")

    def _removed(self, document: Document) -> None:
        """First from the library: a file that is left is read again, one that is gone would be missed."""
        self._library.remove(document.source)
        if self._uploaded(document):
            Path(document.source).unlink(missing_ok=True)

    def _uploaded(self, document: Document) -> bool:
        return self._intake.uploads.owns(document.source)

    def _state(self, document: Document) -> str:
        known = self._library.fingerprint(document.source)
        return "same" if known is None else freshness(document.source, known)

    async def _document(self, request: web.Request) -> Document:
        number = row_number(request.match_info["id"])
        found = self._library.numbered(number) if number is not None else None
        if found is None:
            raise refusal(self._render.language(request), 404, "gone", "doc_gone")
        return found

    async def _ordered(
        self, request: web.Request, sources: Sequence[str], tags: frozenset[str] | None
    ) -> Job:
        """Written down first: nothing is read that nobody is known to have asked for."""
        try:
            self._intake.require_room()
            for source in sources:
                await self._noted(request, "read_document", without_login(source), {})
            return self._intake.add(sources, by=known_visitor(request).name, tags=tags)
        except IntakeFull as error:
            raise refusal(self._render.language(request), 429, "full", "doc_full") from error

    async def _noted(self, request: web.Request, act: str, subject: str, detail: dict[str, Any]) -> None:
        visitor, now = known_visitor(request), self._clock()
        await self._ledger.awrite(note, visitor, act, subject, now=now, detail=detail)


def page_of(request: web.Request) -> int:
    """The page that is asked for, from 1."""
    asked = request.query.get("page", "")
    return max(1, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 1


def tags_given(text: str, language: Any) -> frozenset[str] | None:
    """The tags in a form's field; None where it names none. Raises Problem for what is no tag."""
    given = [part for part in text.replace("，", ",").split(",") if part.strip()]
    wrong = given[MOST_TAGS] if len(given) > MOST_TAGS else ""
    tags = set()
    for tag in given[:MOST_TAGS]:
        try:
            tags.add(checked_tag(tag))
        except ValueError:
            wrong = tag
    if wrong:
        told = {"tag": excerpt(wrong, 60), "limit": MAX_CHARS, "most": MOST_TAGS}
        raise refusal(language, 400, "bad_tag", "doc_bad_tag", **told)
    return frozenset(tags) or None

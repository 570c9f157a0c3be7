"""Uploads, and how far what waits to be read has come.

POST /documents/upload               multipart: `tags` and `replace` first, then files; JSON
GET  /documents/work                 JSON: `active`, and `html` for the page
POST /documents/work/{number}/stop
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from adapters.base import Clock
from bot.models import Role
from bot.settings import Language
from bot.stock.intake import Intake, IntakeFull
from bot.stock.uploads import Taken, UploadRefused
from bot.store.audit import note
from bot.store.ledger import Ledger
from bot.web.documents import tags_given
from bot.web.documents_view import job_row
from bot.web.problems import Problem
from bot.web.refusing import refusal
from bot.web.rendering import Renderer
from bot.web.routes import Route, known_visitor
from bot.web.words import WORDS

_PIECE: Final = 1 << 18
_AROUND: Final = 1 << 16
"""Bytes of a request beside the files in it."""
_STATUS: Final = {"too_large": 413, "wrong_kind": 415, "no_room": 507}


class UploadPages:
    """Handlers."""

    def __init__(self, *, render: Renderer, ledger: Ledger, intake: Intake, clock: Clock) -> None:
        self._render = render
        self._ledger = ledger
        self._intake = intake
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        return [
            Route("POST", "/documents/upload", self.upload, Role.OWNER, page=False),
            Route("GET", "/documents/work", self.work, page=False),
            Route("POST", r"/documents/work/{number:[0-9]{1,9}}/stop", self.stop, Role.OWNER),
        ]

    async def upload(self, request: web.Request) -> web.StreamResponse:
        language, uploads = self._render.language(request), self._intake.uploads
        if request.content_type != "multipart/form-data":
            raise refusal(language, 400, "bad_upload", "doc_bad_upload")
        if (request.content_length or 0) > uploads.max_bytes + _AROUND:
            limit = uploads.max_bytes // 1_000_000
            raise refusal(language, 413, "too_large", "doc_too_large", limit=limit)
        arrived = _Arrived()
        kept = False
        try:
            await self._receive(request, arrived)
            number = await self._ordered(request, arrived, language)
            kept = True
        except UploadRefused as error:
            raise upload_problem(error, language) from error
        except IntakeFull as error:
            raise refusal(language, 429, "full", "doc_full") from error
        except (
            ValueError,
            HttpProcessingError,
            web.RequestPayloadError,
            web.HTTPRequestEntityTooLarge,
        ) as error:
            raise refusal(language, 400, "bad_upload", "doc_bad_upload") from error
        finally:
            for taken in () if kept else arrived.files:
                uploads.settle(taken, held=False)
        names = [taken.path.name for taken in arrived.files]
        return web.json_response({"job": number, "names": names}, status=202)

    async def _receive(self, request: web.Request, arrived: "_Arrived") -> None:
        self._intake.require_room()
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise ValueError("a form within the form")
            if part.filename is None:
                arrived.fields[part.name or ""] = await part.text()
            elif part.filename:
                pieces, replace = _pieces(part), "replace" in arrived.fields
                arrived.files.append(await self._intake.uploads.take(part.filename, pieces, replace=replace))

    async def _ordered(self, request: web.Request, arrived: "_Arrived", language: Language) -> int:
        visitor, tags = known_visitor(request), tags_given(arrived.fields.get("tags", ""), language)
        if not arrived.files:
            raise refusal(language, 400, "no_file", "doc_no_file")
        for taken in arrived.files:
            told = {"bytes": taken.size, "replaced": taken.old is not None}
            now, source = self._clock(), str(taken.path)
            await self._ledger.awrite(note, visitor, "upload_document", source, now=now, detail=told)
        sources = [str(taken.path) for taken in arrived.files]
        return self._intake.add(sources, by=visitor.name, tags=tags, taken=arrived.files).number

    async def work(self, request: web.Request) -> web.StreamResponse:
        language = self._render.language(request)
        visitor = known_visitor(request)
        given = {
            "words": WORDS[language],
            "visitor": visitor,
            "owns": visitor.may(Role.OWNER),
            "jobs": [job_row(job, WORDS[language]) for job in self._intake.jobs],
        }
        html = self._render.text("documents_work.html", given)
        return web.json_response({"active": self._intake.busy, "html": html})

    async def stop(self, request: web.Request) -> web.StreamResponse:
        job = await self._intake.stop(int(request.match_info["number"]))
        if job is not None:
            visitor, now, subject = known_visitor(request), self._clock(), str(job.number)
            await self._ledger.awrite(note, visitor, "stop_reading", subject, now=now)
        raise web.HTTPSeeOther("/documents")


class _Arrived:
    """What of a request has come in so far."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.files: list[Taken] = []


def upload_problem(error: UploadRefused, language: Language) -> Problem:
    """`error` in words."""
    return refusal(language, _STATUS[error.code], error.code, f"doc_{error.code}", **error.values)


async def _pieces(part: BodyPartReader) -> AsyncIterator[bytes]:
    while piece := await part.read_chunk(_PIECE):
        yield piece

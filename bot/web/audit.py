"""Who did what, and when; for owners.

GET /audit           `person`, `act`, `day` (UTC, 2026-03-01), `after`: where the page before ended
GET /audit/export    the same filters; `format=csv` or `jsonl`: all of it, newest first
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from bot.models import Role
from bot.plain import excerpt
from bot.settings import Language
from bot.store import audit
from bot.store.audit import Cursor, Deed, Which, cursor_of
from bot.store.ledger import Ledger
from bot.web.forms import MAX_ID
from bot.web.problems import Problem
from bot.web.rendering import Renderer
from bot.web.routes import Route
from bot.web.words import WORDS

ON_PAGE: Final = 100
_AT_ONCE: Final = 500
"""Lines that an export reads from the ledger in one go."""
_COLUMNS: Final = ("at", "actor", "via", "act", "subject", "detail", "address")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What spreadsheets take a cell for a formula by."""


class AuditPages:
    """Handlers."""

    def __init__(self, *, render: Renderer, ledger: Ledger) -> None:
        self._render = render
        self._ledger = ledger

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/audit", self.page, Role.OWNER),
            Route("GET", "/audit/export", self.export, Role.OWNER),
        ]

    async def page(self, request: web.Request) -> web.StreamResponse:
        which, after = _which(request.query), _cursor(request.query.get("after", ""))
        found = await self._ledger.aread(audit.deeds, which, limit=ON_PAGE + 1, after=after)
        shown, language = found[:ON_PAGE], self._render.language(request)
        filters = {name: request.query.get(name, "") for name in ("person", "act", "day")}
        more = urlencode({**filters, "after": _written(cursor_of(shown[-1]))}) if len(found) > ON_PAGE else ""
        acts = await self._ledger.aread(audit.acts)
        context = {
            "rows": [_row(deed, language) for deed in shown],
            "acts": [(act, act_word(act, language)) for act in acts],
            "filters": filters,
            "more": more,
            "export": urlencode(filters),
        }
        return self._render.page(request, "audit.html", context)

    async def export(self, request: web.Request) -> web.StreamResponse:
        which, kind = _which(request.query), request.query.get("format", "")
        if kind not in ("csv", "jsonl"):
            raise Problem(422, "format", "format is csv or jsonl")
        types = {"csv": "text/csv", "jsonl": "application/jsonl"}
        answer = web.StreamResponse(
            headers={
                "Content-Type": f"{types[kind]}; charset=utf-8",
                "Content-Disposition": f'attachment; filename="rejoinder-audit.{kind}"',
            }
        )
        await answer.prepare(request)
        if kind == "csv":
            # Spreadsheets take a file without the mark for their own country's encoding.
            await answer.write(f"\ufeff{_csv(_COLUMNS)}".encode())
        await self._write_all(answer, which, kind)
        await answer.write_eof()
        return answer

    async def _write_all(self, answer: web.StreamResponse, which: Which, kind: str) -> None:
        after: Cursor | None = None
        while True:
            found = await self._ledger.aread(audit.deeds, which, limit=_AT_ONCE, after=after)
            line = _csv_line if kind == "csv" else json_line
            await answer.write("".join(map(line, found)).encode("utf-8", "replace"))
            if len(found) < _AT_ONCE:
                return
            after = cursor_of(found[-1])


def act_word(act: str, language: Language) -> str:
    """What `act` is called on the pages."""
    return WORDS[language].get(f"act_{act}", act)


def deed_json(deed: Deed) -> dict[str, object]:
    """For programs; the moment in ISO 8601, UTC."""
    return {name: getattr(deed, name) for name in _COLUMNS} | {"at": deed.at.astimezone(UTC).isoformat()}


def json_line(deed: Deed) -> str:
    return json.dumps(deed_json(deed), ensure_ascii=False, default=str) + "\n"


def _csv_line(deed: Deed) -> str:
    cells = {**deed_json(deed), "detail": json.dumps(deed.detail, ensure_ascii=False, default=str)}
    return _csv([_harmless(str(cells[name])) for name in _COLUMNS])


def _harmless(cell: str) -> str:
    """Names are typed by strangers, too: with the apostrophe in front spreadsheets show them as text."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def _csv(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _row(deed: Deed, language: Language) -> Mapping[str, object]:
    detail = ", ".join(f"{key}: {value}" for key, value in deed.detail.items())
    return {
        "deed": deed,
        "act": act_word(deed.act, language),
        "actor": excerpt(deed.actor, 100),
        "subject": excerpt(deed.subject, 300),
        "detail": excerpt(detail, 300),
    }


def _which(query: Mapping[str, str]) -> Which:
    """Raises Problem."""
    day = query.get("day", "").strip()
    try:
        since = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC) if day else None
        until = since + timedelta(days=1) if since is not None else None
    except (ValueError, OverflowError) as error:
        raise Problem(422, "day", "a day is written 2026-03-01") from error
    return Which(query.get("person", "").strip(), query.get("act", "").strip(), since, until)


def _written(cursor: Cursor) -> str:
    moment, place, number = cursor
    return f"{moment.isoformat()} {place} {number}"


def _cursor(text: str) -> Cursor | None:
    """None for the first page. Raises Problem."""
    if not text:
        return None
    try:
        moment, place, number = text.split(" ")
        return datetime.fromisoformat(moment).astimezone(UTC), place, max(0, min(int(number), MAX_ID))
    except (ValueError, OverflowError) as error:
        raise Problem(422, "after", "this is no place in the list; begin at its start") from error

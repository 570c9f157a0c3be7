"""The review desk: what waits for a person, and one comment with all that is known about it.

GET /review             the queue and its first comment; filters in the address, see `bot.web.review_asked`
GET /review/ID          the queue and this comment
GET /review/list        the list alone, `?after=` the place where the page before ended
GET /review/item/ID     the comment alone
GET /review/filters     the filters alone, with their numbers
GET /review/fresh       which comments came since `?moment=`: JSON, `{"ids": [...]}`
GET /review/ID/text     the whole comment as plain text
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, get_args

from aiohttp import web
from sqlmodel import Session

from adapters.base import Clock
from bot.access.visitor import Visitor
from bot.models import KeptText, Role, State
from bot.plain import plain
from bot.planning import PollShare
from bot.review import Act
from bot.settings import ChannelRulesSettings, Language, ReviewSettings
from bot.store import holds, queue, translations
from bot.store.cases import Case, NoSuchComment, case
from bot.store.ledger import Ledger
from bot.store.outlook import outlook
from bot.store.queue import Facets, Page, Place
from bot.web.forms import row_number
from bot.web.glance import KEPT_S, Kept, Watcher
from bot.web.overview_view import clock_time
from bot.web.problems import Problem
from bot.web.rendering import Renderer
from bot.web.review_asked import STATES, Asked, moment_of, place_of
from bot.web.review_detail import detail_context
from bot.web.review_list import filters_context, list_context
from bot.web.routes import Route, known_visitor
from bot.web.words import WORDS, state_word

PAGE: Final = 35
"""Comments that one page of the list holds."""
FRESH: Final = 200
UNDOABLE: Final = frozenset({"approve", "edit", "reject", "skip"})
SCRIPT_WORDS: Final = (
    "offline", "offline_none", "logged_out", "saved_here", "untranslated", "counter", "too_long", "selected",
    "new", "held", "goes_out", "decided_by", "moved", "bulk_all", "bulk_first",
    *(f"did_{act}" for act in get_args(Act)),
)  # fmt: skip
FixedTexts = Callable[[str | None, str], tuple[str, ...]]
"""By a persona's name and the reply's language: what stands in every reply, and rests on no document."""


class ReviewPages:
    """Handlers of what is only looked at."""

    def __init__(
        self,
        *,
        render: Renderer,
        ledger: Ledger,
        watcher: Watcher,
        settings: ReviewSettings,
        fixed: FixedTexts,
        translates: bool,
        clock: Clock,
        polls: PollShare,
    ) -> None:
        self._render = render
        self._ledger = ledger
        self._watcher = watcher
        self._settings = settings
        self._fixed = fixed
        self._translates = translates
        self._clock = clock
        self._polls = polls
        self._facets = {state: Kept(partial(self._count, state), KEPT_S) for state in STATES}

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/review", self.page),
            Route("GET", "/review/list", self.list),
            Route("GET", "/review/filters", self.filters),
            Route("GET", "/review/fresh", self.fresh, page=False),
            Route("GET", r"/review/{id:\d+}", self.page),
            Route("GET", r"/review/item/{id:\d+}", self.item),
            Route("GET", r"/review/{id:\d+}/text", self.text),
        ]

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The whole page; where no comment is named, the first of the queue is shown beside it."""
        opened = wanted_id(request) if "id" in request.match_info else None
        return await self.shown(request, opened=opened, done=self._done(request))

    async def shown(
        self,
        request: web.Request,
        *,
        opened: int | None,
        notice: str = "",
        done: dict[str, Any] | None = None,
        written: str = "",
        status: int = 200,
    ) -> web.StreamResponse:
        """`notice`: one line on top; `done`: what was done before; `written`: what was meant to be sent."""
        asked, visitor = Asked.read(request.query), known_visitor(request)
        context, first = await self._list(request, asked, visitor, opened)
        shown = opened if opened is not None else first
        detail = await self._detail(request, shown, visitor) if shown is not None else None
        if detail is not None and written:
            detail["kept"] = written
        filters = await self._filters(request, asked)
        more = {
            "opened": opened,
            "item": detail,
            "asked": asked,
            "notice": notice,
            "done": done,
            "script": self._script(request, visitor),
            "query": asked.link(""),
        }
        return self._render.page(request, "review.html", {**context, **filters, **more}, status)

    async def list(self, request: web.Request) -> web.StreamResponse:
        asked, visitor = Asked.read(request.query), known_visitor(request)
        context, _ = await self._list(request, asked, visitor, None)
        return self._render.page(request, "review_list.html", {**context, "asked": asked})

    async def filters(self, request: web.Request) -> web.StreamResponse:
        context = await self._filters(request, Asked.read(request.query))
        return self._render.page(request, "review_filters.html", context)

    async def fresh(self, request: web.Request) -> web.StreamResponse:
        """What the filters let through and came since a moment, the first `FRESH`."""
        asked, since = Asked.read(request.query), moment_of(request.query.get("moment", ""))
        filters = asked.since(since, self._clock())
        return web.json_response(
            {"ids": await self._ledger.aread(queue.ids, filters, sort="oldest", limit=FRESH)}
        )

    async def item(self, request: web.Request) -> web.StreamResponse:
        visitor, asked = known_visitor(request), Asked.read(request.query)
        detail = await self._detail(request, wanted_id(request), visitor)
        return self._render.page(
            request, "review_item.html", {"item": detail, "asked": asked, "query": asked.link("")}
        )

    async def text(self, request: web.Request) -> web.StreamResponse:
        try:
            found = await self._ledger.aread(translations.comment, wanted_id(request))
        except NoSuchComment as error:
            raise Problem(404, "no_comment", str(error)) from error
        return web.Response(
            body=plain(found.text).encode("utf-8", "replace"), content_type="text/plain", charset="utf-8"
        )

    def _done(self, request: web.Request) -> dict[str, Any] | None:
        """What the form that led here has done, as its address says."""
        act, comment_id = request.query.get("did", ""), row_number(request.query.get("done", ""))
        if act not in get_args(Act) or comment_id is None:
            return None
        words = WORDS[self._render.language(request)]
        told = f"{words[f'review_did_{act}']} · #{comment_id}"
        return {"id": comment_id, "told": told, "undo": act in UNDOABLE}

    async def _list(
        self, request: web.Request, asked: Asked, visitor: Visitor, opened: int | None
    ) -> tuple[dict[str, Any], int | None]:
        """What the list prints, and its first comment that nobody else has open."""
        now = self._clock()
        after = place_of(request.query.get("after", ""))
        page, held = await self._ledger.aread(_page, asked, now, after)
        language = self._render.language(request)
        context = list_context(page, asked, held, language, now=now, opened=opened, reader=visitor.name) | {
            "decides": visitor.may(Role.REVIEWER)
        }
        free = (
            item.comment.id
            for item in page.items
            if held.get(item.comment.id or 0, visitor.name) == visitor.name
        )
        return context, next(free, None)

    async def _detail(self, request: web.Request, comment_id: int, visitor: Visitor) -> dict[str, Any]:
        try:
            found, kept = await self._ledger.aread(_case, comment_id, visitor.name)
        except NoSuchComment as error:
            raise Problem(404, "no_comment", str(error)) from error
        language = self._render.language(request)
        return detail_context(
            found,
            language,
            goes=await self._goes(found, language),
            now=self._clock(),
            reader=visitor.name,
            decides=visitor.may(Role.REVIEWER),
            translates=self._translates,
            fixed=self._fixed_of(found),
            kept=kept,
        )

    async def _goes(self, case: Case, language: Language) -> str:
        """When its reply goes out, where one is ready."""
        comment, words = case.item.comment, WORDS[language]
        if comment.state != State.READY:
            return ""
        found = await self._ledger.aread(outlook, case.item.channel, now=self._clock(), polls=self._polls)
        at = found.goes.get(comment.id or 0)
        if at is not None:
            return words["review_goes"].format(at=clock_time(at))
        moments = [moment for moment in found.goes.values() if moment is not None]
        if moments and comment.id not in found.goes:
            return words["review_goes_after"].format(at=clock_time(max(moments)))
        return words["review_goes_never"]

    def _fixed_of(self, case: Case) -> tuple[str, ...]:
        rules, draft = ChannelRulesSettings.model_validate(case.item.channel.rules), case.item.draft
        return self._fixed(rules.persona, draft.language) if draft is not None else ()

    async def _filters(self, request: web.Request, asked: Asked) -> dict[str, Any]:
        facets = await self._facets[asked.state].get()
        matching = facets.total
        if asked.narrowed:
            matching = await self._ledger.aread(queue.count, asked.filters(self._clock()))
        counts = await self._watcher.counts()
        return filters_context(facets, counts, asked, matching, self._render.language(request))

    async def _count(self, state: State) -> Facets:
        return await self._ledger.aread(queue.facets, (state,))

    def _script(self, request: web.Request, visitor: Visitor) -> dict[str, Any]:
        """What the script is told."""
        language = self._render.language(request)
        words = WORDS[language]
        return {
            "decides": visitor.may(Role.REVIEWER),
            "undo_s": self._settings.undo_s,
            "hold_s": self._settings.hold_s,
            "reader": visitor.name,
            "states": {state: state_word(state, language) for state in State},
            "words": {key: words[f"review_{key}"] for key in SCRIPT_WORDS},
        }


def wanted_id(request: web.Request) -> int:
    """The comment that the address names. Raises Problem."""
    found = row_number(request.match_info["id"])
    if found is None:
        raise Problem(404, "no_comment", "there is no such comment; go back to the queue")
    return found


def _page(session: Session, asked: Asked, now: Any, after: Place | None) -> tuple[Page, dict[int, str]]:
    page = queue.queue(session, asked.filters(now), sort=asked.sort, after=after, limit=PAGE)
    return page, holds.held(session, [item.comment.id or 0 for item in page.items], now=now)


def _case(session: Session, comment_id: int, reader: str) -> tuple[Case, KeptText | None]:
    return case(session, comment_id), holds.kept_text(session, comment_id, by=reader)

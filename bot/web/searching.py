"""The search playground: what would be found for a comment, and why. Nothing is stored.

GET /documents/search   `?q=&channel=&tag=`
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from bot.marking import marked
from bot.models import Channel, Role
from bot.plain import excerpt, plain
from bot.settings import ChannelRulesSettings, Settings
from bot.store import channels
from bot.store.ledger import Ledger
from bot.web.documents_view import SOURCE_CHARS, place_of
from bot.web.forms import text_of
from bot.web.rendering import Renderer
from bot.web.routes import Route, known_visitor
from bot.web.words import WORDS
from knowledge.ingest import Library
from knowledge.retriever import Judged, LibraryRetriever
from knowledge.tags import as_scope

QUESTION_CHARS: Final = 500
"""In an address it takes up to nine times as many bytes."""
QUOTE_CHARS: Final = 600


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked, and where."""

    question: str
    channel: str
    """Name of a channel; empty: none, with the settings of all."""
    scope: frozenset[str] | None
    least: float
    """Support from which a reply may go out by itself."""


class SearchPages:
    """Handlers."""

    def __init__(self, *, render: Renderer, library: Library, ledger: Ledger, settings: Settings) -> None:
        self._render = render
        self._ledger = ledger
        self._settings = settings
        self._library = library
        # As the one that answers comments: one library has one way of finding.
        self._retriever: LibraryRetriever = library.retriever()

    def routes(self) -> Sequence[Route]:
        return [Route("GET", "/documents/search", self.search)]

    async def search(self, request: web.Request) -> web.StreamResponse:
        language, known = self._render.language(request), await self._ledger.aread(channels.every)
        words, wish = WORDS[language], self._wish(request, known)
        too_long = len(wish.question) > QUESTION_CHARS
        judged = await self._judged(wish) if wish.question.strip() and not too_long else None
        tags = await asyncio.to_thread(self._library.tags)
        given = {
            "wish": wish,
            "tag": text_of(request.query, "tag"),
            "tags": sorted(tags),
            "channels": [channel.name for channel in known],
            "limit": QUESTION_CHARS,
            "notice": words["find_long"].format(number=len(wish.question), limit=QUESTION_CHARS)
            if too_long
            else "",
            "scope": words["find_scope"].format(tags=", ".join(sorted(wish.scope)))
            if wish.scope
            else words["find_everything"],
            "found": None if judged is None else self._found(judged, wish, words),
            "try_address": f"/try?{urlencode({'question': wish.question})}"
            if judged is not None and known_visitor(request).may(Role.REVIEWER)
            else "",
        }
        return self._render.page(request, "search.html", given, 400 if too_long else 200)

    def _wish(self, request: web.Request, known: Sequence[Channel]) -> Search:
        asked = {name: text_of(request.query, name) for name in ("q", "channel", "tag")}
        channel = next((one for one in known if one.name == asked["channel"]), None)
        rules = ChannelRulesSettings.model_validate(channel.rules if channel is not None else {})
        scope = as_scope([asked["tag"]] if asked["tag"] else []) or rules.scope("")
        least = self._settings.policy.min_support if rules.min_support is None else rules.min_support
        return Search(asked["q"], channel.name if channel is not None else "", scope, least)

    async def _judged(self, wish: Search) -> list[Judged]:
        top = self._settings.knowledge.top_k
        return await asyncio.to_thread(self._retriever.judge, wish.question, top, wish.scope)

    def _found(self, judged: Sequence[Judged], wish: Search, words: Mapping[str, str]) -> dict[str, Any]:
        best = max((one.support for one in judged), default=0.0)
        key = "find_nothing" if not judged else "find_enough" if best >= wish.least else "find_short"
        return {
            "enough": bool(judged) and best >= wish.least,
            "verdict": words[key].format(best=f"{best:.2f}", least=f"{wish.least:.2f}"),
            "read_as": words["find_read_as"].format(text=excerpt(judged[0].question.text, 300))
            if judged
            else "",
            "rows": [self._row(number, one, wish, words) for number, one in enumerate(judged, 1)],
        }

    def _row(self, number: int, one: Judged, wish: Search, words: Mapping[str, str]) -> dict[str, Any]:
        scored = self._retriever.scored(one)
        passage, matched = scored.passage, [plain(word) for word in scored.matched]
        return {
            "number": number,
            "document": passage.document_id,
            "place": place_of(passage, words) or excerpt(passage.source, SOURCE_CHARS),
            "source": excerpt(passage.source, SOURCE_CHARS),
            "tags": sorted(passage.tags),
            "above": one.support >= wish.least,
            "threshold": words["find_above" if one.support >= wish.least else "find_below"],
            "support": words["support"].format(support=f"{one.support:.2f}"),
            "why": " · ".join(_reasons(one, words)),
            "matched": words["find_matched"].format(words=excerpt(", ".join(matched), 300))
            if matched
            else "",
            "answer": bool(passage.answer),
            "quote": marked(excerpt(scored.quote, QUOTE_CHARS), matched),
            "whole": marked(plain(passage.text), matched),
        }


def _reasons(one: Judged, words: Mapping[str, str]) -> list[str]:
    features = one.fit.features
    told = [words["find_score"].format(score=f"{one.score:.2f}")]
    told.append(words["find_cover"].format(share=f"{features.cover:.0%}"))
    if features.bm25 > 0:
        told.append(words["find_by_words"])
    if features.cosine > 0:
        told.append(words["find_by_meaning"].format(cosine=f"{features.cosine:.2f}"))
    return told

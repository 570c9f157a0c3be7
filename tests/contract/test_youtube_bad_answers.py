"""YouTube says who we are, and then nonsense: adapter errors and nothing else, and no cursor that skips anything."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from adapters.base import Budget
from adapters.errors import AdapterError, Transient
from adapters.youtube import YouTubeAdapter
from tests.contract.cases import CASES, NOW
from tests.contract.harnesses import new_session
from tests.contract.misbehaving import BAD_ANSWERS, SHORT_S, Answerer, platform, says

ME = says(json.dumps({"items": [{"id": "UCme", "snippet": {"title": "Creator"}}]}))
THREAD = {
    "id": "Ugx1",
    "snippet": {
        "videoId": "v",
        "totalReplyCount": 9,
        "topLevelComment": {
            "id": "Ugx1",
            "snippet": {"publishedAt": "2026-11-20T12:00:05Z", "textDisplay": "hi"},
        },
    },
}
OF_YOUTUBE: dict[str, Answerer] = {
    "items is no list": says('{"items": {}}'),
    "items of rubbish": says(
        json.dumps({"items": [1, None, [], {}, {"snippet": {}}, {"id": "a", "snippet": []}]})
    ),
    "a token of another type": says(json.dumps({"items": [THREAD], "nextPageToken": {"a": 1}})),
    "the same page for ever": says(json.dumps({"items": [THREAD], "nextPageToken": "again"})),
    "an empty page with a token": says(json.dumps({"items": [], "nextPageToken": "again"})),
    "a thread as a comment": says(json.dumps({"items": [THREAD]})),
    "replies of rubbish": says(json.dumps({"items": [{**THREAD, "replies": {"comments": [None, 1, {}]}}]})),
    "a count without end": says(
        '{"items": [{"id": "a", "snippet": {"videoId": "v", "totalReplyCount": 1e999}}]}'
    ),
    "no reason": says("{}", 403),
    "reasons of rubbish": says(
        '{"error": {"errors": [1, null, {"reason": {}}], "details": "x", "status": 5}}', 400
    ),
    "a page that is gone": says('{"error": {"errors": [{"reason": "invalidPageToken"}]}}', 400),
}


@asynccontextmanager
async def opened(answer: Answerer) -> AsyncIterator[YouTubeAdapter]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await (ME if request.path.endswith("/channels") else answer)(request)

    async with platform(handle) as url, new_session() as http:
        adapter: Any = CASES["youtube"].make(url, http, SHORT_S)
        # A request that is given up on a busy machine would fail `open`, which is not the question here.
        async with asyncio.timeout(60):
            while True:
                try:
                    await adapter.open()
                    break
                except Transient:
                    continue
        yield adapter


@pytest.mark.parametrize(
    "answer", {**BAD_ANSWERS, **OF_YOUTUBE}.values(), ids={**BAD_ANSWERS, **OF_YOUTUBE}.keys()
)
async def test_a_bad_answer_raises_adapter_errors_only_and_soon(answer: Answerer) -> None:
    calls: list[Callable[[YouTubeAdapter], Awaitable[object]]] = [
        lambda adapter: adapter.poll(CASES["youtube"].cursor, Budget(requests=3)),
        lambda adapter: adapter.poll(LONG, Budget(requests=3)),
        lambda adapter: adapter.reply(CASES["youtube"].target, "an answer", "key"),
        lambda adapter: adapter.find_own_replies(CASES["youtube"].target, NOW),
        lambda adapter: adapter.hide(CASES["youtube"].target),
    ]
    messages: list[str] = []
    async with opened(answer) as adapter, asyncio.timeout(60):
        for call in calls:
            try:
                await call(adapter)
            except AdapterError as exc:
                messages.append(str(exc))
    assert not [message for message in messages if "access-token" in message]


LONG = {**CASES["youtube"].cursor, "queue": [{"thread": "Ugx1", "post": "v", "replies": 9, "page": None}]}


@pytest.mark.parametrize("answer", ["truncated", "drops", "never", "html", "broken json", "server error"])
async def test_a_reply_whose_answer_is_lost_is_ambiguous_and_a_poll_is_not(answer: str) -> None:
    async with opened(BAD_ANSWERS[answer]) as adapter:
        with pytest.raises(Transient) as sent:
            await adapter.reply(CASES["youtube"].target, "an answer", "key")
        for cursor in (CASES["youtube"].cursor, LONG):
            with pytest.raises(Transient) as read:
                await adapter.poll(cursor, Budget())
            assert not read.value.ambiguous
    assert sent.value.ambiguous


async def test_rows_that_cannot_be_read_are_counted_and_the_others_kept() -> None:
    rows = {"items": [{"snippet": {}}, {**THREAD, "snippet": {**THREAD["snippet"], "totalReplyCount": 0}}, 3]}  # type: ignore[dict-item]
    async with opened(says(json.dumps(rows))) as adapter:
        page = await adapter.poll(CASES["youtube"].cursor, Budget())
    assert ([comment.text for comment in page.comments], page.malformed) == (["hi"], 2)

"""An open adapter with comments to read and one to answer, on a platform that answers as it should."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from adapters.base import Budget, CommentRef, Cursor, PlatformAdapter
from adapters.conformance import Harness
from adapters.inbox import InboxAdapter
from adapters.inbox_options import InboxOptions
from adapters.sandbox_site import utc_now
from tests.contract.cases import CASES, NOW
from tests.contract.harnesses import new_session
from tests.contract.misbehaving import Answerer, platform, says
from tests.contract.stages import Fresh


@dataclass(frozen=True)
class Scene:
    adapter: PlatformAdapter
    cursor: Cursor
    target: CommentRef


Begin = Callable[[], AbstractAsyncContextManager[Scene]]
"""Makes a new one, which knows nothing of those before."""


def on(fresh: Fresh) -> Begin:
    """On a platform that a harness plays the visitors of."""

    @asynccontextmanager
    async def begin() -> AsyncIterator[Scene]:
        async with fresh() as harness:
            cursor, target = await _begun(harness)
            yield Scene(harness.adapter, cursor, target)

    return begin


async def _begun(harness: Harness) -> tuple[Cursor, CommentRef]:
    await harness.adapter.open()
    cursor = await harness.adapter.baseline(datetime.now(UTC))
    for number in range(3):
        await harness.write(f"comment {number} 评论 <b>&amp;")
    page = await harness.adapter.poll(cursor, Budget())
    top = page.comments[0].ref
    await harness.write("a reply 回复", top)
    await harness.adapter.reply(top, "our own reply 我们的回复", "first")
    return cursor, top


COMMENT: Mapping[str, Any] = {
    "id": 7, "post": 1, "parent": 0, "author": 0, "author_name": "Fan", "date": "2026-11-20T12:00:01",
    "date_gmt": "2026-11-20T12:00:01", "content": {"raw": "a question"}, "link": "https://example.org/a/#comment-7",
    "status": "approved", "_links": {"up": [{"href": "https://example.org/wp-json/wp/v2/posts/1"}]},
}  # fmt: skip
REPLY: Mapping[str, Any] = {**COMMENT, "id": 8, "parent": 7, "author": 1}
POST: Mapping[str, Any] = {
    "id": 1,
    "title": {"rendered": "题目"},
    "excerpt": {"rendered": "<p>…</p>"},
    "link": "https://example.org/a/",
}


async def _blog(request: web.Request) -> web.StreamResponse:
    """What a WordPress with one comment and our reply to it says: a real one takes 30 ms a call."""
    if request.method == "POST":
        return web.json_response(
            {**REPLY, "status": "hold"} if request.path.endswith("/7") else REPLY, status=201
        )
    if request.path.endswith("/7"):
        return web.json_response(COMMENT)
    rows = [POST] if request.path.endswith("/posts") else [COMMENT, REPLY]
    body = json.dumps(rows, ensure_ascii=False)
    return web.Response(text=body, content_type="application/json", headers={"X-WP-Total": str(len(rows))})


def _on_answers(answer: Answerer, make: Callable[[str, Any], PlatformAdapter], cursor: Cursor) -> Begin:
    @asynccontextmanager
    async def begin() -> AsyncIterator[Scene]:
        async with platform(answer) as url, new_session() as http:
            adapter = make(url, http)
            await adapter.open()
            yield Scene(adapter, cursor, CommentRef("1", "7", "7", NOW))

    return begin


def _inbox(url: str, http: Any) -> PlatformAdapter:
    options = {
        "account": "Roaster",
        "delivery": "webhook",
        "webhook_url": url,
        "webhook_secret": "a secret of the owner's",
        "dedupes": True,
    }
    return InboxAdapter(InboxOptions.model_validate(options), http=http, clock=utc_now)


wordpress = _on_answers(_blog, CASES["wordpress"].make, {**CASES["wordpress"].cursor, "held": ["5", "7"]})
inbox = _on_answers(says('{"id": "reply-7", "ok": true}'), _inbox, {})

"""Whatever a platform answers, an adapter raises adapter errors and nothing else, and soon."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.base import Budget, PlatformAdapter
from adapters.errors import AdapterError, Permanent, RateLimited, Transient
from tests.contract.cases import CASES, GRANTS, NOW, SECRET
from tests.contract.harnesses import new_session

Answerer = Callable[[web.Request], Awaitable[web.StreamResponse]]
SHORT_S = 0.15


@asynccontextmanager
async def platform(answer: Answerer) -> AsyncIterator[str]:
    """A server that hands out tokens and answers everything else as told."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path in GRANTS:
            # A kept connection would make "cannot connect" look like "broke on the way".
            granted = web.json_response(GRANTS[request.path])
            granted.force_close()
            return granted
        return await answer(request)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


async def ready(name: str, adapter: PlatformAdapter) -> PlatformAdapter:
    """With a token, where it needs one."""
    if CASES[name].logs_in:
        await adapter.refresh_auth()
    return adapter


def says(body: str | bytes, status: int = 200, **headers: str) -> Answerer:
    async def answer(_: web.Request) -> web.StreamResponse:
        raw = body.encode() if isinstance(body, str) else body
        return web.Response(body=raw, status=status, content_type="application/json", headers=headers)

    return answer


async def truncated(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"comments": [')
    assert request.transport is not None
    request.transport.close()
    return response


async def drops(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def fifty_megabytes(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(50):
        await response.write(b"[" * 1024 * 1024)
    return response


async def drips_for_ever(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.02)


async def never(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


ROW = {"id": 1, "created": 1795176001.5, "created_at": "2026-11-20T12:00:01Z"}
BAD_ANSWERS: dict[str, Answerer] = {
    "truncated": truncated,
    "drops": drops,
    "fifty megabytes": fifty_megabytes,
    "drips for ever": drips_for_ever,
    "never": never,
    "html": says("<!doctype html><h1>maintenance</h1>"),
    "broken json": says('{"comments": [}'),
    "not utf-8": says(b'{"comments": "\xff\xfe"}'),
    "deep nesting": says("[" * 200_000),
    "empty": says(""),
    "null": says("null"),
    "a number": says("12"),
    "a list": says("[1, 2]"),
    "another shape": says('{"comments": 5, "replies": {}, "posts": null}'),
    "rows of rubbish": says(
        json.dumps({"comments": [1, None, [], {}], "replies": [1, None, [], {}], "posts": [3]})
    ),
    "a list of rubbish": says(
        '[1, null, [], {}, {"id": []}, {"id": "99", "type": 0, "author": {"id": "x"}}]'
    ),
    "updates of rubbish": says(
        '{"ok": true, "result": [1, null, {}, {"update_id": "x"}, {"update_id": 1e999}, {"update_id": 7, "message": 1},'
        ' {"update_id": 8, "message": {"chat": {"id": -100}, "text": [], "message_id": {}}}]}'
    ),
    "a channel of rubbish": says('{"id": "7", "type": 0, "guild_id": [], "threads": [1, {}], "ok": true}'),
    "rows of rubbish inside": says(
        json.dumps({"data": {"list": [1, None, [], {}, ROW], "cursor": "7", "has_more": True}})
    ),
    "codes of rubbish": says(json.dumps({"data": {"error_code": "many"}, "extra": {"error_code": [1]}})),
    "a huge number": says('{"replies": [{"id": 1e999, "created": NaN}], "total_replies": ' + "9" * 50 + "}"),
    "half a row": says(json.dumps({"comments": [ROW], "replies": [ROW], "posts": [], "total_replies": 1})),
    "wrong length": says("{}", 200, **{"Content-Encoding": "gzip"}),
    "bad request": says('{"error": "no"}', 400),
    "forbidden": says("<h1>Forbidden</h1>", 403),
    "conflict": says("[]", 409),
    "teapot": says("{}", 418),
    "server error": says("oops", 500),
    "bad gateway": says("<h1>502</h1>", 502),
    "redirect": says("", 302, Location="http://127.0.0.1:1/elsewhere"),
    "lone surrogates": says('{"replies": [{"id": "\\ud800", "created": "\\udfff"}], "total_replies": 1}'),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
@pytest.mark.parametrize("name", CASES)
async def test_a_bad_answer_raises_adapter_errors_only_and_soon(name: str, answer: Answerer) -> None:
    async with platform(answer) as url, new_session() as http:
        adapter = await ready(name, CASES[name].make(url, http, SHORT_S))
        messages: list[str] = []
        calls: list[Callable[[], Awaitable[object]]] = [
            adapter.open,
            lambda: adapter.baseline(NOW),
            lambda: adapter.poll(CASES[name].cursor, Budget(requests=3)),
            lambda: adapter.reply(CASES[name].target, "an answer", "key"),
            lambda: adapter.find_own_replies(CASES[name].target, NOW),
        ]
        async with asyncio.timeout(20):
            for call in calls:
                try:
                    await call()
                except AdapterError as exc:
                    messages.append(str(exc))
        await adapter.aclose()
    assert not [message for message in messages if SECRET in message]


@pytest.mark.parametrize(
    "answer", ["truncated", "drops", "never", "html", "broken json", "server error", "fifty megabytes"]
)
@pytest.mark.parametrize("name", CASES)
async def test_a_reply_whose_answer_is_lost_is_ambiguous_and_a_poll_is_not(name: str, answer: str) -> None:
    async with platform(BAD_ANSWERS[answer]) as url, new_session() as http:
        adapter = await ready(name, CASES[name].make(url, http, SHORT_S))
        with pytest.raises(Transient) as sent:
            await adapter.reply(CASES[name].target, "an answer", "key")
        with pytest.raises(Transient) as read:
            await adapter.poll(CASES[name].cursor, Budget(requests=20))
    assert (sent.value.ambiguous, read.value.ambiguous) == (True, False)


@pytest.mark.parametrize("name", CASES)
async def test_a_reply_that_never_left_is_not_ambiguous(name: str) -> None:
    async with new_session() as http:
        async with platform(says("{}")) as url:
            adapter = await ready(name, CASES[name].make(url, http))
        with pytest.raises(Transient) as refused:
            await adapter.reply(CASES[name].target, "an answer", "key")
    assert refused.value.ambiguous is False


@pytest.mark.parametrize("name", CASES)
async def test_too_many_calls_tells_the_seconds_to_wait(name: str) -> None:
    async with platform(says("slow down", 429, **{"Retry-After": "17"})) as url, new_session() as http:
        adapter = await ready(name, CASES[name].make(url, http))
        with pytest.raises(RateLimited) as limited:
            await adapter.reply(CASES[name].target, "an answer", "key")
    assert limited.value.retry_after == 17


@pytest.mark.parametrize("name", CASES)
async def test_a_redirect_is_not_followed(name: str) -> None:
    visited = []

    async def redirect(request: web.Request) -> web.StreamResponse:
        visited.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with platform(redirect) as url, new_session() as http:
        adapter = await ready(name, CASES[name].make(url, http))
        with pytest.raises(Permanent, match="redirects"):
            await adapter.reply(CASES[name].target, "an answer", "key")
    assert len(visited) == 1


@pytest.mark.parametrize("name", CASES)
async def test_cancelling_a_call_cancels_it(name: str) -> None:
    arrived = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async with platform(hang) as url, new_session() as http:
        adapter = await ready(name, CASES[name].make(url, http))
        task = asyncio.ensure_future(adapter.reply(CASES[name].target, "an answer", "key"))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

"""A platform that answers whatever a test wants of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.contract.cases import GRANTS

Answerer = Callable[[web.Request], Awaitable[web.StreamResponse]]
SHORT_S = 0.3


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

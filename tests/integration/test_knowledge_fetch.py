"""Fetching from a real server on loopback."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from knowledge.fetch import fetch
from knowledge.loaders import load
from knowledge.records import LoadError


async def page(_: web.Request) -> web.Response:
    body = "<html><head><title>Größe</title></head><body><p>The kit costs 49 dollars.</p></body></html>"
    return web.Response(body=body.encode("latin-1"), headers={"Content-Type": "text/html; charset=latin-1"})


async def markdown(_: web.Request) -> web.Response:
    return web.Response(text="# Guide\n\nHello **there**.", content_type="text/plain")


async def table(_: web.Request) -> web.Response:
    return web.Response(text="q,a\nHow?,So.\n", content_type="text/plain")


async def picture(_: web.Request) -> web.Response:
    return web.Response(body=b"\x89PNG", content_type="image/png")


async def circle(_: web.Request) -> web.Response:
    raise web.HTTPFound("/circle")


async def hop(request: web.Request) -> web.Response:
    left = int(request.match_info["left"])
    raise web.HTTPFound(f"/hop/{left - 1}" if left else "/page")


async def elsewhere(request: web.Request) -> web.Response:
    raise web.HTTPFound(request.query["to"])


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    try:
        while True:
            await response.write(b"x" * 65_536)
    except ConnectionError:
        return response


async def silent(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    routes = {
        "page": page,
        "guide.md": markdown,
        "faq.csv": table,
        "picture": picture,
        "circle": circle,
        "to": elsewhere,
    }
    for name, handler in {**routes, "endless": endless, "silent": silent, "hop/{left}": hop}.items():
        app.router.add_get(f"/{name}", handler)
    async with TestServer(app) as running:
        yield running


async def refusal(server: TestServer, path: str, **options: float) -> str:
    address = str(server.make_url(path))
    with pytest.raises(LoadError) as caught:
        await fetch(address, allow_private=True, **options)  # type: ignore[arg-type]
    assert caught.value.source == address
    return caught.value.message


async def test_a_page_is_fetched_and_read_in_the_declared_charset(server: TestServer) -> None:
    loaded = load(await fetch(str(server.make_url("/page")), allow_private=True))
    assert loaded.title == "Größe"
    assert loaded.sections[0].paragraphs == ("The kit costs 49 dollars.",)


async def test_markdown_served_as_plain_text_is_read_as_markdown(server: TestServer) -> None:
    loaded = load(await fetch(str(server.make_url("/guide.md")), allow_private=True))
    assert (loaded.title, loaded.sections[0].paragraphs) == ("Guide", ("Hello there.",))


async def test_five_redirects_are_followed_and_the_source_keeps_its_name(server: TestServer) -> None:
    address = str(server.make_url("/hop/4"))
    assert (await fetch(address, allow_private=True)).source == address


async def test_the_address_is_where_the_redirects_ended(server: TestServer) -> None:
    loaded = load(await fetch(str(server.make_url("/hop/2")), allow_private=True))
    assert loaded.address == str(server.make_url("/page"))


async def test_a_table_served_as_plain_text_is_read_by_its_name(server: TestServer) -> None:
    loaded = load(await fetch(str(server.make_url("/faq.csv")), allow_private=True))
    assert loaded.sections[0].answer == "So."


async def test_more_redirects_are_refused(server: TestServer) -> None:
    assert "redirects more than 5 times" in await refusal(server, "/circle")
    assert "redirects more than 5 times" in await refusal(server, "/hop/5")


async def test_a_redirect_to_another_scheme_is_refused(server: TestServer) -> None:
    assert "no http or https address" in await refusal(server, "/to?to=file:///etc/passwd")


async def test_loopback_is_refused_unless_allowed(server: TestServer) -> None:
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(LoadError, match="private network"):
            await fetch(f"http://{host}:{server.port}/page")


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.1", "0177.0.0.1"])
async def test_unusual_spellings_of_loopback_are_refused_too(server: TestServer, host: str) -> None:
    with pytest.raises(LoadError):
        await fetch(f"http://{host}:{server.port}/page")


async def test_an_endless_answer_is_cut_off_at_the_limit(server: TestServer) -> None:
    assert "larger than 1 MB" in await refusal(server, "/endless", max_bytes=1_000_000)


async def test_a_server_that_never_answers_runs_into_the_deadline(server: TestServer) -> None:
    assert "did not answer within 0.1 s" in await refusal(server, "/silent", deadline_s=0.1)


async def test_wrong_types_and_statuses_are_refused(server: TestServer) -> None:
    assert "is of type image/png" in await refusal(server, "/picture")
    assert "answers with status 404" in await refusal(server, "/nowhere")


async def test_a_server_that_is_not_there_is_one_clear_line(server: TestServer) -> None:
    address = str(server.make_url("/page"))
    await server.close()
    with pytest.raises(LoadError, match="cannot be fetched"):
        await fetch(address, allow_private=True)

"""The time to wait that a platform names, and what messages show."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import RateLimited, Transient
from adapters.http import (
    DEFAULT_RETRY_AFTER_S,
    MAX_RETRY_AFTER_S,
    Http,
    check_base_url,
    is_private,
    parse_retry_after,
    rows_of,
    told_wait,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, DEFAULT_RETRY_AFTER_S),
        ("0", 0),
        ("17", 17),
        ("0.5", 0.5),
        ("-3", 0),
        ("nan", DEFAULT_RETRY_AFTER_S),
        ("inf", MAX_RETRY_AFTER_S),
        ("later", DEFAULT_RETRY_AFTER_S),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert parse_retry_after(header, NOW) == seconds


@given(st.text())
def test_any_retry_after_header_gives_a_sane_wait(header: str) -> None:
    assert 0 <= parse_retry_after(header, NOW) <= MAX_RETRY_AFTER_S


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, DEFAULT_RETRY_AFTER_S),
        ({"Retry-After": "17", "RateLimit-Reset": "1795176090"}, 17),
        ({"RateLimit-Reset": "1795176090"}, 90),
        ({"X-RateLimit-Reset": "2026-11-20T12:01:30.000000Z"}, 90),
        ({"X-RateLimit-Reset": "2026-11-20T12:01:30Z", "Date": "Fri, 20 Nov 2026 12:01:00 GMT"}, 30),
        ({"RateLimit-Reset": "45"}, 45),
        ({"RateLimit-Reset": "1795100000"}, 0),
        ({"RateLimit-Reset": "-5"}, 0),
        ({"RateLimit-Reset": "soon"}, DEFAULT_RETRY_AFTER_S),
        ({"RateLimit-Reset": "1e999"}, MAX_RETRY_AFTER_S),
    ],
)
def test_the_end_of_a_window_is_a_moment_or_seconds(headers: dict[str, str], seconds: float) -> None:
    assert told_wait(headers, NOW) == seconds


@given(st.text(), st.text())
def test_any_end_of_a_window_gives_a_sane_wait(reset: str, date: str) -> None:
    assert 0 <= told_wait({"X-RateLimit-Reset": reset, "Date": date}, NOW) <= MAX_RETRY_AFTER_S


def test_a_base_address_loses_its_trailing_slash_and_keeps_its_path() -> None:
    assert check_base_url("https://example.org/comments/") == "https://example.org/comments"


BAD_ADDRESSES = (
    "",
    "example.org",
    "ftp://example.org",
    "http://",
    "http://.",
    "http://a..b",
    "http://a b",
    "http://[::1",
)
WORSE_ADDRESSES = (
    "http://h:99999",
    "http://h:x",
    f"http://{'a' * 70}.org",
    "http://\ud800",
    "http://h?x",
    "http://u@h",
)


@pytest.mark.parametrize("value", [*BAD_ADDRESSES, *WORSE_ADDRESSES])
def test_an_address_that_can_never_be_called_is_refused(value: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (urlsplit words some of them)
        check_base_url(value)


@pytest.mark.parametrize("data", [None, [], {"rows": None}, {"rows": {}}, 3])
def test_an_answer_without_its_list_is_transient(data: object) -> None:
    with pytest.raises(Transient, match="rows"):
        rows_of("reading", data, "rows")


@asynccontextmanager
async def answering(status: int, body: str, **headers: str) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=body.replace("PATH", request.path), status=status, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    try:
        yield str(server.make_url("")).rstrip("/")
    finally:
        await server.close()


def now() -> datetime:
    return NOW


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ('{"wait": 2.5}', 2.5),
        ('{"wait": -1}', 0),
        ('{"wait": 1e999}', MAX_RETRY_AFTER_S),
        ('{"wait": NaN}', DEFAULT_RETRY_AFTER_S),
        ('{"wait": "soon"}', 17),
        ('{"wait": true}', 17),
        ("[", 17),
        ("", 17),
    ],
)
async def test_the_body_of_a_429_may_tell_the_wait_and_the_header_does_else(
    body: str, seconds: float
) -> None:
    def told(data: Any) -> object:
        return data.get("wait") if isinstance(data, dict) else None

    async with answering(429, body, **{"Retry-After": "17"}) as url, aiohttp.ClientSession() as session:
        http = Http(session, url, clock=now, wait_in=told)
        with pytest.raises(RateLimited) as limited:
            await http.read("/")
    assert limited.value.retry_after == seconds


async def test_what_an_answer_repeats_of_the_calls_secrets_is_in_no_excerpt() -> None:
    headers = {"Authorization": "Bearer ey-s3cret-access", "access-token": "act.s3cret-other"}
    form = {"client_secret": "s3cret-client", "refresh_token": "s3cret-client-refresh", "scope": "comments"}
    told = f"cannot: {headers} {form} s3cret-pass"
    async with answering(403, told) as url, aiohttp.ClientSession() as session:
        http = Http(session, url, clock=now)
        answers = [
            await http.write("POST", "/", headers=headers, form=form | {"password": "s3cret-pass"}),
            await http.write("POST", "/", headers=headers | form, body={"password": "s3cret-pass", "a": [1]}),
        ]
    for answer in answers:
        assert answer.excerpt.startswith("cannot: ")
        assert "s3cret" not in answer.excerpt
        assert "comments" in answer.excerpt


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://example.org/token", True),
        ("http://127.0.0.1:8080/token", True),
        ("http://[::1]/token", True),
        ("http://localhost/token", True),
        ("http://example.org/token", False),
        ("http://127.0.0.1.example.org/token", False),
        ("http://192.168.1.5/token", False),
        ("http://0.0.0.0/token", False),
        ("ftp://127.0.0.1/token", False),
        ("https://", False),
    ],
)
def test_an_address_is_private_where_nobody_on_the_way_reads_along(address: str, safe: bool) -> None:
    assert is_private(address) is safe


async def test_a_secret_of_the_path_is_in_no_message_no_cause_and_no_excerpt() -> None:
    async with answering(418, "<h1>no PATH</h1>") as url, aiohttp.ClientSession() as session:
        http = Http(session, f"{url}/bot-s3cret", clock=now, secret="s3cret")
        answer = await http.read("/me")
        assert answer.excerpt == "<h1>no /bot-…/me</h1>"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(Transient) as broken:
            await Http(session, f"{url}/bot-s3cret", clock=now, secret="s3cret").read("/me")
    assert "/bot-…/me" in str(broken.value)
    assert (broken.value.__cause__, broken.value.__context__) == (None, None)

"""Requests that are broken, and handlers that are."""

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot import logs
from bot.models import Role
from bot.settings import LogSettings
from bot.store import access, queue
from bot.store.ledger import LedgerUnavailable
from bot.web import review_live
from tests.access import PASSWORD, House, Outside, house

JSON = "application/problem+json"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


@pytest.fixture
def log_output() -> Iterator[io.StringIO]:
    out, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure(LogSettings(format="json"), stream=out)
    yield out
    root.handlers[:], root.level = before, level


async def said(site: House, request: bytes) -> bytes:
    """What the server answers to these very bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.outside().url.rpartition(":")[2]))
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_broken_request_does_not_bring_its_cookie_into_the_log(
    site: House, log_output: io.StringIO
) -> None:
    host = site.outside().url.removeprefix("http://").encode()
    for header in (b"Cookie: rejoinder=hunter2\0", b"Authorization: Bearer hunter2\0", b"Host: hunter2"):
        broken = b"GET /account HTTP/1.1\r\nHost: " + host + b"\r\n" + header + b"\r\n\r\n"
        assert b" 400 " in (await said(site, broken)).partition(b"\r\n")[0]
    assert log_output.getvalue() == ""


async def token_of(owner: Outside) -> str:
    return (await owner.press("/account", "/account/tokens", name="t", role="owner", days="")).secret


async def test_a_body_that_is_not_packed_as_it_says_is_refused(site: House, log_output: io.StringIO) -> None:
    owner = await site.owner()
    headers = {
        "Authorization": f"Bearer {await token_of(owner)}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    got = await owner.ask("POST", "/api/v1/comments/1/verdicts", headers=headers, data=b"no gzip")
    assert (got.status, got.headers["Content-Type"].split(";")[0]) == (400, JSON)
    form = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}
    page = await owner.ask("POST", "/login", headers={**form, "Origin": owner.url}, data=b"no gzip")
    assert (page.status, page.headers["Content-Type"].split(";")[0]) == (400, "text/html")
    assert log_output.getvalue() == ""


async def test_a_form_that_is_too_large_is_told_on_a_page(site: House) -> None:
    got = await site.outside().post("/login", name="x" * 300_000, password=PASSWORD)
    assert (got.status, got.headers["Content-Type"].split(";")[0]) == (413, "text/html")


async def test_a_defect_is_told_without_its_inside(
    site: House, log_output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await site.owner()
    token = await token_of(owner)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(queue, "queue", fails)
    headers = {"Authorization": f"Bearer {token}"}
    got = await owner.get("/api/v1/comments", headers=headers)
    assert (got.status, got.headers["Content-Type"].split(";")[0]) == (500, JSON)
    assert "inside" not in got.text
    assert "RuntimeError: the inside" in log_output.getvalue()


async def test_a_listener_is_told_when_the_ledger_cannot_be_read(
    site: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await site.owner()

    def locked(*_: object) -> None:
        raise LedgerUnavailable("locked")

    monkeypatch.setattr(review_live, "look", locked)
    got = await owner.get("/review/events")
    assert (got.status, got.headers["Content-Type"].split(";")[0]) == (503, JSON)


async def test_a_nul_is_no_defect_in_any_ledger(tmp_path: Path, database_url: str) -> None:
    async with house(tmp_path, database_url) as site:
        owner = await site.owner()
        for path in ("/review?q=a%00b", "/review?channel=%00", "/audit?act=%00", "/audit?actor=%00"):
            assert (await owner.get(path)).status == 400, path
        assert (await site.outside().log_in("\0")).status == 401
        for field in ("key", "text", "version"):
            form = {"act": "edit", "text": "x", "key": "k", "version": "1", field: "1\0"}
            assert (await owner.press("/account", "/review/1/verdict", **form)).status == 404, field


@pytest.mark.parametrize("number", ["-99999999999999999999", "99999999999999999999"])
async def test_a_place_in_the_audit_that_no_table_has_is_no_defect(site: House, number: str) -> None:
    owner = await site.owner()
    got = await owner.get("/audit", params={"after": f"2026-01-01T00:00:00+00:00 audit {number}"})
    assert got.status == 200


async def test_whose_sitting_has_ended_hears_no_more(site: House) -> None:
    """Long before the minute is over after which the browser comes again."""
    owner = await site.owner()
    bob = await site.member(Role.REVIEWER, "bob")
    number = next(person.id for person in site.running.ledger.read(access.people) if person.name == "bob")
    headers = {"Cookie": bob.cookie, "User-Agent": bob.agent}
    async with site.http.get(f"{bob.url}/review/events", headers=headers) as stream:
        await stream.content.readuntil(b"event: held")
        assert (await owner.press("/people", "/people/disable", id=str(number))).status == 303
        async with asyncio.timeout(30):
            await stream.content.read()


@pytest.mark.parametrize(
    ("place", "status"),
    [
        ("9000000000000000000~2026-01-01T00:00:00+00:00~1", 200),
        ("1~0001-01-01T00:00:00+23:00~1", 400),
        ("1~9999-12-31T23:59:59-23:00~1", 400),
    ],
)
async def test_a_place_in_the_queue_that_no_row_has_is_no_defect(
    tmp_path: Path, database_url: str, place: str, status: int
) -> None:
    async with house(tmp_path, database_url) as site:
        owner = await site.owner()
        assert (await owner.get("/review/list", params={"after": place})).status == status

"""The JSON API over HTTP, as programs use it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlmodel import col, select

from bot.access.visitor import Visitor
from bot.api.site import ApiParts, api_routes
from bot.bootstrap import ALL_ROLES, Running, assemble, utc_now
from bot.models import AuditEntry, Role
from bot.settings import Settings
from bot.store import access, managing
from tests.builders import Desk
from tests.site import NO_PASSWORD, Browser, logged_in

API = "/api/v1"


@asynccontextmanager
async def serving(folder: Path, **sections: Any) -> AsyncIterator[Running]:
    settings = Settings(data_dir=folder, web={"port": 0}, **sections)
    async with assemble(settings, roles=ALL_ROLES) as running:
        yield running


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(tmp_path) as running:
        yield running


@pytest.fixture
async def owner(site: Running) -> AsyncIterator[Browser]:
    async with logged_in(site) as browser:
        yield browser


@asynccontextmanager
async def program_of(running: Running, role: Role = Role.OWNER) -> AsyncIterator[Browser]:
    """A program with a token of `role`, of a person who is an owner."""
    now = utc_now()
    ledger = running.ledger
    person = ledger.write(access.add_person, name="pat", role=Role.OWNER, password_hash=NO_PASSWORD, now=now)
    who = Visitor("pat", Role.OWNER, "terminal")
    token = ledger.write(
        managing.add_token, who, person.id or 0, name="script", role=role, ends_at=None, now=now
    )
    jar, headers = aiohttp.DummyCookieJar(), {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers, cookie_jar=jar) as http:
        yield Browser(running, http, "", "pat")


async def ask(browser: Browser, method: str, path: str, **options: Any) -> tuple[int, Any, dict[str, str]]:
    """Status, parsed body (None where empty) and headers."""
    headers = {"Origin": browser.url.rstrip("/")} | options.pop("headers", {})
    address = browser.url + (path if path.startswith("/api") else API + path).removeprefix("/")
    async with browser.http.request(method, address, headers=headers, **options) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if text else None, dict(answer.headers)


async def refused(browser: Browser, status: int, method: str, path: str, **options: Any) -> dict[str, Any]:
    """The problem that the request is refused with."""
    found, problem, headers = await ask(browser, method, path, **options)
    assert (found, headers["Content-Type"]) == (status, "application/problem+json")
    assert problem["status"] == status
    return dict(problem)


async def test_what_is_not_there_is_told_as_a_problem(owner: Browser) -> None:
    assert (await refused(owner, 404, "GET", "/nothing"))["code"] == "not_found"
    assert (await refused(owner, 404, "GET", "/api"))["code"] == "not_found"
    assert (await refused(owner, 404, "POST", "/api/v2/comments"))["code"] == "not_found"
    assert (await refused(owner, 404, "GET", "/channels/77"))["code"] == "not_found"


async def test_a_method_that_does_nothing_is_told_with_those_that_do(owner: Browser) -> None:
    status, problem, headers = await ask(owner, "DELETE", "/channels")
    assert (status, problem["code"], headers["Allow"]) == (405, "method", "GET")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/channels?colour=red", "colour"),
        ("/channels?limit=0", "limit"),
        ("/channels?limit=201", "limit"),
        ("/channels?limit=ten", "limit"),
        ("/channels?limit=5&limit=6", "limit"),
        ("/channels?cursor=nonsense", "cursor"),
        ("/channels/x", "channel_id"),
        ("/channels/99999999999999999999", "channel_id"),
        ("/stats?since=yesterday", "since"),
        ("/stats?since=2026-03-01T00:00:00", "since"),
        ("/stats?since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z", "since"),
        ("/stats?until=0001-01-01T00:00:00Z", "until"),
        ("/stats?until=0001-01-01T00:00:00%2B01:00", "until"),
    ],
)
async def test_a_wrong_parameter_is_named(owner: Browser, path: str, field: str) -> None:
    assert (await refused(owner, 400, "GET", path))["field"] == field


async def test_a_wrong_body_is_refused_with_the_member(owner: Browser) -> None:
    path = f"/channels/{Desk(owner.running.ledger).channel_id}/shadow"
    assert (await refused(owner, 400, "PUT", path, json={"on": "yes"}))["field"] == "on"
    assert (await refused(owner, 400, "PUT", path, json={"on": True, "off": False}))["field"] == "off"
    assert (await refused(owner, 400, "PUT", path, json={}))["field"] == "on"
    assert (await refused(owner, 400, "PUT", path, json=[1]))["code"] == "invalid"
    typed = {"Content-Type": "application/json"}
    assert (await refused(owner, 400, "PUT", path, data="{on", headers=typed))["code"] == "malformed"
    assert (await refused(owner, 415, "PUT", path, data="on=1"))["code"] == "media_type"
    large = json.dumps({"on": True, "x": "y" * 70_000})
    assert (await refused(owner, 413, "PUT", path, data=large, headers=typed))["code"] == "too_large"

    async def in_pieces() -> AsyncIterator[bytes]:
        yield large.encode()

    assert (await refused(owner, 413, "PUT", path, data=in_pieces(), headers=typed))["code"] == "too_large"


async def test_a_document_is_added_listed_and_removed(owner: Browser, tmp_path: Path) -> None:
    given = {"kind": "text", "title": "../../Shipping", "text": "We ship to Canada.", "tags": ["Shop"]}
    status, made, _ = await ask(owner, "POST", "/documents", json=given)
    assert (status, made["tags"], made["passages"]) == (201, ["shop"], 1)
    assert Path(made["source"]).parent == tmp_path / "uploads"
    _, listed, _ = await ask(owner, "GET", "/documents?tag=shop")
    assert [one["id"] for one in listed["items"]] == [made["id"]]
    _, passages, _ = await ask(owner, "GET", f"/documents/{made['id']}/passages")
    assert "We ship to Canada." in passages["items"][0]["text"]
    assert (await ask(owner, "DELETE", f"/documents/{made['id']}"))[:2] == (204, None)
    assert (await refused(owner, 404, "GET", f"/documents/{made['id']}"))["code"] == "not_found"
    assert list((tmp_path / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "address", "address": "file:///etc/passwd"}, "address"),
        ({"kind": "address", "address": "/etc/passwd"}, "address"),
        ({"kind": "text", "title": " ", "text": "x"}, "title"),
        ({"kind": "text", "title": "T", "text": ""}, "text"),
        ({"kind": "folder"}, None),
    ],
)
async def test_what_is_no_document_is_refused(owner: Browser, given: Any, field: str | None) -> None:
    assert (await refused(owner, 400, "POST", "/documents", json=given)).get("field") == field


async def test_an_address_of_a_private_network_is_not_fetched(owner: Browser) -> None:
    given = {"kind": "address", "address": owner.url}
    assert (await refused(owner, 422, "POST", "/documents", json=given))["code"] == "unreadable"


async def test_a_channel_is_paused_shadowed_and_given_rules(owner: Browser) -> None:
    path = f"/channels/{Desk(owner.running.ledger).channel_id}"
    _, paused, _ = await ask(owner, "POST", f"{path}/pause")
    assert paused["paused"]
    assert "options" not in paused
    assert not (await ask(owner, "POST", f"{path}/resume"))[1]["paused"]
    assert (await ask(owner, "PUT", f"{path}/shadow", json={"on": True}))[1]["shadow"]
    _, ruled, _ = await ask(owner, "PUT", f"{path}/rules", json={"send": ["praise"], "max_per_hour": 0})
    assert (ruled["rules"]["send"], ruled["rules"]["max_per_hour"]) == (["praise"], 0)
    strange = await refused(owner, 422, "PUT", f"{path}/rules", json={"persona": "nobody"})
    assert strange["field"] == "persona"
    assert (await refused(owner, 400, "PUT", f"{path}/rules", json={"send": ["all"]}))["field"] == "send.0"
    noted = owner.running.ledger.read(
        lambda session: list(session.exec(select(AuditEntry.act).order_by(col(AuditEntry.id))))
    )
    assert noted[-4:] == ["pause_channel", "resume_channel", "shadow_on", "change_rules"]


async def test_lists_go_on_where_they_ended_while_rows_are_added(owner: Browser) -> None:
    desk = Desk(owner.running.ledger)
    for name in ("b", "a"):
        desk.add_channel(name)
    _, first, headers = await ask(owner, "GET", "/channels?limit=2")
    desk.add_channel("0")
    assert [one["name"] for one in first["items"]] == ["demo", "b"]
    assert headers["Link"] == f'<{API}/channels?limit=2&cursor={first["next"]}>; rel="next"'
    _, second, _ = await ask(owner, "GET", f"/channels?limit=2&cursor={first['next']}")
    assert [one["name"] for one in second["items"]] == ["a", "0"]
    assert second["next"] is None


async def test_the_base_model_answers_where_no_voice_is_live(owner: Browser) -> None:
    assert (await ask(owner, "GET", "/voices"))[1] == {"items": [], "next": None}
    assert (await refused(owner, 404, "POST", "/voices/1/promote", json={}))["code"] == "not_found"
    assert (await refused(owner, 409, "POST", "/voices/rollback", json={}))["code"] == "refused"
    unknown = await refused(owner, 422, "POST", "/voices/rollback", json={"channel": "x"})
    assert unknown["field"] == "channel"


async def test_a_viewer_sees_and_changes_nothing(site: Running) -> None:
    path = f"/channels/{Desk(site.ledger).channel_id}"
    async with logged_in(site, Role.VIEWER, "vic") as viewer:
        assert (await ask(viewer, "GET", path))[0] == 200
        assert (await refused(viewer, 403, "POST", f"{path}/pause"))["code"] == "role"
        assert (await refused(viewer, 403, "POST", "/voices/rollback", json={}))["code"] == "role"


async def test_a_program_does_what_its_token_may_without_a_form(site: Running) -> None:
    path = f"/channels/{Desk(site.ledger).channel_id}"
    elsewhere = {"Origin": "https://other.example"}
    async with program_of(site, Role.OWNER) as owner:
        assert (await ask(owner, "POST", f"{path}/pause", headers=elsewhere))[1]["paused"]
        assert (await refused(owner, 404, "POST", "/nothing", headers=elsewhere))["code"] == "not_found"
        wrong = {"Authorization": "Bearer nonsense"}
        status, _, headers = await ask(owner, "GET", path, headers=wrong)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_a_token_of_less_may_do_less(site: Running) -> None:
    path = f"/channels/{Desk(site.ledger).channel_id}"
    async with program_of(site, Role.REVIEWER) as reviewer:
        assert (await refused(reviewer, 403, "POST", f"{path}/pause"))["code"] == "role"


async def test_who_has_not_logged_in_is_told_nothing(owner: Browser) -> None:
    for path in ("/channels", "/nothing", "/openapi.json"):
        problem = await refused(owner, 401, "GET", path, headers={"Cookie": ""})
        assert problem["code"] == "not_logged_in"


async def test_a_change_from_the_page_needs_its_token(owner: Browser) -> None:
    path = f"/channels/{Desk(owner.running.ledger).channel_id}/pause"
    assert (await refused(owner, 403, "POST", path, headers={"X-CSRF-Token": "other"}))["code"] == "csrf"


async def test_the_document_describes_every_operation(owner: Browser) -> None:
    _, document, _ = await ask(owner, "GET", "/openapi.json")
    assert document["openapi"] == "3.1.0"
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    running = owner.running
    parts = ApiParts(running.settings, running.ledger, running.library, None, utc_now)
    served = {(route.path, route.method.lower()) for route in api_routes(parts) if route.method != "*"}
    assert described == served - {(f"{API}/openapi.json", "get")}

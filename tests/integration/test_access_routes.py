"""Every route of the site against everybody who may come to it, so that no new route is forgotten."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.access.visitor import RANK
from bot.bootstrap import Running
from bot.cli.shell import caller
from bot.models import Role
from bot.store import access, managing
from bot.web import server
from bot.web.routes import Route
from tests.access import House, Outside, house
from tests.site import AGENT, NO_PASSWORD

OPEN = {
    "GET /healthz", "GET /metrics", "GET /static/{name}", "GET /login", "POST /login", "GET /start", "POST /start",
    "GET /renew", "POST /renew", "POST /hooks/{channel}",
}  # fmt: skip
"""What everybody may ask without logging in; a route that belongs here is added here, too."""
SAFE = ("GET", "HEAD")


@dataclass
class Walk:
    """A site and all its routes."""

    house: House
    routes: list[Route]

    @property
    def running(self) -> Running:
        return self.house.running


@asynccontextmanager
async def walk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Walk]:
    made: list[server.Site] = []

    class Kept(server.Site):
        def __init__(self, parts: server.PageParts) -> None:
            super().__init__(parts)
            made.append(self)

    monkeypatch.setattr(server, "Site", Kept)
    async with house(folder) as site:
        # What answers to every method is asked with one that no other route has.
        yield Walk(
            site, [replace(one, method="PATCH") if one.method == "*" else one for one in made[0].routes]
        )


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Walk]:
    async with walk(tmp_path, monkeypatch) as made:
        yield made


def place(route: Route) -> str:
    return re.sub(r"\{(?:[^{}]|\{[^{}]*\})*\}", "1", route.path)


def label(route: Route) -> str:
    return f"{route.method} {route.path}"


def sits(site: Walk, role: Role) -> tuple[Outside, str]:
    """A browser of a new sitting of the person with this role, and its form's secret."""
    ledger, now = site.running.ledger, site.house.clock()
    person = ledger.read(access.person_named, f"a {role}")
    if person is None:
        person = ledger.write(
            access.add_person, name=f"a {role}", role=role, password_hash=NO_PASSWORD, now=now
        )
    sitting, token = ledger.write(
        access.begin_sitting,
        person_id=person.id or 0,
        agent=AGENT,
        address="127.0.0.1",
        now=now,
        lasts=access.SEEN_EVERY * 60,
    )
    browser = site.house.outside(AGENT)
    browser.cookie = f"rejoinder={token}"
    return browser, sitting.csrf


async def status_of(browser: Outside, route: Route, csrf: str = "", **headers: str) -> tuple[int, str, str]:
    """Status, where to, and the first of the text: some answers never end."""
    sent = {"User-Agent": browser.agent, "Cookie": browser.cookie, "Origin": browser.url, **headers}
    if csrf:
        sent["X-CSRF-Token"] = csrf
    async with browser.http.request(
        route.method, browser.url + place(route), headers=sent, allow_redirects=False
    ) as answer:
        refused = answer.status in (401, 403)
        text = await answer.text() if refused else ""
        return answer.status, answer.headers.get("Location", ""), text


def is_refusal(answer: tuple[int, str, str]) -> bool:
    status, location, text = answer
    other_kind = "tokens cannot do it" in text or "ask with a token" in text
    return location.startswith("/login?next=") or (status in (401, 403) and not other_kind)


async def test_only_the_open_routes_answer_to_nobody(site: Walk) -> None:
    assert {label(route) for route in site.routes if route.needs is None} == OPEN
    for route in site.routes:
        answer = await status_of(site.house.outside(), route)
        if route.needs is None:
            # A call of a platform proves itself by its signature.
            assert answer[0] != 403 or route.path == "/hooks/{channel}", label(route)
            assert "log in first" not in answer[2], label(route)
        elif route.page and route.method in SAFE:
            assert (answer[0], answer[1][:12]) == (303, "/login?next="), label(route)
        else:
            assert answer[0] == 401, label(route)


@pytest.mark.parametrize("role", list(Role))
async def test_every_role_may_do_what_the_route_says_and_nothing_else(site: Walk, role: Role) -> None:
    for route in site.routes:
        if route.needs is None:
            continue
        browser, csrf = sits(site, role)
        answer = await status_of(browser, route, csrf)
        assert is_refusal(answer) is (RANK[role] < RANK[route.needs]), (label(route), answer)


@pytest.mark.parametrize("csrf", ["", "wrong", "é", "another sitting's"])
async def test_no_form_works_without_its_own_secret(site: Walk, csrf: str) -> None:
    _, others = sits(site, Role.OWNER)
    for route in site.routes:
        if route.method in SAFE or route.needs is None:
            continue
        browser, _ = sits(site, Role.OWNER)
        given = others if csrf == "another sitting's" else csrf
        answer = await status_of(browser, route, given)
        assert (answer[0], "another log-in" in answer[2]) == (403, True), label(route)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_no_route_does_anything_for_another_site(site: Walk, headers: dict[str, str]) -> None:
    for route in site.routes:
        if route.method not in SAFE:
            browser, csrf = sits(site, Role.OWNER)
            assert (await status_of(browser, route, csrf, **headers))[0] == 403, label(route)


@pytest.mark.parametrize("role", list(Role))
async def test_a_token_may_do_what_its_role_may_without_a_forms_secret(site: Walk, role: Role) -> None:
    ledger, now = site.running.ledger, site.house.clock()
    owner = ledger.write(access.add_person, name="ann", role=Role.OWNER, password_hash=NO_PASSWORD, now=now)
    token = ledger.write(
        managing.add_token, caller(), owner.id or 0, name="bot", role=role, ends_at=None, now=now
    )
    for route in site.routes:
        if route.needs is not None:
            answer = await status_of(
                site.house.outside(),
                route,
                Authorization=f"Bearer {token}",
                Origin="https://elsewhere.example",
            )
            assert is_refusal(answer) is (RANK[role] < RANK[route.needs]), (label(route), answer)


async def test_every_answer_has_the_headers_that_protect_it(site: Walk) -> None:
    for route in site.routes:
        for browser in (site.house.outside(), sits(site, Role.OWNER)[0]):
            headers = {"User-Agent": browser.agent, "Cookie": browser.cookie}
            url = browser.url + place(route)
            async with browser.http.request(route.method, url, headers=headers, allow_redirects=False) as got:
                assert "default-src 'none'" in got.headers["Content-Security-Policy"], label(route)
                assert got.headers["X-Content-Type-Options"] == "nosniff"

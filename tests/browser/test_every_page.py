"""Every page, in both languages, light and dark, on a desk and on a phone."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from bot.models import Role
from bot.web import server
from tests.browser.furnished import PLAIN, furnished
from tests.browser.house import PHONE, house, shot, sitting
from tests.browser.watching import MOST_BYTES, Watch, barriers, look, unseen_stops

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = {
    "/": "/",
    "/account": "/account",
    "/audit": "/audit",
    "/channels": "/channels",
    "/channels/{id}": "/channels/1",
    "/digest": "/digest",
    "/documents": "/documents",
    "/documents/{id:[0-9]+}": "/documents/1",
    "/documents/search": "/documents/search?q=How+long+do+I+roast",
    "/inbox": "/inbox",
    "/inbox/outbox": "/inbox/outbox",
    "/login": "/login",
    "/nights": "/nights",
    "/nights/{id:[0-9]+}": "/nights/1",
    "/people": "/people",
    "/renew": "/renew",
    "/review": "/review",
    r"/review/{id:\d+}": "/review/1",
    "/start": "/start",
    "/try": "/try",
    "/voices": "/voices",
    r"/voices/{name:[a-z0-9][a-z0-9._-]*}": "/voices/mia-1",
}
"""Where a reader comes, by the route's path."""
PARTS = {
    "/review/list",
    "/review/filters",
    r"/review/item/{id:\d+}",
    r"/review/{id:\d+}/text",
    "/audit/export",
    "/nights/{id:[0-9]+}/report",
}
"""Pieces that scripts put into a page, and files."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def readers(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, tuple[Watch, str]]]:
    """A page of an owner at a desk and of one with a phone, and the site's address."""
    phone = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
    async with AsyncExitStack() as stack:
        folder = tmp_path_factory.mktemp("furnished")
        running, _ = await stack.enter_async_context(furnished(folder, PLAIN))
        made = {}
        for name, options in (("desk", {}), ("phone", phone)):
            page = await stack.enter_async_context(
                sitting(browser, running, f"Ann's {name}", Role.OWNER, **options)
            )
            made[name] = (Watch(page), (running.page or "").rstrip("/"))
            await made[name][0].begin()
        yield made


async def test_no_page_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[server.Site] = []

    class Kept(server.Site):
        def __init__(self, parts: server.PageParts) -> None:
            super().__init__(parts)
            made.append(self)

    monkeypatch.setattr(server, "Site", Kept)
    async with house(tmp_path):
        found = {route.path for route in made[0].routes if route.method == "GET" and route.page}
    assert found == set(PAGES) | PARTS


@pytest.mark.parametrize("device", ["desk", "phone"])
@pytest.mark.parametrize("path", PAGES.values())
async def test_a_page_is_sound(readers: dict[str, tuple[Watch, str]], path: str, device: str) -> None:
    watch, site = readers[device]
    page = watch.page
    for language in ("en", "zh"):
        await page.emulate_media(color_scheme="light")
        await page.goto(f"{site}{path}{'&' if '?' in path else '?'}lang={language}")
        seen = await look(page)
        assert (seen["headings"], seen["language"], seen["sideways"]) == (1, language, 0)
        assert seen["title"]
        assert seen["bytes"] < MOST_BYTES
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await shot(page, f"{_name(path)}-{device}-{language}-{scheme}")
            if (scheme == "light") == (language == "en"):
                assert await barriers(page) == []
        assert watch.taken() == []


@pytest.mark.parametrize("path", PAGES.values())
async def test_the_keyboard_is_seen_wherever_it_is(readers: dict[str, tuple[Watch, str]], path: str) -> None:
    watch, site = readers["desk"]
    await watch.page.goto(f"{site}{path}")
    assert await unseen_stops(watch.page) == []


def _name(path: str) -> str:
    return re.sub(r"\W+", "-", path).strip("-") or "overview"

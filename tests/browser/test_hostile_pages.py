"""What strangers wrote, on every page that shows it: it is text, it stays in its place, and nothing of it runs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from bot.models import Role
from tests.browser.furnished import EVIL, HOSTILE, furnished
from tests.browser.house import PHONE, shot, sitting
from tests.browser.test_every_page import PAGES
from tests.browser.watching import Watch, look

pytestmark = pytest.mark.asyncio(loop_scope="session")

READ = [path for path in PAGES.values() if path not in ("/login", "/renew", "/start", "/try")]
COMMENTS = [f"/review/{number}" for number in range(2, len(HOSTILE) + 1)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reader(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Watch, str]]:
    """An owner whose own name is hostile, too, and the site's address."""
    async with AsyncExitStack() as stack:
        running, _ = await stack.enter_async_context(furnished(tmp_path_factory.mktemp("evil"), EVIL))
        page = await stack.enter_async_context(sitting(browser, running, EVIL.note[:60], Role.OWNER))
        watch = Watch(page)
        await watch.begin()
        yield watch, (running.page or "").rstrip("/")


@pytest.mark.parametrize("path", [*READ, *COMMENTS])
async def test_hostile_text_is_shown_and_does_nothing(reader: tuple[Watch, str], path: str) -> None:
    watch, site = reader
    page = watch.page
    for width in (PHONE["width"], 1360):
        await page.set_viewport_size({"width": width, "height": 844})
        await page.goto(f"{site}{path}")
        seen = await look(page)
        await shot(page, f"hostile{path.replace('/', '-')[:40]}-{width}")
        assert (seen["ran"], seen["sideways"], seen["headings"]) == (None, 0, 1)
    await expect(
        page.locator("main img, main script, main svg:not(.chart svg), a[href^='javascript:']")
    ).to_have_count(0)
    assert watch.taken() == []


async def test_hostile_text_does_nothing_when_it_is_opened_by_the_script(reader: tuple[Watch, str]) -> None:
    watch, site = reader
    page = watch.page
    await page.goto(f"{site}/review/1")
    for number in range(1, 6):
        await expect(page.locator(f'.item[data-id="{number}"]')).to_be_visible()
        await page.keyboard.press("e")
        await page.keyboard.press("Escape")
        for fold in await page.locator(".item details:not(.panel) > summary").all():
            await fold.click()
        assert (await look(page))["ran"] is None
        await page.keyboard.press("j")
    assert watch.taken() == []


async def test_a_megabyte_is_cut_on_the_page_and_whole_behind_its_link(reader: tuple[Watch, str]) -> None:
    watch, site = reader
    page = watch.page
    await page.goto(f"{site}/review?state=skipped")
    link = page.locator(".links a[href$='/text']")
    await page.goto(f"{site}/review/{len(HOSTILE)}")
    assert len(await page.content()) < 100_000
    answer = await page.request.get(f"{site}{await link.get_attribute('href')}")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert len(await answer.body()) >= 999_000

"""What a page shows for a moment is as easy to read and to reach as the page itself: axe-core finds no barrier."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from bot.models import Role
from tests.browser.furnished import PLAIN, furnished
from tests.browser.house import shot, sitting
from tests.browser.watching import barriers, look

pytestmark = pytest.mark.asyncio(loop_scope="session")
ROWS = "#list .one:not(.over)"


async def _desk(page: Page, site: str, path: str = "review") -> None:
    async with page.expect_response(re.compile(r"/hold$")):
        await page.goto(f"{site}{path}")


async def help_open(page: Page, site: str) -> None:
    await _desk(page, site)
    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_visible()


async def bulk_preview(page: Page, site: str) -> None:
    await _desk(page, site)
    await page.locator(f"{ROWS} [name=ids]").nth(1).check()
    await page.locator(f"{ROWS} [name=ids]").nth(3).check()
    await page.locator("#selected [value=approve]").click()
    await expect(page.locator("#many")).to_be_visible()


async def editor(page: Page, site: str) -> None:
    await _desk(page, site, "review/1")
    await page.keyboard.press("e")
    await expect(page.locator("#edit textarea")).to_be_focused()


async def text_too_long(page: Page, site: str) -> None:
    await editor(page, site)
    await page.locator("#edit textarea").fill("长" * 10_001)
    await expect(page.locator(".counter.bad")).to_be_visible()
    await page.locator("#edit textarea").fill("short")


async def rejection(page: Page, site: str) -> None:
    await _desk(page, site, "review/2")
    await page.keyboard.press("r")
    await expect(page.locator("#reject fieldset")).to_be_visible()


async def hint(page: Page, site: str) -> None:
    await _desk(page, site, "review/2")
    await page.keyboard.press("g")
    await expect(page.locator("#again input[name=text]")).to_be_focused()


async def told_after_a_skip(page: Page, site: str) -> None:
    await _desk(page, site, "review/9")
    await page.keyboard.press("s")
    await expect(page.locator("#toast")).to_contain_text("Skipped")


async def filters_that_match_nothing(page: Page, site: str) -> None:
    await page.goto(f"{site}review?q=nobody+has+written+this")
    await expect(page.locator("#detail")).to_contain_text("Nothing matches.")
    await page.locator("#narrow summary").click()


async def decided_comment(page: Page, site: str) -> None:
    await page.goto(f"{site}review/{len(PLAIN.work)}?state=ready")
    for fold in await page.locator(".item details:not(.panel) > summary").all():
        await fold.click()


async def error_notice(page: Page, site: str) -> None:
    await page.goto(f"{site}review/99999")
    await expect(page.locator(".alarm")).to_be_visible()


async def unknown_channel(page: Page, site: str) -> None:
    await page.goto(f"{site}channels/99999")
    await expect(page.locator(".alarm")).to_be_visible()


async def wrong_rules(page: Page, site: str) -> None:
    await page.goto(f"{site}channels/1")
    await page.locator("#f-min_support").fill("7")
    await page.locator("form[action$='/rules']").get_by_role("button").last.click()
    await expect(page.get_by_role("alert")).to_be_visible()


async def log_in_refused(page: Page, site: str) -> None:
    await page.goto(f"{site}login")
    await page.get_by_label("Name").fill("nobody")
    await page.get_by_label("Password").fill("not the password")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()


async def token_shown_once(page: Page, site: str) -> None:
    await page.goto(f"{site}account")
    form = page.locator("form[action='/account/tokens']")
    await form.locator("[name=name]").fill("a script")
    await form.get_by_role("button").click()
    await expect(page.locator("#secret")).to_be_visible()


async def invitation_shown_once(page: Page, site: str) -> None:
    await page.goto(f"{site}people")
    await page.locator("form[action='/people/invite'] button").click()
    await expect(page.locator("#secret")).to_be_visible()


async def tried_reply(page: Page, site: str) -> None:
    await page.goto(f"{site}try")
    await page.locator("textarea").fill("How long do I roast the beans?")
    await page.locator("#try button.main").click()
    await expect(page.locator("#result .card").first).to_be_visible()


async def unfolded_voice(page: Page, site: str) -> None:
    await page.goto(f"{site}voices/mia-2")
    for fold in await page.locator("main summary").all():
        await fold.click()


STATES: list[Callable[[Page, str], Awaitable[None]]] = [
    help_open, bulk_preview, editor, text_too_long, rejection, hint, told_after_a_skip, filters_that_match_nothing,
    decided_comment, error_notice, unknown_channel, wrong_rules, token_shown_once, invitation_shown_once,
    tried_reply, unfolded_voice, log_in_refused,
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reader(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Page, str]]:
    async with AsyncExitStack() as stack:
        running, _ = await stack.enter_async_context(furnished(tmp_path_factory.mktemp("states"), PLAIN))
        page = await stack.enter_async_context(sitting(browser, running, "Ann", Role.OWNER))
        yield page, running.page or ""


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_a_passing_state_has_no_barrier(
    reader: tuple[Page, str], state: Callable[[Page, str], Awaitable[None]]
) -> None:
    page, site = reader
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": 1360, "height": 860})
    await state(page, site)
    assert await barriers(page) == []
    await shot(page, f"state-{state.__name__}")
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await barriers(page) == []
    assert (await look(page))["sideways"] == 0
    await shot(page, f"state-{state.__name__}-phone")

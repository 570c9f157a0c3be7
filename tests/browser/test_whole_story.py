"""The demo as somebody meets it who has just installed Rejoinder: from the printed link to the reply on the site."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.house import DESKTOP, shot
from tests.browser.watching import Watch

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMMAND = "import sys; from bot.cli import main; sys.exit(main())"
PASSWORD = "seven green beans a day"
WORDS = "Not yet, but decaf is next on my list."
START_S = 60


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs as its own process."""

    site: str
    page: str
    link: str
    """Makes the owner; it works once."""


@asynccontextmanager
async def demo(folder: Path) -> AsyncIterator[Demo]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, "--lang", "en", "--data-dir", str(folder / "data")),
        *("demo", "--port", "0", "--site-port", "0"),
        cwd=folder,
        stdout=PIPE,
        stderr=PIPE,
        env=os.environ | {"REJOINDER__REVIEW__UNDO_S": "1", "PYTHONPATH": os.getcwd()},
    )
    drained = asyncio.create_task(process.stderr.read())  # type: ignore[union-attr]
    try:
        async with asyncio.timeout(START_S):
            yield Demo(*[await _address(process) for _ in range(3)])
    finally:
        process.terminate()
        await process.wait()
        await drained


async def _address(process: Process) -> str:
    """The next one that it prints."""
    assert process.stdout is not None
    while line := (await process.stdout.readline()).decode():
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise AssertionError("the demo ended")


@asynccontextmanager
async def reader(browser: Browser) -> AsyncIterator[Watch]:
    """Somebody new, whose browser tells what goes wrong."""
    context = await browser.new_context(viewport=DESKTOP, locale="en-GB")  # type: ignore[arg-type]
    try:
        watch = Watch(await context.new_page())
        await watch.begin()
        yield watch
    finally:
        await context.close()


async def begin(page: Page, link: str, name: str) -> None:
    """Uses a one-time link up, with keys alone."""
    await page.goto(link)
    await expect(page.locator("#code")).to_be_hidden()
    assert "#" not in page.url
    await page.get_by_label("Name").focus()
    await page.keyboard.type(name)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator(".who")).to_contain_text(name)


async def log_in(page: Page, name: str, password: str) -> None:
    await expect(page.get_by_label("Name")).to_be_visible()
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.keyboard.press("Enter")


async def to_desk(page: Page, number: int) -> None:
    """Comment `number` on the screen, held by its reader."""
    async with page.expect_response(re.compile(r"/hold$")):
        await page.goto(f"{page.url.split('/', 3)[0]}//{page.url.split('/', 3)[2]}/review/{number}")


async def waits(page: Page, about: str) -> int:
    """Number of the comment about this, once it waits."""
    row = page.locator("#list .one", has_text=about)
    await expect(row).to_be_visible(timeout=20_000)
    return int(await row.get_attribute("data-id") or 0)


async def test_from_the_printed_link_to_the_replies_on_the_site(browser: Browser, tmp_path: Path) -> None:
    async with demo(tmp_path) as told, reader(browser) as watch:
        page = watch.page
        await begin(page, told.link, "Mia")
        await page.get_by_role("link", name="Review", exact=True).press("Enter")
        await page.wait_for_url("**/review")
        decaf, study = await waits(page, "video about decaf"), await waits(page, "Which university")

        await to_desk(page, study)
        await page.keyboard.press("a")
        await expect(page.locator("#toast")).to_contain_text("Approved")

        await to_desk(page, decaf)
        await page.keyboard.press("e")
        await expect(page.locator("#edit textarea")).to_be_focused()
        await page.keyboard.press("Control+a")
        await page.keyboard.type(WORDS)
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("#list .one", has_text="video about decaf")).to_have_count(0)
        await shot(page, "story-desk")
        assert watch.taken() == []

        await page.goto(told.site)
        answers = page.locator("li.creator")
        await expect(answers.filter(has_text=WORDS)).to_be_visible(timeout=20_000)
        asked = page.locator("li.comment:not(.creator)", has_text="Which university").last
        await expect(asked.locator("li.creator")).to_contain_text("rather not guess", timeout=20_000)
        await shot(page, "story-site")

        await _leave_and_come_back(page, told)
        again = await browser.new_context(locale="en-GB")
        await _link_is_used_up(again, told)


async def _leave_and_come_back(page: Page, told: Demo) -> None:
    await page.goto(f"{told.page}review")
    await page.get_by_role("button", name="Log out").press("Enter")
    await page.wait_for_url("**/login")
    await log_in(page, "Mia", "not the password")
    await expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    await expect(page.get_by_label("Name")).to_have_value("Mia")
    await page.goto(f"{told.page}review?sort=newest")
    await log_in(page, "Mia", PASSWORD)
    await page.wait_for_url("**/review?sort=newest")
    await expect(page.locator("#list")).to_be_visible()


async def _link_is_used_up(context: BrowserContext, told: Demo) -> None:
    try:
        page = await context.new_page()
        await page.goto(told.link)
        await page.get_by_label("Name").fill("Eve")
        await page.get_by_label("New password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_contain_text("This link was used")
    finally:
        await context.close()

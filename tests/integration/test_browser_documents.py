"""Uploads in a real browser: progress, refusals, and the list that renews itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from tests.conftest import require, require_module
from tests.integration.test_web_documents import OPEN_HOURS, serving, uploads_of
from tests.site import AGENT, Browser

playwright = require_module("playwright.async_api")
CHROMIUM = which("chromium") or ""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Browser]:
    require(bool(CHROMIUM), "chromium is not installed")
    async with serving(tmp_path, web={"max_upload_mb": 1}) as made:
        yield made


@pytest.fixture
async def tab(site: Browser) -> AsyncIterator[Any]:
    """The page, open in Chromium, logged in."""
    async with playwright.async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await chromium.new_context(user_agent=AGENT, locale="en")
        name, _, value = site.http.headers["Cookie"].partition("=")
        await context.add_cookies([{"name": name, "value": value, "url": site.url}])
        page = await context.new_page()
        await page.goto(f"{site.url}documents")
        yield page
        await chromium.close()


async def test_files_are_uploaded_read_and_listed_without_a_reload(
    tab: Any, site: Browser, tmp_path: Path
) -> None:
    expect = playwright.expect
    good, bad, large = tmp_path / "shop.md", tmp_path / "movie.mp4", tmp_path / "large.txt"
    good.write_text(OPEN_HOURS)
    bad.write_bytes(b"x")
    large.write_bytes(b"word " * 300_000)
    await tab.set_input_files("input[type=file]", [good, bad, large])
    await tab.fill("#upload input[name=tags]", "shop")
    await tab.click("#upload button")
    lines = tab.locator("#sending li")
    await expect(lines.nth(0)).to_contain_text("uploaded")
    await expect(lines.nth(1)).to_contain_text("is of no kind that is read")
    await expect(lines.nth(2)).to_contain_text("larger than 1 MB")
    await expect(tab.locator("#work")).to_contain_text("1 new, 0 changed")
    await expect(tab.locator("#list")).to_contain_text("Shop")
    assert uploads_of(tmp_path) == ["shop.md"]
    assert [one.tags for one in site.running.library.documents()] == [{"shop"}]

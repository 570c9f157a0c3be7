"""A browser that runs no script: log-in, the queue, every verdict and the filters work by links and forms."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from sqlmodel import Session, col, select

from bot.models import Role, Verdict
from bot.store import links
from tests.browser.conftest import Scene
from tests.browser.house import PHONE, shot

pytestmark = pytest.mark.asyncio(loop_scope="session")
PASSWORD = "seven green beans a day"
SIZES = {"desk": {"width": 1360, "height": 860}, "phone": PHONE}


@pytest_asyncio.fixture(loop_scope="session", params=SIZES)
async def page(scene: Scene, browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """Of a reviewer who has come by an invitation, pasted by hand."""
    async with AsyncExitStack() as stack:
        size = SIZES[request.param]
        context = await browser.new_context(java_script_enabled=False, viewport=size, locale="en-GB")  # type: ignore[arg-type]
        stack.push_async_callback(context.close)
        made = await context.new_page()
        secret = scene.running.ledger.write(links.invite, Role.REVIEWER, by="ann", now=scene.clock())
        await made.goto(f"{scene.running.page}start")
        await made.get_by_label("What stands behind").fill(secret)
        await made.get_by_label("Name").fill("Noor")
        await made.get_by_label("New password").fill(PASSWORD)
        await made.get_by_role("button", name="Begin").click()
        await expect(made.locator(".who")).to_contain_text("Noor")
        yield made


def verdicts_of(scene: Scene) -> list[tuple[int, str, str]]:
    def every(session: Session) -> list[tuple[int, str, str]]:
        rows = session.exec(select(Verdict).order_by(col(Verdict.id)))
        return [(row.comment_id, row.kind, row.reason or row.text) for row in rows]

    return scene.running.ledger.read(every)


async def test_verdicts_are_given_by_forms(scene: Scene, page: Page) -> None:
    await page.goto(f"{scene.running.page}review")
    await page.locator("#list .one a").first.click()
    await expect(page.locator('.item[data-id="1"]')).to_be_visible()
    await page.locator('.candidates input[value="1"]').check()
    await page.locator("#approve .main").click()
    await expect(page.locator(".line.good")).to_contain_text("Approved")

    await page.goto(f"{scene.running.page}review/2")
    await page.locator("#edit summary").click()
    await page.locator("#edit textarea").fill("不要放进冰箱。")
    await shot(page, "no-script-editor")
    await page.locator("#edit .main").click()
    await expect(page.locator(".line.good")).to_contain_text("#2")

    await page.goto(f"{scene.running.page}review/7")
    await page.locator("#reject summary").click()
    await page.locator("#reject [name=quick]").nth(1).check()
    await page.locator("#reject .main").click()
    await expect(page.locator(".line.good")).to_contain_text("#7")

    await page.goto(f"{scene.running.page}review/8")
    await page.locator("#approve [value=skip]").click()
    await expect(page.locator(".line.good")).to_contain_text("Skipped")
    given = verdicts_of(scene)
    assert [(number, kind) for number, kind, _ in given] == [
        (1, "approve"), (2, "edit"), (7, "reject"), (8, "skip"),
    ]  # fmt: skip
    assert (given[1][2], given[2][2]) == ("不要放进冰箱。", "It does not answer")


async def test_filters_bulk_and_the_language_work_by_links(scene: Scene, page: Page) -> None:
    await page.goto(f"{scene.running.page}review")
    await page.locator("#q").fill("Canada")
    await page.keyboard.press("Enter")
    await expect(page.locator("#list .one")).to_have_count(15)
    await page.locator("#list [name=ids]").nth(0).check()
    await page.locator("#list [name=ids]").nth(1).check()
    await page.locator("#selected [value=skip]").click()
    await expect(page.locator(".will li")).to_have_count(2)
    await shot(page, "no-script-bulk")
    await page.locator(".card button.main").click()
    await page.goto(f"{scene.running.page}review?q=Canada")
    await expect(page.locator("#list .one")).to_have_count(13)
    await page.locator("a.language").click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh")
    await expect(page.locator("#list .one")).to_have_count(13)


async def test_logging_out_and_in_again_leads_back(scene: Scene, page: Page) -> None:
    await page.locator(".who button").click()
    await page.goto(f"{scene.running.page}review/3")
    await page.get_by_label("Name").fill("Noor")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.locator('.item[data-id="3"]')).to_be_visible()
    assert page.url.endswith("/review/3")

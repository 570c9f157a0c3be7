"""Who sits there: a stolen cookie, a server that goes and comes back, and people invited by link."""

import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from sqlmodel import Session

from bot.bootstrap import Running, assemble
from bot.models import Role
from bot.settings import Settings
from bot.store import verdicts
from bot.store.deciding import Sign
from tests.browser.conftest import Scene
from tests.browser.house import PHONE, Waiting, add, fill, shot, sitting
from tests.browser.test_whole_story import begin, reader
from tests.browser.work import WORK, by
from tests.builders import START, FakeClock

pytestmark = pytest.mark.asyncio(loop_scope="session")
AT_ONCE = "#list .one:not(.over)"


async def test_a_stolen_cookie_shows_nothing_and_ends_the_sitting(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running, "ann", Role.OWNER) as ann:
        site = scene.running.page
        await ann.goto(f"{site}account")
        thief = await scene.browser.new_context(user_agent="Another browser", locale="en-GB")
        try:
            await thief.add_cookies(await ann.context.cookies())  # type: ignore[arg-type]
            page = await thief.new_page()
            await page.goto(f"{site}review")
            assert "/login?next=" in page.url
            await expect(page.locator("main")).not_to_contain_text("Maya")
            await page.goto(f"{site}audit")
            assert "/login?next=" in page.url
        finally:
            await thief.close()
        await ann.goto(f"{site}people")
        assert "/login?next=" in ann.url
    async with sitting(scene.browser, scene.running, "ben", Role.OWNER) as ben:
        await ben.goto(f"{site}audit?act=stolen_session")
        await expect(ben.locator("tbody tr")).to_have_count(1)
        await expect(ben.locator("tbody")).to_contain_text("ann")


async def test_people_come_by_their_links_and_may_do_what_their_role_may(scene: Scene) -> None:
    async with AsyncExitStack() as stack:
        owner = await stack.enter_async_context(sitting(scene.browser, scene.running, "ann", Role.OWNER))
        pages = {}
        for role, name in (("reviewer", "Rui 睿"), ("viewer", "Vera")):
            link = await _invite(owner, f"{scene.running.page}people", role)
            pages[role] = (await stack.enter_async_context(reader(scene.browser))).page
            await begin(pages[role], link, name)
        await owner.goto(f"{scene.running.page}people")
        await expect(owner.locator("main")).to_contain_text("Rui 睿")

        viewer = pages["viewer"]
        await viewer.goto(f"{scene.running.page}review/1")
        await expect(viewer.locator('.item[data-id="1"]')).to_be_visible()
        await expect(viewer.locator(".acts, .pick, #selected, .translate")).to_have_count(0)
        await expect(viewer.locator("header nav")).not_to_contain_text("People")
        refused = await viewer.goto(f"{scene.running.page}people")
        assert refused is not None
        assert refused.status == 403

        reviewer = pages["reviewer"]
        await reviewer.goto(f"{scene.running.page}review/1")
        await expect(reviewer.locator("#approve .main")).to_be_visible()
        await reviewer.keyboard.press("a")
        await expect(reviewer.locator("#toast")).to_contain_text("Approved")
        await owner.goto(f"{scene.running.page}audit")
        await expect(owner.locator("tbody tr").first).to_contain_text("Rui 睿")


async def _invite(owner: Page, people: str, role: str) -> str:
    await owner.goto(people)
    form = owner.locator('form[action="/people/invite"]')
    await form.locator("select").select_option(role)
    await form.locator("button").press("Enter")
    return await owner.locator("#secret").inner_text()


async def test_the_second_reviewer_is_led_past_what_the_first_has_open(scene: Scene) -> None:
    async with (
        sitting(scene.browser, scene.running, "ann") as ann,
        sitting(scene.browser, scene.running, "ben", viewport=PHONE, is_mobile=True) as ben,
    ):
        async with ann.expect_response(re.compile(r"/hold$")):
            await ann.goto(f"{scene.running.page}review")
        await ben.goto(f"{scene.running.page}review")
        first = ben.locator('#list .one[data-id="1"]')
        await expect(first).to_contain_text("ann is on it")
        await shot(ben, "held-phone")
        await ben.goto(f"{scene.running.page}review/1")
        await expect(ben.locator(".taken")).to_contain_text("ann is on it")
        await ben.set_viewport_size({"width": 1360, "height": 860})
        await ben.goto(f"{scene.running.page}review")
        await expect(ben.locator('.item[data-id="2"]')).to_be_visible()


async def test_work_that_comes_while_the_queue_is_empty_opens_by_itself(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await page.goto(f"{scene.running.page}review")
        scene.running.ledger.write(_skip_all)
        async with page.expect_response(re.compile("/review/events")):
            await page.goto(f"{scene.running.page}review")
        await expect(page.locator("#detail")).to_contain_text("All done.")
        await shot(page, "empty")
        scene.clock.forward(60)
        add(scene.desk, [Waiting(by(900, "Nora", "Is there a decaf?"))])
        await expect(page.locator("#detail .said")).to_contain_text("decaf", timeout=10_000)
        await expect(page.locator(AT_ONCE)).to_have_count(1)


def _skip_all(session: Session) -> None:
    for number in range(1, len(WORK) + 1):
        verdicts.skip(session, number, sign=Sign("ben", over_hold=True), now=START)


@asynccontextmanager
async def serving(folder: Path, port: int, clock: FakeClock) -> AsyncIterator[Running]:
    settings = Settings(data_dir=folder, web={"port": port})
    async with assemble(settings, roles=frozenset({"web"}), clock=clock) as running:
        yield running


@pytest.mark.parametrize(("path", "sign"), [("review", "#line"), ("", "#gone")])
async def test_a_page_says_that_the_server_is_away_and_that_it_is_back(
    browser: Browser, tmp_path: Path, path: str, sign: str
) -> None:
    clock, port = FakeClock(), _free_port()
    async with AsyncExitStack() as house, AsyncExitStack() as chair:
        running = await house.enter_async_context(serving(tmp_path, port, clock))
        desk = fill(running, clock, WORK)
        page = await chair.enter_async_context(sitting(browser, running))
        await page.goto(f"{running.page}{path}")
        await house.aclose()
        await expect(page.locator(sign)).to_be_visible(timeout=15_000)
        await shot(page, f"away-{path or 'overview'}")
        async with serving(tmp_path, port, clock) as back:
            desk.ledger = back.ledger
            clock.forward(60)
            add(desk, [Waiting(by(900, "Nora", "Is there a decaf?"))])
            await expect(page.locator(sign)).to_be_hidden(timeout=15_000)
            new = page.locator("#new") if path else page.locator("#fresh .counts .all b")
            await expect(new).to_have_text("1 new" if path else str(len(WORK) + 1), timeout=15_000)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

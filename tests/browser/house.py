"""A desk with work on it, and a real browser in front of it."""

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from adapters.base import Comment
from bot.bootstrap import Running, assemble
from bot.models import Draft, Role, State
from bot.settings import Settings
from bot.store import drafting
from bot.web.gate import COOKIE
from tests.builders import Desk, FakeClock
from tests.site import AGENT, logged_in

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOTS = os.environ.get("REJOINDER_SCREENSHOTS", "")
DESKTOP, PHONE = {"width": 1360, "height": 860}, {"width": 390, "height": 844}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A comment that waits, with its draft."""

    comment: Comment
    drafts: Sequence[str] = ("Ten minutes.",)
    reason: str = "not_opened"
    detail: str = "question"
    more: dict[str, Any] | None = None


def fill(running: Running, clock: FakeClock, found: Sequence[Waiting]) -> Desk:
    """Puts `found` into the queue."""
    desk = Desk(running.ledger, clock=clock)
    add(desk, found)
    return desk


def add(desk: Desk, found: Sequence[Waiting]) -> None:
    """More of them, a minute later."""
    desk.clock.forward(60)
    desk.ingest(*(one.comment for one in found))
    by_id = {one.comment.ref.comment_id: one for one in found}
    outcomes = []
    for work in desk.claim():
        one = by_id[work.comment.platform_id]
        draft = Draft(
            comment_id=work.comment.id or 0,
            created_at=desk.clock(),
            text=one.drafts[0] if one.drafts else "",
            candidates=list(one.drafts),
            **(one.more or {}),
        )
        outcomes.append(
            drafting.Outcome(work.comment.id or 0, State.REVIEW, one.reason, detail=one.detail, draft=draft)
        )
    desk.ledger.write(drafting.save_outcomes, outcomes, owner=desk.owner, now=desk.clock())


@asynccontextmanager
async def house(folder: Path, **sections: Any) -> AsyncIterator[tuple[Running, FakeClock]]:
    """The pages in this process; nothing polls, drafts or sends by itself."""
    clock = FakeClock()
    settings = Settings(data_dir=folder, web={"port": 0}, **sections)
    async with assemble(settings, roles=frozenset({"web"}), clock=clock) as running:
        yield running, clock


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's own, which needs no download; it knows no host but this machine."""
    # An agent that is set page by page is not told by what a page sends as it goes away.
    hosts = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    arguments = [f"--host-resolver-rules={hosts}", f"--user-agent={AGENT}"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def sitting(
    browser: Browser, running: Running, name: str = "ann", role: Role = Role.REVIEWER, **options: Any
) -> AsyncIterator[Page]:
    """A page of `name`, who has logged in; no error of the script goes unseen."""
    async with logged_in(running, role, name) as site:
        options = {"viewport": DESKTOP, "locale": "en-GB"} | options
        context = await browser.new_context(**options)
        try:
            token = site.http.headers["Cookie"].partition("=")[2]
            await context.add_cookies([{"name": COOKIE, "value": token, "url": site.url}])
            page = await context.new_page()
            faults: list[str] = []
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda line: faults.append(line.text) if _fault(line) else None)
            yield page
            assert not faults, faults
        finally:
            await context.close()


def _fault(line: Any) -> bool:
    """Refused verdicts and a connection that a test cuts are told as errors, too."""
    return line.type == "error" and "Failed to load resource" not in line.text and "net::ERR" not in line.text


async def shot(page: Page, name: str) -> None:
    """A screenshot, where the environment names a folder for it; it is made."""
    if SCREENSHOTS:
        await page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"))

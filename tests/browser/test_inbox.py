"""The inbox as a person uses it: paste, preview, confirm; take a reply, copy it, say that it was sent."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from sqlmodel import select

from bot.bootstrap import Running
from bot.models import Comment, Draft, State
from bot.store import channels, drafting
from tests.browser.house import house, shot, sitting
from tests.browser.watching import barriers
from tests.builders import LEASE, START, FakeClock

pytestmark = pytest.mark.asyncio(loop_scope="session")
TABLE = "评论内容\t用户昵称\t评论时间\t作品ID\n要烘多久？\t小满\t昨天 18:30\tp1\n坏行\t小满\t某天\tp1\n"


def add_inbox(running: Running) -> None:
    options = {"preset": "bilibili", "account": "烘豆师"}
    running.ledger.write(
        channels.add, name="b", platform="inbox", options=options, rules={}, now=START,
        answer_since=START.replace(month=1),
    )  # fmt: skip


def drafted(running: Running, clock: FakeClock) -> None:
    ledger = running.ledger
    for work in ledger.write(drafting.claim_new, owner="me", now=clock(), lease=LEASE, limit=9):
        draft = Draft(comment_id=work.comment.id or 0, created_at=clock(), text="十分钟。")
        outcome = drafting.Outcome(work.comment.id or 0, State.READY, "grounded", draft=draft)
        ledger.write(drafting.save_outcomes, [outcome], owner="me", now=clock())


def states(running: Running) -> list[str]:
    return running.ledger.read(lambda session: list(session.exec(select(Comment.state))))


async def test_comments_come_in_and_a_reply_goes_out(tmp_path: Path, browser: Browser) -> None:
    async with house(tmp_path) as (running, clock):
        add_inbox(running)
        async with sitting(browser, running) as page:
            await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            await page.goto(f"{running.page}inbox?lang=en")
            await page.locator("textarea").fill(TABLE)
            await expect(page.locator("#import")).to_be_hidden()
            await page.locator("#preview").click()
            await expect(page.locator("#told")).to_contain_text("1 comments would be new")
            await expect(page.locator("#told .refused")).to_contain_text("某天")
            assert await barriers(page) == []
            await shot(page, "inbox-preview")
            await page.locator("#import").click()
            await expect(page.locator("#told")).to_contain_text("1 comments are new")
            await expect(page.locator("textarea")).to_have_value("")
            drafted(running, clock)

            await page.get_by_role("link", name="To be sent by hand").click()
            await page.get_by_role("button", name="Take it").click()
            await page.locator("[data-copy]").click()
            await expect(page.locator(".copied")).to_be_visible()
            assert await page.evaluate("navigator.clipboard.readText()") == "十分钟。"
            assert await barriers(page) == []
            await shot(page, "outbox-taken")
            await page.get_by_role("button", name="Sent", exact=True).click()
            await expect(page.get_by_text("No reply waits.")).to_be_visible()
    assert states(running) == ["sent"]


async def test_a_file_is_previewed_and_a_change_asks_for_another_look(
    tmp_path: Path, browser: Browser
) -> None:
    async with house(tmp_path) as (running, _):
        add_inbox(running)
        async with sitting(browser, running) as page:
            await page.goto(f"{running.page}inbox?lang=zh")
            file = {"name": "导出.csv", "mimeType": "text/csv", "buffer": TABLE.encode("gbk")}
            await page.locator("#file").set_input_files(file)  # type: ignore[arg-type]
            await page.locator("#preview").click()
            await expect(page.locator("#told")).to_contain_text("将新增 1 条评论")
            await expect(page.locator("#import")).to_be_visible()
            await page.locator("input[name=post]").fill("x")
            await expect(page.locator("#import")).to_be_hidden()
            await page.locator("#file").set_input_files(
                {"name": "x.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}  # type: ignore[arg-type]
            )
            await page.locator("#preview").click()
            await expect(page.locator("#told [role=alert]")).to_contain_text("没有找到表头")
            await expect(page.locator("#import")).to_be_hidden()
    assert states(running) == []

"""The pages of the inbox, over HTTP: comments come in by the form, replies go out by hand."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from bot.bootstrap import ALL_ROLES, assemble
from bot.models import AuditEntry, Comment, Draft, Event, Role, State
from bot.settings import Settings
from bot.store import channels, drafting
from tests.builders import START, FakeClock
from tests.inbox import registered
from tests.integration.test_inbox_api import LEASE_S, add_inbox
from tests.site import Browser, logged_in

NOTE = "https://www.xiaohongshu.com/explore/679f0b2"
PASTED = f"评论内容\t用户昵称\t评论时间\t笔记链接\n要烘多久？\t小满\t昨天 18:30\t{NOTE}\n坏行\t小满\t某天\t{NOTE}\n"
NASTY = "<script>alert(1)</script>\u202e"


@dataclass
class Pages:
    """A person who looks at the pages of a service with one inbox channel."""

    browser: Browser
    clock: FakeClock
    channel_id: int

    async def send(self, act: str, text: str, **fields: str) -> tuple[int, str]:
        data = {
            "csrf": self.browser.csrf,
            "channel": str(self.channel_id),
            "text": text,
            "post": "",
            **fields,
        }
        return await self.browser.post(f"inbox/{act}?lang=en", data=data)

    async def upload(self, act: str, content: bytes, **query: str) -> tuple[int, str]:
        query = {"channel": str(self.channel_id), "lang": "en", **query}
        headers = {"Content-Type": "application/octet-stream"}
        return await self.browser.post(f"inbox/{act}", data=BytesIO(content), params=query, headers=headers)

    async def outbox(self) -> str:
        status, text = await self.browser.get("inbox/outbox?lang=en")
        assert status == 200
        return text

    async def act(self, path: str, browser: Browser | None = None, **fields: str) -> tuple[int, str]:
        asked = browser or self.browser
        return await asked.post(f"inbox/outbox/{path}?lang=en", data={"csrf": asked.csrf, **fields})

    async def ready(self, text: str = "十分钟。") -> None:
        """One comment whose reply may go out."""
        await self.send("import", PASTED)
        ledger = self.browser.running.ledger
        for work in ledger.write(
            drafting.claim_new, owner="me", now=self.clock(), lease=timedelta(seconds=60), limit=9
        ):
            draft = Draft(comment_id=work.comment.id or 0, created_at=self.clock(), text=text)
            outcome = drafting.Outcome(work.comment.id or 0, State.READY, "grounded", draft=draft)
            ledger.write(drafting.save_outcomes, [outcome], owner="me", now=self.clock())

    def states(self) -> list[str]:
        return self.browser.running.ledger.read(lambda session: list(session.exec(select(Comment.state))))


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch)


@asynccontextmanager
async def opened(folder: Path, *, shadow: bool = False) -> AsyncIterator[Pages]:
    clock = FakeClock(START)
    settings = Settings(data_dir=folder, web={"port": 0, "max_upload_mb": 1}, service={"shadow": shadow})
    async with assemble(settings, roles=ALL_ROLES, clock=clock) as running:
        number = add_inbox(running, clock, delivery="person")
        async with logged_in(running, Role.REVIEWER) as browser:
            yield Pages(browser, clock, number)


@pytest.fixture
async def pages(tmp_path: Path) -> AsyncIterator[Pages]:
    async with opened(tmp_path) as made:
        yield made


def plain(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


async def test_the_page_is_in_the_navigation_in_both_languages(pages: Pages) -> None:
    for language, word, lead in (
        ("en", "Inbox", "Bring in comments"),
        ("zh", "收件箱", "导入没有官方评论接口"),
    ):
        _, text = await pages.browser.get(f"inbox?lang={language}")
        assert f'<a href="/inbox" aria-current="page">{word}</a>' in text
        assert lead in text
        assert "red (" in text


async def test_without_a_channel_it_is_said_how_to_add_one(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, web={"port": 0})
    async with assemble(settings, roles=ALL_ROLES) as running, logged_in(running) as browser:
        _, text = await browser.get("inbox?lang=en")
    assert "rejoinder channels add NAME --platform inbox" in text
    assert "<textarea" not in text


async def test_a_preview_tells_what_was_understood_and_what_not_and_changes_nothing(pages: Pages) -> None:
    status, text = await pages.send("preview", PASTED)
    told = plain(text)
    assert status == 200
    assert (
        "1 comments would be new, 0 are known, 1 rows cannot be used. Nothing has been changed yet." in told
    )
    # The clock of the import says 20:00 on 1 March in Shanghai.
    assert "2 new 小满 要烘多久？ 2026-02-28 10:30" in told
    assert re.search(
        r'<tr class="refused"><td class="figure">3</td><td dir="auto">its time &#39;某天&#39;', text
    )
    assert pages.states() == []
    assert 'id="import" class="main" formaction="/inbox/import">' in text
    assert "要烘多久？\t小满" in text


async def test_what_was_confirmed_is_brought_in_once_and_audited(pages: Pages) -> None:
    _, text = await pages.send("import", PASTED)
    assert "1 comments are new, 0 were known, 1 rows were refused." in plain(text)
    _, again = await pages.send("import", PASTED)
    assert "0 comments are new, 1 were known" in plain(again)
    ledger = pages.browser.running.ledger
    noted = ledger.read(
        lambda session: [
            (entry.actor, entry.subject, entry.detail)
            for entry in session.exec(select(AuditEntry).where(AuditEntry.act == "import_comments"))
        ]
    )
    assert noted[0] == ("ann", "red", {"new": 1, "known": 0, "refused": 1})
    assert len(ledger.read(lambda session: list(session.exec(select(Comment))))) == 1


async def test_a_file_comes_as_it_is_in_any_encoding(pages: Pages) -> None:
    status, part = await pages.upload("preview", PASTED.encode("gbk"))
    assert (status, "<html" in part) == (200, False)
    assert 'data-ready="1" data-done=""' in part
    _, part = await pages.upload("import", PASTED.encode("utf-16"))
    assert "1 comments are new" in part
    assert 'data-done="1"' in part


async def test_a_file_that_makes_no_sense_is_told_in_the_readers_language(pages: Pages) -> None:
    status, part = await pages.upload("import", b"a,b\n1,2\n", lang="zh")
    assert status == 422
    assert "没有找到表头" in part
    status, text = await pages.send("preview", "nonsense")
    assert (status, "no line names the columns" in text) == (422, True)
    assert "nonsense</textarea>" in text


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(pages: Pages) -> None:
    status, text = await pages.upload("import", b"x" * 1_200_000)
    assert (status, "larger than 1 MB" in text) == (413, True)


async def test_what_a_commenter_wrote_is_shown_as_text(pages: Pages) -> None:
    _, text = await pages.send("import", f"text,author,post_id\n{NASTY},{NASTY},{NASTY}\n")
    told = text[text.index('id="told"') :]
    assert "<script>" not in told
    assert "&lt;script&gt;alert(1)" in told
    assert "\u202e" not in told


async def test_only_an_inbox_channel_takes_comments(pages: Pages) -> None:
    ledger, now = pages.browser.running.ledger, pages.clock()
    site = ledger.write(
        channels.add, name="site", platform="sandbox", options={}, rules={}, now=now, answer_since=now
    )
    for channel in (str(site.id), "99", "x", ""):
        status, _ = await pages.send("import", PASTED, channel=channel)
        assert status == 422
    assert pages.states() == []


async def test_a_form_of_another_site_brings_nothing(pages: Pages) -> None:
    status, _ = await pages.browser.post(
        "inbox/import",
        data={"channel": str(pages.channel_id), "text": PASTED},
        headers={"X-CSRF-Token": "other"},
    )
    assert (status, pages.states()) == (403, [])


async def test_a_viewer_sees_no_inbox(pages: Pages) -> None:
    async with logged_in(pages.browser.running, Role.VIEWER, "vic") as viewer:
        assert (await viewer.get("inbox"))[0] == 403
        assert (await viewer.get("inbox/outbox"))[0] == 403
        assert 'href="/inbox"' not in (await viewer.get("channels"))[1]


# --- replies that a person brings out ---


def lease_in(text: str) -> str:
    return re.findall(r'name="lease" value="([^"]+)"', text)[0]


def reply_in(text: str) -> str:
    return re.findall(r'id="reply-(\d+)"', text)[0]


async def test_a_reply_is_taken_copied_and_told_as_sent(pages: Pages) -> None:
    await pages.ready()
    text = await pages.outbox()
    assert 'action="/inbox/outbox/1/take"' in text
    assert "data-copy" not in text
    status, text = await pages.act("1/take")
    assert (status, pages.states()) == (200, ["sending"])
    assert f'<a href="{NOTE}" target="_blank" rel="noopener noreferrer nofollow" data-copy="reply-' in text
    assert "十分钟。</textarea>" in text
    assert "ann has it until 2026-03-01 12:10" in text
    status, text = await pages.act(f"{reply_in(text)}/sent", lease=lease_in(text))
    assert (status, pages.states()) == (200, ["sent"])
    assert "No reply waits." in text
    actors = pages.browser.running.ledger.read(
        lambda session: list(session.exec(select(Event.actor).order_by(col(Event.id))))
    )
    assert actors[-2:] == ["ann", "ann"]


async def test_what_was_not_sent_waits_for_a_person(pages: Pages) -> None:
    await pages.ready()
    _, text = await pages.act("1/take")
    await pages.act(f"{reply_in(text)}/not-sent", lease=lease_in(text))
    assert pages.states() == ["review"]


async def test_two_people_do_not_get_the_same_reply(pages: Pages) -> None:
    await pages.ready()
    async with logged_in(pages.browser.running, Role.REVIEWER, "bea") as bea:
        await pages.act("1/take")
        status, text = await pages.act("1/take", bea)
        assert (status, "cannot be taken now" in text) == (409, True)
        _, shown = await bea.get("inbox/outbox?lang=en")
        assert "ann has it until" in shown


async def test_a_reply_that_was_forgotten_comes_to_review(pages: Pages) -> None:
    await pages.ready()
    _, text = await pages.act("1/take")
    reply, lease = reply_in(text), lease_in(text)
    pages.clock.forward(LEASE_S + 1)
    assert "No reply waits." in await pages.outbox()
    assert pages.states() == ["review"]
    assert (await pages.act(f"{reply}/not-sent", lease=lease))[0] == 200
    assert pages.states() == ["review"]
    await pages.act(f"{reply}/sent", lease=lease)
    assert pages.states() == ["sent"]


async def test_a_reply_that_may_still_be_taken_back_is_not_given_out(pages: Pages) -> None:
    await pages.ready()
    ledger = pages.browser.running.ledger
    later = pages.clock() + timedelta(minutes=5)

    def put_off(session: Any) -> None:
        comment = session.get(Comment, 1)
        comment.due_at = later
        session.add(comment)

    ledger.write(put_off)
    text = await pages.outbox()
    assert "may be sent from 2026-03-01 12:05 (UTC)" in text
    assert "1/take" not in text
    assert (await pages.act("1/take"))[0] == 409


async def test_the_gap_of_the_channel_holds_for_people_too(pages: Pages) -> None:
    await pages.ready()
    ledger = pages.browser.running.ledger
    ledger.write(channels.set_rules, "red", {"max_per_hour": 0}, now=pages.clock())
    assert (await pages.act("1/take"))[0] == 409
    assert pages.states() == ["ready"]


async def test_in_shadow_nothing_is_taken(tmp_path: Path) -> None:
    async with opened(tmp_path, shadow=True) as pages:
        await pages.ready()
        assert "The service is in shadow" in await pages.outbox()
        status, _ = await pages.act("1/take")
        assert (status, pages.states()) == (409, ["ready"])


async def test_what_is_not_there_is_told(pages: Pages) -> None:
    assert (await pages.act("99/take"))[0] == 409
    assert (await pages.act("99/sent", lease="x"))[0] == 409
    assert (await pages.act("0/take"))[0] == 404


async def test_a_reply_is_shown_as_text(pages: Pages) -> None:
    await pages.ready(f"</textarea>{NASTY}")
    assert "<script>" not in (await pages.outbox()).split("</head>")[1].replace("<script src=", "")
    _, text = await pages.act("1/take")
    assert "&lt;/textarea&gt;&lt;script&gt;" in text

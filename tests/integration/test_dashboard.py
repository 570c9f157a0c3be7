"""What the overview counts, on each kind of database, and the page that tells it."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from bot.bootstrap import ALL_ROLES, assemble
from bot.models import Comment, Draft, State, Verdict
from bot.overview import overview
from bot.reasons import Reason
from bot.settings import Settings
from bot.store import cases, channels, dashboard, drafting, sending, verdicts
from bot.store.dashboard import Day
from bot.store.deciding import Sign
from bot.store.ledger import Ledger
from tests.builders import START, Desk, FakeClock, comment
from tests.service import until
from tests.site import Browser, logged_in

MIDNIGHT = START.replace(hour=0)
SPANS = [(MIDNIGHT - timedelta(days=1), MIDNIGHT), (MIDNIGHT, MIDNIGHT + timedelta(days=1))]


def days(ledger: Ledger) -> list[Day]:
    return ledger.read(dashboard.days, SPANS)


def send(desk: Desk, seconds: float) -> None:
    """Every ready reply arrives `seconds` from now."""
    jobs = desk.intend(desk.claim_ready())
    desk.clock.forward(seconds)
    done = [
        sending.Settled(job.comment_id, State.SENDING, State.SENT, Reason.SENT, platform_id=f"r{job.comment_id}")
        for job in jobs
    ]  # fmt: skip
    desk.ledger.write(sending.settle, done, owner=desk.owner, now=desk.clock())


def take_back(session: Session, comment_id: int) -> None:
    verdict = session.exec(select(Verdict).where(Verdict.comment_id == comment_id)).one()
    verdict.undone_at = verdict.at
    session.add(verdict)


def test_a_day_holds_what_came_in_and_what_became_of_it(ledger: Ledger) -> None:
    desk = Desk(ledger)
    old = START - timedelta(days=400)
    desk.ingest(comment(1), comment(2), comment(3), comment(4, is_own=True), comment(5, created_at=old))
    first, second, _ = desk.claim()
    desk.decide(first, State.READY)
    desk.decide(second, State.REVIEW)
    send(desk, 30)
    yesterday, today = days(ledger)
    assert yesterday.came == {}
    assert today.came == {
        (desk.channel_id, State.SENT, "sent"): 1,
        (desk.channel_id, State.REVIEW, "because"): 1,
        (desk.channel_id, State.NEW, ""): 1,
    }
    assert today.waits == ((desk.channel_id, 30.0),)
    seen = overview([yesterday, today]).whole
    assert (seen.comments, seen.parts["sent"], seen.parts["review"], seen.parts["waiting"]) == (3, 1, 1, 1)


def test_verdicts_count_but_not_those_that_were_taken_back(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ingest(*(comment(number) for number in range(1, 5)))
    works = desk.claim()
    for work in works:
        desk.decide(work, State.REVIEW, "Ten minutes.")
    ids = [work.comment.id or 0 for work in works]
    now = desk.clock()
    ledger.write(verdicts.approve, ids[0], sign=Sign("ann"), now=now)
    ledger.write(verdicts.edit, ids[1], text="Two minutes.", sign=Sign("ann"), now=now)
    ledger.write(verdicts.reject, ids[2], reason="wrong", sign=Sign("ann"), now=now)
    ledger.write(verdicts.approve, ids[3], sign=Sign("ann"), now=now)
    ledger.write(take_back, ids[3])
    judged = overview(days(ledger)).whole.judged
    assert (judged.approved, judged.edited, judged.rejected) == (1, 1, 1)
    assert judged.change == pytest.approx(2 / 12 / 2)


def test_a_skip_says_nothing_about_the_draft(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ingest(comment(1))
    [work] = desk.claim()
    desk.decide(work, State.REVIEW)
    number = work.comment.id or 0
    [draft] = ledger.read(cases.drafts_of, [number])
    ledger.write(
        lambda session: session.add(
            Verdict(comment_id=number, draft_id=draft.id, kind="skip", by="ann", at=desk.clock())
        )
    )
    assert overview(days(ledger)).whole.judged.total == 0


def test_an_edit_is_measured_from_the_candidate_that_it_began_with(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ingest(comment(1))
    [work] = desk.claim()
    desk.decide(work, State.REVIEW, "First of all.")
    number = work.comment.id or 0
    [draft] = ledger.read(cases.drafts_of, [number])
    verdict = Verdict(
        comment_id=number, draft_id=draft.id, kind="edit", text="abcX", by="ann", at=desk.clock(),
        candidates=["First of all.", "abcd"], chosen=1,
    )  # fmt: skip
    ledger.write(lambda session: session.add(verdict))
    assert overview(days(ledger)).whole.judged.change == pytest.approx(0.25)


def test_what_is_left_of_the_hour_is_told_by_channel(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.add_channel("paused")
    ledger.write(channels.pause, "paused", paused=True, now=desk.clock())
    ledger.write(channels.set_rules, "demo", {"max_per_hour": 3}, now=desk.clock())
    desk.ready(1, 2)
    send(desk, 1)
    [quota] = ledger.read(dashboard.quotas, now=desk.clock())
    assert (quota.channel, quota.used, quota.allowed, quota.left) == ("demo", 2, 3, 1)
    [later] = ledger.read(dashboard.quotas, now=desk.clock() + timedelta(hours=2))
    assert (later.used, later.left) == (0, 3)


def test_what_the_documents_do_not_answer_is_found_answered_or_not(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ingest(comment(1, "Do you sell grinders?"), comment(2))
    vain, other = desk.claim()
    draft = Draft(
        comment_id=vain.comment.id or 0, created_at=desk.clock(), text="x", reason=Reason.NOT_IN_DOCUMENTS
    )
    outcome = drafting.Outcome(vain.comment.id or 0, State.REVIEW, Reason.NOT_IN_DOCUMENTS, draft=draft)
    ledger.write(drafting.save_outcomes, [outcome], owner=desk.owner, now=desk.clock())
    desk.decide(other)
    [found] = ledger.read(dashboard.asked_in_vain, since=MIDNIGHT)
    assert (found.text, found.waiting, found.channel) == ("Do you sell grinders?", True, "demo")
    assert ledger.read(dashboard.asked_in_vain, since=desk.clock() + timedelta(seconds=1)) == []


def test_drafts_of_one_channel_are_looked_back_at(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(1, 2)
    assert len(ledger.read(dashboard.drafted, channel_id=desk.channel_id, since=MIDNIGHT)) == 2
    assert ledger.read(dashboard.drafted, channel_id=desk.channel_id + 1, since=MIDNIGHT) == []


def test_what_waits_is_counted_by_channel(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(1, 2)
    desk.ingest(comment(3), comment(4, is_own=True))
    assert ledger.read(dashboard.waiting) == {desk.channel_id: {State.READY: 2, State.NEW: 1}}


def test_closed_channels_put_off_what_the_policy_approved_on_each_database(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(1, 2)
    opens = desk.clock() + timedelta(hours=3)
    assert desk.claim_ready(opens_at=opens) == []
    due = ledger.read(lambda session: set(session.exec(select(Comment.due_at))))
    assert due == {opens}
    ledger.write(channels.set_rules, "demo", {"time_zone": "Asia/Shanghai"}, now=desk.clock())
    assert [job.target.comment_id for job in desk.claim_ready(opens_at=desk.clock())] == ["c1", "c2"]


def test_shadow_holds_back_on_each_database(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(1)
    jobs = desk.claim_ready()
    assert ledger.write(channels.set_shadow, "demo", on=True, now=desk.clock()) == 1
    assert desk.intend(jobs) == []
    desk.ready(2)
    assert desk.claim_ready() == []
    assert ledger.read(dashboard.waiting) == {desk.channel_id: {State.REVIEW: 2}}


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Browser]:
    settings, clock = Settings(data_dir=tmp_path, web={"port": 0}), FakeClock()
    async with assemble(settings, roles=ALL_ROLES, clock=clock) as running, logged_in(running) as made:
        desk = Desk(running.ledger, clock)
        desk.ready(1, 2)
        send(desk, 90)
        yield made


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            (
                "Over time",
                "2 comments in 7 days, of which 2 are answered.",
                "1.5 min",
                "no limit",
                "As a table",
            ),
        ),
        ("zh", ("一段时间内", "7 天共 2 条评论，其中 2 条已回复。", "1.5 分钟", "不限", "显示为表格")),
    ],
)
async def test_the_overview_tells_the_days_in_the_readers_language(
    page: Browser, language: str, words: tuple[str, ...]
) -> None:
    status, text = await page.get(f"?lang={language}")
    assert status == 200
    for word in words:
        assert word in text
    assert not re.search(r"<style|style=|<script>| on\w+=", text)


async def test_the_reader_chooses_days_and_channel(page: Browser) -> None:
    page.running.ledger.write(
        channels.add, name="<i>", platform="sandbox", options={}, rules={}, now=START, answer_since=START
    )
    _, text = await page.get("?lang=en&days=30&channel=demo")
    assert "2 comments in 30 days" in text
    assert "<option selected>demo</option>" in text
    assert "<option>&lt;i&gt;</option>" in text
    _, other = await page.get("?lang=en&channel=%3Ci%3E")
    assert "2 comments in 7 days" not in other
    _, unknown = await page.get("?lang=en&days=1000000&channel=nobody")
    assert "2 comments in 7 days" in unknown


async def test_the_page_stays_light_with_a_month_of_days(page: Browser) -> None:
    _, text = await page.get("?lang=en&days=30")
    assert len(text.encode()) < 60_000


async def test_a_service_in_shadow_has_no_sender_and_takes_what_was_ready(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, web={"port": 0}, service={"shadow": True, "beat_s": 0.05})
    async with assemble(settings, clock=FakeClock()) as running:
        assert running.service._parts.sender is None
        desk = Desk(running.ledger)
        desk.ready(1)
        stop = asyncio.Event()
        task = asyncio.create_task(running.service.run(stop))
        try:
            await until(lambda: desk.ledger.read(dashboard.waiting) == {desk.channel_id: {State.REVIEW: 1}})
        finally:
            stop.set()
            await task

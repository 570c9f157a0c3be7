"""Many comments at once, and what the desk tells while it is open."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.bootstrap import assemble
from bot.models import Role, State
from bot.settings import Settings
from bot.store import holds
from bot.web.review_live import LISTENERS_EACH
from tests.builders import FakeClock
from tests.integration.test_web_review import decided, row, verdicts, waiting
from tests.site import Browser, logged_in


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def site(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Browser]:
    settings = Settings(data_dir=tmp_path, web={"port": 0})
    service = assemble(settings, roles=frozenset({"web"}), clock=clock)
    async with service as running, logged_in(running, Role.REVIEWER) as browser:
        yield browser


def ids(*chosen: str) -> list[tuple[str, str]]:
    return [("ids", one) for one in chosen]


async def test_the_preview_shows_exactly_what_will_be_sent(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "One?", "<b>Two?", "Three?", "Four?")
    async with logged_in(site.running, Role.REVIEWER, "bo") as bo:
        await bo.post("review/3/hold", data={"act": "take"})
    await decided(site, 4, act="skip")
    chosen = [("act", "approve"), *ids("1:1", "2:1", "3:1", "4:1", "99:1")]
    status, text = await site.post("review/bulk?lang=en", data=chosen)
    assert status == 200
    assert "2 replies will be sent" in text
    assert "3 cannot be" in text
    assert re.findall(r'name="ids" value="([^"]+)"', text) == ["1:1", "2:1"]
    assert text.count('<p class="reply text" dir="auto">Ten minutes.</p>') == 2
    assert "bo is on it" in text
    assert "&lt;b&gt;Two?" in text
    assert not [one for one in verdicts(site) if one.kind == "approve"]


async def test_what_was_previewed_is_done_once_and_taken_back_together(
    site: Browser, clock: FakeClock
) -> None:
    waiting(site, clock, "One?", "Two?", "Three?")
    _, shown = await site.post("review/bulk", data=[("act", "approve"), *ids("1:1", "2:1")])
    key = re.findall(r'name="key" value="([^"]+)"', shown)[0]
    form = [("act", "approve"), ("key", key), *ids("1:1", "2:1", "3:77")]
    for _ in range(2):
        status, text = await site.post("review/bulk/do?lang=en", data=form)
        assert status == 200
        assert "2 done" in text
        assert "1 not done" in text
    assert [one.comment_id for one in verdicts(site)] == [1, 2]
    assert [row(site, number).state for number in (1, 2, 3)] == ["ready", "ready", "review"]
    await site.post("review/bulk/undo", data=ids("1", "2"))
    assert [row(site, number).state for number in (1, 2, 3)] == ["review"] * 3


async def test_all_that_match_can_be_skipped_two_hundred_at_a_time(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, *(f"Question {number}?" for number in range(230)))
    _, text = await site.post("review/bulk?q=question&lang=en", data={"act": "skip", "all": "1"})
    assert "200 comments will be left unanswered" in text
    chosen = re.findall(r'name="ids" value="([^"]+)"', text)
    assert len(chosen) == 200
    _, told = await site.post("review/bulk/do?lang=en", data=[("act", "skip"), ("key", "k"), *ids(*chosen)])
    assert "200 done" in told


@pytest.mark.parametrize(
    "form",
    [
        [("act", "approve")],
        [("act", "reject"), ("ids", "1:1")],
        [("act", "approve"), ("ids", "x")],
        [("act", "approve"), ("ids", "1:x")],
        [("act", "approve"), *ids(*(f"{number}:1" for number in range(1, 202)))],
    ],
)
async def test_a_choice_that_cannot_be_is_refused(
    site: Browser, clock: FakeClock, form: list[tuple[str, str]]
) -> None:
    waiting(site, clock, "One?")
    for path in ("review/bulk", "review/bulk/do"):
        assert (await site.post(path, data=form))[0] == 400
    assert not verdicts(site)


async def _event(answer: Any, name: str) -> Any:
    """The next event of this name."""
    async with asyncio.timeout(20):
        while True:
            line = (await answer.content.readline()).decode()
            if line == f"event: {name}\n":
                return json.loads((await answer.content.readline()).decode().removeprefix("data: "))


async def test_a_verdict_and_a_hold_are_told_to_every_open_page(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "One?", "Two?")
    async with site.http.get(site.url + "review/events") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert await _event(answer, "held") == {}
        async with logged_in(site.running, Role.REVIEWER, "bo") as bo:
            await bo.post("review/2/hold", data={"act": "take"})
            assert await _event(answer, "held") == {"2": "bo"}
            await decided(bo, 2, act="skip")
        told = await _event(answer, "moved")
    assert told == {"moves": [{"id": 2, "by": "bo", "state": "skipped"}], "waiting": 1}


async def test_who_comes_again_is_told_what_was_missed(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "One?")
    await decided(site, 1, act="skip")
    async with site.http.get(site.url + "review/events", headers={"Last-Event-ID": "1"}) as answer:
        assert (await _event(answer, "moved"))["moves"][-1]["state"] == "skipped"


async def test_one_person_may_open_so_many_pages_and_no_more(site: Browser) -> None:
    open_pages = [await site.http.get(site.url + "review/events") for _ in range(LISTENERS_EACH)]
    try:
        assert (await site.get("review/events"))[0] == 503
    finally:
        for one in open_pages:
            one.close()


async def test_events_need_a_log_in(site: Browser) -> None:
    async with site.http.get(site.url + "review/events", headers={"Cookie": ""}) as answer:
        assert answer.status == 401


async def test_a_hold_ends_with_the_verdict(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "One?")
    await site.post("review/1/hold", data={"act": "take"})
    await decided(site, 1, act="skip")
    assert site.running.ledger.read(holds.held, [1], now=clock()) == {}
    assert row(site, 1).state == State.SKIPPED

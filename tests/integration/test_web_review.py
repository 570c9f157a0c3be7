"""The review desk over HTTP: pages, fragments, verdicts, holds."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

from bot.bootstrap import assemble
from bot.models import Channel, Comment, Draft, Role, State, Verdict
from bot.settings import Settings
from bot.store import drafting, holds
from bot.web.rendering import TEMPLATES
from bot.web.words import WORDS
from tests.browser.house import Waiting, fill
from tests.builders import Desk, FakeClock, comment
from tests.fakes import FakeOpenAI
from tests.site import Browser, logged_in

STATIC_BYTES = sum(
    path.stat().st_size
    for path in TEMPLATES.iterdir()
    if path.suffix in (".js", ".css") and path.stem.startswith(("pages", "review"))
)
"""Of the style sheets and all parts of the script."""
JSON = {"Accept": "application/json"}
NASTY = '</textarea><script>alert(1)</script><img src=x onerror=alert(1)>\u202e " onfocus=alert(1) how do I roast?'


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def site(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Browser]:
    settings = Settings(data_dir=tmp_path, web={"port": 0})
    service = assemble(settings, roles=frozenset({"web"}), clock=clock)
    async with service as running, logged_in(running, Role.REVIEWER) as browser:
        yield browser


def waiting(site: Browser, clock: FakeClock, *texts: str, **draft: Any) -> Desk:
    desk = Desk(site.running.ledger, clock=clock)
    desk.ingest(*(comment(number, text) for number, text in enumerate(texts, 1)))
    for work in desk.claim(limit=1000):
        given = {"text": "Ten minutes.", "candidates": ["Ten minutes.", "Nine."]} | draft
        made = Draft(comment_id=work.comment.id or 0, created_at=clock(), **given)
        outcome = drafting.Outcome(work.comment.id or 0, State.REVIEW, "not_opened", draft=made)
        site.running.ledger.write(drafting.save_outcomes, [outcome], owner=desk.owner, now=clock())
    return desk


def fields(html: str) -> dict[str, str]:
    """What the form that approves would send."""
    form = html[html.index('id="approve"') :]
    return dict(re.findall(r'name="(version|key)" value="([^"]+)"', form)[:2])


def verdicts(site: Browser) -> list[Verdict]:
    rows = select(Verdict).order_by(col(Verdict.id))
    return site.running.ledger.read(lambda session: list(session.exec(rows)))


def row(site: Browser, number: int) -> Comment:
    return site.running.ledger.read(lambda session: session.get_one(Comment, number))


async def decided(site: Browser, number: int, **data: str) -> tuple[int, dict[str, Any]]:
    status, text = await site.post(f"review/{number}/verdict", data=data, headers=JSON)
    return status, json.loads(text) if text.startswith("{") else {}


async def test_the_desk_shows_the_queue_and_its_first_comment(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "How long do I roast?", "要烘焙多久？")
    status, text = await site.get("review?lang=en")
    assert status == 200
    assert re.findall(r'<li class="one[^"]*" data-id="(\d+)"', text) == ["1", "2"]
    assert '<article class="item review" data-id="1"' in text
    assert "the channel&#39;s owner has not opened" in text
    _, chinese = await site.get("review/2?lang=zh")
    assert '<article class="item review" data-id="2"' in chinese
    assert "批准" in chinese


async def test_a_verdict_by_form_leads_to_the_next_comment_and_offers_to_take_it_back(
    site: Browser, clock: FakeClock
) -> None:
    waiting(site, clock, "One?", "Two?")
    _, text = await site.get("review/1")
    form = fields(text) | {"act": "approve", "candidate": "1", "took_s": "7.5"}
    status, after = await site.post("review/1/verdict?q=o&lang=en", data=form)
    assert status == 200
    assert 'data-id="2"' in after
    assert re.search(r'action="/review/1/verdict\?q=o".*value="undo"', after)
    (verdict,) = verdicts(site)
    assert (verdict.kind, verdict.text, verdict.chosen) == ("approve", "Nine.", 1)
    assert (verdict.by, verdict.via, verdict.took_s, verdict.key) == ("ann", "page", 7.5, form["key"])
    await site.post("review/1/verdict", data={"act": "undo"})
    assert row(site, 1).state == State.REVIEW


async def test_the_same_verdict_given_twice_is_one(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "One?")
    form = fields((await site.get("review/1"))[1]) | {"act": "approve", "candidate": "0"}
    assert [(await decided(site, 1, **form))[0] for _ in range(2)] == [200, 200]
    assert len(verdicts(site)) == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [("12.5", 12.5), ("-1", 0.0), ("1e9", 3600.0), ("nan", None), ("inf", None), ("soon", None), ("", None)],
)
async def test_the_time_that_a_verdict_took_is_bounded(
    site: Browser, clock: FakeClock, given: str, kept: float | None
) -> None:
    waiting(site, clock, "One?")
    await decided(site, 1, act="skip", took_s=given)
    assert verdicts(site)[0].took_s == kept


async def test_an_edit_of_a_stale_version_is_refused_and_kept(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "One?")
    status, told = await decided(site, 1, act="edit", text="My own words", version="99")
    assert (status, told["why"], told["state"]) == (409, "stale", "review")
    _, text = await site.get("review/item/1?lang=en")
    assert "My own words</textarea>" in text
    assert WORDS["en"]["review_kept"] in text
    await decided(site, 1, act="edit", text="My own words")
    assert row(site, 1).state == State.READY
    assert "My own words</textarea>" not in (await site.get("review/item/1"))[1]


async def test_a_refused_form_shows_the_comment_as_it_is_with_what_was_written(
    site: Browser, clock: FakeClock
) -> None:
    waiting(site, clock, "One?")
    form = {"act": "edit", "text": f"Mine {NASTY}", "version": "99"}
    status, text = await site.post("review/1/verdict?lang=en", data=form)
    assert status == 409
    assert "It changed while you were looking" in text
    assert "Mine &lt;/textarea&gt;&lt;script&gt;" in text


@pytest.mark.parametrize("act", ["approve", "edit", "reject", "skip", "redraft", "confirm_sent", "retry"])
async def test_what_was_sent_already_cannot_be_decided_again(
    site: Browser, clock: FakeClock, act: str
) -> None:
    waiting(site, clock, "One?")

    def sent(session: Session) -> None:
        found = session.get_one(Comment, 1)
        found.state = State.SENT
        session.add(found)

    site.running.ledger.write(sent)
    status, told = await decided(site, 1, act=act, text="x")
    assert (status, told["why"]) == (409, "state")
    assert "answered" in told["told"]
    assert not verdicts(site)


async def test_a_comment_that_is_not_there_is_told_in_one_line(site: Browser) -> None:
    for path in ("review/7", "review/item/7", "review/7/text", f"review/{'9' * 30}"):
        assert (await site.get(path))[0] == 404
    assert (await decided(site, 7, act="skip"))[0] == 409
    assert (await site.post("review/7/verdict", data={"act": "skip"}))[0] == 404
    assert (await site.post("review/7/hold", data={"act": "take"}))[0] == 404


@pytest.mark.parametrize(
    "form",
    [{}, {"act": "delete"}, {"act": "approve", "version": "x"}, {"act": "approve", "version": "9" * 40}],
)
async def test_a_form_that_no_page_sends_is_refused(
    site: Browser, clock: FakeClock, form: dict[str, str]
) -> None:
    waiting(site, clock, "One?")
    assert (await site.post("review/1/verdict", data=form))[0] == 400
    assert not verdicts(site)


async def test_a_viewer_sees_the_desk_and_can_change_nothing(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "One?")
    async with logged_in(site.running, Role.VIEWER, "vera") as viewer:
        status, text = await viewer.get("review")
        assert status == 200
        assert not re.search(r'name="act"|name="ids"', text)
        for path in ("1/verdict", "1/hold", "bulk", "bulk/do", "bulk/undo"):
            assert (await viewer.post(f"review/{path}", data={"act": "skip", "ids": "1"}))[0] == 403
    assert not verdicts(site)


async def test_without_the_forms_token_nothing_is_decided(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "One?")
    for token in ("", "wrong"):
        status, _ = await site.post("review/1/verdict", data={"act": "skip"}, headers={"X-CSRF-Token": token})
        assert status == 403
    assert not verdicts(site)


async def test_opening_holds_a_comment_and_others_are_told(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "One?", "Two?")
    _, mine = await site.post("review/1/hold", data={"act": "take"}, headers=JSON)
    assert json.loads(mine)["mine"] is True
    async with logged_in(site.running, Role.REVIEWER, "bo") as bo:
        _, text = await bo.get("review?lang=en")
        assert '<article class="item review" data-id="2"' in text
        assert "ann is on it" in text
        assert (
            json.loads((await bo.post("review/1/hold", data={"act": "take"}, headers=JSON))[1])["by"] == "ann"
        )
        assert (await decided(bo, 1, act="skip"))[1]["why"] == "held"
        assert (
            json.loads((await bo.post("review/1/hold", data={"act": "over"}, headers=JSON))[1])["by"] == "bo"
        )
        assert (await decided(bo, 1, act="skip"))[0] == 200


async def test_going_on_gives_back_what_was_open_before(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "One?", "Two?")
    await site.post("review/1/hold", data={"act": "take"})
    await site.post("review/2/hold", data={"act": "take", "leave": "1"})
    assert site.running.ledger.read(holds.held, [1, 2], now=clock()) == {2: "ann"}
    clock.forward(121)
    assert site.running.ledger.read(holds.held, [1, 2], now=clock()) == {}


async def test_filters_search_and_order_stand_in_the_address(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "Do you ship?", "要烘焙多久？", "Do you roast?")

    async def listed(query: str) -> list[str]:
        status, text = await site.get(f"review/list?{query}")
        assert status == 200
        return re.findall(r'data-id="(\d+)"', text)

    assert await listed("q=ship+you") == ["1"]
    assert await listed("q=%23" + "2") == ["2"]
    assert await listed("channel=demo&sort=newest") == ["3", "2", "1"]
    assert await listed("channel=other") == []
    assert await listed("age=over_day") == []
    assert await listed("state=failed") == []
    assert await listed("state=nonsense&sort=up&post=x&age=never") == ["1", "2", "3"]
    _, text = await site.get("review?q=ship&channel=demo&lang=en")
    assert "1 match" in text
    assert '<option value="demo" selected>demo (3)</option>' in text
    assert 'href="/review/1?channel=demo&amp;q=ship"' in text


async def test_a_long_queue_comes_page_by_page_and_none_twice(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, *(f"Question {number}?" for number in range(120)))
    seen: list[str] = []
    path = "review/list?sort=value"
    while path:
        _, text = await site.get(path)
        seen += re.findall(r'class="one" data-id="(\d+)"', text)
        more = re.search(r'data-list="/([^"]+)"', text)
        path = more[1].replace("&amp;", "&") if more else ""
    assert len(seen) == len(set(seen)) == 120


@pytest.mark.parametrize("after", ["x", "1~x~2", "1~2026-01-01~2", "~~", "1~2026-01-01T00:00:00+00:00~x"])
async def test_a_place_that_is_none_is_refused(site: Browser, after: str) -> None:
    assert (await site.get("review/list", params={"after": after}))[0] == 400


async def test_what_came_since_is_told(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "One?")
    _, text = await site.get("review/fresh", params={"moment": clock.forward(1).isoformat()})
    assert json.loads(text) == {"ids": []}
    desk = Desk.__new__(Desk)
    desk.ledger, desk.clock, desk.owner = site.running.ledger, clock, "me"
    desk.channel = site.running.ledger.read(lambda session: session.get_one(Channel, 1))
    moment = clock().isoformat()
    desk.ingest(comment(9, "Nine?"))
    for work in desk.claim():
        desk.decide(work, State.REVIEW)
    _, text = await site.get("review/fresh", params={"moment": moment})
    assert json.loads(text) == {"ids": [2]}
    assert (await site.get("review/fresh"))[0] == 400


@pytest.mark.parametrize("text", [NASTY, "🔥" * 50, "\u202e\u2066" * 30, "長" * 1_000_000, "<b>" * 300_000])
async def test_whatever_was_written_is_shown_as_text_and_the_page_stays_small(
    site: Browser, clock: FakeClock, text: str
) -> None:
    waiting(site, clock, *[text] * 50)
    status, page = await site.get("review/1")
    assert status == 200
    assert not re.search(r"<script>|<img|<b>x|\u202e", page)
    assert len(page.encode()) + STATIC_BYTES < 100_000
    _, whole = await site.get("review/1/text")
    assert len(whole) >= len(text)


async def test_evidence_links_only_the_web_and_leads_to_page_and_time(
    site: Browser, clock: FakeClock
) -> None:
    places = [
        {"source": "https://x.example/a.pdf", "page": 4, "time": ""},
        {"source": "https://x.example/v", "page": None, "time": "1:02:03"},
        {"source": "javascript:alert(1)", "page": None, "time": ""},
        {"source": "/home/me/a.md", "page": None, "time": ""},
    ]
    passages = [
        {"title": "<b>T", "heading": "", "text": "Roast for ten minutes.", **place} for place in places
    ]
    waiting(site, clock, "One?", passages=passages, citations=[1])
    _, text = await site.get("review/item/1?lang=en")
    assert re.findall(r'href="(https?:[^"]+|javascript[^"]*)"', text) == [
        "https://x.example/v#t=3723",
        "https://x.example/a.pdf#page=4",
    ]
    assert '<mark data-s="0-1" class="on" data-n="1">ten minutes</mark>' in text or "<mark" in text


async def test_other_states_offer_what_can_be_done_there(site: Browser, clock: FakeClock) -> None:
    waiting(site, clock, "One?", "Two?", "Three?")
    await decided(site, 1, act="approve", candidate="0")
    await decided(site, 2, act="reject", quick="It is wrong", text="really")

    def fail(session: Session) -> None:
        found = session.get_one(Comment, 3)
        found.state, found.reason = State.FAILED, "refused_by_platform"
        session.add(found)

    site.running.ledger.write(fail)
    offered = {}
    for number in (1, 2, 3):
        _, text = await site.get(f"review/item/{number}")
        offered[number] = set(re.findall(r'name="act" value="(\w+)"', text)) - {"over"}
    assert offered == {1: {"undo"}, 2: {"edit", "redraft"}, 3: {"retry", "edit", "skip"}}
    assert verdicts(site)[1].reason == "It is wrong: really"
    assert re.search(r'data-id="3"', (await site.get("review?state=failed"))[1])
    assert (await decided(site, 3, act="retry"))[0] == 200
    assert row(site, 3).state == State.NEW


async def test_a_translation_is_made_in_place(tmp_path: Path, clock: FakeClock) -> None:
    async with FakeOpenAI(replies=["烘焙要多久？"]) as model:
        given = {"kind": "vllm", "base_url": model.url, "model": "base", "deadline_s": 5}
        settings = Settings(data_dir=tmp_path, web={"port": 0}, generator=given)
        service = assemble(settings, roles=frozenset({"web"}), clock=clock)
        async with service as running, logged_in(running, Role.REVIEWER) as site:
            waiting(site, clock, "How long do I roast the beans?")
            assert "/review/1/translate" in (await site.get("review/1?lang=zh"))[1]
            _, text = await site.post("review/1/translate?lang=zh", headers=JSON)
            assert json.loads(text) == {"text": "烘焙要多久？"}
            _, after = await site.get("review/1?lang=zh")
            assert "烘焙要多久？" in after
            assert "/review/1/translate" not in after


@pytest.mark.parametrize(
    ("language", "told"), [("en", "Write the answer if you know it"), ("zh", "如果您知道答案")]
)
async def test_why_it_is_here_says_what_to_do(
    site: Browser, clock: FakeClock, language: str, told: str
) -> None:
    one = Waiting(comment(1, "Which university?"), ("I can't say.",), "not_in_documents", "")
    fill(site.running, clock, [one])
    assert told in (await site.get(f"review/item/1?lang={language}"))[1]

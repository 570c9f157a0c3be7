"""The status page over HTTP."""

import asyncio
import pkgutil
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.bootstrap import ALL_ROLES, Running, assemble
from bot.models import State
from bot.reasons import Reason
from bot.settings import Settings
from bot.store import channels, sending, voices
from bot.store.ledger import LedgerUnavailable
from bot.web import words
from bot.web.gate import is_loopback
from bot.web.glance import Kept
from bot.web.view import ago
from bot.web.words import WORDS, choose_language
from tests.builders import START, Desk, comment
from tests.site import Browser, logged_in


@asynccontextmanager
async def serving(folder: Path, host: str = "127.0.0.1", **web: Any) -> AsyncIterator[Browser]:
    settings = Settings(data_dir=folder, web={"host": host, "port": 0, **web})
    async with assemble(settings, roles=ALL_ROLES) as running, logged_in(running) as browser:
        yield browser


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Browser]:
    async with serving(tmp_path) as made:
        yield made


def answered_and_waiting(running: Running, text: str = "How long do I roast?") -> None:
    desk = Desk(running.ledger)
    desk.ingest(comment(1, text), comment(2, "烘焙要多久？"), comment(3, is_own=True, author_name="We"))
    first, second = desk.claim()
    desk.decide(first, State.READY, "Ten minutes.")
    desk.decide(second, State.REVIEW, "十分钟。")
    (job,) = desk.intend(desk.claim_ready())
    sent = sending.Settled(job.comment_id, State.SENDING, State.SENT, Reason.SENT, platform_id="r1")
    running.ledger.write(sending.settle, [sent], owner=desk.owner, now=desk.clock())


async def test_the_page_shows_counts_decisions_and_replies(page: Browser) -> None:
    answered_and_waiting(page.running)
    status, text = await page.get("?lang=en")
    assert status == 200
    assert "How long do I roast?" in text
    assert "烘焙要多久？" in text
    assert "十分钟。" in text
    assert re.search(r'class="review"><b>1</b><span>for a person', text)


async def test_the_page_shows_what_the_documents_are_filed_under(page: Browser, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Shop\n\nWe ship to Canada.\n")
    await page.running.library.ingest([str(tmp_path / "a.md")], tags=frozenset({"<b>shop"}))
    _, text = await page.get("?lang=zh")
    assert "标签：&lt;b&gt;shop 1" in text


async def test_the_page_speaks_the_readers_language(page: Browser) -> None:
    _, english = await page.get(headers={"Accept-Language": "de, en;q=0.5, zh;q=0.2"})
    _, chinese = await page.get(headers={"Accept-Language": "zh-CN, en;q=0.9"})
    _, asked = await page.get("?lang=en", headers={"Accept-Language": "zh-CN"})
    assert '<html lang="en">' in english
    assert '<html lang="zh">' in chinese
    assert "<h1>概览</h1>" in chinese
    assert '<html lang="en">' in asked


async def test_what_a_commenter_wrote_is_shown_as_text(page: Browser) -> None:
    answered_and_waiting(page.running, "<script>alert(1)</script>\u202e\x1b how?")
    _, text = await page.get()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e how?" in text


async def test_nothing_foreign_may_run_or_frame_the_page(page: Browser) -> None:
    async with page.http.get(page.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    _, text = await page.get()
    assert not re.search(r"<style|style=|<script>| on\w+=", text)


@pytest.mark.parametrize("path", ["", "healthz", "metrics", "static/pages.css"])
async def test_a_rebound_host_name_is_refused(page: Browser, path: str) -> None:
    assert (await page.get(path, headers={"Host": "evil.example"}))[0] == 403
    assert (await page.get(path, headers={"Host": "localhost:1"}))[0] == 200


async def test_a_page_for_everyone_answers_to_any_name_but_only_who_has_logged_in(tmp_path: Path) -> None:
    async with serving(tmp_path, "0.0.0.0") as page:
        answered_and_waiting(page.running)
        address = page.url.replace("0.0.0.0", "127.0.0.1")
        async with page.http.get(address, headers={"Host": "status.example"}) as answer:
            assert "How long" in await answer.text()
        async with page.http.get(address, headers={"Cookie": ""}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/login?next=/")


@pytest.mark.parametrize("method", ["post", "put", "delete"])
async def test_nothing_can_be_changed(page: Browser, method: str) -> None:
    async with page.http.request(method, page.url) as answer:
        assert answer.status == 405


@pytest.mark.parametrize(
    ("language", "told"), [("en", "no page at this address"), ("zh", "这个地址没有页面")]
)
async def test_an_address_that_leads_nowhere_is_told_as_a_page(
    page: Browser, language: str, told: str
) -> None:
    status, text = await page.get("nowhere", headers={"Accept-Language": language, "Cookie": ""})
    assert status == 404
    assert told in text
    assert 'href="/review"' in text


async def test_unknown_files_are_not_served(page: Browser) -> None:
    assert (await page.get("static/status.html"))[0] == 404
    assert (await page.get("static/..%2fserver.py"))[0] == 404


async def test_health_is_good_while_everything_works(page: Browser) -> None:
    async with page.http.get(page.url + "healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {"ok": True, "troubles": {}})


async def test_health_is_bad_while_a_loop_fails(page: Browser) -> None:
    page.running.service.loops[0].error = "KeyError: 1"
    async with page.http.get(page.url + "healthz") as answer:
        assert (answer.status, await answer.json()) == (
            503,
            {"ok": False, "troubles": {"poller": "KeyError: 1"}},
        )
    assert "KeyError: 1" in (await page.get())[1]


async def test_health_and_page_are_bad_while_the_database_is_away(
    page: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise LedgerUnavailable("the ledger is out of reach")

    monkeypatch.setattr(page.running.ledger, "aread", away)
    async with page.http.get(page.url + "healthz") as answer:
        assert answer.status == 503
        assert (await answer.json())["troubles"] == {"database": "the ledger is out of reach"}
    status, text = await page.get()
    assert status == 503
    assert "the ledger is out of reach" in text
    assert (await page.get("metrics"))[0] == 503


async def test_metrics_count_comments_by_state(page: Browser) -> None:
    answered_and_waiting(page.running)
    status, text = await page.get("metrics")
    assert status == 200
    assert 'rejoinder_comments{state="sent"} 1.0' in text
    assert 'rejoinder_comments{state="review"} 1.0' in text


async def test_a_channels_error_and_pause_are_shown(page: Browser) -> None:
    desk = Desk(page.running.ledger)
    page.running.ledger.write(channels.restrict, desk.channel_id, error="token <revoked>", now=desk.clock())
    _, text = await page.get("?lang=en")
    assert "token &lt;revoked&gt;" in text
    assert "paused" in text
    assert WORDS["en"]["unwell"] in text


async def test_callers_at_the_same_time_share_one_answer() -> None:
    asked, release = [], asyncio.Event()

    async def ask() -> int:
        asked.append(1)
        await release.wait()
        return len(asked)

    kept = Kept(ask, 2.0, clock=lambda: 0.0)
    callers = [asyncio.create_task(kept.get()) for _ in range(3)]
    await asyncio.sleep(0)
    release.set()
    assert await asyncio.gather(*callers) == [1, 1, 1]


async def test_an_answer_is_asked_again_when_it_has_grown_old() -> None:
    now, asked = [0.0], []

    async def ask() -> int:
        asked.append(1)
        now[0] += 1.0
        return len(asked)

    kept = Kept(ask, 2.0, clock=lambda: now[0])
    assert await kept.get() == 1
    now[0] += 19.9  # asking took a second, so the answer is kept for twenty
    assert await kept.get() == 1
    now[0] += 0.2
    assert await kept.get() == 2


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("LocalHost", True), ("localhost.", True),
        ("0.0.0.0", False), ("", False), ("localhost.evil.example", False), ("192.168.0.1", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("asked", "accept", "expected"),
    [
        (None, "", "zh"),
        ("en", "zh", "en"),
        ("fr", "fr", "zh"),
        (None, "en;q=bad, en", "en"),
        (None, "zh-TW", "zh"),
    ],
)
def test_the_language_is_the_first_that_the_page_has(asked: str | None, accept: str, expected: str) -> None:
    assert choose_language(asked, accept, "zh") == expected


def test_no_words_are_forgotten_and_none_are_said_twice() -> None:
    here = {module.name for module in pkgutil.iter_modules(words.__path__)}
    assert here == {area.__name__.rpartition(".")[2] for area in words.AREAS}
    keys = Counter(key for area in words.AREAS for key in area.WORDS)
    assert [key for key, number in keys.items() if number > 1] == []


def test_both_languages_have_every_word() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()


@pytest.mark.parametrize(
    ("seconds", "said"), [(-5, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (90_000, "1 d ago")]
)
def test_ages_are_told_in_the_largest_unit(seconds: int, said: str) -> None:
    assert ago(START, START - timedelta(seconds=seconds), WORDS["en"]) == said


@pytest.mark.parametrize(("language", "word"), [("en", "live"), ("zh", "使用中")])
async def test_the_page_names_the_voice_that_answers(page: Browser, language: str, word: str) -> None:
    new = voices.NewVoice("mia<1>", "voices/mia-1", "digest", "base", 8)
    page.running.ledger.write(voices.add, new, by="ann", now=START)
    page.running.ledger.write(voices.promote, "mia<1>", share=None, by="ann", now=START)
    _, text = await page.get(f"?lang={language}")
    assert "<b>mia&lt;1&gt;</b>" in text
    assert f'<span class="tag">{word}</span>' in text

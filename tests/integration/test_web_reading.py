"""Translations, the digest and the trial on the status page, with a fake model server on loopback."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.bootstrap import ALL_ROLES, assemble
from bot.generator import Completion, GenerationRequest, Generator, GeneratorUnavailable, OnText
from bot.models import State
from bot.settings import Settings
from bot.store import stats, translations
from bot.web.guard import same_origin
from bot.web.words import WORDS
from tests.builders import Desk, FakeClock, comment
from tests.fakes import FakeOpenAI
from tests.generators import PlainGenerator
from tests.site import Browser as Page
from tests.site import logged_in

OURS = {"Sec-Fetch-Site": "same-origin"}
STREAM = OURS | {"Accept": "application/x-ndjson"}
NASTY = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202e[x](javascript:alert(1)) how do I roast?"


@asynccontextmanager
async def serving(
    folder: Path,
    model: FakeOpenAI | None = None,
    *,
    host: str = "127.0.0.1",
    generator: Generator | None = None,
    generator_settings: Mapping[str, Any] | None = None,
    **sections: Any,
) -> AsyncIterator[Page]:
    """The pages an hour after the comments of `tests.builders`."""
    given = {} if model is None else {"kind": "vllm", "base_url": model.url, "model": "base", "deadline_s": 5}
    given |= generator_settings or {}
    settings = Settings(data_dir=folder, web={"host": host, "port": 0}, generator=given, **sections)
    clock = FakeClock()
    clock.forward(3600)
    service = assemble(settings, roles=ALL_ROLES, generator=generator, clock=clock)
    async with service as running, logged_in(running) as browser:
        yield browser


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """Of a service without a model."""
    async with serving(tmp_path) as made:
        yield made


@pytest.fixture
async def model() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI(replies=["烘焙要多久？"]) as running:
        yield running


@pytest.fixture
async def served(tmp_path: Path, model: FakeOpenAI) -> AsyncIterator[Page]:
    """Of a service with a model."""
    async with serving(tmp_path, model) as made:
        yield made


async def post(
    page: Page, path: str, data: Mapping[str, str], headers: Mapping[str, str] = OURS, **options: Any
) -> tuple[int, str]:
    form = {name: value for name, value in data.items() if name != "lang"}
    given = {"Accept-Language": data.get("lang", "en"), **headers}
    async with page.http.post(page.url + path, data=form, headers=given, **options) as answer:
        return answer.status, await answer.text()


def waiting(page: Page, *texts: str, **changes: object) -> None:
    desk = Desk(page.running.ledger)
    desk.ingest(*(comment(number, text, **changes) for number, text in enumerate(texts, 1)))
    for work in desk.claim():
        desk.decide(work, State.REVIEW)


class Refusing(PlainGenerator):
    """Writes half a reply, and then waits or fails."""

    def __init__(self, go: asyncio.Event | None = None) -> None:
        self.go, self.asked, self.stopped = go, asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def generate(self, request: GenerationRequest, on_text: OnText | None = None) -> list[Completion]:
        self.asked.release()
        if on_text is not None:
            on_text("Half a <b>reply")
        try:
            if self.go is not None:
                await self.go.wait()
        except asyncio.CancelledError:
            self.stopped.release()
            raise
        raise GeneratorUnavailable("the server <fell> asleep")


async def test_a_comment_in_another_language_is_translated_on_request_and_kept(
    served: Page, model: FakeOpenAI
) -> None:
    waiting(served, "How long do I roast?", "要烘焙多久？")
    _, before = await served.get("?lang=zh")
    assert re.findall(r'name="id" value="(\d+)"', before) == ["1"]
    status, after = await post(served, "translate", {"id": "1", "lang": "zh"})
    assert status == 200
    assert '<span class="quiet small">机器翻译</span> 烘焙要多久？' in after
    assert 'action="/translate"' not in after
    await post(served, "translate", {"id": "1", "lang": "zh"})
    assert len(model.requests) == 1
    assert served.running.ledger.read(translations.comment, 1).translations == {"zh": "烘焙要多久？"}


async def test_a_translation_is_shown_as_text(served: Page, model: FakeOpenAI) -> None:
    waiting(served, NASTY)
    model.replies = ["<script>alert(1)</script><b onclick=x>怎么烘焙？"]
    _, text = await post(served, "translate", {"id": "1", "lang": "zh"})
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;b onclick=x&gt;怎么烘焙？" in text
    assert not re.search(r"<script>|<img|<b onclick", text)


async def test_where_the_model_fails_the_page_says_so_and_nothing_is_kept(
    served: Page, model: FakeOpenAI
) -> None:
    waiting(served, "How long do I roast?")
    model.replies = ["It is still English."]
    status, text = await post(served, "translate", {"id": "1", "lang": "zh"})
    assert status == 503
    assert "language" in text
    assert served.running.ledger.read(translations.comment, 1).translations == {}


@pytest.mark.parametrize(
    ("number", "status"), [("7", 404), ("", 404), ("x", 404), ("-1", 404), ("9" * 30, 404), (str(2**63), 404)]
)
async def test_a_comment_that_is_not_there_is_not_translated(served: Page, number: str, status: int) -> None:
    assert (await post(served, "translate", {"id": number, "lang": "zh"}))[0] == status


async def test_without_a_model_nothing_offers_or_makes_translations(page: Page) -> None:
    waiting(page, "How long do I roast?")
    _, text = await page.get("?lang=zh")
    assert "/translate" not in text
    assert (await post(page, "translate", {"id": "1", "lang": "zh"}))[0] == 404
    assert (await post(page, "digest", {"lang": "zh"}))[0] == 405


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    ],
)
@pytest.mark.parametrize("path", ["translate", "digest", "try"])
async def test_a_foreign_site_can_make_the_page_do_nothing(
    served: Page, model: FakeOpenAI, path: str, headers: dict[str, str]
) -> None:
    waiting(served, "How long do I roast?")
    data = {"id": "1", "lang": "zh", "question": "How long?"}
    assert (await post(served, path, data, headers))[0] == 403
    assert not model.requests


@pytest.mark.parametrize("path", ["translate", "digest", "try"])
async def test_a_rebound_host_name_can_make_the_page_do_nothing(
    served: Page, model: FakeOpenAI, path: str
) -> None:
    evil = OURS | {"Host": "evil.example", "Origin": "http://evil.example"}
    assert (await post(served, path, {"id": "1", "question": "How long?"}, evil))[0] == 403
    assert not model.requests


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Host": "localhost:1", "Origin": "http://localhost:1"}, True),
        ({"Host": "localhost:1", "Origin": "http://LOCALHOST:1"}, True),
        ({"Host": "localhost:1", "Origin": "http://localhost:2"}, False),
        ({"Host": "localhost:1", "Origin": "http://localhost:1.evil.example"}, False),
        ({"Host": "localhost:1", "Origin": "file://localhost:1"}, False),
        ({"Host": "", "Origin": "http://"}, False),
        ({"Host": "", "Origin": "http://[::1"}, False),
        ({"Host": "localhost:1", "Origin": "null", "Sec-Fetch-Site": "same-origin"}, True),
        ({"Host": "localhost:1", "Origin": "http://localhost:1", "Sec-Fetch-Site": "same-site"}, False),
        ({"Host": "localhost:1"}, False),
    ],
)
def test_only_the_very_same_host_and_port_are_ours(headers: dict[str, str], expected: bool) -> None:
    assert same_origin(headers) is expected


async def test_the_digest_shows_what_was_asked_as_text_and_links_only_the_web(page: Page) -> None:
    waiting(
        page, NASTY, "Do you ship to Canada?", "do you ship to canada", "长" * 5000, url="javascript:alert(1)"
    )
    status, text = await page.get("digest?lang=en")
    assert status == 200
    assert re.search(r'class="all"><b>4</b>', text)
    assert "&lt;script&gt;alert(1)" in text
    assert "\\u202e" in text
    assert not re.search(r"<script|<img|href=\"javascript|<style| style=", text)
    assert '<b dir="auto">Do you ship to Canada?</b> <span class="number">2</span>' in text
    assert len(text) < 20_000


async def test_the_digest_speaks_both_languages_and_goes_back_a_week(page: Page) -> None:
    waiting(page, "How long do I roast?")
    for language in ("en", "zh"):
        _, text = await page.get(f"digest?lang={language}&days=7")
        assert f"<h2>{WORDS[language]['topics']}</h2>" in text
        assert '?days=7" aria-current="page"' in text
    assert (await page.get("digest?days=9999&lang=en"))[0] == 200


async def test_the_model_names_topics_when_a_person_asks(served: Page, model: FakeOpenAI) -> None:
    waiting(served, "How long do I roast?")
    model.replies = [
        json.dumps({"names": ["Roasting time"], "summary": "People ask about roasting. 40 ask it."})
    ]
    _, before = await served.get("digest?lang=en")
    assert not model.requests
    assert "How long do I roast?" in before
    status, text = await post(served, "digest", {"lang": "en", "days": "1"})
    assert status == 200
    assert '<b dir="auto">Roasting time</b> <span class="number">1</span>' in text
    assert "<p>People ask about roasting.</p>" in text


async def test_a_trial_without_a_script_brings_the_whole_page(page: Page, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Shop\n\nWe ship to Canada within nine days.\n")
    await page.running.library.ingest([str(tmp_path / "a.md")])
    _, empty = await page.get("try?lang=en")
    assert WORDS["en"]["with_documents"] not in empty  # there is no model, so there is nothing to compare
    status, text = await post(page, "try", {"question": "Do you ship to Canada?", "lang": "en"})
    assert status == 200
    assert WORDS["en"]["send"] in text
    assert text.count("We ship to Canada within nine days.") == 2  # reply and passage
    assert WORDS["en"]["no_findings"] in text
    assert page.running.ledger.read(stats.counts).comments == 0


@pytest.mark.parametrize("asked", [NASTY, f"</textarea>{NASTY}", "长" * 5000])
async def test_what_is_tried_is_shown_as_text(page: Page, asked: str) -> None:
    status, text = await post(page, "try", {"question": asked, "title": f'">{NASTY}', "lang": "en"})
    assert status == 200
    assert not re.search(r"<script>|<img|</textarea>.*</textarea>", text, re.DOTALL)


async def test_pages_with_forms_send_them_only_home(page: Page) -> None:
    async with page.http.get(page.url + "try") as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy


async def test_a_reply_streams_in_before_the_decision(served: Page, model: FakeOpenAI) -> None:
    model.replies = ["[unknown] I don't know that yet."]
    status, text = await post(
        served, "try", {"question": "How long?", "lang": "en", "documents": "on"}, STREAM
    )
    lines = [json.loads(line) for line in text.splitlines()]
    assert status == 200
    assert "".join(line["piece"] for line in lines[:-1]) == model.replies[0]
    assert len(lines) > 2
    assert WORDS["en"]["review"] in lines[-1]["html"]


async def test_without_documents_the_model_sees_none(served: Page, model: FakeOpenAI, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Shop\n\nWe ship to Canada within nine days, by the way.\n")
    await served.running.library.ingest([str(tmp_path / "a.md")])
    model.replies = ["We ship there."]
    question = {"question": "Which countries get parcels, Canada?", "lang": "en"}
    await post(served, "try", question | {"documents": "on"})
    await post(served, "try", question)
    shown = [json.dumps(body["messages"]) for body in model.requests]
    assert ["nine days" in text for text in shown] == [True, False]


async def test_a_generator_that_fails_in_the_middle_is_told_in_one_line(tmp_path: Path) -> None:
    async with serving(tmp_path, generator=Refusing()) as page:
        _, streamed = await post(page, "try", {"question": "How long?"}, STREAM)
        status, whole = await post(page, "try", {"question": "How long?", "lang": "en"})
    assert [json.loads(line) for line in streamed.splitlines()] == [
        {"piece": "Half a <b>reply"},
        {"error": "the server <fell> asleep"},
    ]
    assert status == 503
    assert "the server &lt;fell&gt; asleep" in whole


async def test_two_are_tried_at_once_and_a_third_is_sent_away(tmp_path: Path) -> None:
    generator = Refusing(asyncio.Event())
    async with serving(tmp_path, generator=generator) as page:
        question = {"question": "How long?", "lang": "en"}
        trying = [asyncio.create_task(post(page, "try", question, STREAM)) for _ in range(2)]
        for _ in trying:
            await generator.asked.acquire()
        assert await post(page, "try", question, STREAM) == (
            429,
            json.dumps({"error": WORDS["en"]["busy"]}) + "\n",
        )
        generator.go.set()  # type: ignore[union-attr]
        await asyncio.gather(*trying)
        assert (await post(page, "try", question, STREAM))[0] == 200


async def test_nothing_is_written_on_for_a_reader_who_went_away(tmp_path: Path) -> None:
    generator = Refusing(asyncio.Event())
    async with serving(tmp_path, generator=generator) as page, asyncio.timeout(30):
        question = {"question": "How long?"}
        for _ in range(2):
            async with page.http.post(page.url + "try", data=question, headers=STREAM) as answer:
                await answer.content.readline()
        for _ in range(2):
            await generator.stopped.acquire()
        async with page.http.post(page.url + "try", data=question, headers=STREAM) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(("question", "word"), [("  ", "question_empty"), ("x" * 10_001, "")])
async def test_what_cannot_be_tried_is_told_in_one_line(page: Page, question: str, word: str) -> None:
    status, text = await post(page, "try", {"question": question, "lang": "en"})
    assert status == 400
    assert (WORDS["en"][word] if word else "10001 characters") in text


async def test_a_body_without_end_is_refused(page: Page) -> None:
    assert (await post(page, "try", {"question": "x" * 300_000}))[0] == 413

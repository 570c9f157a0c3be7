"""What the pages and `review show` tell of a draft: who wrote it, its tools, pictures, candidates and findings."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.bootstrap import open_ledger, utc_now
from bot.checks import Code, Finding
from bot.models import Draft, State
from bot.settings import Settings
from bot.store import drafting, voices
from bot.store.ledger import Ledger
from bot.store.voices import NewVoice
from bot.voices.files import take_in
from bot.web.words import WORDS
from tests.builders import Desk, comment
from tests.command_line import Cli
from tests.fake_weights import write_weights
from tests.fakes import FakeOpenAI
from tests.integration.test_web_reading import STREAM, post, serving
from tests.site import Browser as Page

TRACKER = "https://evil.example/pixel.png"
ENTRY = {"answered": True, "findings": [], "logprob": -0.1, "support": 0.9, "agreement": 0.5, "score": 0.8}
EVIDENCE: dict[str, Any] = {
    "model": "base",
    "voice": "mia-1",
    "findings": [Finding(Code.NUMBER, (0, 2), "17").entry()],
    "steps": [
        {"tool": "stock", "arguments": '{"item": "<b>"}', "result": "17 grinders", "failed": False},
        {"tool": "shop", "arguments": "{}", "result": "did not answer", "failed": True},
    ],
    "pictures": [
        {"address": TRACKER, "of": "comment", "seen": False, "why": "the model cannot see"},
        {"address": "https://cdn.example/post.png", "of": "post", "seen": True, "why": ""},
    ],
    "candidates": ["There are 17.", "<i>There are many."],
    "ranking": [ENTRY, ENTRY | {"findings": ["unsupported"], "score": 0.4}],
}


def waits(ledger: Ledger, reason: str = "checks", detail: str = "number, price") -> None:
    """Comment 1, with a draft that has evidence of every kind."""
    desk = Desk(ledger)
    desk.ingest(comment(1, "How many grinders?"))
    [work] = desk.claim()
    draft = Draft(comment_id=1, created_at=desk.clock(), text="There are 17.", **EVIDENCE)
    outcome = drafting.Outcome(1, State.REVIEW, reason, detail, draft)
    assert work.comment.id in ledger.write(
        drafting.save_outcomes, [outcome], owner=desk.owner, now=desk.clock()
    )


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with serving(tmp_path) as made:
        yield made


TOLD = {
    "en": (
        "Voice: mia-1", "Evidence", "failed", "17 grinders", "of the post", "looked at",
        "not looked at: the model cannot see", "hold this number: 17",
        "score 0.40 · support 0.90 · agreement 0.50 · unsupported",
    ),
    "zh": (
        "声音版本：mia-1", "依据", "出错", "17 grinders", "帖子的图片", "已查看",
        "未查看：模型看不了图片", "资料里没有这个数字：17", "得分 0.40 · 支持度 0.90 · 一致度 0.50 · 无依据",
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", TOLD)
async def test_the_status_page_tells_what_a_draft_rests_on(page: Page, language: str) -> None:
    waits(page.running.ledger)
    _, text = await page.get(f"?lang={language}")
    shown = text.replace("&#39;", "'")
    assert not re.search("number, price|数字、价格", text), "the findings say it"
    assert [words for words in TOLD[language] if words not in shown] == []


async def test_pictures_are_named_and_never_loaded_or_linked(page: Page) -> None:
    waits(page.running.ledger)
    _, text = await page.get("?lang=en")
    assert f">{TRACKER}</p>" in text
    assert not re.search(r"<img|src=\"http|href=\"http|<i>There|<b>\"", text)


@pytest.mark.parametrize(
    ("language", "told"), [("en", "hold this number: 17"), ("zh", "资料里没有这个数字：17")]
)
def test_review_show_tells_findings_in_the_readers_language(
    tmp_path: Path, cli: Cli, language: str, told: str
) -> None:
    assert cli("init") == 0
    with open_ledger(Settings(data_dir=tmp_path / "data")) as ledger:
        waits(ledger, "not_in_documents", "support 0.10, needed 0.60")
    assert cli("review", "show", "1", "--lang", language) == 0
    assert f"! {told}" in cli.out.replace("the documents don't ", "")
    assert ("支持度 0.10，需要 0.60" in cli.out) == (language == "zh")


@pytest.mark.parametrize(
    ("language", "well", "load"),
    [("en", "well", "0 of 16 requests under way"), ("zh", "正常", "正在处理 0/16 个请求")],
)
async def test_the_status_page_tells_how_each_model_server_is(
    tmp_path: Path, language: str, well: str, load: str
) -> None:
    async with FakeOpenAI() as model, serving(tmp_path, model) as page:
        _, text = await page.get(f"?lang={language}")
        assert model.url in text
        assert f">{well}</span>" in text
        assert load in text
        assert WORDS[language]["model_answers"] in text  # type: ignore[index]


async def test_a_model_that_is_away_is_told_with_what_becomes_of_comments(tmp_path: Path) -> None:
    async with FakeOpenAI(fault="503") as model, serving(tmp_path, model) as page:
        for language, told in (
            ("en", "; comments wait until it answers again"),
            ("zh", "；评论会等到它恢复"),
        ):
            _, text = await page.get(f"?lang={language}")
            assert told in text


def promoted(page: Page, name: str) -> None:
    ledger, folder = page.running.ledger, page.running.settings.data_dir
    path, weights = take_in(write_weights(folder / "trained" / name), folder, name)
    ledger.write(voices.add, NewVoice(name, path, weights.digest, "base", 8), by="ann", now=utc_now())
    ledger.write(voices.promote, name, share=None, by="ann", now=utc_now())


async def test_a_trial_is_answered_by_the_voice_that_answers_comments(tmp_path: Path) -> None:
    async with FakeOpenAI() as model, serving(tmp_path, model) as page:
        question = {"question": "How much is it?", "lang": "zh", "documents": "on"}
        _, before = await post(page, "try", question)
        promoted(page, "mia-1")
        _, after = await post(page, "try", question)
        asked = [body["model"] for body in model.requests]
    assert "基础模型：base" in before
    assert "声音版本：mia-1" in after
    assert asked[0] == "base"
    assert asked[1].startswith("mia-1")


async def test_without_documents_a_trial_asks_what_the_command_line_asks(tmp_path: Path) -> None:
    model = FakeOpenAI(replies=["Parcels travel by balloon from Reykjavik."])
    async with model, serving(tmp_path, model) as page:
        status, whole = await post(page, "try", {"question": "How do parcels travel?", "lang": "en"})
        _, streamed = await post(page, "try", {"question": "How do parcels travel?", "lang": "zh"}, STREAM)
    assert status == 200
    assert WORDS["en"]["bare_why"] in whole
    assert "What the documents don&#39;t bear out" in whole
    assert "balloon" in whole
    last = json.loads(streamed.splitlines()[-1])["html"]
    assert WORDS["zh"]["bare_why"] in last
    assert "资料里没有这个" in last
    rules = model.requests[0]["messages"][0]["content"]
    assert "passages" not in rules, "a model that is shown none is told nothing of them"


async def test_a_trial_shows_its_tools_and_candidates(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("item,stock\ngrinder,17\n")
    table = {
        "name": "stock",
        "kind": "table",
        "file": str(tmp_path / "stock.csv"),
        "description": {"en": "Stock."},
    }
    given = {"candidates": 2, "temperature": 0.5}
    model = FakeOpenAI(replies=["There are 17.", "There are 17 here."], max_model_len=8192)
    model.tool_calls = [[("stock", '{"value": "grinder"}')]]
    question = {"question": "How many grinders are there?", "lang": "en", "documents": "on"}
    async with model, serving(tmp_path, model, generator_settings=given, tools=[table]) as page:
        _, text = await post(page, "try", question)
    assert "<b>stock</b>" in text
    assert re.search(r'class="quote" dir="auto">[^<]*17', text)
    assert "failed" not in text
    assert len(re.findall('class="quote" dir="auto">[^<]*There are 17', text)) == 2
    assert "agreement" in text

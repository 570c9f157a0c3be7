"""What the status page says of the documents and of the voices."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.generator import GeneratorHealth
from bot.models import Channel, Voice, VoiceEvent, VoiceStatus
from bot.settings import Language
from bot.store.stats import Counts
from bot.voices.canary import Tally
from bot.web.glance import Glance, VoicesSeen
from bot.web.view import page_context
from knowledge.ingest import Stats


def documents(found: Stats, language: Language) -> str:
    glance = Glance(Counts({}, {}), [], [], found, GeneratorHealth(True, ""), "extractive")
    return str(page_context(glance, {}, language)["documents"])


@pytest.mark.parametrize(
    ("language", "words", "meaning"),
    [
        ("en", "2 documents, 7 passages", " · 5 found by meaning (minilm)"),
        ("zh", "2 份资料，7 个段落", " · 5 个可按语义检索（minilm）"),
    ],
)
def test_passages_that_can_be_found_by_meaning_are_counted_where_there_is_an_embedder(
    language: Language, words: str, meaning: str
) -> None:
    assert documents(Stats(2, 7, {}, {}, 0), language) == words
    assert documents(Stats(2, 7, {}, {}, 0, "minilm", 5), language) == words + meaning


NOW = datetime(2026, 11, 1, tzinfo=UTC)


def voices_page(seen: VoicesSeen, language: Language) -> dict[str, Any]:
    channel = Channel(
        id=3,
        name="demo",
        platform="sandbox",
        created_at=NOW,
        answer_since=NOW,
        next_poll_at=NOW,
        next_send_at=NOW,
    )
    glance = Glance(Counts({}, {}), [channel], [], Stats(1, 1, {}, {}, 0), GeneratorHealth(True, ""), "vllm")
    return page_context(replace(glance, voices=seen), {}, language, now=NOW)


@pytest.mark.parametrize(
    ("language", "live", "canary"),
    [
        (
            "en",
            ("live", "all channels", "40 verdicts, 10% rejected"),
            ("canary, 12.5% of the comments", "demo"),
        ),
        ("zh", ("使用中", "全部频道", "40 次裁决，拒绝率 10%"), ("试用，回复其中 12.5% 的评论", "demo")),
    ],
)
def test_who_answers_is_shown_with_its_share_and_its_reject_rate(
    language: Language, live: tuple[str, ...], canary: tuple[str, ...]
) -> None:
    seen = VoicesSeen(
        [
            Voice(
                id=2, name="mia-2", path="p", digest="d", status=VoiceStatus.CANARY, share=0.125, channel_id=3
            ),
            Voice(id=1, name="mia-1", path="p", digest="d", status=VoiceStatus.LIVE),
        ],
        {"mia-1": Tally(36, 0, 4)},
    )
    first, second = voices_page(seen, language)["voices"]
    assert (first["name"], first["status"], first["scope"], first["told"]) == ("mia-1", *live)
    assert (second["name"], second["status"], second["scope"]) == ("mia-2", *canary)


def test_a_voice_that_was_taken_back_is_told_with_the_reason() -> None:
    voice = Voice(id=1, name="mia-1", path="p", digest="d", status=VoiceStatus.RETIRED)
    event = VoiceEvent(
        voice_id=1, at=NOW - timedelta(hours=2), actor="keeper", act="return", from_status="canary",
        to_status="retired", detail="rejected 7 of 11",
    )  # fmt: skip
    seen = VoicesSeen(returned=[(voice, event)])
    assert voices_page(seen, "en")["returned"] == ["mia-1 was taken back 2 h ago: rejected 7 of 11"]
    assert voices_page(seen, "zh")["returned"] == ["mia-1 已自动退回（2 小时前）：rejected 7 of 11"]

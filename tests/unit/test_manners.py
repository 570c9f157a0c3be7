"""Labels, lists of bots and repeated replies, by themselves."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.manners import fitting, is_bot, label_chars, label_for, labelled, repeated, unlabelled
from bot.reasons import Reason
from bot.settings import ChannelRulesSettings

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
LABELS = {"en": "(AI-assisted reply)", "zh": "（本回复由 AI 生成）"}


@pytest.mark.parametrize(
    ("bots", "known"),
    [
        (["u1"], True),
        (["nightbot"], True),
        (["@NightBot"], True),
        (["U1"], False),
        (["night"], False),
        ([], False),
    ],
)
def test_a_bot_is_known_by_its_id_or_its_name(bots: list[str], known: bool) -> None:
    assert is_bot(bots, "u1", "@Nightbot") is known


def rules(**given: object) -> ChannelRulesSettings:
    return ChannelRulesSettings.model_validate(given)


@pytest.mark.parametrize(
    ("given", "minutes_ago", "reason"),
    [
        ({"one_reply_s": 600}, [9], Reason.ONE_REPLY),
        ({"one_reply_s": 600}, [10], None),
        ({"one_reply_s": 0}, [0], None),
        ({}, [1, 2, 3, 4], None),
        ({}, [1, 2, 3, 4, 5], Reason.LOOP),
        ({}, [1, 2, 3, 4, 25 * 60], None),
        ({"loop_replies": 0}, [1] * 50, None),
        ({"loop_replies": 2, "loop_s": 3600, "one_reply_s": 600}, [1, 59], Reason.LOOP),
    ],
)
def test_a_person_decides_about_one_reply_too_many(
    given: dict[str, object], minutes_ago: list[int], reason: Reason | None
) -> None:
    replied = [NOW - timedelta(minutes=minutes) for minutes in minutes_ago]
    assert repeated(rules(**given), replied, NOW) == reason


def test_a_label_is_in_the_replys_language_and_any_is_better_than_none() -> None:
    assert label_for(LABELS, "Ten minutes at 200 degrees.") == LABELS["en"]
    assert label_for(LABELS, "烘焙大约需要十分钟。") == LABELS["zh"]
    assert label_for({"zh": LABELS["zh"]}, "Ten minutes at 200 degrees.") == LABELS["zh"]
    assert label_for({}, "Ten minutes.") == ""


def test_a_label_stands_once_on_a_line_of_its_own() -> None:
    once = labelled("Ten minutes.", LABELS["en"])
    assert once == "Ten minutes.\n(AI-assisted reply)"
    assert labelled(once, LABELS["en"]) == once
    assert unlabelled(once, LABELS.values()) == "Ten minutes."
    assert unlabelled("Ten minutes.", LABELS.values()) == "Ten minutes."


def test_what_is_too_long_is_cut_after_a_sentence_and_keeps_its_label() -> None:
    found = fitting("One sentence. Another sentence. A third one.", "(AI)", 40)
    assert found == "One sentence. Another sentence.\n(AI)"
    assert fitting("第一句。第二句。第三句。", "（AI）", 13) == "第一句。第二句。\n（AI）"
    assert fitting("One. Two.", "", None) == "One. Two."


@given(text=st.text(min_size=1, max_size=300), label=st.sampled_from(["", "(AI)", "（本回复由 AI 生成）"]))
def test_no_reply_is_longer_than_the_platform_takes(text: str, label: str) -> None:
    assert len(fitting(text, label, 60)) <= 60


def test_the_longest_label_is_what_is_left_room_for() -> None:
    assert label_chars(["", "(AI)", "（AI 生成）"]) == 8
    assert label_chars([]) == label_chars([""]) == 0


@pytest.mark.parametrize(
    "wrong", [{"delay_s": [5]}, {"delay_s": [9, 5]}, {"delay_s": [-1, 5]}, {"label": {"fr": "IA"}}]
)
def test_rules_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        rules(**wrong)

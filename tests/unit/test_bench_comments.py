"""The questions rewritten as comments keep what is asked."""

import random
import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tests.bench.comments import CHINESE, ENGLISH, as_comment, slip

QUESTION = "In what country is the city of Normandy, with its 1,000 castles, located?"
CHINESE_QUESTION = "《战国无双3》是由哪两个公司合作开发的？"
SEEDS = range(60)


def test_the_same_question_and_seed_give_the_same_comment() -> None:
    # Written down, so that a change of the rewriting, after which figures cannot be compared, shows.
    assert as_comment(QUESTION, 7, language="en") == (
        "@creator i have an exam tomorrow and need to know "
        "in what country is the ciry of normandy with its 1,000 castles located lol 🙏"
    )
    assert (
        as_comment(CHINESE_QUESTION, 7, language="zh")
        == "视频很棒 顺便问下 战国无双3 是由哪两个公司合作开发的"
    )
    assert len({as_comment(QUESTION, seed, language="en") for seed in SEEDS}) > 50
    assert len({as_comment(CHINESE_QUESTION, seed, language="zh") for seed in SEEDS}) > 40


def test_an_english_comment_has_slips_and_no_punctuation_but_all_the_short_words() -> None:
    for seed in SEEDS:
        comment = as_comment(QUESTION, seed, language="en").lower()
        assert not re.search(r"[?!;\"]|,(?!\d)", comment)
        assert "1,000" in comment
        words = comment.split()
        assert {"is", "of"} <= set(words)
        long_words = {"what", "country", "city", "normandy", "with", "castles", "located"}
        assert 1 <= len(long_words - set(words)) <= 3  # one or two slips, and one word stretched


def test_a_chinese_comment_has_no_punctuation_and_stays_nearly_word_for_word() -> None:
    for seed in SEEDS:
        comment = as_comment(CHINESE_QUESTION, seed, language="zh")
        assert not re.search("[《》？，。！]", comment)
        assert "3" in comment
        assert any(word in comment for word in ("合作开发", "合作開發", "合做开发", "合做開發"))


def test_each_habit_of_writers_shows_up() -> None:
    comments = [as_comment(QUESTION, seed, language="en") for seed in SEEDS]
    assert any("@" in comment for comment in comments)
    assert any(comment == comment.lower() for comment in comments)
    assert any(comment != comment.lower() for comment in comments)
    assert any(re.search(r"([a-z])\1\1", comment) for comment in comments)
    assert any(unicodedata.category(comment[-1]) == "So" for comment in comments)
    assert any("開" in as_comment(CHINESE_QUESTION, seed, language="zh") for seed in SEEDS)


def test_the_held_out_openings_are_others() -> None:
    for manner in (ENGLISH, CHINESE):
        assert not set(manner.seen) & set(manner.held_out)
    assert as_comment(QUESTION, 7, language="en") != as_comment(
        QUESTION, 7, language="en", openings="held_out"
    )


@given(st.from_regex(r"[A-Za-z]{4,15}", fullmatch=True), st.integers())
def test_a_slip_keeps_the_first_letter_and_changes_one_or_two_places(word: str, seed: int) -> None:
    written = slip(word, random.Random(seed))
    assert written[0] == word[0]
    assert abs(len(written) - len(word)) <= 1
    if len(written) == len(word):
        assert sum(one != other for one, other in zip(written, word, strict=True)) <= 2


@given(st.text(max_size=80), st.integers(0, 9))
def test_any_text_can_be_rewritten(text: str, seed: int) -> None:
    for openings in ("seen", "held_out"):
        assert "\n" not in as_comment(text, seed, language="en", openings=openings)
        assert "？" not in as_comment(text, seed, language="zh", openings=openings)

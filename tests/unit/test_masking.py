"""What is taken out of commenters' words, and what stays."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.masking import Mask
from bot.prompt import neutral
from tests.masking import masked, rows, score


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_known_kind_is_found_and_nothing_else(language: str) -> None:
    found = score(row for row in rows() if row["language"] == language)
    assert (found.precision, found.recall) == (1.0, 1.0)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_texts_that_nobody_tuned_for_are_masked_nearly_as_well(language: str) -> None:
    found = score(row for row in rows("masking_unseen") if row["language"] == language)
    assert found.precision >= 0.95
    assert found.recall >= 0.95


def test_a_commenters_number_in_the_reply_gets_the_same_placeholder() -> None:
    mask = Mask("1", "")
    mask.learn("我的手机13800138000，邮箱li@example.cn")
    assert mask.apply("We will call 138-0013-8000 or write to LI@example.cn.") == (
        "We will call [phone-1] or write to [email-1]."
    )


def test_what_the_creator_has_said_is_never_masked() -> None:
    mask = Mask("1", "Write to shop@example.com or call +49 30 901820. We are at 12 Elm Street.")
    text = "Is shop@example.com right, and +49-30-901820, at 12 Elm Street? I am bob@example.com"
    mask.learn(text)
    assert mask.apply(text) == (
        "Is shop@example.com right, and +49-30-901820, at 12 Elm Street? I am [email-1]"
    )


def test_names_of_commenters_get_the_same_placeholder_throughout_a_thread_and_another_in_the_next() -> None:
    one, again, other = Mask("1 t1", ""), Mask("1 t1", ""), Mask("1 t2", "")
    for mask in (one, again, other):
        mask.learn_names(["Anna Berg", "小王子"])
    said = one.apply("@Anna Berg and 小王子: hello. Hi Anna!")
    assert "Anna" not in said
    assert "小王子" not in said
    assert said == again.apply("@Anna Berg and 小王子: hello. Hi Anna!")
    assert said != other.apply("@Anna Berg and 小王子: hello. Hi Anna!")


def test_a_name_that_is_a_word_of_the_documents_stays() -> None:
    mask = Mask("1", "Roast the Bourbon beans.")
    mask.learn_names(["Bourbon", "Al"])
    assert mask.apply("Bourbon at all? Al") == "Bourbon at all? Al"


def test_placeholders_pass_the_prompt_unchanged() -> None:
    mask = Mask("1", "")
    mask.learn_names(["Anna Berg"])
    said = (
        mask.apply("Anna Berg")
        + masked("a@example.com 4111111111111111 sk-abcdefghijklmnop1234 12 Elm Street")[0]
    )
    assert neutral(said) == said


@given(st.text(max_size=300))
def test_masking_twice_is_masking_once(text: str) -> None:
    mask = Mask("1", "")
    mask.learn(text)
    once = mask.apply(text)
    assert all(value not in once for value in mask.known if len(value) > 4 and "\0" not in value)


@pytest.mark.parametrize(
    "piece",
    [
        "省市区县镇乡街道村",
        "建国路",
        "1 ",
        "9 Aa ",
        "a@",
        "a.",
        "http://a",
        "微信号",
        "eyJ",
        "花园1栋",
        "-----BEGIN ",
    ],
)
def test_the_time_that_a_hostile_text_takes_grows_no_faster_than_it(piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    mask, start = Mask("1", ""), process_time()
    mask.learn(text)
    assert process_time() - start < 10

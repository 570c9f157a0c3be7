"""Search terms, and what is left of a comment when the chat is taken off."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.analysis import MAX_TERM, content_terms, terms, words_matching
from knowledge.question import MAX_TERMS, clean, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Running runners RAN", ["run", "runner", "ran"]),
        ("Café’s naïve 3.5", ["cafe", "naiv", "3.5"]),
        ("Ｆｕｌｌ ｗｉｄｔｈ", ["full", "width"]),
        ("C++ and C# 11", ["c++", "and", "c#", "11"]),
        ("咖啡豆", ["咖", "啡", "豆", "咖啡", "啡豆"]),
        ("用vLLM部署", ["用", "vllm", "部", "署", "部署"]),
        ('AND OR -body:* "x" (y) ~2', ["and", "or", "bodi", "x", "y", "2"]),
        ("!!! 😀", []),
    ],
)
def test_terms_of_an_example(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is the price of the kit?", ["price", "kit"]),
        ("请问入门套装的价格是多少？", ["入门", "门套", "套装", "价格"]),
        ("how are you", []),
        ("是什么呢", []),
    ],
)
def test_content_terms_leave_out_what_only_frames_the_question(text: str, expected: list[str]) -> None:
    assert content_terms(text) == expected


@settings(deadline=None)
@given(st.text())
def test_no_term_holds_a_blank_or_is_longer_than_the_limit(text: str) -> None:
    for term in terms(text):
        assert term.split() == [term]
        assert len(term) <= MAX_TERM


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("Great video! Quick question: how much is the kit? 😀", "how much is the kit?"),
        ("hi there, thanks for the video. does it work on Mac", "does it work on Mac"),
        ("@bob how looooong does it take", "how loong does it take"),
        ("heyyyyy what is the price", "what is the price"),
        ("博主你好，请问入门套装多少钱？", "入门套装多少钱?"),
        ("讲得太好了！想问一下温度怎么控制", "温度怎么控制"),
        ("see https://spam.example/x for prices", "see for prices"),
        ("Great video", "Great video"),
        ("你好", "你好"),
        ("good coffee beans for espresso?", "good coffee beans for espresso?"),
    ],
)
def test_clean_takes_the_chat_off(comment: str, expected: str) -> None:
    assert clean(comment) == expected


@settings(deadline=None)
@given(st.text())
def test_clean_never_empties_a_comment_with_words(comment: str) -> None:
    if any(character.isascii() and character.isalnum() for character in comment) and "@" not in comment:
        assert clean(comment)


def test_a_query_of_100_000_characters_is_cut_to_a_bounded_number_of_terms() -> None:
    question = parse(" ".join(f"word{number}" for number in range(15_000)))
    assert len(question.content) <= MAX_TERMS
    assert len(question.terms) <= 2 * MAX_TERMS


def test_lone_surrogates_and_marks_do_not_disturb_the_terms() -> None:
    assert parse("price\ud800 \u202eof kit").content == ("price", "kit")


def test_numbers_and_names_are_exact_terms() -> None:
    assert parse("does the Fuji X100 cost 499 with LoRA").exact == {"fuji", "x100", "499", "lora"}


def test_a_typographers_marks_change_no_term() -> None:
    plain = terms("he said \"roast it - slowly\" 'til the maker's crack")
    assert terms("he said “roast it – slowly” ‘til the maker’s crack") == plain


def test_all_letters_of_plain_text_are_analysed_as_among_others() -> None:
    text = "C++ and C# cost 1,299.50 in Bob's 2nd shop; it's snake_case. x#1 " + "y" * 60
    assert terms(text + " ï¿ ") == terms(text) + terms("ï¿")
    assert terms(text + " 咖啡") == [*terms(text), "咖", "啡", "咖啡"]


@pytest.mark.parametrize("around", ["{}", "“{}” –", "{} é", "{} 咖啡"])
def test_matches_are_told_as_the_text_writes_them(around: str) -> None:
    text = around.format("Roasting beans, ROASTED twice: the bean's colour")
    assert words_matching(text, {"roast", "bean"}) == ("Roasting", "beans", "ROASTED", "bean's")

"""How the pieces of a reply are put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.extractive import ExtractiveGenerator
from bot.generator import Generator, GeneratorError, GeneratorMisconfigured, GeneratorUnavailable
from bot.persona import Persona, cut, join, reply_language, room, shorten, wrap
from bot.vllm import VLLMGenerator


def test_both_kinds_of_error_are_generator_errors() -> None:
    assert issubclass(GeneratorUnavailable, GeneratorError)
    assert issubclass(GeneratorMisconfigured, GeneratorError)


def test_both_generators_meet_the_protocol() -> None:
    kinds: list[type[Generator]] = [ExtractiveGenerator, VLLMGenerator]
    assert len(kinds) == 2


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", "en"), ("zh", "zh"), ("zh-TW", "zh"), ("ZH", "zh"), ("fr", "en"), ("und", "en"), ("", "en")],
)
def test_fixed_texts_exist_in_english_and_chinese(language: str, expected: str) -> None:
    assert reply_language(language) == expected


def test_the_default_persona_speaks_both_languages() -> None:
    persona = Persona()
    for language in ("en", "zh"):
        assert persona.greeting_in(language)
        assert persona.signature_in(language)
        assert persona.cannot_answer_in(language)
    assert persona.greeting_in("en") != persona.greeting_in("zh")


def test_a_text_that_is_left_out_or_empty_is_not_said() -> None:
    assert wrap(Persona(greetings={"en": ""}, signatures={}), "Yes.", "en", 100) == "Yes."


@pytest.mark.parametrize(
    ("pieces", "joined"),
    [
        (["One.", "Two."], "One. Two."),
        (["一。", "二。"], "一。二。"),
        (["用 V60", "冲"], "用 V60冲"),
        (["", "a", " ", "b"], "a b"),
        ([], ""),
    ],
)
def test_pieces_are_joined_as_each_script_is_written(pieces: list[str], joined: str) -> None:
    assert join(pieces) == joined


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("all of it", 9, "all of it"),
        ("all of it", 8, "all of…"),
        ("unbroken", 5, "unbr…"),
        ("咖啡豆的烘焙", 4, "咖啡豆…"),
        ("x y", 1, ""),
        ("x y", 0, ""),
    ],
)
def test_a_shortened_text_ends_after_a_word(text: str, limit: int, short: str) -> None:
    assert shorten(text, limit) == short


@given(text=st.text(max_size=200), limit=st.integers(-5, 100), count=st.integers(1, 5))
def test_a_cut_text_is_never_over_the_limit(text: str, limit: int, count: int) -> None:
    assert len(cut(text, limit, count)) <= max(limit, 0)


@given(body=st.text(min_size=1, max_size=100), limit=st.integers(0, 200))
def test_a_wrapped_text_is_never_over_the_limit(body: str, limit: int) -> None:
    assert len(wrap(Persona(), body, "en", limit)) <= limit


def test_an_empty_body_is_not_greeted() -> None:
    assert wrap(Persona(), "", "en", 100) == ""


def test_room_leaves_space_for_greeting_and_signature() -> None:
    persona = Persona(greetings={"en": "Hello."}, signatures={"en": "Ada"})
    body = "x" * room(persona, "en", 50)
    assert wrap(persona, body, "en", 50) == f"Hello. {body} Ada"

"""The generator without a model: what it quotes, and what never gets into a reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.extractive import ExtractiveGenerator, clean
from bot.generator import Completion, GenerationRequest
from bot.persona import Persona
from knowledge.base import Passage, ScoredPassage

PLAIN = Persona(greetings={}, signatures={})
SHIP = "We ship on Mondays. Orders over $40 travel free."
SHIP_ZH = "周一发货。满三百元包邮。"


def found(quote: str, support: float = 0.9, language: str = "en") -> ScoredPassage:
    return ScoredPassage(Passage(1, 1, "d.md", "D", "", None, 0, quote, language), 1.0, support, quote)


async def answer(
    *passages: ScoredPassage,
    language: str = "en",
    persona: Persona = PLAIN,
    max_chars: int = 500,
    comment: str = "when do you ship?",
) -> Completion:
    request = GenerationRequest(
        comment=comment, language=language, passages=passages, persona=persona, max_chars=max_chars
    )
    [completion] = await ExtractiveGenerator(min_support=0.35).generate(request)
    return completion


async def test_the_best_quote_is_the_answer() -> None:
    completion = await answer(found(SHIP), found("We ship on Mondays.", 0.8))
    assert completion.text == SHIP
    assert (completion.answered, completion.citations) == (True, (0,))
    assert completion.model == "extractive"


async def test_greeting_and_signature_are_in_the_comments_language() -> None:
    persona = Persona(
        greetings={"en": "Hi!", "zh": "你好！"}, signatures={"en": "— Ada", "zh": "——阿达"}, max_sentences=2
    )
    assert (await answer(found(SHIP), persona=persona)).text == f"Hi! {SHIP} — Ada"
    chinese = await answer(found(SHIP_ZH, language="zh"), language="zh", persona=persona)
    assert chinese.text == f"你好！{SHIP_ZH}——阿达"


async def test_without_passages_it_says_that_it_cannot_answer() -> None:
    for language, sentence in (("en", "I can't answer"), ("zh", "没有这个问题的答案")):
        completion = await answer(language=language)
        assert sentence in completion.text
        assert (completion.answered, completion.citations) == (False, ())


async def test_weak_support_is_not_quoted() -> None:
    completion = await answer(found(SHIP, support=0.34))
    assert not completion.answered
    assert "Monday" not in completion.text


async def test_a_least_support_of_zero_quotes_anything() -> None:
    request = GenerationRequest(comment="?", language="en", passages=(found(SHIP, 0.0),), persona=PLAIN)
    [completion] = await ExtractiveGenerator(min_support=0).generate(request)
    assert completion.answered


async def test_an_empty_sentence_for_not_knowing_stays_empty() -> None:
    completion = await answer(persona=Persona(cannot_answer={}))
    assert (completion.text, completion.answered) == ("", False)


async def test_a_passage_in_the_comments_language_comes_before_a_slightly_better_one() -> None:
    completion = await answer(found(SHIP_ZH, 0.9, "zh"), found(SHIP, 0.85))
    assert (completion.text, completion.citations) == (SHIP, (1,))


@pytest.mark.parametrize(
    ("language", "passage", "lead_in"),
    [
        ("en", found(SHIP_ZH, language="zh"), "My notes on this are in Chinese: “周一发货"),
        ("zh", found(SHIP), "我的资料是英文的，原文是：“We ship"),
        ("en", found("Wir versenden montags.", language="de"), "in another language: “Wir"),
        ("zh", found("Wir versenden montags.", language="de"), "外文的，原文是：“Wir"),
    ],
)
async def test_a_quote_in_another_language_is_announced(
    language: str, passage: ScoredPassage, lead_in: str
) -> None:
    completion = await answer(passage, found("Unrelated words.", 0.4), language=language)
    assert lead_in in completion.text
    assert completion.text.endswith("”")
    assert completion.answered


async def test_a_second_quote_is_added_when_it_says_something_new() -> None:
    completion = await answer(found("We ship on Mondays."), found("Parcels reach Canada in nine days.", 0.8))
    assert completion.text == "We ship on Mondays. Parcels reach Canada in nine days."
    assert completion.citations == (0, 1)


async def test_a_second_quote_that_does_not_fit_is_left_out() -> None:
    second = found("Parcels reach Canada in nine days.", 0.8)
    assert (await answer(found("We ship on Mondays."), second, max_chars=40)).citations == (0,)
    one = Persona(greetings={}, signatures={}, max_sentences=1)
    assert (await answer(found("We ship on Mondays."), second, persona=one)).citations == (0,)


async def test_a_long_quote_ends_with_a_whole_sentence() -> None:
    assert (await answer(found(SHIP), max_chars=30)).text == "We ship on Mondays."
    assert (await answer(found(SHIP_ZH, language="zh"), language="zh", max_chars=8)).text == "周一发货。"


async def test_a_sentence_that_is_too_long_by_itself_ends_with_an_ellipsis() -> None:
    assert (await answer(found(SHIP), max_chars=12)).text == "We ship on…"


async def test_greeting_and_signature_give_way_when_space_is_short() -> None:
    persona = Persona(greetings={"en": "Good morning to you!"}, signatures={"en": "Ada"})
    assert (await answer(found("We ship on Mondays."), persona=persona, max_chars=25)).text == (
        "We ship on Mondays. Ada"
    )


@given(
    comment=st.text(min_size=12, max_size=80),
    max_chars=st.integers(0, 300),
    language=st.sampled_from(["en", "zh", "und", "fr"]),
    zh=st.booleans(),
)
async def test_no_reply_depends_on_the_comment_or_passes_the_limit(
    comment: str, max_chars: int, language: str, zh: bool
) -> None:
    passage = found(SHIP_ZH, language="zh") if zh else found(SHIP)
    given_text = await answer(
        passage, language=language, comment=comment, max_chars=max_chars, persona=Persona()
    )
    other = await answer(passage, language=language, comment="", max_chars=max_chars, persona=Persona())
    assert given_text.text == other.text
    assert len(given_text.text) <= max_chars


@pytest.mark.parametrize(
    ("quote", "plain"),
    [
        ("**Bold** and *slanted* and `code`.", "Bold and slanted and code."),
        ("## Shipping\nWe ship on Mondays.", "We ship on Mondays."),
        ("## Shipping", "Shipping"),
        ("- one thing\n- another thing", "one thing another thing"),
        ("1. Preheat.\n2. Charge.", "Preheat. Charge."),
        ("See [the shop](https://example.com/shop).", "See the shop (https://example.com/shop)."),
        ("![photo](a.png) It is red.", "It is red."),
        ("<b>Hot</b> &amp; fast.", "Hot & fast."),
        ("Less than 5 < 6 grams.", "Less than 5 < 6 grams."),
        ("| Bean | Price |\n|---|---|\n| Kenya | $12 |", "Bean Price Kenya $12"),
        ("Q: Do you ship?\nA: Yes, weekly.", "Yes, weekly."),
        ("问：包邮吗？\n答：满三百元包邮。", "满三百元包邮。"),
        ("Do you ship?", "Do you ship?"),
        ("> quoted line", "quoted line"),
        ("烘焙\n完成后冷却。", "烘焙完成后冷却。"),
        ("2 * 3 * 4 is 24.", "2 * 3 * 4 is 24."),
        ("hid\u200bden\u202e", "hidden"),
        ("snake_case_name stays", "snake_case_name stays"),
        ("-5 degrees is cold.", "-5 degrees is cold."),
    ],
)
def test_a_quote_becomes_plain_prose(quote: str, plain: str) -> None:
    assert clean(quote) == plain


async def test_it_is_always_well_and_closes() -> None:
    generator = ExtractiveGenerator()
    assert (await generator.check()).ok
    await generator.aclose()


async def test_a_second_quote_that_answers_much_less_well_is_left_out() -> None:
    completion = await answer(found("We ship on Mondays."), found("Parcels reach Canada in nine days.", 0.6))
    assert completion.citations == (0,)

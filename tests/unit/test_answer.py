"""The path from a comment to a decision: what is asked of the retriever, verbatim answers, the judge."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.answer import Answer, Answerer, Question
from bot.extractive import ExtractiveGenerator
from bot.generator import GeneratorHealth, GeneratorUnavailable
from bot.judge import Judge
from bot.persona import Persona
from bot.policy import ChannelRules, Thresholds, TriageRules
from bot.verbatim import MODEL
from knowledge.base import Passage, ScoredPassage

OPEN = ChannelRules(frozenset({"question"}))
PERSONA = Persona(greetings={"en": "Hi!", "zh": "你好！"}, signatures={"en": "— Ada", "zh": "——阿达"})
ANSWER = "Yes — we do.\n\n  Two lines, kept as they are, and  two blanks. Four. Five. Six sentences."
FAQ = Passage(
    1, 1, "faq.txt", "FAQ", "", None, 0, f"Do you ship to Canada?\n{ANSWER}", "en", answer=ANSWER
)  # fmt: skip
PROSE = Passage(2, 2, "shop.md", "Shop", "", None, 0, "We ship to Canada within nine days.", "en")


def scored(passage: Passage, support: float = 0.9) -> ScoredPassage:
    return ScoredPassage(passage, 1.0, support, passage.answer or passage.text)


class Recorded:
    """A retriever that finds what it is given, and a judge that says what it is told."""

    def __init__(self, *found: ScoredPassage, judged: float | Exception | None = 1.0) -> None:
        self.found, self.judged = list(found), judged
        self.asked: list[tuple[str, int, frozenset[str] | None, str]] = []
        self.judged_on: list[Sequence[ScoredPassage]] = []

    def retrieve(
        self, query: str, top_k: int = 4, scope: frozenset[str] | None = None, context: str = ""
    ) -> list[ScoredPassage]:
        self.asked.append((query, top_k, scope, context))
        return self.found

    async def judge(self, question: str, passages: Sequence[ScoredPassage]) -> float | None:
        self.judged_on.append(passages)
        if isinstance(self.judged, Exception):
            raise self.judged
        return self.judged

    async def check(self) -> GeneratorHealth:
        return GeneratorHealth(True, "")

    async def aclose(self) -> None:
        return None


async def answer(parts: Recorded, *, judge: Judge | None = None, **changes: object) -> Answer:
    question = Question("Do you ship to Canada?", "en", rules=OPEN)
    answerer = Answerer(
        retriever=parts,
        generator=ExtractiveGenerator(),
        persona=PERSONA,
        thresholds=Thresholds(0.7),
        triage_rules=TriageRules(),
        judge=judge,
        top_k=3,
    )
    return await answerer.answer(replace(question, **changes))  # type: ignore[arg-type]


async def test_the_retriever_hears_what_may_be_searched_and_what_the_comment_stands_under() -> None:
    parts = Recorded(scored(PROSE))
    await answer(parts, scope=frozenset({"shop"}), post_title="Our shop", post_text="Where we ship.")
    assert parts.asked == [("Do you ship to Canada?", 3, frozenset({"shop"}), "Our shop\nWhere we ship.")]


async def test_an_answer_of_the_owners_is_given_word_for_word() -> None:
    found = await answer(Recorded(scored(FAQ), scored(PROSE)))
    assert found.text == f"Hi! {ANSWER} — Ada"
    assert found.best is not None
    assert (found.decision.action, found.best.model, found.best.citations) == ("send", MODEL, (0,))


async def test_where_not_all_fits_the_greeting_goes_and_the_answer_stays_whole() -> None:
    parts = Recorded(scored(FAQ))
    assert (await answer(parts, max_chars=len(f"{ANSWER} — Ada"))).text == f"{ANSWER} — Ada"
    assert (await answer(parts, max_chars=len(ANSWER))).text == ANSWER


async def test_an_answer_that_is_too_long_for_the_platform_goes_to_a_person_whole() -> None:
    found = await answer(Recorded(scored(FAQ)), max_chars=len(ANSWER) - 1)
    assert (found.decision.action, found.decision.detail, found.text) == ("review", "too_long", ANSWER)


async def test_an_answer_without_enough_support_is_only_quoted_from() -> None:
    found = await answer(Recorded(scored(FAQ, 0.69)))
    assert found.best is not None
    assert (found.decision.action, found.best.model) == ("review", "extractive")


async def test_no_verbatim_answer_is_given_to_everything_where_no_support_is_asked_for() -> None:
    rules = ChannelRules(frozenset({"question"}), min_support=0.0)
    found = await answer(Recorded(scored(FAQ, 0.1)), rules=rules)
    assert ANSWER not in found.text


async def test_a_better_passage_that_is_no_faq_is_quoted() -> None:
    found = await answer(Recorded(scored(PROSE), scored(FAQ)))
    assert found.best is not None
    assert found.best.model == "extractive"


async def test_a_verbatim_answer_in_another_language_is_introduced() -> None:
    found = await answer(Recorded(scored(FAQ)), text="可以寄到加拿大吗？", language="zh")
    assert found.text == f"你好！这一点我的资料是英文的，原文是：“{ANSWER}” ——阿达"


@pytest.mark.parametrize(("judged", "action", "support"), [(0.95, "send", 0.9), (0.2, "review", 0.2)])
async def test_support_is_at_most_what_the_judge_gives(judged: float, action: str, support: float) -> None:
    parts = Recorded(scored(PROSE), judged=judged)
    found = await answer(parts, judge=parts)
    assert (found.decision.action, found.support) == (action, support)
    assert [[one.passage for one in seen] for seen in parts.judged_on] == [[PROSE]]


@pytest.mark.parametrize("judged", [None, GeneratorUnavailable("the server is down")])
async def test_where_the_judge_cannot_say_a_person_looks(judged: Exception | None) -> None:
    parts = Recorded(scored(PROSE), judged=judged)
    found = await answer(parts, judge=parts)
    assert (found.decision.action, found.decision.reason) == ("review", "not_judged")
    assert found.decision.detail == ("" if judged is None else "the server is down")
    assert "nine days" in found.text


async def test_the_judge_is_not_asked_about_what_is_not_sent_anyway() -> None:
    parts = Recorded(scored(PROSE), judged=0.0)
    found = await answer(parts, judge=parts, rules=ChannelRules())
    assert (found.decision.reason, found.support, parts.judged_on) == ("not_opened", 0.9, [])

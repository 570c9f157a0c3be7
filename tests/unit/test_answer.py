"""The path from a comment to a decision: what is asked of the retriever, verbatim answers, the judge."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.answer import Answerer
from bot.extractive import ExtractiveGenerator
from bot.generator import (
    Completion,
    GenerationRequest,
    GeneratorHealth,
    GeneratorUnavailable,
    OnText,
    ToolStep,
    VoiceRef,
)
from bot.judge import Judge
from bot.persona import Persona
from bot.policy import ChannelRules, Thresholds, TriageRules
from bot.question import Answer, Question
from bot.verbatim import MODEL
from knowledge.base import Passage, ScoredPassage
from tests.generators import PlainGenerator

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


class Several(PlainGenerator):
    """Writes the same candidates whatever it is asked, and keeps the requests."""

    def __init__(self, *texts: str, steps: tuple[ToolStep, ...] = ()) -> None:
        self.texts, self.steps = texts, steps
        self.requests: list[GenerationRequest] = []

    async def generate(self, request: GenerationRequest, on_text: OnText | None = None) -> list[Completion]:
        self.requests.append(request)
        cited = (0,) if request.passages else ()
        return [Completion(text, True, cited, "m", None, "h", steps=self.steps) for text in self.texts]


def answerer(parts: Recorded, generator: Several, deadline_s: float = 30.0) -> Answerer:
    return Answerer(
        retriever=parts,
        generator=generator,
        persona=PERSONA,
        personas={"dry": Persona(greetings={}, signatures={}, max_sentences=1)},
        thresholds=Thresholds(0.7),
        triage_rules=TriageRules(),
        candidates=3,
        deadline_s=deadline_s,
    )


QUESTION = Question("Do you ship to Canada?", "en", rules=OPEN)
GOOD_REPLY, BAD_REPLY = "We ship to Canada within nine days.", "We ship to Canada within four days."


async def test_the_candidate_that_the_documents_bear_out_is_chosen_and_the_others_are_kept() -> None:
    found = await answerer(Recorded(scored(PROSE)), Several(BAD_REPLY, GOOD_REPLY)).answer(QUESTION)
    assert (found.text, found.decision.action) == (GOOD_REPLY, "send")
    assert [entry["text"] for entry in found.ranking] == [1, 0]
    assert [entry["findings"] for entry in found.ranking] == [[], ["number"]]


async def test_what_a_tool_said_bears_a_reply_out_unless_it_failed() -> None:
    parts, reply = Recorded(scored(PROSE)), "We ship to Canada within nine days. The stock holds 17 grinders."
    for failed, action in ((False, "send"), (True, "review")):
        step = ToolStep("stock", "{}", "grinders in stock: 17", failed)
        found = await answerer(parts, Several(reply, steps=(step,))).answer(QUESTION)
        assert found.decision.action == action


async def test_a_named_persona_answers_and_an_unknown_name_falls_back() -> None:
    generator = Several(f"{GOOD_REPLY} We ship weekly.")
    made = answerer(Recorded(scored(PROSE)), generator)
    dry = await made.answer(replace(QUESTION, persona="dry"))
    assert [finding.code for finding in dry.findings] == ["sentences"]
    assert (await made.answer(replace(QUESTION, persona="nobody"))).findings == ()
    assert generator.requests[1].persona == PERSONA


async def test_without_documents_the_model_sees_none_and_they_still_judge_it() -> None:
    generator = Several("Parcels travel by balloon from Reykjavik.")
    bare = await answerer(Recorded(scored(PROSE)), generator).without_documents(QUESTION)
    [request] = generator.requests
    assert (request.passages, request.persona.grounded, request.candidates) == ((), False, 1)
    assert bare.completion.text == generator.texts[0]
    assert {finding.code for finding in bare.findings} == {"name", "unsupported"}


class Endless(Several):
    """Is never done with fitting a prompt."""

    async def fit(self, request: GenerationRequest) -> GenerationRequest:
        await asyncio.Event().wait()
        return request


async def test_what_comes_before_the_writing_is_under_the_deadline_too() -> None:
    with pytest.raises(GeneratorUnavailable, match="deadline_s"):
        await answerer(Recorded(scored(PROSE)), Endless(), deadline_s=0.01).answer(QUESTION)


async def test_the_writing_has_what_is_left_of_the_deadline() -> None:
    generator = Several(GOOD_REPLY)
    end = asyncio.get_running_loop().time() + 20
    await answerer(Recorded(scored(PROSE)), generator, deadline_s=20).answer(QUESTION)
    [request] = generator.requests
    assert request.until is not None
    assert end <= request.until < asyncio.get_running_loop().time() + 20


class Voiced(PlainGenerator):
    """Keeps who was asked to write."""

    def __init__(self) -> None:
        self.voices: list[VoiceRef | None] = []

    async def generate(self, request: GenerationRequest, on_text: OnText | None = None) -> list[Completion]:
        self.voices.append(request.voice)
        return [Completion("We ship to Canada.", True, (0,), "base", None, "")]


async def test_who_writes_is_asked_after_the_search_so_that_a_change_counts_at_once() -> None:
    parts, generator = Recorded(scored(PROSE)), Voiced()
    mia = VoiceRef("mia-1", "mia-1-0a", "/voices/mia-1-0a")

    async def live() -> VoiceRef:
        assert parts.asked, "the search came first"
        return mia

    answerer = Answerer(
        retriever=parts,
        generator=generator,
        persona=PERSONA,
        thresholds=Thresholds(0.7),
        triage_rules=TriageRules(),
    )
    await answerer.answer(Question("Do you ship to Canada?", "en", rules=OPEN), voice=live)
    assert generator.voices == [mia]

"""From a comment to a decision: triage, retrieval, generation, checks, policy, judge.

The one path that both the service and `rejoinder ask` take.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter

from bot.checks import CheckFacts, check
from bot.choosing import Candidate, rank
from bot.deadline import done_by
from bot.generator import (
    Completion,
    GenerationRequest,
    Generator,
    GeneratorError,
    OnText,
    RequestRefused,
    VoiceRef,
)
from bot.intents import classify
from bot.judge import Judge
from bot.looking import Looking, others
from bot.persona import Persona
from bot.pictures import Look, overlooked
from bot.policy import (
    CommentFacts,
    Decision,
    DraftFacts,
    Thresholds,
    TriageRules,
    decide,
    draft_support,
    least_support,
    triage,
)
from bot.prompt import TOOL_RULES, rules_text
from bot.question import Answer, Bare, Question
from bot.reasons import Reason
from bot.verbatim import MODEL as VERBATIM
from bot.verbatim import verbatim
from knowledge.base import Retriever, ScoredPassage

_NOT_READY = (
    "passages, pictures and prompt were not ready within generator.deadline_s; "
    "if this lasts, look at what is slow: rejoinder doctor"
)

ChooseVoice = Callable[[], Awaitable[VoiceRef | None]]
"""Tells who writes; None: the base model."""


class Answerer:
    """Answers one question at a time; safe to call from several tasks at once."""

    def __init__(
        self,
        *,
        retriever: Retriever,
        generator: Generator,
        persona: Persona,
        personas: Mapping[str, Persona] | None = None,
        thresholds: Thresholds,
        triage_rules: TriageRules,
        judge: Judge | None = None,
        banned: Sequence[str] = (),
        top_k: int = 4,
        candidates: int = 1,
        looking: Looking | None = None,
        deadline_s: float = 30.0,
    ) -> None:
        """`deadline_s` is for search, pictures and writing together; a judge has a deadline of its own."""
        self._retriever = retriever
        self._generator = generator
        self._persona = persona
        self._personas = personas if personas is not None else {}
        self._thresholds = thresholds
        self._triage_rules = triage_rules
        self._judge = judge
        self._banned = tuple(banned)
        self._top_k = top_k
        self._candidates = candidates
        self._looking = looking if looking is not None else Looking(generator)
        self._deadline_s = deadline_s

    def fixed(self, persona: str | None, language: str) -> tuple[str, ...]:
        """What a persona, by its name, says in every reply: greeting, closing words, signature."""
        return self._personas.get(persona or "", self._persona).fixed_in(language)

    @property
    def capacity(self) -> int | None:
        """How many answers the generator writes at once; None: any number."""
        return self._generator.capacity

    async def answer(
        self, question: Question, on_text: OnText | None = None, voice: ChooseVoice | None = None
    ) -> Answer:
        """`on_text` gets the reply as a generator writes it. `voice` takes the place of the question's own; it is
        asked just before the writing, so that a change of voices counts at once for comments under way.

        Raises GeneratorError, and what `voice` raises; nothing else, whatever the comment holds.
        """
        early = None if question.asked else triage(_comment_facts(question), self._triage_rules)
        if early is not None:
            return Answer(early, question.language)
        started, until = perf_counter(), self._until()
        async with done_by(until, _NOT_READY):
            request = await self._informed(question, until)
            given = verbatim(request, least_support(self._thresholds, question.rules))
            wanted = self._looking.wanted(question, given)
            looks = await self._looking.look(wanted, given)
            seen = tuple(look.picture for look in looks if look.picture is not None)
            request = replace(request, pictures=seen)
            if given is None:
                request = await self._generator.fit(request)
        if given is not None:
            completions = [given]
        else:
            if voice is not None:
                request = replace(request, voice=await voice())
            request, looks, completions = await self._written(request, looks, on_text)
        answer = await self._decided(question, request, completions, started, looks)
        return replace(answer, pictures=(*looks, *others(question, wanted)))

    async def _written(
        self, request: GenerationRequest, looks: list[Look], on_text: OnText | None
    ) -> tuple[GenerationRequest, list[Look], list[Completion]]:
        """The candidates, with what they were written from. A picture whose damage only the server notices must not
        keep the comment from a draft, nor the other comments waiting."""
        try:
            return request, looks, await self._generator.generate(request, on_text)
        except RequestRefused as error:
            if not request.pictures:
                raise
            unseen = overlooked([look.named for look in looks], str(error))
        request = replace(request, pictures=())
        return request, unseen, await self._generator.generate(request, on_text)

    async def without_documents(self, question: Question, on_text: OnText | None = None) -> Bare:
        """What the model writes to the same question without its passages. `on_text` as in `answer`.

        Raises GeneratorError.
        """
        started, until = perf_counter(), self._until()
        async with done_by(until, _NOT_READY):
            informed = await self._informed(question, until)
            persona = replace(informed.persona, grounded=False)
            bare = await self._generator.fit(replace(informed, passages=(), persona=persona, candidates=1))
        [completion, *_] = await self._generator.generate(bare, on_text)
        findings = check(completion.text, check_facts(informed, completion, self._banned))
        return Bare(completion, findings, perf_counter() - started)

    def _until(self) -> float:
        return asyncio.get_running_loop().time() + self._deadline_s

    async def _informed(self, question: Question, until: float) -> GenerationRequest:
        """What is asked of the generator, with the passages that were found."""
        passages = await asyncio.to_thread(
            self._retriever.retrieve, question.wording, self._top_k, question.scope, question.context
        )
        return GenerationRequest(
            comment=question.text,
            language=question.language,
            post_title=question.post_title,
            post_text=question.post_text,
            thread=question.thread,
            passages=tuple(passages),
            persona=self._personas.get(question.persona, self._persona),
            hint=question.hint,
            max_chars=question.max_chars,
            candidates=self._candidates,
            voice=question.voice,
            until=until,
        )

    async def _decided(
        self,
        question: Question,
        request: GenerationRequest,
        completions: Sequence[Completion],
        started: float,
        looks: Sequence[Look] = (),
    ) -> Answer:
        ranked = rank([self._checked(request, completion) for completion in completions])
        best, findings = ranked[0].candidate.completion, ranked[0].candidate.findings
        intent = classify(question.text)
        draft = DraftFacts(
            best.answered,
            draft_support(best, request.passages),
            intent,
            findings,
            best.steps,
            tuple(look.why for look in looks if look.picture is None),
        )
        decision = decide(draft, self._thresholds, question.rules)
        if question.asked and decision.action != "review":
            decision = Decision("review", Reason.REDRAFTED)
        rests_on_passages = draft.support >= least_support(self._thresholds, question.rules)
        if decision.action == "send" and self._judge is not None and rests_on_passages:
            cited = [request.passages[index] for index in best.citations]
            draft, decision = await self._confirmed(self._judge, question, draft, cited or request.passages)
        return Answer(
            decision,
            question.language,
            intent,
            tuple(one.candidate.completion for one in ranked),
            tuple(one.entry() for one in ranked),
            request.passages,
            findings,
            draft.support,
            perf_counter() - started,
        )

    def _checked(self, request: GenerationRequest, completion: Completion) -> Candidate:
        findings = check(completion.text, check_facts(request, completion, self._banned))
        return Candidate(completion, findings, draft_support(completion, request.passages))

    async def _confirmed(
        self, judge: Judge, question: Question, draft: DraftFacts, passages: Sequence[ScoredPassage]
    ) -> tuple[DraftFacts, Decision]:
        """Support is at most what the judge gives; where it gives nothing, a person looks."""
        try:
            judged = await judge.judge(question.text, passages)
        except GeneratorError as error:
            return draft, Decision("review", Reason.NOT_JUDGED, str(error))
        if judged is None:
            return draft, Decision("review", Reason.NOT_JUDGED)
        draft = replace(draft, support=min(draft.support, judged))
        return draft, decide(draft, self._thresholds, question.rules)


def check_facts(request: GenerationRequest, completion: Completion, banned: tuple[str, ...]) -> CheckFacts:
    """What `completion` is checked against: the passages that it cites, then all else that it was written from."""
    persona, language = request.persona, request.language
    cited = [request.passages[index] for index in completion.citations]
    others = [scored for scored in request.passages if scored not in cited]
    fixed = persona.fixed_in(language)
    return CheckFacts(
        comment=request.comment,
        language=language,
        sources=(
            *(_source_text(scored) for scored in (*cited, *others)),
            request.post_title,
            request.post_text,
            *(step.result for step in completion.steps if not step.failed),
            persona.name,
            *fixed,
        ),
        max_chars=request.max_chars,
        fixed=fixed,
        instructions=rules_text(persona) + TOOL_RULES,
        banned=banned,
        # An owner's own answer is given whole, however long.
        max_sentences=None if completion.model == VERBATIM else persona.max_sentences,
    )


def _source_text(scored: ScoredPassage) -> str:
    passage = scored.passage
    return "\n".join(part for part in (passage.title, passage.heading, passage.text) if part)


def _comment_facts(question: Question) -> CommentFacts:
    return CommentFacts(
        question.text,
        question.language,
        question.is_own,
        question.answered_by_human,
        bool(question.pictures),
    )

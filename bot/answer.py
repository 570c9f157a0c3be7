"""From a comment to a decision: triage, retrieval, generation, checks, policy, judge.

The one path that both the service and `rejoinder ask` take.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from time import perf_counter
from typing import Any, Literal

from bot.checks import CheckFacts, Finding, check
from bot.choosing import Candidate, rank
from bot.generator import (
    Completion,
    GenerationRequest,
    Generator,
    GeneratorError,
    OnText,
    RequestRefused,
    ThreadTurn,
    VoiceRef,
)
from bot.intents import Intent, classify
from bot.judge import Judge
from bot.persona import Persona
from bot.pictures import Look, Named, Pictures, named, overlooked
from bot.policy import (
    ChannelRules,
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
from bot.prompt import MAX_POST_CHARS, TOOL_RULES, rules_text
from bot.reasons import Reason
from bot.verbatim import MODEL as VERBATIM
from bot.verbatim import verbatim
from knowledge.base import Retriever, ScoredPassage


@dataclass(frozen=True, slots=True)
class Question:
    """A comment, with what the answer may depend on."""

    text: str
    language: str
    post_title: str = ""
    post_text: str = ""
    thread: tuple[ThreadTurn, ...] = ()
    is_own: bool = False
    answered_by_human: bool = False
    max_chars: int = 1000
    """Longest reply the platform takes."""
    rules: ChannelRules = field(default_factory=ChannelRules)
    persona: str = ""
    """Name of the persona that answers; empty, or a name that nobody has: the default one."""
    voice: VoiceRef | None = None
    """Who writes; None: the base model."""
    pictures: tuple[str, ...] = ()
    """Addresses of the comment's images."""
    post_pictures: tuple[str, ...] = ()
    """Addresses of the post's images."""
    scope: frozenset[str] | None = None
    """Tags that the documents must carry one of; None: every document may answer."""

    @property
    def context(self) -> str:
        """What a short comment may refer to."""
        return "\n".join(part for part in (self.post_title, self.post_text[:MAX_POST_CHARS]) if part)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided, and everything it was decided from."""

    decision: Decision
    language: str
    intent: Intent | None = None
    """None when triage decided before anything was written."""
    candidates: tuple[Completion, ...] = ()
    """Best first."""
    ranking: tuple[dict[str, Any], ...] = ()
    """Why they stand in that order, one entry for each; see `bot.choosing`."""
    passages: tuple[ScoredPassage, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Of the best candidate."""
    support: float = 0.0
    seconds: float = 0.0
    pictures: tuple[Look, ...] = ()
    """What became of the images of comment and post."""

    @property
    def best(self) -> Completion | None:
        return self.candidates[0] if self.candidates else None

    @property
    def text(self) -> str:
        return self.candidates[0].text if self.candidates else ""


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
        pictures: Pictures | None = None,
        post_pictures: Literal["review", "ignore"] = "review",
    ) -> None:
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
        self._pictures = pictures if pictures is not None else Pictures()
        self._post_pictures = post_pictures

    @property
    def capacity(self) -> int | None:
        """How many answers the generator writes at once; None: any number."""
        return self._generator.capacity

    async def answer(self, question: Question, on_text: OnText | None = None) -> Answer:
        """`on_text` gets the reply as a generator writes it. Raises GeneratorError; nothing else, whatever the
        comment holds.
        """
        early = triage(_comment_facts(question), self._triage_rules)
        if early is not None:
            return Answer(early, question.language)
        started = perf_counter()
        passages = await asyncio.to_thread(
            self._retriever.retrieve, question.text, self._top_k, question.scope, question.context
        )
        request = self._request(question, tuple(passages))
        given = verbatim(request, least_support(self._thresholds, question.rules))
        wanted = self._wanted(question, given)
        looks = await self._look(wanted, given)
        request = replace(request, pictures=tuple(look.picture for look in looks if look.picture is not None))
        if given is None:
            request = await self._generator.fit(request)
        if given is not None:
            completions = [given]
        else:
            request, looks, completions = await self._written(request, looks, on_text)
        answer = await self._decided(question, request, completions, started, looks)
        return replace(answer, pictures=(*looks, *overlooked(_others(question, wanted), "not asked for")))

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

    def _wanted(self, question: Question, given: Completion | None) -> list[Named]:
        """The images that count: not the post's where the owner said so, or wrote the answer word for word."""
        of_post = () if self._post_pictures == "ignore" or given is not None else question.post_pictures
        return named(question.pictures, of_post)

    async def _look(self, wanted: Sequence[Named], given: Completion | None) -> list[Look]:
        if not wanted:
            return []
        if given is not None:
            return overlooked(wanted, "the answer was written beforehand")
        if not await self._generator.sees_pictures():
            return overlooked(wanted, "the model cannot see")
        return await self._pictures.look(wanted)

    async def without_documents(self, question: Question) -> tuple[Completion, tuple[Finding, ...]]:
        """What the model writes from nothing but what it knows, and what the documents don't bear out of it.

        For comparison only; nobody is ever sent it. Raises GeneratorError.
        """
        passages = await asyncio.to_thread(
            self._retriever.retrieve, question.text, self._top_k, question.scope, question.context
        )
        informed = self._request(question, tuple(passages))
        bare = replace(informed, passages=(), persona=replace(informed.persona, grounded=False), candidates=1)
        [completion, *_] = await self._generator.generate(await self._generator.fit(bare))
        return completion, check(completion.text, check_facts(informed, completion, self._banned))

    def _request(self, question: Question, passages: tuple[ScoredPassage, ...]) -> GenerationRequest:
        return GenerationRequest(
            comment=question.text,
            language=question.language,
            post_title=question.post_title,
            post_text=question.post_text,
            thread=question.thread,
            passages=passages,
            persona=self._personas.get(question.persona, self._persona),
            max_chars=question.max_chars,
            candidates=self._candidates,
            voice=question.voice,
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


def _others(question: Question, wanted: Sequence[Named]) -> list[Named]:
    return [one for one in named(question.pictures, question.post_pictures) if one not in wanted]


def evidence(passages: Sequence[ScoredPassage]) -> list[dict[str, Any]]:
    """The passages as JSON, to be kept with the draft."""
    return [
        asdict(scored.passage)
        | {"tags": sorted(scored.passage.tags), "matched": list(scored.matched)}
        | {"score": round(scored.score, 4), "support": round(scored.support, 4), "quote": scored.quote}
        for scored in passages
    ]

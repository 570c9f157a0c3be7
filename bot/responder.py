"""Drafts a reply to every new comment, or decides that it needs none."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta

import structlog

from bot.answer import Answer, Answerer, Question, evidence
from bot.context import Context
from bot.generator import GeneratorError, GeneratorUnavailable, ThreadTurn
from bot.loop import backoff
from bot.models import Comment, Draft, State
from bot.policy import ChannelRules
from bot.reasons import Reason
from bot.settings import ChannelRulesSettings
from bot.store import drafting
from bot.store.drafting import Outcome, Work

log = structlog.get_logger()

TARGETS = {"send": State.READY, "review": State.REVIEW, "skip": State.SKIPPED}
CAUTIOUS_CHARS = 500
"""Longest draft while the platform has not been asked how long a reply it takes."""


class Responder:
    """One process's share of the drafting."""

    def __init__(
        self,
        context: Context,
        *,
        answerer: Answerer,
        generator_name: str,
        on_ready: Callable[[], None],
    ) -> None:
        self._context = context
        self._answerer = answerer
        self._generator_name = generator_name
        self._on_ready = on_ready
        self._stopping = False
        self._waiting_for: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why the generator cannot work at present; None when it can."""
        return self._waiting_for

    def stop(self) -> None:
        """Take no further comment."""
        self._stopping = True

    async def tick(self) -> None:
        """Draft until no new comment is due. What finishes together is saved in one transaction."""
        running: dict[asyncio.Task[Outcome], Work] = {}
        try:
            while True:
                free = self._context.settings.workers - len(running)
                if free * 2 >= self._context.settings.workers and not self._stopping:
                    for work in await self._claim(free):
                        running[asyncio.create_task(self._draft(work))] = work
                if not running:
                    return
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                await self._save([(task, running.pop(task)) for task in done])
        finally:
            for task in running:
                task.cancel()

    async def _claim(self, limit: int) -> list[Work]:
        return await self._context.ledger.awrite(
            drafting.claim_new,
            owner=self._context.owner,
            now=self._context.clock(),
            lease=self._context.lease,
            limit=limit,
        )

    async def _draft(self, work: Work) -> Outcome:
        answer = await self._answerer.answer(question(work))
        decision = answer.decision
        self._context.metrics.decisions.labels(decision.action, decision.reason.value).inc()
        self._context.metrics.draft_seconds.observe(answer.seconds)
        return Outcome(
            comment_id=work.comment.id or 0,
            target=TARGETS[decision.action],
            reason=decision.reason,
            detail=decision.detail,
            draft=self._row(work, answer) if answer.candidates else None,
        )

    def _row(self, work: Work, answer: Answer) -> Draft:
        best = answer.candidates[0]
        return Draft(
            comment_id=work.comment.id or 0,
            created_at=self._context.clock(),
            text=best.text,
            candidates=[completion.text for completion in answer.candidates],
            language=answer.language,
            intent=answer.intent or "",
            passages=evidence(answer.passages),
            citations=list(best.citations),
            support=round(answer.support, 4),
            prompt_hash=best.prompt_hash,
            generator=self._generator_name,
            model=best.model,
            voice=best.voice,
            findings=[
                {"code": finding.code.value, "message": finding.message()} for finding in answer.findings
            ],
            decision=answer.decision.action,
            reason=answer.decision.reason,
            detail=answer.decision.detail,
            seconds=round(answer.seconds, 3),
        )

    async def _save(self, finished: Iterable[tuple[asyncio.Task[Outcome], Work]]) -> None:
        outcomes: list[Outcome] = []
        for task, work in finished:
            error = task.exception()
            if error is None:
                outcomes.append(task.result())
                self._recovered()
            elif isinstance(error, GeneratorError):
                await self._generator_failed(work.comment, error)
            else:
                outcomes += await self._defect(work.comment, error)
        if not outcomes:
            return
        await self._context.ledger.awrite(
            drafting.save_outcomes, outcomes, owner=self._context.owner, now=self._context.clock()
        )
        if any(outcome.target is State.READY for outcome in outcomes):
            self._on_ready()

    async def _generator_failed(self, comment: Comment, error: GeneratorError) -> None:
        """The comment waits for the generator, however long that takes."""
        if self._waiting_for is None:
            log.warning("generator failed; comments wait", error=str(error), kind=type(error).__name__)
        self._waiting_for = str(error)
        wait = (
            self._context.settings.retry_s
            if isinstance(error, GeneratorUnavailable)
            else self._context.settings.retry_max_s / 10
        )
        until = self._context.clock() + timedelta(seconds=max(wait, self._context.settings.retry_s))
        await self._context.ledger.awrite(
            drafting.postpone, [comment.id or 0], owner=self._context.owner, until=until, detail=str(error)
        )

    def _recovered(self) -> None:
        if self._waiting_for is not None:
            log.info("generator recovered")
            self._waiting_for = None

    async def _defect(self, comment: Comment, error: BaseException) -> list[Outcome]:
        attempts = comment.attempts + 1
        detail = f"{type(error).__name__}: {error}"
        log.error("draft broke off", comment=comment.id, attempt=attempts, error=detail, exc_info=error)
        if attempts >= self._context.settings.max_attempts:
            return [Outcome(comment.id or 0, State.FAILED, Reason.DEFECT, detail)]
        wait = backoff(attempts, self._context.settings.retry_s, self._context.settings.retry_max_s)
        await self._context.ledger.awrite(
            drafting.postpone,
            [comment.id or 0],
            owner=self._context.owner,
            until=self._context.clock() + timedelta(seconds=wait),
            detail=detail,
            attempts=attempts,
        )
        return []


def question(work: Work) -> Question:
    """The claimed comment as the answerer takes it."""
    rules = ChannelRulesSettings.model_validate(work.channel.rules)
    longest = work.channel.max_reply_chars
    return Question(
        text=work.comment.text,
        language=work.comment.language,
        post_title=work.post.title,
        post_text=work.post.text,
        thread=tuple(ThreadTurn("us" if turn.is_own else "fan", turn.text) for turn in work.earlier),
        is_own=work.comment.is_own,
        answered_by_human=work.answered,
        max_chars=CAUTIOUS_CHARS if longest is None else longest,
        rules=ChannelRules(frozenset(rules.send), rules.min_support),
    )

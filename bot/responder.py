"""Drafts a reply to every new comment, or decides that it needs none."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from adapters.text import clean
from bot import pictures
from bot.answer import Answerer
from bot.context import Context
from bot.generator import GeneratorError, RequestRefused, ThreadTurn, VoiceRefused
from bot.loop import backoff
from bot.manners import is_bot, label_chars, unlabelled
from bot.models import Channel, Comment, Draft, State
from bot.planning import delay
from bot.policy import ChannelRules
from bot.question import Answer, Question, evidence
from bot.reasons import Reason
from bot.settings import ChannelRulesSettings
from bot.store import drafting
from bot.store.drafting import Outcome, Work
from bot.store.ledger import LedgerError
from bot.voices.keeper import VoiceOf, no_voice

log = structlog.get_logger()

TARGETS = {"send": State.READY, "review": State.REVIEW, "skip": State.SKIPPED}
CAUTIOUS_CHARS = 500
"""Longest draft while the platform has not been asked how long a reply it takes."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """The generator failed and is left alone for a while."""

    message: str
    failures: int
    until: datetime


class Responder:
    """One process's share of the drafting."""

    def __init__(
        self,
        context: Context,
        *,
        answerer: Answerer,
        generator_name: str,
        on_ready: Callable[[], None],
        voice_of: VoiceOf = no_voice,
    ) -> None:
        self._context = context
        self._voice_of = voice_of
        self._answerer = answerer
        self._generator_name = generator_name
        self._on_ready = on_ready
        self._stopping = False
        self._trouble: Trouble | None = None
        self._worked_at: datetime | None = None
        """When the generator last wrote a draft."""

    @property
    def trouble(self) -> str | None:
        """Why the generator cannot work at present; None when it can."""
        return None if self._trouble is None else self._trouble.message

    def stop(self) -> None:
        """Take no further comment."""
        self._stopping = True

    async def tick(self) -> None:
        """Draft until no new comment is due. What finishes together is saved in one transaction."""
        running: dict[asyncio.Task[Outcome], Work] = {}
        try:
            while True:
                if wanted := self._wanted(len(running)):
                    for work in await self._claim(wanted):
                        running[asyncio.create_task(self._draft(work))] = work
                if not running:
                    return
                # Comments that arrive while a model takes its time are not to wait for it.
                done, _ = await asyncio.wait(
                    running, timeout=self._context.settings.beat_s, return_when=asyncio.FIRST_COMPLETED
                )
                await self._save([(task, running.pop(task)) for task in done])
        finally:
            for task in running:
                task.cancel()

    def _wanted(self, running: int) -> int:
        """How many comments to take now: while the generator is in trouble, one at a time, after a pause.

        A model server is kept full; where drafts are made here, half of them are taken together.
        """
        if self._stopping:
            return 0
        if self._trouble is not None:
            return 1 if not running and self._context.clock() >= self._trouble.until else 0
        capacity = self._answerer.capacity
        if capacity is not None:
            return max(0, capacity - running)
        free = self._context.settings.workers - running
        return free if free * 2 >= self._context.settings.workers else 0

    async def _claim(self, limit: int) -> list[Work]:
        return await self._context.ledger.awrite(
            drafting.claim_new,
            owner=self._context.owner,
            now=self._context.clock(),
            lease=self._context.lease,
            limit=limit,
        )

    async def _draft(self, work: Work) -> Outcome:
        comment, rules = work.comment, ChannelRulesSettings.model_validate(work.channel.rules)
        if comment.reason != Reason.REDRAFT and is_bot(rules.bots, comment.author_id, comment.author_name):
            return Outcome(comment.id or 0, State.SKIPPED, Reason.BOT)
        voice = partial(self._voice_of, comment.platform_id, comment.channel_id)
        answer = await self._answerer.answer(question(work), voice=voice)
        decision = answer.decision
        self._context.metrics.decisions.labels(decision.action, decision.reason.value).inc()
        self._context.metrics.draft_seconds.observe(answer.seconds)
        return Outcome(
            comment_id=work.comment.id or 0,
            target=TARGETS[decision.action],
            reason=decision.reason,
            detail=decision.detail,
            draft=self._row(work, answer) if answer.candidates else None,
            due_at=self._due_at(comment, rules) if decision.action == "send" else None,
        )

    def _due_at(self, comment: Comment, rules: ChannelRulesSettings) -> datetime:
        return self._context.clock() + delay(rules.delay_s, drafting.reply_key(comment))

    def _row(self, work: Work, answer: Answer) -> Draft:
        best = answer.candidates[0]
        return Draft(
            comment_id=work.comment.id or 0,
            created_at=self._context.clock(),
            # A model may write what no database stores: half an emoji, a NUL.
            text=clean(best.text),
            candidates=[clean(completion.text) for completion in answer.candidates],
            ranking=list(answer.ranking),
            language=answer.language,
            intent=answer.intent or "",
            hint=work.comment.hint,
            passages=evidence(answer.passages),
            citations=list(best.citations),
            support=round(answer.support, 4),
            prompt_hash=best.prompt_hash,
            generator=self._generator_name,
            model=best.model,
            voice=best.voice,
            findings=[finding.entry() for finding in answer.findings],
            steps=[asdict(step) for step in best.steps],
            pictures=pictures.evidence(answer.pictures),
            decision=answer.decision.action,
            reason=answer.decision.reason,
            detail=answer.decision.detail,
            seconds=round(answer.seconds, 3),
        )

    async def _save(self, finished: Sequence[tuple[asyncio.Task[Outcome], Work]]) -> None:
        outcomes: list[Outcome] = []
        for task, work in finished:
            error = task.exception()
            if error is None:
                outcomes.append(task.result())
                if task.result().draft is not None:
                    self._generator_works()
            elif isinstance(error, GeneratorError):
                outcomes += await self._generator_failed(work.comment, error)
            else:
                outcomes += await self._defect(work.comment, error)
        if not outcomes:
            return
        await self._store(outcomes, {work.comment.id or 0: work.comment for _, work in finished})
        if any(outcome.target is State.READY for outcome in outcomes):
            self._on_ready()

    async def _store(self, outcomes: Sequence[Outcome], comments: Mapping[int, Comment]) -> None:
        """All in one transaction; where one cannot be stored, the others are, and that one is a defect."""
        [error] = await asyncio.gather(self._store_together(outcomes), return_exceptions=True)
        if error is None:
            return
        if isinstance(error, LedgerError) or not isinstance(error, Exception):
            raise error
        if len(outcomes) > 1:
            for outcome in outcomes:
                await self._store([outcome], comments)
            return
        failed = await self._defect(comments[outcomes[0].comment_id], error)
        await self._store_together(failed)

    async def _store_together(self, outcomes: Sequence[Outcome]) -> None:
        await self._context.ledger.awrite(
            drafting.save_outcomes,
            outcomes,
            owner=self._context.owner,
            now=self._context.clock(),
            everywhere_shadow=self._context.settings.shadow,
        )

    def _generator_works(self) -> None:
        self._worked_at = self._context.clock()
        if self._trouble is not None:
            log.info("generator recovered", failures=self._trouble.failures)
            self._trouble = None

    async def _generator_failed(self, comment: Comment, error: GeneratorError) -> list[Outcome]:
        """The comment waits for the generator, however long that takes.

        Only a comment that fails again and again while others succeed goes to a person.
        """
        others_succeed = self._worked_at is not None and self._worked_at >= comment.updated_at
        attempts = comment.attempts + others_succeed
        if others_succeed and isinstance(error, (RequestRefused, VoiceRefused)):
            until = self._later(
                attempts
            )  # it is about this comment or its voice, and the others need not wait
        else:
            self._trouble = self._worse(str(error))
            until = self._trouble.until
        if attempts >= self._context.settings.max_attempts:
            return [Outcome(comment.id or 0, State.REVIEW, Reason.GENERATOR_FAILED, clean(str(error)))]
        await self._postpone(comment, until, clean(str(error)), attempts)
        return []

    def _worse(self, message: str) -> Trouble:
        now, before = self._context.clock(), self._trouble
        if before is not None and now < before.until:
            return before  # comments that were under way together count as one failure
        if before is None:
            log.warning("generator failed; comments wait", error=message)
        failures = 1 if before is None else before.failures + 1
        return Trouble(message, failures, self._later(failures))

    async def _defect(self, comment: Comment, error: BaseException) -> list[Outcome]:
        attempts = comment.attempts + 1
        detail = clean(f"{type(error).__name__}: {error}")
        log.error("draft broke off", comment=comment.id, attempt=attempts, error=detail, exc_info=error)
        if attempts >= self._context.settings.max_attempts:
            return [Outcome(comment.id or 0, State.FAILED, Reason.DEFECT, detail)]
        await self._postpone(comment, self._later(attempts), detail, attempts)
        return []

    async def _postpone(self, comment: Comment, until: datetime, detail: str, attempts: int) -> None:
        await self._context.ledger.awrite(
            drafting.postpone,
            comment.id or 0,
            owner=self._context.owner,
            now=self._context.clock(),
            until=until,
            detail=detail,
            attempts=attempts,
        )

    def _later(self, failures: int) -> datetime:
        """When to try again after the `failures`th failure in a row."""
        settings = self._context.settings
        pause_s = backoff(failures, settings.retry_s, settings.retry_max_s)
        return self._context.clock() + timedelta(seconds=pause_s)


def most_chars(channel: Channel) -> int:
    """How long a draft for the channel may be, its label left room for."""
    longest = CAUTIOUS_CHARS if channel.max_reply_chars is None else channel.max_reply_chars
    return max(1, longest - label_chars(channel.rules.get("label", {}).values()))


def question(work: Work) -> Question:
    """The claimed comment as the answerer takes it."""
    rules = ChannelRulesSettings.model_validate(work.channel.rules)
    labels = list(rules.label.values())
    return Question(
        text=work.comment.text,
        language=work.comment.language,
        post_title=work.post.title,
        post_text=work.post.text,
        # A label that the model saw in our own turns it would write, too.
        thread=tuple(
            ThreadTurn("us", unlabelled(turn.text, labels)) if turn.is_own else ThreadTurn("fan", turn.text)
            for turn in work.earlier
        ),
        is_own=work.comment.is_own or (work.by_us and work.comment.reason != Reason.REDRAFT),
        answered_by_human=work.answered,
        max_chars=most_chars(work.channel),
        rules=ChannelRules(frozenset(rules.send), rules.min_support, rules.send_tools),
        persona=rules.persona or "",
        pictures=tuple(work.comment.pictures),
        post_pictures=tuple(work.post.pictures),
        asked=work.comment.reason == Reason.REDRAFT,
        hint=work.comment.hint,
        scope=rules.scope(work.post.platform_id),
    )

"""Brings replies out, each at most once.

Look at the thread, write down the intent, call the platform, record what came of it. Where that is not clear, the
reply is `unknown` until the platform itself was asked; only then may it go out again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from adapters.base import Capabilities, ReplyRef
from adapters.errors import (
    AccountRestricted,
    AdapterError,
    AlreadyReplied,
    QuotaExhausted,
    RateLimited,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Transient,
)
from adapters.text import same_text
from bot.connections import Connection
from bot.context import Context
from bot.loop import backoff
from bot.models import Channel, State
from bot.opening import next_opening
from bot.reasons import Reason
from bot.settings import ChannelRulesSettings
from bot.store import channels, circuit, sending
from bot.store.sending import Job, Settled, Thread

log = structlog.get_logger()

_SIGNS = frozenset({Reason.SENT, Reason.REFUSED_BY_PLATFORM})
"""What tells whether the platform takes our replies."""
SHORTEST_HOLD = timedelta(seconds=1)
"""Whatever a platform says: one that has just refused us is not called again at once."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The job stays where it is until `until`."""

    comment_id: int
    until: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Go:
    """Nothing speaks against sending."""

    job: Job


def seen(
    job: Job, replies: Sequence[ReplyRef], source: State, *, thread: Thread | None = None
) -> Settled | None:
    """What our account's replies on the platform tell about a job; None when they tell nothing.

    With `thread`, the replies are those of a whole flat thread: some are accounted for by other comments, and one
    that is not may have been meant for someone else.
    """
    if thread is not None:
        replies = [reply for reply in replies if reply.id not in thread.known_ids]
    if job.first_attempt_at is not None:
        tried = (job.text, *job.earlier_texts)
        arrived = next(
            (reply for reply in replies if any(same_text(reply.text, text) for text in tried)), None
        )
        if arrived is not None:
            return Settled(job.comment_id, source, State.SENT, Reason.SENT, platform_id=arrived.id)
    if job.seen_by_person is not None:
        # Only what the person who approved it could not see is news.
        replies = [reply for reply in replies if reply.id not in job.seen_by_person]
    if thread is not None:
        replies = [
            reply for reply in replies if not any(same_text(reply.text, text) for text in thread.pending)
        ]
    if not replies:
        return None
    target = State.SKIPPED if thread is None else State.REVIEW
    return Settled(job.comment_id, source, target, Reason.ANSWERED_BY_HUMAN, attempts=job.attempts)


class Sender:
    """One process's share of the sending. Channels don't wait for one another."""

    def __init__(
        self,
        context: Context,
        *,
        on_progress: Callable[[], None],
    ) -> None:
        self._context = context
        self._on_progress = on_progress
        self._tasks: dict[int, asyncio.Task[bool]] = {}
        self._stopping = False

    async def tick(self) -> None:
        """Start work on every channel that has some; returns without waiting for it."""
        for channel_id in await self._context.ledger.aread(
            sending.channels_with_work, now=self._context.clock()
        ):
            if channel_id not in self._tasks:
                task = asyncio.create_task(self._work(channel_id), name=f"send on channel {channel_id}")
                self._tasks[channel_id] = task
                task.add_done_callback(lambda task, channel_id=channel_id: self._finished(task, channel_id))  # type: ignore[misc]

    def stop(self) -> None:
        """Begin no further reply."""
        self._stopping = True

    async def drain(self) -> None:
        """Wait for the replies that are under way."""
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    def cancel(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _work(self, channel_id: int) -> bool:
        """True when anything was done."""
        progress = False
        while not self._stopping and await self._pass(channel_id):
            progress = True
        return progress

    async def _pass(self, channel_id: int) -> bool:
        """Ask about one batch and send one, by the channel's present rules and options; True when any of it moved."""
        channel = await self._context.ledger.aread(channels.with_id, channel_id)
        if channel is None:
            return False
        try:
            connection = await self._context.connections.get(channel)
        except AdapterError as error:
            await self._hold(channel, error)
            return False
        now, settle_s = self._context.clock(), connection.capabilities.settle_s
        await self._context.ledger.awrite(
            sending.expire_intents, channel_id=channel_id, now=now, settle_s=settle_s
        )
        asked = await self._ask(channel, connection)
        # Under `assist` a person or a program takes the replies; see `bot.outbox`.
        sent = connection.capabilities.writes == "auto" and await self._send_some(channel, connection)
        return asked or sent

    # --- asking about sends of unclear outcome ---

    async def _ask(self, channel: Channel, connection: Connection) -> bool:
        jobs = await self._context.ledger.awrite(
            sending.claim_unknown,
            channel_id=channel.id or 0,
            owner=self._context.owner,
            now=self._context.clock(),
            lease=self._context.lease,
            limit=self._context.settings.batch,
        )
        moved = False
        for group in one_of_each_thread(jobs):
            answers = await self._each(
                group, lambda job: self._found_out(channel, connection, job), source=State.UNKNOWN
            )
            await self._record(channel, State.UNKNOWN, answers)
            moved = moved or any(isinstance(answer, Settled) for answer in answers)
        return moved

    async def _found_out(self, channel: Channel, connection: Connection, job: Job) -> Settled | Wait:
        able = connection.capabilities
        if not able.can_find_own and not able.idempotent_reply:
            return Settled(
                job.comment_id, State.UNKNOWN, State.REVIEW, Reason.SEND_UNCLEAR, attempts=job.attempts
            )
        known = await self._look(channel, connection, job, State.UNKNOWN)
        if not isinstance(known, Go):
            return known
        if job.attempts >= self._context.settings.max_attempts:
            return Settled(job.comment_id, State.UNKNOWN, State.FAILED, Reason.NOT_ARRIVED)
        return Settled(job.comment_id, State.UNKNOWN, State.READY, Reason.NOT_ARRIVED, attempts=job.attempts)

    # --- sending ---

    async def _send_some(self, channel: Channel, connection: Connection) -> bool:
        rules, now = ChannelRulesSettings.model_validate(channel.rules), self._context.clock()
        jobs = await self._context.ledger.awrite(
            sending.claim_ready,
            channel_id=channel.id or 0,
            owner=self._context.owner,
            now=now,
            lease=self._context.lease,
            limit=self._context.settings.batch,
            gap=timedelta(seconds=gap_s(rules, connection.capabilities)),
            max_per_hour=rules.max_per_hour,
            opens_at=next_opening(rules.hours, rules.time_zone, now),
            quota=connection.capabilities.quota,
            polls=self._context.polls,
        )
        if not jobs:
            return False
        looks = await self._each(
            jobs, lambda job: self._look(channel, connection, job, State.READY), source=State.READY
        )
        await self._record(channel, State.READY, [look for look in looks if not isinstance(look, Go)])
        await self._watch(channel, looks)
        if all(isinstance(look, Wait) for look in looks):
            await self._let_rest(channel, looks)
            return False
        cleared = [look.job for look in looks if isinstance(look, Go)]
        now = self._context.clock()
        granted = await self._context.ledger.awrite(
            sending.write_intents, cleared, owner=self._context.owner, now=now, lease=self._context.lease
        )
        call_by = now + self._context.lease - timedelta(seconds=self._context.settings.call_timeout_s)
        sent = await self._each(granted, lambda job: self._send(channel, connection, job, call_by))
        await self._record(channel, State.SENDING, sent)
        await self._watch(channel, sent)
        return True

    async def _watch(self, channel: Channel, sent: Sequence[Settled | Wait | Go]) -> None:
        """Refusals in a row are the first sign of a block: go on and the account may be lost, or every ready reply."""
        told = [one for one in sent if isinstance(one, Settled) and one.reason in _SIGNS]
        refused = [one for one in told if one.reason == Reason.REFUSED_BY_PLATFORM]
        if not refused and not (told and channel.refusals):
            return
        detail = refused[-1].detail if refused else ""
        stopped = await self._context.ledger.awrite(
            circuit.note,
            channel.id or 0,
            "refusals",
            [one.reason == Reason.REFUSED_BY_PLATFORM for one in told],
            now=self._context.clock(),
            detail=detail,
        )
        if stopped:
            log.error("channel stopped", channel=channel.name, error=detail)

    async def _let_rest(self, channel: Channel, waits: Sequence[Settled | Wait | Go]) -> None:
        """No thread could be read: the platform is in trouble, and the other replies need not find that out too."""
        now = self._context.clock()
        until = now + timedelta(seconds=self._context.settings.retry_s)
        why = next((wait.detail for wait in waits if isinstance(wait, Wait)), "")
        await self._context.ledger.awrite(
            channels.hold_sending, channel.id or 0, until=until, error=why, now=now
        )

    async def _look(
        self, channel: Channel, connection: Connection, job: Job, source: State
    ) -> Settled | Wait | Go:
        """Read the thread again: has somebody answered, did an earlier attempt arrive, is the comment there?"""
        try:
            replies = await self._own_replies(connection, job)
        except TargetGone:
            return Settled(job.comment_id, source, State.SKIPPED, Reason.COMMENT_GONE, attempts=job.attempts)
        except AdapterError as error:
            return await self._wait(channel, job, error, source)
        thread = None
        if connection.capabilities.reply_depth == "thread" and replies:
            thread = await self._context.ledger.aread(sending.thread_of, job.comment_id)
        known = seen(job, replies, source, thread=thread)
        return known or _too_long(job, connection.capabilities, source) or Go(job)

    async def _own_replies(self, connection: Connection, job: Job) -> list[ReplyRef]:
        """From the platform or, where it cannot be asked, from what the poller has brought. Raises AdapterError."""
        if not connection.capabilities.can_find_own:
            return await self._context.ledger.aread(sending.own_answers, job.comment_id)
        return await connection.call(
            lambda: connection.adapter.find_own_replies(job.target, job.target.created_at)
        )

    async def _send(
        self, channel: Channel, connection: Connection, job: Job, call_by: datetime
    ) -> Settled | Wait:
        if self._context.clock() >= call_by:
            # Too late to be sure of finishing within the lease: another process may be asking already.
            return self._unclear(job, connection, "the process was held up before it could send")
        try:
            reply = await connection.call(lambda: connection.adapter.reply(job.target, job.text, job.key))
        except AlreadyReplied as error:
            return self._sent(job, error.reply_id)
        except Transient as error:
            if error.ambiguous:
                return self._unclear(job, connection, str(error))
            return await self._later(channel, job, error)
        except AdapterError as error:
            return await self._refused(channel, job, error)
        return self._sent(job, reply.id)

    def _sent(self, job: Job, platform_id: str | None) -> Settled:
        return Settled(job.comment_id, State.SENDING, State.SENT, Reason.SENT, platform_id=platform_id)

    def _unclear(self, job: Job, connection: Connection, detail: str) -> Settled:
        due_at = self._context.clock() + timedelta(seconds=connection.capabilities.settle_s)
        return Settled(
            job.comment_id, State.SENDING, State.UNKNOWN, Reason.SEND_UNCLEAR, detail,
            due_at=due_at, attempts=job.attempts + 1,
        )  # fmt: skip

    async def _later(self, channel: Channel, job: Job, error: AdapterError) -> Settled:
        """The call took no effect, and the reply waits for the platform, however long that takes."""
        until = await self._hold(channel, error)
        return Settled(
            job.comment_id, State.SENDING, State.READY, Reason.WAITING_FOR_PLATFORM, str(error),
            due_at=until, attempts=job.attempts,
        )  # fmt: skip

    async def _refused(self, channel: Channel, job: Job, error: AdapterError) -> Settled:
        detail = str(error)
        if isinstance(error, TargetGone):
            return Settled(job.comment_id, State.SENDING, State.SKIPPED, Reason.COMMENT_GONE, detail)
        if isinstance(error, RejectedContent):
            return Settled(job.comment_id, State.SENDING, State.REVIEW, Reason.REFUSED_BY_PLATFORM, detail)
        if isinstance(error, RateLimited | QuotaExhausted | ReauthRequired | AccountRestricted):
            return await self._later(channel, job, error)
        return Settled(job.comment_id, State.SENDING, State.FAILED, Reason.REFUSED_BY_PLATFORM, detail)

    # --- keeping the books ---

    async def _each(
        self,
        jobs: Sequence[Job],
        step: Callable[[Job], Awaitable[Settled | Wait | Go]],
        *,
        source: State | None = None,
    ) -> list[Settled | Wait | Go]:
        """Do `step` for all jobs at once. A defect in one is logged; the job is shown to a person.

        Without `source` (the reply may be out there) it is left to its lease instead, and asked about.
        """
        results = await asyncio.gather(*(step(job) for job in jobs), return_exceptions=True)
        kept: list[Settled | Wait | Go] = []
        for job, result in zip(jobs, results, strict=True):
            if not isinstance(result, BaseException):
                kept.append(result)
                continue
            log.error(
                "adapter broke its contract", comment=job.comment_id, error=repr(result), exc_info=result
            )
            if source is not None:
                kept.append(hopeless(job, source, Reason.DEFECT, repr(result)))
        return kept

    async def _record(self, channel: Channel, source: State, results: Sequence[Settled | Wait | Go]) -> None:
        now = self._context.clock()
        settled = [result for result in results if isinstance(result, Settled)]
        if settled:
            done = await self._context.ledger.awrite(
                sending.settle, settled, owner=self._context.owner, now=now
            )
            for outcome in settled:
                if outcome.comment_id in done:
                    self._context.metrics.sends.labels(channel.name, outcome.target.value).inc()
        for wait in (result for result in results if isinstance(result, Wait)):
            await self._context.ledger.awrite(
                sending.give_back,
                [wait.comment_id],
                state=source,
                owner=self._context.owner,
                due_at=wait.until,
                detail=wait.detail,
            )

    async def _wait(self, channel: Channel, job: Job, error: AdapterError, source: State) -> Wait | Settled:
        now, settings = self._context.clock(), self._context.settings
        if isinstance(error, RateLimited | QuotaExhausted | ReauthRequired | AccountRestricted):
            return Wait(job.comment_id, await self._hold(channel, error), str(error))
        if not isinstance(error, Transient):
            return hopeless(job, source, Reason.REFUSED_BY_PLATFORM, str(error))
        # Half as long again as it has waited already: the pauses grow without a count to keep.
        waited = (now - job.waiting_since).total_seconds()
        pause = min(max(settings.retry_s, waited / 2), settings.retry_max_s)
        return Wait(job.comment_id, now + timedelta(seconds=pause), str(error))

    async def _hold(self, channel: Channel, error: AdapterError) -> datetime:
        """Keep the channel from sending for as long as the error asks; returns until when."""
        now, message = self._context.clock(), str(error)
        if isinstance(error, ReauthRequired | AccountRestricted):
            await self._context.ledger.awrite(
                channels.restrict,
                channel.id or 0,
                error=message,
                now=now,
                to_connect=isinstance(error, ReauthRequired),
            )
            log.error("channel stopped", channel=channel.name, error=message)
            return now + timedelta(seconds=self._context.settings.retry_s)
        until = now + timedelta(seconds=self._pause_s(channel.failures + 1))
        if isinstance(error, QuotaExhausted):
            until = error.resets_at
        elif isinstance(error, RateLimited):
            until = now + timedelta(seconds=error.retry_after)
        until = max(until, now + SHORTEST_HOLD)
        await self._context.ledger.awrite(
            channels.hold_sending, channel.id or 0, until=until, error=message, now=now
        )
        return until

    def _pause_s(self, failures: int) -> float:
        return backoff(failures, self._context.settings.retry_s, self._context.settings.retry_max_s)

    def _finished(self, task: asyncio.Task[bool], channel_id: int) -> None:
        del self._tasks[channel_id]
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error("sending broke off", task=task.get_name(), error=str(error), exc_info=error)
        elif task.result():
            # Replies that became ready while the last look was under way would else wait for the next beat.
            self._on_progress()


def _too_long(job: Job, capabilities: Capabilities, source: State) -> Settled | None:
    """What became too long since it was approved, by the platform's limit or by hand, is a person's to shorten."""
    if source is not State.READY or len(job.text) <= capabilities.max_reply_chars:
        return None
    detail = f"{len(job.text)} > {capabilities.max_reply_chars}"
    return Settled(job.comment_id, source, State.REVIEW, Reason.REPLY_TOO_LONG, detail, attempts=job.attempts)


def one_of_each_thread(jobs: Sequence[Job]) -> list[list[Job]]:
    """The jobs in groups that hold no two of one thread: a reply found there may be claimed by one job only."""
    groups: list[dict[tuple[str, str], Job]] = []
    for job in jobs:
        thread = (job.target.post_id, job.target.thread_id)
        free = next((group for group in groups if thread not in group), None)
        if free is None:
            groups.append({thread: job})
        else:
            free[thread] = job
    return [list(group.values()) for group in groups]


def hopeless(job: Job, source: State, reason: Reason, detail: str) -> Settled:
    """Trying again does not help: failed if nothing was sent, a person's to decide if something may have been."""
    if source is State.UNKNOWN:
        return Settled(
            job.comment_id, source, State.REVIEW, Reason.SEND_UNCLEAR, detail, attempts=job.attempts
        )
    return Settled(job.comment_id, source, State.FAILED, reason, detail)


def gap_s(rules: ChannelRulesSettings, capabilities: Capabilities) -> float:
    """Seconds between two replies: the owner's wish, but never under what the platform asks for."""
    wished = 0.0 if rules.min_gap_s is None else rules.min_gap_s
    return max(wished, capabilities.min_reply_gap_s)

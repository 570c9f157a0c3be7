"""What the sender makes of every way a platform can answer, with a platform that does as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlmodel import select

from adapters.auth import FreshAuth
from adapters.base import Account, Capabilities, CommentRef, ReplyRef
from adapters.errors import (
    AccountRestricted,
    AdapterError,
    AlreadyReplied,
    Permanent,
    QuotaExhausted,
    RateLimited,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Transient,
)
from bot.connections import Connection
from bot.context import Context
from bot.metrics import Metrics
from bot.models import Channel, Comment, Reply, State
from bot.sender import Sender, seen
from bot.settings import ServiceSettings
from bot.store import verdicts
from bot.store.deciding import Sign
from bot.store.ledger import Ledger, connect, sqlite_url
from bot.store.migrate import upgrade
from bot.store.sending import Job, Thread
from tests.builders import START, Desk, FakeClock, comment

CAPABILITIES = Capabilities(
    max_reply_chars=100,
    reply_depth="any",
    idempotent_reply=False,
    can_find_own=True,
    settle_s=5,
    min_reply_gap_s=0,
    min_poll_s=0,
)
SETTINGS = ServiceSettings(max_attempts=3, retry_s=10, lease_s=60, call_timeout_s=20)


class Platform:
    """Keeps replies; `answer` decides what becomes of each call."""

    def __init__(self, clock: FakeClock) -> None:
        self.capabilities = CAPABILITIES
        self.replies: list[ReplyRef] = []
        self.answer: Callable[[], AdapterError | None] = lambda: None
        self.stores_before_failing = False
        self.gone = False
        self.look_error: AdapterError | None = None
        self.calls = 0
        self.looks = 0
        self.whole_thread = False
        self.keys: list[str] = []
        self._clock = clock

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        self.calls += 1
        self.keys.append(key)
        error = self.answer()
        reply = ReplyRef(f"r{len(self.replies) + 1}", target.comment_id, text, self._clock())
        if error is None or self.stores_before_failing:
            self.replies.append(reply)
        if error is not None:
            raise error
        return reply

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        self.looks += 1
        if self.look_error is not None:
            raise self.look_error
        if self.gone:
            raise TargetGone("the comment is gone")
        if self.whole_thread:
            return list(self.replies)
        return [reply for reply in self.replies if reply.parent_id == target.comment_id]

    async def refresh_auth(self) -> None:
        raise ReauthRequired("connect again")


class OneConnection:
    """Stands in for `Connections`: every channel leads to the one platform."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    async def get(self, channel: Channel) -> Connection:
        return Connection(self.platform, Account("us", "Us"), 5.0, FreshAuth(self.platform))  # type: ignore[arg-type]


class Bench:
    """A ledger, a platform and a sender between them."""

    def __init__(self, ledger: Ledger) -> None:
        self.desk = Desk(ledger)
        self.clock = self.desk.clock
        self.platform = Platform(self.clock)
        context = Context(ledger, OneConnection(self.platform), self.clock, "me", SETTINGS, Metrics())  # type: ignore[arg-type]
        self.sender = Sender(context, on_progress=lambda: None)

    async def round(self, *, later: float = 0) -> None:
        self.clock.forward(later)
        await self.sender.tick()
        await self.sender.drain()

    def comment(self, platform_id: str = "c1") -> Comment:
        query = select(Comment).where(Comment.platform_id == platform_id)
        return self.desk.ledger.read(lambda session: session.exec(query).one())

    def reply(self) -> Reply:
        return self.desk.ledger.read(lambda session: session.exec(select(Reply)).one())

    def channel(self) -> Channel:
        return self.desk.ledger.read(lambda session: session.exec(select(Channel)).one())


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    ledger = connect(sqlite_url(tmp_path / "ledger.db"))
    upgrade(ledger)
    yield Bench(ledger)
    ledger.close()


async def test_a_reply_goes_out_once_and_keeps_its_proof(bench: Bench) -> None:
    bench.desk.ready(1)
    await bench.round()
    await bench.round(later=1000)
    assert bench.comment().state == State.SENT
    assert bench.reply().platform_id == "r1"
    assert bench.platform.calls == 1


async def test_stored_but_reported_as_failed_is_found_and_not_sent_again(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.answer = lambda: Transient("500", ambiguous=True)
    bench.platform.stores_before_failing = True
    await bench.round()
    assert bench.comment().state == State.UNKNOWN
    await bench.round(later=1)
    assert bench.comment().state == State.UNKNOWN, "asked too early: the effect may not be visible yet"
    await bench.round(later=5)
    assert bench.comment().state == State.SENT
    assert len(bench.platform.replies) == 1


async def test_lost_on_the_way_is_sent_again_after_asking(bench: Bench) -> None:
    bench.desk.ready(1)
    failures = [Transient("time-out", ambiguous=True)]
    bench.platform.answer = lambda: failures.pop() if failures else None
    await bench.round()
    await bench.round(later=6)
    assert bench.comment().state == State.SENT
    assert (bench.platform.calls, len(bench.platform.replies)) == (2, 1)


async def test_a_send_that_never_arrives_ends_as_failed(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.answer = lambda: Transient("time-out", ambiguous=True)
    for _ in range(10):
        await bench.round(later=1000)
    assert (bench.comment().state, bench.comment().reason) == (State.FAILED, "not_arrived")
    assert bench.platform.calls == SETTINGS.max_attempts


async def test_where_the_platform_cannot_be_asked_a_person_decides(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.capabilities = Capabilities(100, "any", False, False, 5, 0, 0)
    bench.platform.answer = lambda: Transient("time-out", ambiguous=True)
    await bench.round()
    await bench.round(later=6)
    assert (bench.comment().state, bench.comment().reason) == (State.REVIEW, "send_unclear")
    assert bench.platform.calls == 1


async def test_where_the_platform_merges_repeats_an_unclear_send_is_repeated_with_its_key(
    bench: Bench,
) -> None:
    bench.desk.ready(1)
    bench.platform.capabilities = Capabilities(100, "any", True, False, 5, 0, 0)
    failures = [Transient("time-out", ambiguous=True)]
    bench.platform.answer = lambda: failures.pop() if failures else None
    await bench.round()
    await bench.round(later=6)
    assert bench.comment().state == State.SENT
    assert bench.platform.keys == [bench.reply().key] * 2


async def test_a_process_that_died_while_sending_is_asked_about_by_another(bench: Bench) -> None:
    bench.desk.ready(1)
    [job] = bench.desk.intend(bench.desk.claim_ready(owner="dead"), owner="dead")
    await bench.platform.reply(job.target, job.text, job.key)
    await bench.round(later=30)
    assert bench.comment().state == State.SENDING, "the lease still runs"
    await bench.round(later=31)
    assert bench.comment().state == State.UNKNOWN
    await bench.round(later=6)
    assert bench.comment().state == State.SENT
    assert bench.platform.calls == 1


async def test_an_answer_by_hand_just_before_sending_is_respected(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.replies.append(ReplyRef("h1", "c1", "I answer this myself", START))
    await bench.round()
    assert (bench.comment().state, bench.comment().reason) == (State.SKIPPED, "answered_by_human")
    assert bench.platform.calls == 0


async def test_a_deleted_comment_is_not_answered(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.gone = True
    await bench.round()
    assert (bench.comment().state, bench.comment().reason) == (State.SKIPPED, "comment_gone")


async def test_while_the_thread_cannot_be_read_nothing_is_sent(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.look_error = Transient("down", ambiguous=False)
    await bench.round()
    assert (bench.comment().state, bench.platform.calls) == (State.READY, 0)
    bench.platform.look_error = None
    await bench.round(later=11)
    assert bench.comment().state == State.SENT


async def test_a_thread_that_cannot_be_read_is_looked_at_less_and_less_often(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.look_error = Transient("down", ambiguous=False)
    looks = []
    for second in range(200):
        before = bench.platform.looks
        await bench.round(later=1)
        if bench.platform.looks > before:
            looks.append(second)
    pauses = [after - before for before, after in pairwise(looks)]
    assert pauses == sorted(pauses)
    assert len(looks) < 12


async def test_a_channel_that_cannot_be_reached_is_left_alone_for_a_while(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.desk.intend(bench.desk.claim_ready(owner="dead"), owner="dead")
    bench.clock.forward(100)

    async def closed(channel: Channel) -> Connection:
        bench.platform.calls += 1
        raise Permanent("the secret file is not there")

    bench.sender._context.connections.get = closed  # type: ignore[method-assign, assignment]
    for _ in range(5):
        await bench.round(later=1)
    assert bench.platform.calls == 1
    assert bench.channel().last_error == "the secret file is not there"


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (AlreadyReplied("409", reply_id="r7"), State.SENT, "sent"),
        (TargetGone("gone"), State.SKIPPED, "comment_gone"),
        (RejectedContent("bad word"), State.REVIEW, "refused_by_platform"),
        (Permanent("no"), State.FAILED, "refused_by_platform"),
        (RateLimited("slow down", retry_after=90), State.READY, "waiting_for_platform"),
        (
            QuotaExhausted("used up", resets_at=START + timedelta(hours=9)),
            State.READY,
            "waiting_for_platform",
        ),
        (Transient("refused", ambiguous=False), State.READY, "waiting_for_platform"),
        (ReauthRequired("revoked"), State.READY, "waiting_for_platform"),
        (AccountRestricted("blocked"), State.READY, "waiting_for_platform"),
    ],
)
async def test_each_error_of_the_platform_has_its_place(
    bench: Bench, error: AdapterError, state: State, reason: str
) -> None:
    bench.desk.ready(1)
    bench.platform.answer = lambda: error
    await bench.round()
    assert (bench.comment().state, bench.comment().reason) == (state, reason)


async def test_a_rate_limit_holds_the_channel_for_as_long_as_it_says(bench: Bench) -> None:
    bench.desk.ready(1, 2)
    limited = [RateLimited("slow down", retry_after=90) for _ in range(2)]
    bench.platform.answer = lambda: limited.pop() if limited else None
    await bench.round()
    await bench.round(later=89)
    assert bench.platform.calls == 2
    await bench.round(later=2)
    assert bench.comment("c1").state == bench.comment("c2").state == State.SENT


async def test_a_revoked_account_stops_the_channel_and_loses_nothing(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.answer = lambda: ReauthRequired("revoked: connect the account again")
    await bench.round()
    assert bench.channel().paused
    assert bench.channel().last_error == "revoked: connect the account again"
    await bench.round(later=1000)
    assert bench.platform.calls == 1


async def test_an_outage_costs_time_but_no_comment_however_long(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.answer = lambda: Transient("connection refused", ambiguous=False)
    for _ in range(30):
        await bench.round(later=1000)
    assert (bench.comment().state, bench.comment().detail) == (State.READY, "connection refused")
    bench.platform.answer = lambda: None
    await bench.round(later=1000)
    assert bench.comment().state == State.SENT


async def test_a_defect_in_an_adapter_counts_as_unclear_not_as_not_sent(bench: Bench) -> None:
    bench.desk.ready(1)

    def broken() -> None:
        raise KeyError("id")

    bench.platform.answer = broken
    await bench.round()
    assert bench.comment().state == State.SENDING
    await bench.round(later=61)
    assert bench.comment().state == State.UNKNOWN


async def test_a_process_held_up_beyond_its_time_does_not_send(bench: Bench) -> None:
    bench.desk.ready(1)
    write = bench.sender._context.ledger.awrite

    async def slow(work: Callable[..., object], *args: object, **kwargs: object) -> object:
        result = await write(work, *args, **kwargs)
        if work.__name__ == "write_intents":
            bench.clock.forward(45)
        return result

    bench.sender._context.ledger.awrite = slow  # type: ignore[method-assign, assignment]
    await bench.round()
    assert bench.platform.calls == 0
    assert bench.comment().state == State.UNKNOWN


async def test_an_answer_approved_after_the_hand_written_one_still_goes_out(bench: Bench) -> None:
    bench.desk.ingest(comment(1))
    [work] = bench.desk.claim()
    bench.desk.decide(work, State.REVIEW)
    by_hand = comment(2, "See below", is_own=True, parent_id="c1", thread_id="c1")
    bench.desk.ingest(by_hand, thread_depth=True)
    bench.platform.replies.append(ReplyRef("c2", "c1", "See below", bench.clock()))
    bench.clock.forward(10)
    bench.desk.ledger.write(verdicts.approve, work.comment.id or 0, sign=Sign("ann"), now=bench.clock())
    await bench.round()
    assert bench.comment().state == State.SENT


async def test_an_answer_by_hand_that_the_approver_could_not_see_is_respected(bench: Bench) -> None:
    bench.desk.ingest(comment(1))
    [work] = bench.desk.claim()
    bench.desk.decide(work, State.REVIEW)
    bench.platform.replies.append(ReplyRef("h1", "c1", "By hand, not polled yet", bench.clock()))
    bench.clock.forward(10)
    bench.desk.ledger.write(verdicts.approve, work.comment.id or 0, sign=Sign("ann"), now=bench.clock())
    await bench.round()
    assert (bench.comment().state, bench.platform.calls) == (State.SKIPPED, 0)


async def test_a_platform_that_told_us_to_stop_is_not_asked_again_and_again(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.answer = lambda: Transient("500", ambiguous=True)
    await bench.round()
    bench.platform.look_error = AccountRestricted("blocked")
    await bench.round(later=6)
    looks = bench.platform.looks
    await bench.round(later=1)
    assert bench.channel().paused
    assert bench.platform.looks == looks


async def test_two_equal_replies_in_one_flat_thread_need_two_proofs(bench: Bench) -> None:
    bench.platform.capabilities = replace(CAPABILITIES, reply_depth="thread")
    bench.desk.ingest(*(comment(n, thread_id="c1", parent_id="c1" if n > 1 else None) for n in (1, 2, 3)))
    for work in bench.desk.claim():
        bench.desk.decide(work, State.SKIPPED if work.comment.platform_id == "c1" else State.READY)
    failures = [Transient("500", ambiguous=True), Transient("500", ambiguous=True)]
    bench.platform.answer = lambda: failures.pop() if failures else None
    await bench.round()
    # Of the two unclear sends only one arrived.
    bench.platform.replies.append(ReplyRef("r9", "c1", "Ten minutes.", bench.clock()))
    bench.platform.whole_thread = True
    for _ in range(5):
        await bench.round(later=10)
    assert bench.comment("c2").state == bench.comment("c3").state == State.SENT
    assert len(bench.platform.replies) == 2


async def test_where_the_platform_cannot_be_asked_the_ledgers_own_knowledge_counts(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.capabilities = Capabilities(100, "any", True, False, 5, 0, 0)
    bench.platform.answer = lambda: Transient("time-out", ambiguous=True)
    await bench.round()
    bench.desk.ingest(comment(2, "By hand", is_own=True, parent_id="c1", thread_id="c1"))
    await bench.round(later=6)
    assert (bench.comment().state, bench.platform.calls) == (State.SKIPPED, 1)


async def test_a_text_that_a_person_replaced_is_still_known_when_it_arrives_late(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.answer = lambda: Transient("time-out", ambiguous=True)
    for _ in range(10):
        await bench.round(later=1000)
    assert bench.comment().state == State.FAILED
    bench.platform.replies.append(ReplyRef("r1", "c1", "Ten minutes.", bench.clock()))
    bench.platform.answer = lambda: None
    bench.desk.ledger.write(
        verdicts.edit, 1, text="Twelve minutes.", sign=Sign("ann"), now=bench.clock.forward(10)
    )
    await bench.round(later=10)
    assert bench.comment().state == State.SENT
    assert len(bench.platform.replies) == 1


async def test_two_senders_on_one_ledger_send_once(bench: Bench) -> None:
    bench.desk.ready(*range(1, 30))
    context = bench.sender._context
    other = Sender(
        Context(context.ledger, context.connections, context.clock, "other", SETTINGS, Metrics()),
        on_progress=lambda: None,
    )
    await asyncio.gather(bench.sender.tick(), other.tick())
    await asyncio.gather(bench.sender.drain(), other.drain())
    assert bench.platform.calls == 29
    assert len({reply.parent_id for reply in bench.platform.replies}) == 29


def job(*, tried: bool = True) -> Job:
    target = CommentRef("p1", "c1", "c1", START)
    return Job(1, target, "Ten minutes.", "key", 1, START if tried else None, None, (), START)


def own(text: str, reply_id: str = "r1") -> ReplyRef:
    return ReplyRef(reply_id, "c1", text, START)


@pytest.mark.parametrize(
    ("replies", "thread", "tried", "expected"),
    [
        ([], None, True, None),
        ([own("Ten minutes.")], None, True, State.SENT),
        ([own("  Ten\u200b minutes. ")], None, True, State.SENT),
        ([own("Ten minutes.")], None, False, State.SKIPPED),
        ([own("Something else")], None, True, State.SKIPPED),
        ([own("To another fan")], Thread(frozenset({"r1"}), ()), True, None),
        ([own("To another fan")], Thread(frozenset(), ("To another fan",)), True, None),
        ([own("By hand")], Thread(frozenset(), ()), True, State.REVIEW),
        ([own("Ten minutes.")], Thread(frozenset({"r1"}), ()), True, None),
        ([own("Ten minutes.", "r2")], Thread(frozenset({"r1"}), ()), True, State.SENT),
    ],
)
def test_what_our_replies_on_the_platform_tell(
    replies: list[ReplyRef], thread: Thread | None, tried: bool, expected: State | None
) -> None:
    found = seen(job(tried=tried), replies, State.UNKNOWN, thread=thread)
    assert (found.target if found else None) == expected

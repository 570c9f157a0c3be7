"""Units are counted with every call; poller and sender keep within them. The platform does as it is told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from adapters.auth import FreshAuth
from adapters.base import Account, Budget, CommentPage, CommentRef, Cursor, Quota, ReplyRef
from adapters.errors import AdapterError, Permanent, QuotaExhausted, RejectedContent, Transient
from bot.connections import Connection
from bot.context import Context
from bot.metering import Meter
from bot.metrics import Metrics
from bot.models import Alert, Channel, Comment, State
from bot.planning import day_of
from bot.poller import Poller
from bot.reasons import Reason
from bot.sender import Sender
from bot.store import budgets, channels
from bot.store.ledger import Ledger, LedgerUnavailable, connect, sqlite_url
from bot.store.migrate import upgrade
from tests.builders import Desk, FakeClock, page
from tests.unit.test_sender import CAPABILITIES, SETTINGS, Platform

QUOTA = Quota(units=600, reply_units=50, poll_units=1, zone="UTC", shared_by="app")
NAME = "sandbox app"


class Metered(Platform):
    """Counts as YouTube does: 50 units a reply, one for anything else."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.capabilities = replace(CAPABILITIES, quota=QUOTA)
        self.polls = 0
        self.pages_units = 1
        self._units = 0

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        self._units += 50
        return await super().reply(target, text, key)

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        self._units += 1
        return await super().find_own_replies(target, since)

    async def poll(self, cursor: Cursor | None, budget: Budget) -> CommentPage:
        self._units += self.pages_units
        self.polls += 1
        if (error := self.answer()) is not None:
            raise error
        return page([])

    async def baseline(self, since: datetime) -> Cursor:
        return {"at": 0}

    def take_units(self) -> int:
        taken, self._units = self._units, 0
        return taken


class Bench:
    def __init__(self, ledger: Ledger) -> None:
        self.desk = Desk(ledger)
        self.clock = self.desk.clock
        self.platform = Metered(self.clock)
        self.meter = Meter(self.platform, QUOTA, NAME, ledger=ledger, clock=self.clock)
        self.connection = Connection(
            self.platform,  # type: ignore[arg-type]
            Account("us", "Us"),
            5.0,
            FreshAuth(self.platform),
            self.meter,
        )
        context = Context(ledger, self, self.clock, "me", SETTINGS, Metrics())  # type: ignore[arg-type]
        self.sender = Sender(context, on_progress=lambda: None)
        self.poller = Poller(context, on_new=lambda: None)

    async def get(self, channel: Channel) -> Connection:
        return self.connection

    async def send(self, *, later: float = 0) -> None:
        self.clock.forward(later)
        await self.sender.tick()
        await self.sender.drain()

    async def poll(self, *, later: float = 0) -> None:
        self.clock.forward(later)
        await self.poller.tick()
        await self.poller.drain()

    @property
    def used(self) -> int:
        return self.desk.ledger.read(budgets.used, NAME, day_of(QUOTA, self.clock()))

    @property
    def channel(self) -> Channel:
        return self.desk.ledger.read(channels.named, "demo")

    def states(self) -> list[str]:
        rows = self.desk.ledger.read(lambda session: session.exec(select(Comment).order_by(Comment.id)).all())
        return [row.state for row in rows]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    ledger = connect(sqlite_url(tmp_path / "ledger.db"))
    upgrade(ledger)
    yield Bench(ledger)
    ledger.close()


async def test_every_call_is_counted_the_failed_ones_too(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.answer = lambda: Transient("busy", ambiguous=False)
    await bench.send()
    assert bench.used == 51
    bench.platform.answer = lambda: None
    await bench.send(later=60)
    assert (bench.used, bench.states()) == (102, [State.SENT])


async def test_the_platforms_word_that_nothing_is_left_holds_for_all_that_share_the_budget(
    bench: Bench,
) -> None:
    bench.desk.ready(1)
    resets_at = day_of(QUOTA, bench.clock()).ends
    bench.platform.answer = lambda: QuotaExhausted("used up", resets_at=resets_at)
    await bench.send()
    assert bench.used >= QUOTA.units
    row = bench.desk.ledger.read(lambda session: session.exec(select(Comment)).one())
    assert (row.state, row.reason, row.due_at) == (State.READY, Reason.WAITING_FOR_PLATFORM, resets_at)
    other = bench.desk.add_channel("other")
    await bench.poll()
    assert bench.platform.polls == 0, "no other channel finds that out at the platform's cost"
    found = bench.desk.ledger.read(channels.named, "other")
    assert (found.id, found.next_poll_at) == (other.id, resets_at)


async def test_by_a_clock_that_runs_ahead_the_end_of_the_platforms_day_costs_no_new_day(bench: Bench) -> None:
    """Ten minutes after our midnight the platform's has not come yet."""
    bench.desk.ready(1)
    begins = day_of(QUOTA, bench.clock()).ends
    bench.clock.now = begins + timedelta(minutes=2)
    bench.platform.answer = lambda: QuotaExhausted("used up", resets_at=begins + timedelta(minutes=10))
    await bench.send()
    assert bench.states() == [State.READY]
    bench.platform.answer = lambda: None
    bench.clock.now = begins + timedelta(minutes=10)
    await bench.send()
    assert bench.states() == [State.SENT]


async def test_replies_end_with_the_units_and_go_on_after_the_reset(bench: Bench) -> None:
    bench.desk.ready(*range(1, 17))
    await bench.send()
    # 600 units, 144 of them kept for half a day of polls: 8 replies of 51.
    assert bench.states().count(State.SENT) == 8
    assert bench.used == 408
    calls = bench.platform.looks
    await bench.send(later=3600)
    assert bench.platform.looks == calls, "nothing is asked that cannot be sent"
    bench.clock.now = day_of(QUOTA, bench.clock()).ends
    await bench.send()
    assert bench.states().count(State.SENT) == 8 + 6, "a whole day keeps 288 units for polls"


async def test_polls_come_less_often_when_they_are_dear(bench: Bench) -> None:
    await bench.poll()
    [first] = [bench.channel.next_poll_at - bench.clock()]
    bench.platform.pages_units = 3
    await bench.poll(later=first.total_seconds())
    assert bench.channel.next_poll_at - bench.clock() == pytest.approx(
        timedelta(seconds=900), abs=timedelta(seconds=1)
    )
    assert first == pytest.approx(timedelta(seconds=300), abs=timedelta(seconds=1))


async def test_the_ledger_knows_the_platforms_quota_after_a_poll(bench: Bench) -> None:
    await bench.poll()
    assert budgets.quota_of(bench.channel.quota) == QUOTA


async def test_units_that_cannot_be_written_are_written_with_the_next_call(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def locked(*_: object, **__: object) -> None:
        raise LedgerUnavailable("locked")

    ledger = bench.desk.ledger
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "awrite", locked)
        await bench.connection.call(lambda: bench.platform.poll(None, Budget()))
    assert bench.used == 0
    await bench.connection.call(lambda: bench.platform.poll(None, Budget()))
    assert bench.used == 2


async def test_looks_refused_in_a_row_stop_the_channel_before_every_reply_is_lost(bench: Bench) -> None:
    """Such as at a site that has moved and redirects every call."""
    bench.platform.capabilities = replace(CAPABILITIES, min_reply_gap_s=10)
    bench.desk.ready(*range(1, 7))
    bench.platform.look_error = Permanent("redirects (301)")
    for _ in range(6):
        await bench.send(later=11)
    assert bench.channel.paused
    assert "redirects (301)" in str(bench.channel.last_error)
    assert bench.states().count(State.READY) == 3


@pytest.mark.parametrize("error", [RejectedContent("banned word"), Permanent("403 forbidden")])
async def test_refusals_in_a_row_stop_the_channel_before_more_are_tried(
    bench: Bench, error: AdapterError
) -> None:
    bench.platform.capabilities = replace(CAPABILITIES, min_reply_gap_s=10)
    bench.desk.ready(*range(1, 7))
    bench.platform.answer = lambda: error
    for _ in range(6):
        await bench.send(later=11)
    assert bench.platform.calls == 3
    assert bench.channel.paused
    assert str(error) in str(bench.channel.last_error)
    assert len(bench.desk.ledger.read(lambda session: session.exec(select(Alert)).all())) == 1


async def test_a_reply_that_arrives_ends_the_row_of_refusals(bench: Bench) -> None:
    bench.platform.capabilities = replace(CAPABILITIES, min_reply_gap_s=10)
    bench.desk.ready(*range(1, 7))
    bad = RejectedContent("banned word")
    answers = iter([bad, bad, None, bad, bad, None])
    bench.platform.answer = lambda: next(answers)
    for _ in range(6):
        await bench.send(later=11)
    assert (bench.platform.calls, bench.channel.paused, bench.channel.refusals) == (6, False, 0)


async def test_a_reply_that_became_too_long_goes_to_a_person(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.capabilities = replace(CAPABILITIES, max_reply_chars=5)
    await bench.send()
    row = bench.desk.ledger.read(lambda session: session.exec(select(Comment)).one())
    assert (row.state, row.reason, row.detail) == (State.REVIEW, Reason.REPLY_TOO_LONG, "12 > 5")
    assert bench.platform.calls == 0

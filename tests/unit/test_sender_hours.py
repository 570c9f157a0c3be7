"""Opening hours: what the policy approved waits for them, what a person approved does not."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.models import State
from bot.store import channels, sending, verdicts
from bot.store.deciding import Sign
from bot.store.ledger import connect, sqlite_url
from bot.store.migrate import upgrade
from tests.builders import comment
from tests.unit.test_sender import Bench

OPENS = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""The builders' clock begins on the Sunday before."""
WEEK = {"mon": ["09:00-18:00"]}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    ledger = connect(sqlite_url(tmp_path / "ledger.db"))
    upgrade(ledger)
    made = Bench(ledger)
    set_rules(made, hours=WEEK)
    yield made
    ledger.close()


def set_rules(bench: Bench, **rules: Any) -> None:
    bench.desk.ledger.write(channels.set_rules, "demo", rules, now=bench.clock())


async def test_outside_the_hours_nothing_goes_out_by_itself(bench: Bench) -> None:
    bench.desk.ready(1, 2)
    await bench.round()
    assert (bench.comment().state, bench.platform.calls, bench.platform.looks) == (State.READY, 0, 0)
    assert bench.comment().due_at == OPENS
    assert bench.comment().detail == "opens 2026-03-02T09:00Z"
    assert bench.desk.ledger.read(sending.channels_with_work, now=bench.clock()) == []


async def test_it_goes_out_at_the_opening(bench: Bench) -> None:
    bench.desk.ready(1, 2)
    await bench.round()
    await bench.round(later=(OPENS - bench.clock()).total_seconds())
    assert bench.platform.calls == 2


async def test_what_a_person_approved_goes_out_at_any_time(bench: Bench) -> None:
    bench.desk.ingest(comment(1), comment(2))
    first, second = bench.desk.claim()
    bench.desk.decide(first, State.REVIEW)
    bench.desk.decide(second, State.READY)
    bench.desk.ledger.write(verdicts.approve, first.comment.id or 0, sign=Sign("ann"), now=bench.clock())
    await bench.round()
    assert (bench.comment("c1").state, bench.comment("c2").state) == (State.SENT, State.READY)


async def test_new_hours_hold_at_once_for_what_waits(bench: Bench) -> None:
    bench.desk.ready(1)
    await bench.round()
    set_rules(bench, hours={"sun": ["00:00-24:00"]})
    await bench.round()
    assert bench.comment().state == State.SENT


async def test_later_hours_put_off_what_waits(bench: Bench) -> None:
    bench.desk.ready(1)
    await bench.round()
    set_rules(bench, hours=WEEK, time_zone="America/New_York")
    await bench.round(later=(OPENS - bench.clock()).total_seconds())
    assert (bench.comment().state, bench.comment().due_at) == (State.READY, OPENS + timedelta(hours=5))


async def test_a_reply_whose_holder_died_waits_for_the_opening_too(bench: Bench) -> None:
    set_rules(bench)
    bench.desk.ready(1)
    bench.desk.claim_ready(owner="dead")
    set_rules(bench, hours=WEEK)
    await bench.round(later=61)
    assert (bench.comment().state, bench.platform.calls) == (State.READY, 0)
    assert (bench.comment().lease_owner, bench.comment().due_at) == (None, OPENS)


async def test_what_waited_longest_goes_first_at_the_opening(bench: Bench) -> None:
    bench.desk.ready(1, 2, 3)
    await bench.round()
    bench.clock.now = OPENS
    [job] = bench.desk.claim_ready(limit=1)
    assert job.target.comment_id == "c1"

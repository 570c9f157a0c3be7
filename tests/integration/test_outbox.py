"""Replies are handed out once, on every kind of database, and whatever dies in between."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlmodel import Session, select

from bot import outbox
from bot.bootstrap import ALL_ROLES, assemble
from bot.models import Channel, Comment, State
from bot.outbox import Failed, LeaseEnded, NotSent, Sent
from bot.reasons import Reason
from bot.settings import Settings
from bot.store import channels
from bot.store.ledger import Ledger, connect
from tests.builders import START, Desk, FakeClock

TERM_S = 600
ROUNDS = 6


def made_inbox(desk: Desk, **options: object) -> None:
    """The desk's channel is an inbox whose replies programs take."""

    def change(session: Session) -> None:
        channel = session.get_one(Channel, desk.channel_id)
        known = {"account": "Roaster", "delivery": "outbox", "lease_s": TERM_S}
        channel.platform, channel.options = "inbox", known | options
        session.add(channel)

    desk.ledger.write(change)


def take(desk: Desk, limit: int = 50, who: str = "pat") -> list[outbox.Leased]:
    return desk.ledger.write(
        outbox.lease, desk.channel_id, delivery="outbox", who=who, now=desk.clock(), limit=limit
    )


def states(ledger: Ledger) -> set[str]:
    return ledger.read(lambda session: set(session.exec(select(Comment.state))))


def test_programs_that_take_at_the_same_moment_share_the_replies(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(*range(1, 25))
    made_inbox(desk)
    barrier = Barrier(4)

    def program(number: int) -> list[int]:
        barrier.wait()
        return [one.waiting.reply.id or 0 for _ in range(ROUNDS) for one in take(desk, 3, f"p{number}")]

    with ThreadPoolExecutor(4) as pool:
        taken = [reply for some in pool.map(program, range(4)) for reply in some]
    assert len(taken) == len(set(taken))
    # A program that finds rows locked is given others, or none; what is left is taken next.
    taken += [one.waiting.reply.id or 0 for one in take(desk)]
    assert sorted(set(taken)) == sorted(taken)
    assert len(taken) == 24
    assert states(ledger) == {"sending"}


def test_only_the_holder_of_the_lease_acknowledges(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(1)
    made_inbox(desk)
    [leased] = take(desk)
    channel = ledger.read(channels.named, "demo")
    given = {"who": "eve", "now": desk.clock()}
    reply = leased.waiting.reply.id or 0
    for lease in ("", "me", "outbox/0/eve"):
        with pytest.raises(LeaseEnded):
            ledger.write(outbox.acknowledge, channel, reply, lease=lease, outcome=Sent(), **given)  # type: ignore[arg-type]
    done = ledger.write(outbox.acknowledge, channel, reply, lease=leased.lease, outcome=Sent("r1"), **given)  # type: ignore[arg-type]
    assert done is State.SENT


def test_a_lost_lease_ends_in_review_however_often_it_is_looked_for(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(1, 2)
    made_inbox(desk)
    take(desk, limit=1)
    desk.clock.forward(TERM_S + 1)
    assert [one.waiting.comment.platform_id for one in take(desk)] == ["c2"]
    assert take(desk) == []
    assert states(ledger) == {"review", "sending"}


def test_what_was_given_back_does_not_count_as_a_try(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(1)
    made_inbox(desk)
    channel = ledger.read(channels.named, "demo")
    for _ in range(3):
        [leased] = take(desk)
        outcome, now = NotSent(timedelta(seconds=5)), desk.clock()
        reply = leased.waiting.reply.id or 0
        ledger.write(
            outbox.acknowledge, channel, reply, lease=leased.lease, outcome=outcome, who="pat", now=now
        )
        desk.clock.forward(6)
    assert ledger.read(lambda session: session.exec(select(Comment.attempts)).one()) == 0


def test_what_has_become_too_long_goes_to_a_person(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(1)
    made_inbox(desk, max_reply_chars=5)
    assert take(desk) == []
    row = ledger.read(lambda session: session.exec(select(Comment)).one())
    assert (row.state, row.reason) == (State.REVIEW, Reason.REPLY_TOO_LONG)


def acknowledge(desk: Desk, leased: outbox.Leased, outcome: outbox.Outcome) -> State:
    channel = desk.ledger.read(channels.named, "demo")
    reply, given = leased.waiting.reply.id or 0, {"lease": leased.lease, "outcome": outcome, "who": "pat"}
    return desk.ledger.write(outbox.acknowledge, channel, reply, now=desk.clock(), **given)  # type: ignore[arg-type]


def test_refusals_in_a_row_stop_the_channel_and_each_counts_once(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(*range(1, 7))
    made_inbox(desk)
    given = take(desk, limit=4)
    outcomes = [Failed("blocked"), Sent("r1"), Failed("blocked"), Failed("blocked")]
    for leased, outcome in zip(given, outcomes, strict=True):
        for _ in range(3):
            acknowledge(desk, leased, outcome)
    assert not ledger.read(channels.named, "demo").paused
    [leased] = take(desk, limit=1)
    acknowledge(desk, leased, Failed("blocked"))
    channel = ledger.read(channels.named, "demo")
    assert (channel.paused, channel.refusals) == (True, 3)
    assert "refused 3 replies in a row (blocked)" in (channel.last_error or "")
    assert take(desk) == []


def test_what_is_taken_keeps_the_channels_label_and_hours(ledger: Ledger) -> None:
    desk = Desk(ledger)
    rules = {"label": {"en": "(AI)"}, "hours": {"mon": ["09:00-18:00"]}}
    ledger.write(channels.set_rules, "demo", rules, now=desk.clock())
    desk.ready(1)
    made_inbox(desk)
    assert take(desk) == [], "it is Sunday"
    desk.clock.forward(24 * 3600)
    assert [one.waiting.reply.text for one in take(desk)] == ["Ten minutes.\n(AI)"]


async def test_a_service_that_stops_between_lease_and_acknowledgement_hands_nothing_out_again(
    tmp_path: Path,
) -> None:
    """The lease is in the ledger alone: it outlives the process that gave it."""
    clock, settings = FakeClock(START + timedelta(hours=1)), Settings(data_dir=tmp_path, web={"port": 0})
    async with assemble(settings, roles=ALL_ROLES, clock=clock) as running:
        desk = Desk(running.ledger, clock)
        desk.ready(1)
        made_inbox(desk)
        [leased] = take(desk)
        await running.service._give_back()
    other = connect(settings.database_url)
    again = Desk.__new__(Desk)
    again.ledger, again.clock, again.owner, again.channel = other, clock, "me", desk.channel
    assert take(again) == []
    channel = other.read(channels.named, "demo")
    reply, now = leased.waiting.reply.id or 0, clock()
    done = other.write(
        outbox.acknowledge, channel, reply, lease=leased.lease, outcome=Sent(), who="pat", now=now
    )
    assert done is State.SENT
    other.close()

"""Budgets in the ledger: counted exactly, shared, never exceeded; and the order in which replies go out."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import event, text
from sqlmodel import select

from adapters.base import Quota
from bot.models import Channel, Comment, Draft, QuotaUse, State
from bot.planning import PollShare, day_of, days_until
from bot.reasons import Reason
from bot.store import budgets, channels, drafting, sending, verdicts
from bot.store.deciding import Sign
from bot.store.ledger import Ledger
from bot.store.sending import Settled
from tests.builders import START, Desk, comment

QUOTA = Quota(units=10_000, reply_units=50, poll_units=1, zone="America/Los_Angeles")
POLLS = PollShare(0.03, 300.0)
DAY = day_of(QUOTA, START)


def draft_of(work: drafting.Work, desk: Desk) -> Draft:
    return Draft(comment_id=work.comment.id or 0, created_at=desk.clock(), text="Ten minutes.")


def send_all(desk: Desk, quota: Quota = QUOTA) -> list[str]:
    """What goes out now, each reply at its cost."""
    sent: list[str] = []
    while jobs := desk.intend(desk.claim_ready(limit=32, quota=quota, polls=POLLS)):
        budget = budgets.name_of("sandbox", desk.channel_id, quota)
        day = day_of(quota, desk.clock())
        desk.ledger.write(budgets.add_units, budget, day, 51 * len(jobs))
        outcomes = [Settled(job.comment_id, State.SENDING, State.SENT, Reason.SENT) for job in jobs]
        desk.ledger.write(sending.settle, outcomes, owner=desk.owner, now=desk.clock())
        sent += [job.target.comment_id for job in jobs]
    return sent


def test_units_are_added_up_by_budget_and_day_whoever_counts(ledger: Ledger) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ledger.write(budgets.add_units, "a", DAY, 3), range(20)))
    ledger.write(budgets.add_units, "b", DAY, 5)
    tomorrow = day_of(QUOTA, DAY.ends)
    ledger.write(budgets.add_units, "a", tomorrow, 1)
    assert ledger.read(budgets.used, "a", DAY) == 60
    assert (ledger.read(budgets.used, "b", DAY), ledger.read(budgets.used, "a", tomorrow)) == (5, 1)
    assert ledger.read(budgets.used, "c", DAY) == 0


def test_an_exhausted_budget_is_full_and_never_less_than_counted(ledger: Ledger) -> None:
    ledger.write(budgets.add_units, "a", DAY, 10_500)
    days = days_until(QUOTA, START, DAY.ends + timedelta(hours=1))
    ledger.write(budgets.use_up, "a", days, QUOTA.units)
    assert [ledger.read(budgets.used, "a", day) for day in days] == [10_500, 10_000]


def test_a_quota_comes_back_as_it_was_kept() -> None:
    shared = Quota(10, 2, 1, "Asia/Shanghai", DAY.begins.time(), "app")
    assert budgets.quota_of(budgets.as_row(shared)) == shared
    assert budgets.quota_of(budgets.as_row(None)) is None


def test_a_thousand_replies_go_out_in_six_days_in_their_order_and_none_is_lost(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ingest(*(comment(number) for number in range(1_000)))
    drafted = [
        drafting.Outcome(work.comment.id or 0, State.READY, "because", draft=draft_of(work, desk))
        for work in desk.claim(limit=1_000)
    ]
    ledger.write(drafting.save_outcomes, drafted, owner=desk.owner, now=desk.clock())
    sent: list[list[str]] = []
    while len(sent) < 10:
        sent.append(send_all(desk))
        with_work = desk.ledger.read(sending.channels_with_work, now=desk.clock())
        assert with_work == [], "nobody asks again before the reset"
        if sum(map(len, sent)) == 1_000:
            break
        desk.clock.now = day_of(QUOTA, desk.clock()).ends
    # Four hours of the first day are over, and what they had for polls is free.
    assert [len(day) for day in sent] == [191, 190, 190, 190, 190, 49]
    assert [name for day in sent for name in day] == [f"c{number}" for number in range(1_000)]
    states = ledger.read(lambda session: set(session.exec(select(Comment.state))))
    assert states == {State.SENT}


def test_what_the_budget_cannot_pay_waits_for_the_reset_and_says_so(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(1)
    budget = budgets.name_of("sandbox", desk.channel_id, QUOTA)
    ledger.write(budgets.use_up, budget, [DAY], QUOTA.units)
    assert desk.claim_ready(quota=QUOTA, polls=POLLS) == []
    row = ledger.read(lambda session: session.exec(select(Comment)).one())
    assert (row.state, row.reason) == (State.READY, Reason.WAITING_FOR_PLATFORM)
    assert row.detail == "the day's units are used up; it goes on at 2026-03-02T08:00Z"
    assert ledger.read(channels.named, "demo").next_send_at == DAY.ends
    desk.clock.now = DAY.ends
    assert len(desk.claim_ready(quota=QUOTA, polls=POLLS)) == 1


def test_channels_that_share_a_budget_share_what_is_left(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(1, 2, 3)
    shared = Quota(300, 50, 1, "UTC", shared_by="app")

    def known(session, channel_id):  # type: ignore[no-untyped-def]
        channels.known_as(
            session,
            channel_id,
            account_id="us",
            account_name="Us",
            can={},
            max_reply_chars=100,
            flat_threads=False,
            quota=shared,
        )

    other = desk.add_channel("other")
    for channel in (desk.channel, other):
        ledger.write(known, channel.id or 0)
    assert budgets.name_of("sandbox", 1, shared) == budgets.name_of("sandbox", 2, shared)
    row = ledger.read(lambda session: session.get_one(Channel, desk.channel_id))
    assert ledger.read(budgets.sharing, row, shared) == [desk.channel_id, other.id]
    ledger.write(channels.pause, "other", paused=True, now=desk.clock())
    assert ledger.read(budgets.sharing, row, shared) == [desk.channel_id]
    no_polls = sending.NO_POLLS
    held = desk.claim_ready(limit=2, quota=shared, polls=no_polls)
    found = ledger.read(budgets.for_replies, row, shared, now=desk.clock(), polls=no_polls)
    assert (len(held), found.today) == (2, 3), "five fit, and two are on their way"


def test_replies_go_out_by_person_then_questions_then_age_then_reach(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ingest(
        comment(1, likes=1),
        comment(2, likes=70),
        comment(3),
        comment(4, likes=999, created_at=START + timedelta(days=1)),
        comment(5, likes=900),
        comment(6, likes=3),
    )
    works = {work.comment.platform_id: work for work in desk.claim()}
    for name in ("c1", "c2", "c3", "c4"):
        desk.decide(works[name], intent="question")
    desk.decide(works["c5"], intent="praise")
    desk.decide(works["c6"], State.REVIEW)
    ledger.write(verdicts.approve, works["c6"].comment.id or 0, sign=Sign("ann"), now=desk.clock())
    assert [job.target.comment_id for job in desk.claim_ready()] == ["c6", "c2", "c1", "c3", "c4", "c5"]


def test_the_first_of_many_ready_replies_is_found_by_an_index(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ready(1)
    copies = 20_000
    with ledger.engine.begin() as connection:
        numbers = (
            f"SELECT generate_series(1, {copies}) AS n"
            if ledger.engine.dialect.name == "postgresql"
            else f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM s WHERE n < {copies}) SELECT n FROM s"
        )
        names = [column.name for column in Comment.__table__.columns if column.name != "id"]  # type: ignore[attr-defined]
        values = [
            "'x' || n" if name == "platform_id" else "c.turn + n" if name == "turn" else f'c."{name}"'
            for name in names
        ]
        quoted = ", ".join(f'"{name}"' for name in names)
        connection.execute(
            text(
                f"INSERT INTO comment ({quoted}) SELECT {', '.join(values)} FROM comment c, ({numbers}) AS many"
            )
        )
        connection.execute(text("ANALYZE"))
    asked: list[tuple[str, Any]] = []
    listen = partial(event.listens_for, ledger.engine, "before_cursor_execute")

    @listen()
    def keep(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    desk.claim_ready(limit=32)
    [(statement, values)] = [one for one in asked if "ORDER BY comment.turn" in one[0]]
    explain = "EXPLAIN" if ledger.engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    with ledger.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"{explain} {statement}", values).all()
    lines = [str(row[-1]).strip() for row in rows]
    assert any("ix_comment_turn" in line for line in lines), lines
    assert not any("ORDER BY" in line or "Sort " in line for line in lines), lines


def test_days_that_are_over_don_t_count(ledger: Ledger) -> None:
    ledger.write(budgets.add_units, "a", day_of(QUOTA, DAY.begins - timedelta(seconds=1)), 9_999)
    rows = ledger.read(lambda session: list(session.exec(select(QuotaUse))))
    assert [(row.budget, row.day, row.units) for row in rows] == [("a", "2026-02-28", 9_999)]
    assert ledger.read(budgets.used, "a", DAY) == 0

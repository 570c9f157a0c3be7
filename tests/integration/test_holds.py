"""Who has which comment on the screen, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import text as sql
from sqlmodel import Session

from bot.models import State
from bot.review import Wish, decide_here
from bot.store import cases, holds, queue
from bot.store.cases import NoSuchComment
from bot.store.deciding import Sign, VerdictRefused
from bot.store.ledger import Ledger
from bot.store.queue import Filters
from tests.builders import Desk
from tests.waiting import waiting

LASTS = timedelta(seconds=120)


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


def take(desk: Desk, number: int, by: str, *, over: bool = False) -> str:
    return desk.ledger.write(holds.take, number, by=by, now=desk.clock(), lasts=LASTS, over=over).by


def skip(desk: Desk, number: int, by: str, *, over: bool = False) -> None:
    decide_here(desk.ledger, Wish("skip", number), Sign(by, over_hold=over), now=desk.clock(), undo_s=8)


def test_what_another_has_open_is_not_decided(desk: Desk) -> None:
    [number] = waiting(desk)
    assert take(desk, number, "ann") == "ann"
    assert take(desk, number, "bob") == "ann"
    with pytest.raises(VerdictRefused, match="ann has comment") as caught:
        skip(desk, number, "bob")
    assert caught.value.why == "held"
    assert desk.ledger.read(cases.case, number).item.comment.state == State.REVIEW


def test_ones_own_hold_hinders_nothing_and_ends_with_the_verdict(desk: Desk) -> None:
    [number] = waiting(desk)
    take(desk, number, "ann")
    skip(desk, number, "ann")
    assert desk.ledger.read(holds.held, [number], now=desk.clock()) == {}


def test_a_hold_ends_by_itself_unless_it_is_renewed(desk: Desk) -> None:
    [number] = waiting(desk)
    take(desk, number, "ann")
    desk.clock.forward(100)
    take(desk, number, "ann")
    desk.clock.forward(100)
    assert take(desk, number, "bob") == "ann"
    desk.clock.forward(21)
    skip(desk, number, "bob")


def test_a_comment_can_be_taken_over(desk: Desk) -> None:
    [number] = waiting(desk)
    take(desk, number, "ann")
    assert take(desk, number, "bob", over=True) == "bob"
    with pytest.raises(VerdictRefused):
        skip(desk, number, "ann")
    skip(desk, number, "ann", over=True)


def test_holds_are_given_back_one_or_all(desk: Desk) -> None:
    numbers = waiting(desk, "One?", "Two?", "Three?")
    for number in numbers:
        take(desk, number, "ann")
    desk.ledger.write(holds.release, by="bob")
    desk.ledger.write(holds.release, by="ann", comment_id=numbers[0])
    assert set(desk.ledger.read(holds.held, numbers, now=desk.clock())) == set(numbers[1:])
    desk.ledger.write(holds.release, by="ann")
    assert desk.ledger.read(holds.held, numbers, now=desk.clock()) == {}


def test_nobody_is_led_to_what_others_have_open(desk: Desk) -> None:
    one, two, three = waiting(desk, "One?", "Two?", "Three?")
    take(desk, one, "ann")
    take(desk, two, "bob")
    free = Filters(free_for="bob", now=desk.clock())
    assert desk.ledger.read(queue.ids, free, limit=9) == [two, three]
    later = Filters(free_for="bob", now=desk.clock() + LASTS)
    assert desk.ledger.read(queue.ids, later, limit=9) == [one, two, three]


def test_of_many_who_come_at_once_one_gets_it(desk: Desk) -> None:
    [number] = waiting(desk)
    start = Barrier(10)

    def come(person: int) -> str:
        start.wait()
        return take(desk, number, f"person {person}")

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(come, range(10)))) == 1


def test_a_comment_that_is_not_there_is_not_held(desk: Desk) -> None:
    with pytest.raises(NoSuchComment):
        take(desk, 99, "ann")


def test_the_last_text_of_each_person_is_kept(desk: Desk) -> None:
    [number] = waiting(desk)
    for by, text in (("ann", "first"), ("bob", "his"), ("ann", "second")):
        desk.ledger.write(holds.keep_text, number, by=by, text=text, now=desk.clock())
    found = {by: desk.ledger.read(holds.kept_text, number, by=by) for by in ("ann", "bob", "zoe")}
    assert {by: row.text if row else None for by, row in found.items()} == {
        "ann": "second", "bob": "his", "zoe": None,
    }  # fmt: skip


def test_two_texts_of_one_person_at_the_same_time_are_no_defect(ledger: Ledger) -> None:
    if ledger.engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time")
    desk = Desk(ledger)
    desk.ready(1)
    blocked = sql("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with ThreadPoolExecutor(1) as pool:
        with Session(ledger.engine) as first, first.begin():
            holds.keep_text(first, 1, by="ann", text="one", now=desk.clock())
            first.flush()
            second = pool.submit(ledger.write, holds.keep_text, 1, by="ann", text="two", now=desk.clock())
            while not second.done() and not ledger.read(lambda session: session.execute(blocked).scalar()):
                pass
        second.result()
    kept = ledger.read(holds.kept_text, 1, by="ann")
    assert kept is not None
    assert kept.text == "two"

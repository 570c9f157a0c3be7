"""The review queue: filtered, searched, sorted and paged, on SQLite and on PostgreSQL."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session

from bot.models import Comment, State
from bot.sorter import Sorter, changes
from bot.store import queue, similar
from bot.store.ledger import Ledger
from bot.store.queue import Filters, Place, Sort
from tests.builders import START, Desk
from tests.waiting import add_rows

SORTS: tuple[Sort, ...] = ("value", "oldest", "newest")


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


def fill(desk: Desk, *rows: dict[str, Any], first: int = 1, channel_id: int | None = None) -> list[int]:
    return add_rows(desk.ledger, channel_id or desk.channel_id, rows, first=first)


def found(desk: Desk, sort: Sort = "oldest", **filters: Any) -> list[int]:
    given = Filters(**filters)
    numbers = desk.ledger.read(queue.ids, given, sort=sort, limit=1000)
    assert desk.ledger.read(queue.count, given) == len(numbers)
    page = desk.ledger.read(queue.queue, given, sort=sort, limit=1000)
    assert [item.comment.id for item in page.items] == numbers
    return numbers


def paged(desk: Desk, sort: Sort, between: Any) -> list[int]:
    """Every page of seven, with `between(number of the page)` after each."""
    seen: list[int] = []
    after: Place | None = None
    for page_number in range(100):
        page = desk.ledger.read(queue.queue, Filters(), sort=sort, after=after, limit=7)
        seen += [item.comment.id or 0 for item in page.items]
        after = page.after
        if after is None:
            return seen
        between(page_number)
    raise AssertionError("the queue has no end")


def alike(number: int) -> dict[str, Any]:
    """Many with the same time and the same number of askers."""
    return {"at": START + timedelta(seconds=number // 5), "similar": number % 3}


@pytest.mark.parametrize("sort", SORTS)
def test_pages_hold_everything_once_in_the_order_of_the_whole(desk: Desk, sort: Sort) -> None:
    fill(desk, *(alike(number) for number in range(60)))
    assert paged(desk, sort, lambda _: None) == found(desk, sort)


@pytest.mark.parametrize("sort", SORTS)
def test_while_comments_come_and_go_none_that_stays_is_missed_or_seen_twice(desk: Desk, sort: Sort) -> None:
    numbers = fill(desk, *(alike(number) for number in range(60)))
    gone: set[int] = set()

    def shuffle(page: int) -> None:
        leaving = {number for number in numbers if number % 9 == page % 9}
        gone.update(leaving)
        desk.ledger.write(leave, leaving)
        fill(desk, *(alike(number + page) for number in range(3)), first=1000 + page * 10)

    seen = paged(desk, sort, shuffle)
    assert len(seen) == len(set(seen))
    assert set(numbers) - gone <= set(seen)


def leave(session: Session, numbers: set[int]) -> None:
    for number in numbers:
        session.get_one(Comment, number).state = State.SKIPPED


def test_each_filter_lets_through_what_it_names_and_all_together_what_fits_all(desk: Desk) -> None:
    other = desk.add_channel("other")
    fill(
        desk,
        {},
        {"language": "zh"},
        {"intent": "praise"},
        {"reason": "not_in_documents"},
        {"post": 2},
        {"at": START + timedelta(days=1)},
        {"state": State.SKIPPED},
        {"is_own": True},
    )
    fill(desk, {"post": 3}, {"post": 3, "language": "zh", "intent": "praise"}, first=20, channel_id=other.id)
    assert found(desk, channel="other") == [20, 21]
    assert found(desk, language="zh") == [2, 21]
    assert found(desk, intent="praise") == [3, 21]
    assert found(desk, reason="not_in_documents") == [4]
    assert found(desk, post=2) == [5]
    assert found(desk, since=START + timedelta(hours=1)) == [6]
    assert 6 not in found(desk, until=START + timedelta(hours=1))
    assert found(desk, states=(State.SKIPPED,)) == [7]
    assert found(desk, channel="other", language="zh", intent="praise", reason="checks", post=3) == [21]
    assert found(desk, channel="nope") == []
    assert 8 not in found(desk)


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("100% arabica", "100%"),
        ("snake_case", "e_c"),
        ("a \\ b", "\\"),
        ("it's 'so' \"good\"", "'so' \"good\""),
        ("烘焙要多久？", "要多久"),
        ("烘焙要多久？", "烘焙 多久"),
        ("How LONG?", "how long"),
        ("Straße", "straße"),
        ("Ünal fragt", "Ünal"),
        ("Ünal fragt", "ünal"),
        ("ПРИВЕТ всем", "Привет"),
        ("<script>", "<script>"),
        ("; DROP TABLE comment", "drop ;"),
        ("line\nbreak", "break line"),
    ],
)
def test_search_finds_what_was_written_and_nothing_else(desk: Desk, text: str, search: str) -> None:
    fill(desk, {"text": text}, {"text": "something of no use at all, with x y z and 1000 axb"})
    assert found(desk, search=search) == [1]


def test_search_looks_at_author_post_draft_and_number(desk: Desk) -> None:
    fill(desk, {"author_name": "Zoë"}, {"draft": "Twelve."}, {"post": 7}, {"draft_id": None})
    assert found(desk, search="zoë") == [1]
    assert found(desk, search="twelve") == [2]
    assert found(desk, search="Post 7") == [3]
    assert found(desk, search="#2") == [2]
    assert found(desk, search="#99999999999999999999") == []
    assert found(desk, search="#²") == []
    assert found(desk, search="roast") == [1, 2, 3, 4]


def test_what_most_ask_comes_first_then_what_waits_longest(desk: Desk) -> None:
    fill(desk, {"similar": 1}, {"similar": 3}, {"similar": 3}, {"similar": 2})
    assert found(desk, "value") == [2, 3, 4, 1]
    assert found(desk, "oldest") == [1, 2, 3, 4]
    assert found(desk, "newest") == [4, 3, 2, 1]


def test_facets_add_up_to_the_queue(desk: Desk) -> None:
    fill(
        desk,
        *({"language": "zh" if number % 3 else "en", "intent": "praise" if number % 2 else "question",
           "post": 1 + number % 4} for number in range(24)),
        {"draft_id": None},
        {"state": State.SKIPPED},
        {"is_own": True},
    )  # fmt: skip
    told = desk.ledger.read(queue.facets)
    assert told.total == len(found(desk)) == 25
    for counts in (told.channels, told.languages, told.intents, told.reasons, told.posts):
        assert counts.total() == told.total
    assert told.intents[""] == 1
    for language, number in told.languages.items():
        assert number == len(found(desk, language=language))
    for post, number in told.posts.items():
        assert number == len(found(desk, post=post))
    assert told.titles == {number: f"Post {number}" for number in told.posts}


def test_a_queue_of_nothing_has_no_pages_and_no_facets(desk: Desk) -> None:
    page = desk.ledger.read(queue.queue, Filters())
    assert (page.items, page.after, desk.ledger.read(queue.facets).total) == ([], None, 0)


async def test_those_who_ask_the_same_are_counted(desk: Desk) -> None:
    fill(
        desk,
        {"text": "How long do I roast the beans?"},
        {"text": "how long do i roast the beans???"},
        {"text": "Do you ship to Canada?"},
        {"text": "How long do I roast the beans?", "state": State.SENT},
    )
    await Sorter(desk.ledger).tick()
    counted = desk.ledger.read(
        lambda session: {number: session.get_one(Comment, number).similar for number in (1, 2, 3)}
    )
    assert counted == {1: 2, 2: 2, 3: 1}
    assert changes(desk.ledger.read(similar.waiting)) == {}


async def test_what_is_answered_is_no_longer_counted(desk: Desk) -> None:
    fill(desk, {"text": "How long do I roast the beans?"}, {"text": "how long do i roast the beans?"})
    await Sorter(desk.ledger).tick()
    before = desk.ledger.read(similar.mark)
    desk.ledger.write(leave, {1})
    assert desk.ledger.read(similar.mark) != before
    await Sorter(desk.ledger).tick()
    assert desk.ledger.read(lambda session: session.get_one(Comment, 2).similar) == 1

"""What viewers ask and the documents don't hold: which comments belong together, and which are taken."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.models import Draft, State
from bot.reasons import Reason
from bot.store.deciding import Sign
from bot.store.drafting import Outcome, Work, save_outcomes
from bot.store.ledger import Ledger
from bot.store.unanswered import Unanswered, unanswered
from bot.store.verdicts import edit
from bot.unanswered import topics
from tests.builders import Desk, comment

START = datetime(2026, 3, 1, tzinfo=UTC)
SHIPPING = [
    "Do you ship to Canada?",
    "hi!! great video, is shipping to Canada possible?? 😀",
    "do you ship to canada",
    "@ann can I get it shipped to Canada please",
]
GRINDER = ["Which grinder do you use?", "what grinder is that", "grinder name pls"]
INVOICE = ["可以开发票吗？", "博主你好，请问能开发票吗", "怎么开发票啊？？"]
DECAF = ["低因咖啡豆有吗？", "请问有没有低因咖啡豆"]


def asked(texts: Sequence[str], waiting: bool = True) -> list[Unanswered]:
    return [
        Unanswered(number, text, "blog", f"post {number % 2}", START + timedelta(hours=number), waiting)
        for number, text in enumerate(texts, 1)
    ]


def test_comments_that_ask_the_same_are_one_topic_in_both_languages() -> None:
    mixed = [*SHIPPING, *GRINDER, *INVOICE, *DECAF]
    random.Random(3).shuffle(mixed)
    found = [sorted(one.text for one in topic.comments) for topic in topics(asked(mixed))]
    assert found[0] == sorted(SHIPPING)
    assert sorted(found) == sorted(sorted(group) for group in (SHIPPING, GRINDER, INVOICE, DECAF))


def test_a_topic_says_how_often_where_and_when_it_was_asked() -> None:
    [topic] = topics([*asked(SHIPPING[:3]), *asked(SHIPPING[3:], waiting=False)])
    assert (topic.count, topic.waiting) == (4, 3)
    assert topic.posts == ("post 1", "post 0")
    assert (topic.first, topic.last) == (START + timedelta(hours=1), START + timedelta(hours=3))


def test_the_example_is_the_wording_that_was_used_most() -> None:
    rare, usual = "Could shipping to Canada be possible at all?", "Do you ship to Canada?"
    assert topics(asked([rare, usual, usual]))[0].example == usual


def test_comments_without_a_word_of_their_own_are_kept_apart_but_kept() -> None:
    found = topics(asked(["???", "how is it?", "!!!"]))
    assert [topic.example for topic in found] == ["???", "how is it?", "!!!"]


@given(st.lists(st.text(max_size=40), max_size=30), st.randoms())
def test_every_comment_is_in_one_topic_whatever_the_order(texts: list[str], shuffle: random.Random) -> None:
    comments = asked(texts)
    found = topics(comments)
    assert sorted(one.id for topic in found for one in topic.comments) == [one.id for one in comments]
    assert [topic.count for topic in found] == sorted((topic.count for topic in found), reverse=True)
    shuffle.shuffle(comments)
    assert topics(comments) == found


def draft(desk: Desk, work: Work, reason: Reason) -> None:
    made = Draft(comment_id=work.comment.id or 0, created_at=desk.clock(), reason=reason)
    outcome = Outcome(work.comment.id or 0, State.REVIEW, reason, draft=made)
    assert desk.ledger.write(save_outcomes, [outcome], owner=desk.owner, now=desk.clock())


def test_only_what_the_documents_did_not_hold_is_taken_waiting_or_answered_by_hand(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.ingest(*(comment(number, f"Question {number}?") for number in range(1, 5)))
    reasons = [Reason.NOT_IN_DOCUMENTS, Reason.CHECKS, Reason.NOT_IN_DOCUMENTS, Reason.NOT_IN_DOCUMENTS]
    works = desk.claim()
    for work, reason in zip(works, reasons, strict=True):
        draft(desk, work, reason)
    ledger.write(edit, works[2].comment.id or 0, text="By hand.", sign=Sign("ann"), now=desk.clock())
    found = ledger.read(unanswered)
    assert [(one.text, one.waiting) for one in found] == [
        ("Question 1?", True),
        ("Question 3?", False),
        ("Question 4?", True),
    ]
    assert (found[0].channel, found[0].post) == ("demo", "Roasting at home")


@pytest.mark.parametrize(("limit", "hours", "left"), [(2, 0, [3, 4]), (9, 3, [3, 4])])
def test_the_newest_are_taken(ledger: Ledger, limit: int, hours: int, left: list[int]) -> None:
    desk = Desk(ledger)
    desk.ingest(
        *(
            comment(number, f"Question {number}?", created_at=START + timedelta(hours=24 + number))
            for number in range(1, 5)
        )
    )
    for work in desk.claim():
        draft(desk, work, Reason.NOT_IN_DOCUMENTS)
    found = ledger.read(unanswered, since=START + timedelta(hours=24 + hours), limit=limit)
    assert [one.text for one in found] == [f"Question {number}?" for number in left]

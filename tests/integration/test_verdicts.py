"""What a person decides, and takes back, on SQLite and on PostgreSQL."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlmodel import Session, select

from bot.models import Channel, Comment, KeptText, Reply, State, Verdict
from bot.reasons import Reason
from bot.responder import question
from bot.review import Act, Wish, decide_each, decide_here
from bot.store import cases, holds, sending, verdicts
from bot.store.deciding import Sign, VerdictRefused
from bot.store.drafting import claim_new
from bot.store.ledger import Ledger
from tests.builders import LEASE, Desk
from tests.waiting import add_rows, waiting

ANN, BOB = Sign("ann"), Sign("bob")


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


def decide(
    desk: Desk, act: Act, number: int, sign: Sign = ANN, *, undo_s: float = 8.0, **wish: Any
) -> Verdict | None:
    desk.clock.forward(1)
    return decide_here(desk.ledger, Wish(act, number, **wish), sign, now=desk.clock(), undo_s=undo_s)


def refusal(desk: Desk, act: Act, number: int, sign: Sign = ANN, **wish: Any) -> VerdictRefused:
    with pytest.raises(VerdictRefused) as caught:
        decide(desk, act, number, sign, **wish)
    return caught.value


def comment_of(desk: Desk, number: int) -> Comment:
    return desk.ledger.read(cases.case, number).item.comment


def reply_of(desk: Desk, number: int) -> Reply | None:
    return desk.ledger.read(cases.case, number).item.reply


def rows(desk: Desk, table: Any, **where: object) -> list[Any]:
    return desk.ledger.read(lambda session: list(session.exec(select(table).filter_by(**where))))


def kept(desk: Desk, number: int, by: str = "ann") -> str | None:
    found = desk.ledger.read(holds.kept_text, number, by=by)
    return found.text if found is not None else None


def test_the_candidate_that_was_chosen_is_sent_and_written_down(desk: Desk) -> None:
    [number] = waiting(desk)
    sign = Sign("ann", via="page", version=1, took_s=2.5)
    verdict = decide(desk, "approve", number, sign, candidate=1)
    assert verdict is not None
    assert (verdict.kind, verdict.text, verdict.chosen, verdict.candidates) == (
        "approve", "Nine minutes.", 1, ["Ten minutes.", "Nine minutes."],
    )  # fmt: skip
    assert (verdict.took_s, verdict.via, verdict.version, verdict.prompt_hash, verdict.voice) == (
        2.5, "page", 1, "p", "mia-1",
    )  # fmt: skip
    reply = reply_of(desk, number)
    assert reply is not None
    assert (reply.text, reply.approved_by) == ("Nine minutes.", "ann")


@pytest.mark.parametrize("candidate", [2, -1])
def test_a_candidate_that_is_not_there_is_not_approved(desk: Desk, candidate: int) -> None:
    [number] = waiting(desk)
    assert refusal(desk, "approve", number, candidate=candidate).why == "no_draft"
    assert comment_of(desk, number).state == State.REVIEW


def test_nothing_goes_out_before_the_time_to_take_it_back_is_over(desk: Desk) -> None:
    [number] = waiting(desk)
    decide(desk, "approve", number, undo_s=8)
    desk.clock.forward(7)
    assert not desk.claim_ready()
    desk.clock.forward(1)
    assert [job.comment_id for job in desk.claim_ready()] == [number]


def test_an_edit_that_changes_nothing_is_an_approval(desk: Desk) -> None:
    [number] = waiting(desk)
    verdict = decide(desk, "edit", number, text=" Nine minutes. \n", candidate=0)
    assert verdict is not None
    assert (verdict.kind, verdict.chosen) == ("approve", 1)


@pytest.mark.parametrize(("candidate", "chosen"), [(1, 1), (None, None), (7, None)])
def test_an_edit_says_what_it_was_made_from(desk: Desk, candidate: int | None, chosen: int | None) -> None:
    [number] = waiting(desk)
    verdict = decide(desk, "edit", number, text="Twelve.", candidate=candidate)
    assert verdict is not None
    assert (verdict.kind, verdict.chosen, verdict.text) == ("edit", chosen, "Twelve.")


def test_an_edit_of_what_was_skipped_is_never_an_approval(desk: Desk) -> None:
    [number] = waiting(desk)
    decide(desk, "skip", number)
    verdict = decide(desk, "edit", number, text="Ten minutes.")
    assert verdict is not None
    assert verdict.kind == "edit"
    assert comment_of(desk, number).state == State.READY


@pytest.mark.parametrize(
    ("act", "text"), [("edit", "Twelve minutes."), ("reject", "wrong tone"), ("redraft", "shorter")]
)
def test_on_a_stale_version_nothing_changes_and_the_text_is_kept(desk: Desk, act: Act, text: str) -> None:
    [number] = waiting(desk)
    error = refusal(desk, act, number, Sign("ann", version=0), text=text)
    assert (error.why, error.version) == ("stale", 1)
    assert (comment_of(desk, number).state, comment_of(desk, number).version) == (State.REVIEW, 1)
    assert kept(desk, number) == text
    assert kept(desk, number, "bob") is None
    assert rows(desk, Verdict) == []


def test_a_kept_text_goes_with_the_verdict_that_is_taken(desk: Desk) -> None:
    [number] = waiting(desk)
    refusal(desk, "edit", number, Sign("ann", version=0), text="Twelve.")
    decide(desk, "edit", number, text="Twelve.")
    assert rows(desk, KeptText) == []


@pytest.mark.parametrize(
    ("act", "wish", "why"),
    [("edit", {"text": " \u200b\n"}, "empty"), ("edit", {"text": "x" * 10_001}, "long"),
     ("reject", {"text": "x" * 10_001}, "long"), ("redraft", {"text": "x" * 10_001}, "long")],
)  # fmt: skip
def test_a_text_that_cannot_be_taken_changes_nothing(desk: Desk, act: Act, wish: Any, why: str) -> None:
    [number] = waiting(desk)
    assert refusal(desk, act, number, **wish).why == why
    assert comment_of(desk, number).version == 1


def test_a_reply_longer_than_the_platform_takes_is_refused(desk: Desk) -> None:
    [number] = waiting(desk)

    def shorten(session: Session) -> None:
        session.get_one(Channel, desk.channel_id).max_reply_chars = 5

    desk.ledger.write(shorten)
    assert refusal(desk, "edit", number, text="123456").why == "long"
    assert decide(desk, "edit", number, text="12345") is not None


def test_a_verdict_on_a_comment_that_is_gone_is_refused(desk: Desk) -> None:
    assert refusal(desk, "edit", 99, text="Hello.").why == "gone"
    assert rows(desk, KeptText) == []


@pytest.mark.parametrize("act", ["approve", "edit", "reject", "skip", "redraft"])
def test_what_was_sent_is_decided_no_more(desk: Desk, act: Act) -> None:
    [number] = waiting(desk)
    sent(desk, number)
    assert refusal(desk, act, number, text="Another.").why == "state"


def sent(desk: Desk, number: int) -> None:
    """The comment has got its reply."""
    decide(desk, "approve", number, undo_s=0)
    [job] = desk.intend(desk.claim_ready())
    proof = sending.Settled(job.comment_id, State.SENDING, State.SENT, Reason.SENT, platform_id=f"r{number}")
    assert desk.ledger.write(sending.settle, [proof], owner=desk.owner, now=desk.clock())


def test_the_same_key_makes_the_same_verdict(desk: Desk) -> None:
    [number] = waiting(desk)
    sign = Sign("ann", key="k1", version=1)
    first, second = decide(desk, "approve", number, sign), decide(desk, "approve", number, sign)
    assert first is not None
    assert second is not None
    assert first.id == second.id
    assert len(rows(desk, Verdict)) == 1


def test_a_key_used_for_another_kind_or_comment_is_refused(desk: Desk) -> None:
    one, two = waiting(desk, "One?", "Two?")
    sign = Sign("ann", key="k1")
    decide(desk, "approve", one, sign)
    assert refusal(desk, "reject", one, sign, text="no").why == "key"
    assert refusal(desk, "approve", two, sign).why == "key"
    assert decide(desk, "approve", two, Sign("bob", key="k1")) is not None


def test_one_key_from_many_at_once_is_one_verdict(desk: Desk) -> None:
    [number] = waiting(desk)
    start = Barrier(20)

    def press(_: int) -> int | None:
        start.wait()
        verdict = decide_here(
            desk.ledger, Wish("approve", number), Sign("ann", key="k1"), now=desk.clock(), undo_s=8
        )
        return verdict.id if verdict is not None else None

    with ThreadPoolExecutor(20) as pool:
        made = set(pool.map(press, range(20)))
    assert len(made) == 1
    assert [verdict.id for verdict in rows(desk, Verdict)] == list(made)
    assert comment_of(desk, number).version == 2


def test_one_key_for_many_comments_at_once_is_one_verdict(desk: Desk) -> None:
    numbers = waiting(desk, *(f"Question {number}?" for number in range(10)))
    start = Barrier(10)

    def press(number: int) -> str:
        start.wait()
        try:
            decide_here(desk.ledger, Wish("skip", number), Sign("ann", key="k1"), now=desk.clock(), undo_s=8)
        except VerdictRefused as error:
            return error.why
        return "done"

    with ThreadPoolExecutor(10) as pool:
        told = Counter(pool.map(press, numbers))
    assert told == {"done": 1, "key": 9}
    assert len(rows(desk, Verdict)) == 1
    assert Counter(row.state for row in rows(desk, Comment)) == {"skipped": 1, "review": 9}


def failed(desk: Desk, number: int) -> None:
    decide(desk, "approve", number, undo_s=0)
    desk.claim_ready()
    lost = sending.Settled(number, State.READY, State.FAILED, Reason.REFUSED_BY_PLATFORM, "no")
    assert desk.ledger.write(sending.settle, [lost], owner=desk.owner, now=desk.clock())


FROM: dict[str, Callable[[Desk, int], object]] = {
    "review": lambda desk, number: None,
    "skipped": lambda desk, number: decide(desk, "reject", number, text="wrong tone"),
    "failed": failed,
}


@pytest.mark.parametrize(
    ("act", "source"),
    [("approve", "review"), ("edit", "review"), ("edit", "skipped"), ("edit", "failed"), ("reject", "review"),
     ("skip", "review"), ("skip", "failed")],
)  # fmt: skip
def test_undo_puts_a_comment_back_where_it_was_for_the_reason_it_was_there(
    desk: Desk, act: Act, source: str
) -> None:
    [number] = waiting(desk)
    FROM[source](desk, number)
    before, had_reply = comment_of(desk, number), reply_of(desk, number)
    desk.clock.forward(60)
    verdict = decide(desk, act, number, text="Twelve.")
    undone = decide(desk, "undo", number)
    after = comment_of(desk, number)
    assert (after.state, after.reason, after.detail) == (before.state, before.reason, before.detail)
    assert after.updated_at == before.updated_at, "it stands where it stood in the queue"
    assert verdict is not None
    assert undone is not None
    assert (undone.id, undone.undone_at) == (verdict.id, desk.clock())
    assert after.version == before.version + 2
    reply = reply_of(desk, number)
    assert (reply.text if reply else None) == (had_reply.text if had_reply else None)
    desk.clock.forward(1000)
    assert not desk.claim_ready()


@pytest.mark.parametrize("act", ["approve", "edit", "reject", "skip"])
def test_a_verdict_taken_back_can_be_given_anew(desk: Desk, act: Act) -> None:
    [number] = waiting(desk)
    decide(desk, act, number, text="Twelve.")
    decide(desk, "undo", number)
    assert decide(desk, "approve", number, undo_s=0) is not None
    assert [job.text for job in desk.claim_ready()] == ["Ten minutes."]


def test_verdicts_are_taken_back_one_after_the_other(desk: Desk) -> None:
    [number] = waiting(desk)
    decide(desk, "reject", number, text="no")
    decide(desk, "edit", number, text="Twelve.")
    decide(desk, "undo", number)
    assert comment_of(desk, number).state == State.SKIPPED
    assert refusal(desk, "undo", number).why == "too_late"


def test_a_text_that_was_taken_back_is_not_sent_by_a_new_try(desk: Desk) -> None:
    [number] = waiting(desk)
    decide(desk, "approve", number, undo_s=0)
    desk.intend(desk.claim_ready())
    lost = sending.Settled(number, State.SENDING, State.FAILED, Reason.REFUSED_BY_PLATFORM, "no")
    assert desk.ledger.write(sending.settle, [lost], owner=desk.owner, now=desk.clock())
    decide(desk, "edit", number, text="Twelve.")
    decide(desk, "undo", number)
    decide(desk, "retry", number)
    assert [job.text for job in desk.claim_ready()] == ["Ten minutes."]


def test_what_is_on_its_way_or_sent_is_not_taken_back(desk: Desk) -> None:
    one, two = waiting(desk, "One?", "Two?")
    for number in (one, two):
        decide(desk, "approve", number, undo_s=0)
    desk.intend(desk.claim_ready())
    assert refusal(desk, "undo", one).why == "too_late"
    proof = sending.Settled(two, State.SENDING, State.SENT, Reason.SENT, platform_id="r")
    assert desk.ledger.write(sending.settle, [proof], owner=desk.owner, now=desk.clock())
    assert "on its way or has been sent" in str(refusal(desk, "undo", two))


def test_without_a_verdict_there_is_nothing_to_take_back(desk: Desk) -> None:
    [number] = waiting(desk)
    assert refusal(desk, "undo", number).why == "too_late"


def test_a_sender_that_has_claimed_a_reply_cannot_send_it_after_the_undo(desk: Desk) -> None:
    [number] = waiting(desk)
    decide(desk, "approve", number, undo_s=0)
    jobs = desk.claim_ready()
    assert [job.comment_id for job in jobs] == [number]
    decide(desk, "undo", number)
    assert desk.intend(jobs) == []
    assert comment_of(desk, number).state == State.REVIEW
    assert reply_of(desk, number) is None


def test_a_sender_that_claimed_before_an_undo_and_a_new_approval_sends_no_old_text(desk: Desk) -> None:
    [number] = waiting(desk)
    decide(desk, "approve", number, undo_s=0)
    jobs = desk.claim_ready()
    decide(desk, "undo", number)
    decide(desk, "edit", number, text="Twelve.", undo_s=8)
    assert desk.intend(jobs) == []


def test_undo_and_send_at_the_same_moment_end_in_one_of_the_two(desk: Desk) -> None:
    numbers = waiting(desk, *(f"Question {number}?" for number in range(20)))
    for number in numbers:
        decide(desk, "approve", number, undo_s=0)
    jobs = {job.comment_id: job for job in desk.claim_ready()}
    start = Barrier(2)

    def undone(number: int) -> bool:
        start.wait()
        try:
            desk.ledger.write(verdicts.undo, number, sign=ANN, now=desk.clock())
        except VerdictRefused:
            return False
        return True

    def granted(number: int) -> bool:
        start.wait()
        return bool(desk.intend([jobs[number]]))

    with ThreadPoolExecutor(2) as pool:
        for number in numbers:
            back, goes = pool.submit(undone, number), pool.submit(granted, number)
            assert back.result() is not goes.result()
            assert comment_of(desk, number).state == (State.REVIEW if back.result() else State.SENDING)
            assert (reply_of(desk, number) is None) is back.result()


def test_a_clock_that_jumps_back_hinders_no_undo(desk: Desk) -> None:
    [number] = waiting(desk)
    decide(desk, "approve", number)
    desk.clock.forward(-3600)
    assert decide(desk, "undo", number) is not None
    assert comment_of(desk, number).state == State.REVIEW


def test_what_the_responder_did_since_is_not_taken_back(desk: Desk) -> None:
    [number] = waiting(desk)
    decide(desk, "reject", number, text="no")
    decide(desk, "redraft", number, text="shorter")
    assert refusal(desk, "undo", number).why == "too_late"
    assert comment_of(desk, number).state == State.NEW


def test_another_draft_comes_with_the_hint_for_prompt_and_search(desk: Desk) -> None:
    [number] = waiting(desk, "👍")
    assert decide(desk, "redraft", number, text="  name the roast level ") is None
    [work] = desk.ledger.write(claim_new, owner="me", now=desk.clock(), lease=LEASE, limit=5)
    asked = question(work)
    assert (asked.asked, asked.hint) == (True, "name the roast level")
    assert "name the roast level" in asked.wording


def test_another_draft_of_a_rejected_comment_may_be_asked_for(desk: Desk) -> None:
    [number] = waiting(desk)
    decide(desk, "reject", number, text="wrong")
    decide(desk, "redraft", number, text="")
    assert (comment_of(desk, number).state, comment_of(desk, number).reason) == (State.NEW, Reason.REDRAFT)


async def test_each_wish_of_many_stands_for_itself(desk: Desk) -> None:
    one, two = waiting(desk, "One?", "Two?")
    decide(desk, "skip", one)
    wishes = [(Wish("approve", number), ANN) for number in (one, 99, two)]
    told = await decide_each(desk.ledger, wishes, now=desk.clock(), undo_s=8)
    assert [(each.comment_id, each.refusal.why if each.refusal else None) for each in told] == [
        (one, "state"), (99, "gone"), (two, None),
    ]  # fmt: skip


def test_fifty_people_on_five_hundred_comments_give_each_one_verdict(desk: Desk) -> None:
    numbers = add_rows(desk.ledger, desk.channel_id, [{}] * 500)
    start = Barrier(50)

    def decide_all(person: int) -> list[int]:
        start.wait()
        sign, done = Sign(f"person {person}"), []
        # Each comment is before two people.
        for number in (numbers + numbers)[person * 10 : person * 10 + 20]:
            try:
                decide_here(desk.ledger, Wish("skip", number), sign, now=desk.clock(), undo_s=8)
            except VerdictRefused:
                continue
            done.append(number)
        return done

    with ThreadPoolExecutor(50) as pool:
        answered = [
            (person, number) for person, done in enumerate(pool.map(decide_all, range(50))) for number in done
        ]
    made = [(int(verdict.by.split()[1]), verdict.comment_id) for verdict in rows(desk, Verdict)]
    assert sorted(made) == sorted(answered)
    assert sorted(number for _, number in made) == numbers
    assert {row.state for row in rows(desk, Comment)} == {"skipped"}

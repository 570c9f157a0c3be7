"""Shadow: whatever else happens, the platform is never asked to take a reply."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.auth import FreshAuth
from adapters.base import Account, ReplyRef
from adapters.errors import Permanent, Transient
from bot.connections import Connection, muted
from bot.models import Draft, State
from bot.reasons import Reason
from bot.store import channels, drafting, sending, shadow, verdicts
from bot.store.deciding import Sign
from bot.store.ledger import connect, sqlite_url
from bot.store.migrate import upgrade
from tests.builders import START, comment
from tests.unit.test_sender import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    ledger = connect(sqlite_url(tmp_path / "ledger.db"))
    upgrade(ledger)
    yield Bench(ledger)
    ledger.close()


def switch(bench: Bench, on: bool) -> int:
    return bench.desk.ledger.write(channels.set_shadow, "demo", on=on, now=bench.clock())


def held(bench: Bench, platform_id: str = "c1") -> bool:
    found = bench.comment(platform_id)
    return (found.state, found.reason) == (State.REVIEW, Reason.SHADOW)


async def test_what_would_be_sent_goes_to_a_person(bench: Bench) -> None:
    switch(bench, True)
    bench.desk.ready(1)
    assert held(bench)
    await bench.round()
    assert bench.platform.calls == 0


async def test_what_was_ready_goes_to_a_person_when_shadow_begins(bench: Bench) -> None:
    bench.desk.ready(1, 2)
    assert switch(bench, True) == 2
    await bench.round()
    assert held(bench)
    assert held(bench, "c2")
    assert (bench.platform.calls, bench.platform.looks) == (0, 0)


async def test_the_end_of_shadow_sends_nothing_old(bench: Bench) -> None:
    bench.desk.ready(1)
    switch(bench, True)
    bench.desk.ready(2)
    switch(bench, False)
    await bench.round(later=1000)
    assert held(bench)
    assert held(bench, "c2")
    assert bench.platform.calls == 0
    bench.desk.ready(3)
    await bench.round()
    assert bench.comment("c3").state == State.SENT


async def test_a_sender_that_holds_a_reply_cannot_write_the_intent_any_more(bench: Bench) -> None:
    bench.desk.ready(1)
    jobs = bench.desk.claim_ready()
    switch(bench, True)
    assert bench.desk.intend(jobs) == []


async def test_no_intent_is_written_even_for_what_is_ready_by_a_defect(bench: Bench) -> None:
    bench.desk.ready(1)
    jobs = bench.desk.claim_ready()
    row = bench.channel()
    row.shadow = True
    bench.desk.ledger.write(lambda session: session.add(row))
    assert bench.desk.intend(jobs) == []
    await bench.round(later=61)
    assert held(bench)
    assert bench.platform.calls == 0


async def test_an_unclear_send_is_settled_by_asking(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.answer = lambda: Transient("500", ambiguous=True)
    bench.platform.stores_before_failing = True
    await bench.round()
    switch(bench, True)
    await bench.round(later=6)
    assert bench.comment().state == State.SENT
    assert bench.platform.calls == 1


async def test_an_unclear_send_that_never_arrived_is_not_sent_again(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.platform.answer = lambda: Transient("500", ambiguous=True)
    await bench.round()
    switch(bench, True)
    await bench.round(later=6)
    assert held(bench)
    await bench.round(later=1000)
    assert bench.platform.calls == 1


async def test_an_intent_whose_process_died_is_not_sent_again(bench: Bench) -> None:
    bench.desk.ready(1)
    bench.desk.intend(bench.desk.claim_ready(owner="dead"), owner="dead")
    switch(bench, True)
    await bench.round(later=61)
    await bench.round(later=6)
    assert held(bench)
    assert bench.platform.calls == 0


async def test_another_channel_goes_on_sending(bench: Bench) -> None:
    other = bench.desk.add_channel("other")
    bench.desk.ledger.write(channels.set_shadow, "other", on=True, now=bench.clock())
    bench.desk.ready(1)
    assert bench.desk.ledger.write(shadow.hold_back, now=bench.clock(), channel_id=other.id) == 0
    await bench.round()
    assert bench.comment().state == State.SENT


async def test_a_muted_connection_reads_but_never_writes(bench: Bench) -> None:
    platform = bench.platform
    bench.desk.ready(1)
    [job] = bench.desk.claim_ready()
    found = ReplyRef("h1", "c1", "by hand", START)
    platform.replies.append(found)
    connection = muted(Connection(platform, Account("us", "Us"), 5.0, FreshAuth(platform)))  # type: ignore[arg-type]
    assert connection.capabilities == platform.capabilities
    assert await connection.adapter.find_own_replies(job.target, START) == [found]
    with pytest.raises(Permanent, match="shadow"):
        await connection.call(lambda: connection.adapter.reply(job.target, "text", "key"))
    assert platform.calls == 0


def waiting(bench: Bench, number: int = 1) -> int:
    """A comment for a person, and its number in the ledger."""
    bench.desk.ingest(comment(number))
    [work] = bench.desk.claim()
    bench.desk.decide(work, State.REVIEW)
    return work.comment.id or 0


@pytest.mark.parametrize("text", ["Ten minutes.", "Written anew."])
async def test_what_a_person_approves_in_shadow_is_kept_and_not_sent(bench: Bench, text: str) -> None:
    number = waiting(bench)
    switch(bench, True)
    sign = Sign("ann")
    verdict = bench.desk.ledger.write(verdicts.edit, number, text=text, sign=sign, now=bench.clock())
    assert (bench.comment().state, bench.comment().reason) == (State.SKIPPED, Reason.SHADOW)
    assert (verdict.text, verdict.undone_at) == (text, None)
    switch(bench, False)
    await bench.round(later=1000)
    assert bench.platform.calls == 0


async def test_a_verdict_in_shadow_can_be_taken_back(bench: Bench) -> None:
    number = waiting(bench)
    switch(bench, True)
    bench.desk.ledger.write(verdicts.approve, number, sign=Sign("ann"), now=bench.clock())
    bench.desk.ledger.write(verdicts.undo, number, sign=Sign("ann"), now=bench.clock())
    assert bench.comment().state == State.REVIEW


async def test_after_shadow_a_person_may_still_answer_what_was_skipped(bench: Bench) -> None:
    number = waiting(bench)
    switch(bench, True)
    bench.desk.ledger.write(verdicts.approve, number, sign=Sign("ann"), now=bench.clock())
    bench.desk.ledger.write(verdicts.edit, number, text="Again.", sign=Sign("ann"), now=bench.clock())
    assert bench.comment().state == State.SKIPPED
    switch(bench, False)
    bench.desk.ledger.write(verdicts.edit, number, text="Now.", sign=Sign("ann"), now=bench.clock())
    await bench.round()
    assert (bench.comment().state, bench.reply().text) == (State.SENT, "Now.")


async def test_under_the_services_shadow_what_a_person_approves_is_skipped_once_it_is_settled(
    bench: Bench,
) -> None:
    began = bench.clock()
    number = waiting(bench)
    bench.desk.ledger.write(verdicts.approve, number, sign=Sign("ann"), now=bench.clock(), undo_s=8)
    assert bench.desk.ledger.write(shadow.hold_back, now=bench.clock(), began=began) == 0
    bench.clock.forward(8)
    assert bench.desk.ledger.write(shadow.hold_back, now=bench.clock(), began=began) == 1
    assert (bench.comment().state, bench.comment().reason) == (State.SKIPPED, Reason.SHADOW)


async def test_what_was_approved_before_the_services_shadow_goes_back_to_a_person(bench: Bench) -> None:
    number = waiting(bench)
    bench.desk.ledger.write(verdicts.approve, number, sign=Sign("ann"), now=bench.clock(), undo_s=8)
    bench.clock.forward(1)
    bench.desk.ledger.write(shadow.hold_back, now=bench.clock(), began=bench.clock())
    assert held(bench)


async def test_with_the_services_own_shadow_the_policys_replies_go_to_a_person(bench: Bench) -> None:
    bench.desk.ingest(comment(1))
    [work] = bench.desk.claim()
    draft = Draft(comment_id=work.comment.id or 0, created_at=bench.clock(), text="x", decision="send")
    outcome = drafting.Outcome(work.comment.id or 0, State.READY, "grounded", draft=draft)
    bench.desk.ledger.write(
        drafting.save_outcomes, [outcome], owner="me", now=bench.clock(), everywhere_shadow=True
    )
    assert held(bench)


async def test_what_is_tried_again_in_shadow_does_not_go_out_after_it(bench: Bench) -> None:
    """Nor where the channel was paused, so that no sender looked at it meanwhile."""
    desk, ledger = bench.desk, bench.desk.ledger
    desk.ready(1)
    jobs = desk.intend(desk.claim_ready())
    failed = [sending.Settled(job.comment_id, State.SENDING, State.FAILED, Reason.DEFECT) for job in jobs]
    ledger.write(sending.settle, failed, owner=desk.owner, now=bench.clock())
    for paused, shadowed in ((True, True), (False, False)):
        ledger.write(channels.pause, "demo", paused=paused, now=bench.clock())
        ledger.write(channels.set_shadow, "demo", on=shadowed, now=bench.clock())
        if shadowed:
            sign = Sign("ann")
            ledger.write(verdicts.retry, jobs[0].comment_id, sign=sign, now=bench.clock())
    bench.clock.forward(3600)
    assert desk.claim_ready() == []

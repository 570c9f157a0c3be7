"""The ledger's promises, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import Session, select

from bot.models import Channel, Comment, Draft, Event, Reply, State
from bot.store import cases, channels, drafting, polling, sending, stats, verdicts
from bot.store.deciding import Sign, VerdictRefused
from bot.store.ledger import Ledger, LedgerUnavailable, LedgerUnusable, connect, sqlite_url
from bot.store.migrate import upgrade
from bot.store.states import MOVES, IllegalMove, Move, move
from tests.builders import LEASE, START, Desk, comment, page


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


def states(ledger: Ledger) -> dict[str, str]:
    def work(session: Session) -> dict[str, str]:
        return {row.platform_id: row.state for row in session.exec(select(Comment))}

    return ledger.read(work)


def one(ledger: Ledger, table: type, **where: object):  # type: ignore[no-untyped-def]
    return ledger.read(lambda session: session.exec(select(table).filter_by(**where)).one())


def test_a_comment_read_twice_is_ingested_once(desk: Desk) -> None:
    first = desk.ingest(comment(1), comment(2))
    again = desk.ingest(comment(2), comment(3))
    assert first is not None
    assert (first.new, first.known) == (2, 0)
    assert again is not None
    assert (again.new, again.known) == (1, 1)
    assert states(desk.ledger) == {"c1": "new", "c2": "new", "c3": "new"}


def test_the_same_comment_twice_in_one_page_is_ingested_once(desk: Desk) -> None:
    ingested = desk.ingest(comment(1), comment(1))
    assert ingested is not None
    assert ingested.new == 1


def test_a_page_of_a_thousand_comments_is_saved_whole(desk: Desk) -> None:
    ingested = desk.ingest(*(comment(number) for number in range(1000)))
    assert ingested is not None
    assert ingested.new == 1000


def test_two_channels_may_hold_the_same_platform_id(desk: Desk) -> None:
    desk.ingest(comment(1))
    desk.channel = desk.add_channel("other")
    ingested = desk.ingest(comment(1))
    assert ingested is not None
    assert ingested.new == 1


def test_cursor_and_comments_are_saved_together_or_not_at_all(desk: Desk) -> None:
    def broken(session: Session) -> None:
        [claimed] = polling.claim_channels(session, owner="me", now=START + LEASE, lease=LEASE)
        polling.save_page(
            session, channel=desk.channel, page=page([comment(1)], cursor=7), owner=claimed.poll_owner or "",
            now=START, next_poll_at=START, thread_depth=False,
        )  # fmt: skip
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        desk.ledger.write(broken)
    assert states(desk.ledger) == {}
    assert one(desk.ledger, Channel).cursor is None


def test_a_poller_that_lost_its_lease_saves_nothing(desk: Desk) -> None:
    desk.ledger.write(polling.claim_channels, owner="slow", now=desk.clock(), lease=LEASE)
    desk.clock.forward(61)
    assert desk.ledger.write(polling.claim_channels, owner="other", now=desk.clock(), lease=LEASE)
    saved = desk.ledger.write(
        polling.save_page, channel=desk.channel, page=page([comment(1)]), owner="slow",
        now=desk.clock(), next_poll_at=desk.clock(), thread_depth=False,
    )  # fmt: skip
    assert saved is None
    assert states(desk.ledger) == {}


def test_a_channel_is_polled_by_one_process_at_a_time(desk: Desk) -> None:
    def claim(owner: str) -> int:
        return len(desk.ledger.write(polling.claim_channels, owner=owner, now=desk.clock(), lease=LEASE))

    assert [claim("one"), claim("two")] == [1, 0]


def test_a_paused_channel_is_not_polled_and_sends_nothing(desk: Desk) -> None:
    desk.ready(1)
    desk.ledger.write(channels.pause, "demo", paused=True, now=desk.clock())
    desk.clock.forward(1000)
    assert not desk.ledger.write(polling.claim_channels, owner="me", now=desk.clock(), lease=LEASE)
    assert not desk.claim_ready()
    assert not desk.ledger.read(sending.channels_with_work, now=desk.clock())


def test_comments_from_before_the_start_are_kept_but_not_answered(desk: Desk) -> None:
    desk.ingest(comment(1, created_at=START - timedelta(days=1)), comment(2))
    assert states(desk.ledger) == {"c1": "skipped", "c2": "new"}
    assert desk.ledger.read(stats.counts).comments == 1


def test_own_comments_are_kept_and_never_answered(desk: Desk) -> None:
    desk.ingest(comment(1, is_own=True))
    assert states(desk.ledger) == {"c1": "skipped"}
    assert one(desk.ledger, Comment).reason == "own_comment"


def test_an_answer_by_hand_closes_a_waiting_comment(desk: Desk) -> None:
    desk.ready(1)
    desk.ingest(comment(2, is_own=True, parent_id="c1", thread_id="c1", text="Twelve, I'd say."))
    assert states(desk.ledger)["c1"] == "skipped"
    assert one(desk.ledger, Comment, platform_id="c1").reason == "answered_by_human"


def test_in_flat_threads_an_answer_by_hand_leaves_the_others_open(desk: Desk) -> None:
    desk.ready(1)
    desk.ingest(comment(2, is_own=True, parent_id="c1", thread_id="c1"), thread_depth=True)
    assert states(desk.ledger)["c1"] == "ready"


def test_two_workers_never_draft_the_same_comment(desk: Desk) -> None:
    desk.ingest(*(comment(number) for number in range(200)))
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda n: desk.claim(owner=f"w{n}", limit=20), range(20)))
    claimed = [work.comment.id for batch in batches for work in batch]
    assert len(claimed) == len(set(claimed)) == 200


def test_an_expired_lease_is_taken_over_and_its_loser_saves_nothing(desk: Desk) -> None:
    desk.ingest(comment(1))
    [lost] = desk.claim()
    assert desk.claim(owner="other") == []
    desk.clock.forward(61)
    [taken] = desk.claim(owner="other")
    assert taken.comment.id == lost.comment.id
    assert not desk.decide(lost)
    assert states(desk.ledger) == {"c1": "new"}


def test_a_draft_keeps_its_evidence(desk: Desk) -> None:
    desk.ingest(comment(1))
    [work] = desk.claim()
    passages = [{"source": "a.md", "text": "Roast for ten minutes. 烘十分钟。", "score": 0.9}]
    draft = Draft(
        comment_id=work.comment.id or 0, created_at=START, text="Ten.", passages=passages, citations=[0],
        prompt_hash="abc", model="m", voice="v1", support=0.9, decision="review", reason="channel_reviews",
    )  # fmt: skip
    outcome = drafting.Outcome(draft.comment_id, State.REVIEW, "channel_reviews", draft=draft)
    desk.ledger.write(drafting.save_outcomes, [outcome], owner="me", now=START)
    case = desk.ledger.read(cases.case, draft.comment_id)
    assert case.item.draft is not None
    assert case.item.draft.passages == passages
    assert case.item.draft.prompt_hash == "abc"
    assert [event.to_state for event in case.history] == ["new", "review"]


def test_a_comment_sees_the_thread_before_it_and_an_answer_by_hand(desk: Desk) -> None:
    desk.ingest(
        comment(1),
        comment(2, parent_id="c1", thread_id="c1", text="I wonder too"),
        comment(3, parent_id="c2", thread_id="c1", is_own=True),
        comment(4, parent_id="c1", thread_id="c1"),
    )
    found = {work.comment.platform_id: work for work in desk.claim()}
    assert [turn.platform_id for turn in found["c4"].earlier] == ["c1", "c2", "c3"]
    assert not found["c1"].answered
    assert "c2" not in found, "answered by hand before it was drafted"


def test_the_intent_is_written_before_the_send_and_only_by_the_holder(desk: Desk) -> None:
    desk.ready(1)
    jobs = desk.claim_ready()
    assert desk.intend(jobs, owner="stranger") == []
    [granted] = desk.intend(jobs)
    assert states(desk.ledger) == {"c1": "sending"}
    assert one(desk.ledger, Reply).attempted_at == desk.clock()
    assert granted.text == "Ten minutes."


def test_an_interrupted_send_becomes_unknown_and_is_never_ready_by_itself(desk: Desk) -> None:
    desk.ready(1)
    desk.intend(desk.claim_ready())
    desk.clock.forward(61)
    assert desk.claim_ready() == []
    expired = desk.ledger.write(
        sending.expire_intents, channel_id=desk.channel_id, now=desk.clock(), settle_s=5
    )
    assert expired == 1
    ask = {"channel_id": desk.channel_id, "owner": "me", "lease": LEASE, "limit": 10}
    assert desk.ledger.write(sending.claim_unknown, now=desk.clock(), **ask) == []
    [job] = desk.ledger.write(sending.claim_unknown, now=desk.clock.forward(5), **ask)
    assert job.first_attempt_at is not None
    assert job.attempts == 1


def test_a_sent_reply_keeps_its_proof_and_never_moves_again(desk: Desk) -> None:
    desk.ready(1)
    [job] = desk.intend(desk.claim_ready())
    outcome = sending.Settled(job.comment_id, State.SENDING, State.SENT, "sent", platform_id="r9")
    assert desk.ledger.write(sending.settle, [outcome], owner="me", now=desk.clock())
    assert one(desk.ledger, Reply).platform_id == "r9"
    with pytest.raises(IllegalMove):
        desk.ledger.write(move, [Move(job.comment_id, State.SENT, State.READY)], now=START, actor="x")


def test_the_gap_between_replies_holds_across_processes(desk: Desk) -> None:
    desk.ready(1, 2)
    gap = timedelta(seconds=30)
    assert len(desk.claim_ready(owner="one", gap=gap)) == 1
    assert desk.claim_ready(owner="two", gap=gap) == []
    desk.clock.forward(30)
    assert len(desk.claim_ready(owner="two", gap=gap)) == 1


def test_the_hourly_limit_counts_attempts_and_zero_sends_nothing(desk: Desk) -> None:
    desk.ready(1, 2, 3)
    assert desk.claim_ready(max_per_hour=0) == []
    desk.intend(desk.claim_ready(max_per_hour=2))
    assert states(desk.ledger) == {"c1": "sending", "c2": "sending", "c3": "ready"}
    assert desk.claim_ready(max_per_hour=2) == []
    desk.clock.forward(3601)
    assert len(desk.claim_ready(max_per_hour=2)) == 1


def test_leaving_gives_everything_back_but_what_is_being_sent(desk: Desk) -> None:
    desk.ready(1, 2)
    first, second = desk.claim_ready()
    desk.intend([first])
    desk.ledger.write(sending.release, owner="me", now=desk.clock())
    [free] = desk.claim_ready(owner="other")
    assert free.comment_id == second.comment_id


def test_a_verdict_applies_once(desk: Desk) -> None:
    desk.ingest(comment(1))
    [work] = desk.claim()
    desk.decide(work, State.REVIEW)
    number = work.comment.id or 0
    assert (
        desk.ledger.write(verdicts.approve, number, sign=Sign("ann"), now=desk.clock()).text == "Ten minutes."
    )
    with pytest.raises(VerdictRefused, match="is ready"):
        desk.ledger.write(verdicts.approve, number, sign=Sign("bob"), now=desk.clock())
    assert one(desk.ledger, Reply).approved_by == "ann"
    assert [verdict.by for verdict in desk.ledger.read(cases.case, number).verdicts] == ["ann"]


def test_an_edit_answers_also_what_was_rejected(desk: Desk) -> None:
    desk.ingest(comment(1))
    [work] = desk.claim()
    desk.decide(work, State.REVIEW)
    number = work.comment.id or 0
    desk.ledger.write(verdicts.reject, number, reason="wrong", sign=Sign("ann"), now=desk.clock())
    assert states(desk.ledger) == {"c1": "skipped"}
    desk.ledger.write(verdicts.edit, number, text="Twelve.", sign=Sign("ann"), now=desk.clock())
    assert states(desk.ledger) == {"c1": "ready"}
    assert one(desk.ledger, Reply).text == "Twelve."


def test_a_poll_that_was_overtaken_by_a_backfill_saves_nothing(desk: Desk) -> None:
    [old] = desk.ledger.write(polling.claim_channels, owner="me", now=desk.clock(), lease=LEASE)
    desk.ledger.write(channels.rewind, "demo", since=START - timedelta(days=9), now=desk.clock())
    [new] = desk.ledger.write(polling.claim_channels, owner="me", now=desk.clock.forward(1), lease=LEASE)

    def save(holder: Channel) -> polling.Ingested | None:
        return desk.ledger.write(
            polling.save_page, channel=desk.channel, page=page([comment(1)], cursor=999), thread_depth=False,
            owner=holder.poll_owner or "", now=desk.clock(), next_poll_at=desk.clock(),
        )  # fmt: skip

    assert save(old) is None
    assert one(desk.ledger, Channel).cursor is None
    assert save(new) is not None


def test_the_hourly_limit_holds_between_the_claim_and_the_intent_of_another_process(desk: Desk) -> None:
    desk.ready(1, 2, 3)
    assert len(desk.claim_ready(owner="one", max_per_hour=2)) == 2
    assert desk.claim_ready(owner="two", max_per_hour=2) == []


def test_our_own_unclear_reply_that_the_poll_brings_is_the_proof(desk: Desk) -> None:
    desk.ready(1)
    [job] = desk.intend(desk.claim_ready())
    back = sending.Settled(job.comment_id, State.SENDING, State.READY, "refused")
    desk.ledger.write(sending.settle, [back], owner="me", now=desk.clock())
    desk.ingest(comment(2, "Ten minutes.", is_own=True, parent_id="c1", thread_id="c1"))
    assert states(desk.ledger)["c1"] == "sent"
    assert one(desk.ledger, Reply).platform_id == "c2"


@pytest.mark.parametrize("text", ["", "  \n", " \u200b "])
def test_an_empty_edit_is_refused_and_changes_nothing(desk: Desk, text: str) -> None:
    desk.ingest(comment(1))
    [work] = desk.claim()
    desk.decide(work, State.REVIEW)
    with pytest.raises(VerdictRefused, match="empty"):
        desk.ledger.write(verdicts.edit, work.comment.id or 0, text=text, sign=Sign("ann"), now=START)
    assert states(desk.ledger) == {"c1": "review"}


@pytest.mark.parametrize("verdict", ["approve", "edit"])
def test_a_reply_longer_than_the_platform_takes_is_refused_and_nothing_changes(
    desk: Desk, verdict: str
) -> None:
    desk.ingest(comment(1))
    [work] = desk.claim()
    desk.decide(work, State.REVIEW, "x" * 301)
    desk.ledger.write(
        channels.known_as,
        desk.channel_id,
        account_id="us",
        account_name="Us",
        can={"reply": True},
        max_reply_chars=300,
        flat_threads=False,
    )
    number = work.comment.id or 0
    work_on = partial(verdicts.approve) if verdict == "approve" else partial(verdicts.edit, text="y" * 301)
    with pytest.raises(VerdictRefused, match="301 characters, demo takes 300"):
        desk.ledger.write(work_on, number, sign=Sign("ann"), now=desk.clock())
    assert states(desk.ledger) == {"c1": "review"}
    assert desk.ledger.read(cases.case, number).verdicts == ()


def test_a_backfill_reopens_the_history_that_it_asks_for(desk: Desk) -> None:
    days = [timedelta(days=number) for number in (9, 2)]
    desk.ingest(
        *(comment(index, created_at=START - day) for index, day in enumerate(days)), comment(5, is_own=True)
    )
    desk.ledger.write(channels.rewind, "demo", since=START - timedelta(days=3), now=desk.clock())
    assert states(desk.ledger) == {"c0": "skipped", "c1": "new", "c5": "skipped"}
    assert one(desk.ledger, Channel).cursor is None


def test_what_failed_is_tried_again_from_where_it_stopped(desk: Desk) -> None:
    desk.ready(1)
    [job] = desk.intend(desk.claim_ready())
    failed = sending.Settled(job.comment_id, State.SENDING, State.FAILED, "refused")
    desk.ledger.write(sending.settle, [failed], owner="me", now=desk.clock())
    desk.ledger.write(verdicts.retry, job.comment_id, sign=Sign("ann"), now=desk.clock())
    assert states(desk.ledger) == {"c1": "ready"}


def test_counts_add_up_and_leave_out_our_own(desk: Desk) -> None:
    desk.ready(1, 2)
    desk.ingest(comment(3), comment(4, is_own=True))
    found = desk.ledger.read(stats.counts)
    assert found.comments == 3
    assert found[State.READY] == 2
    assert found[State.NEW] == 1
    assert found.waiting == 3
    assert sum(found.by_reason.values()) == found.comments


def test_every_move_is_in_the_history(desk: Desk) -> None:
    desk.ready(1)
    desk.intend(desk.claim_ready())
    moves = desk.ledger.read(
        lambda s: [(e.from_state, e.to_state) for e in s.exec(select(Event).order_by(Event.id))]
    )
    assert moves == [("", "new"), ("new", "ready"), ("ready", "sending")]


def test_text_of_any_script_comes_back_as_it_went_in(desk: Desk) -> None:
    text = "咖啡 ☕️ \u202eabc\u202c 'quoted' \"; DROP TABLE comment; --"
    desk.ingest(comment(1, text))
    assert one(desk.ledger, Comment).text == text


@pytest.mark.parametrize("source", list(State))
def test_only_the_ends_and_their_reopening_are_final(source: State) -> None:
    assert source not in MOVES[source]
    if source is State.SENT:
        assert not MOVES[source]


def test_a_full_disk_is_told_in_one_line_and_what_was_saved_stays(tmp_path: Path) -> None:
    opened = connect(sqlite_url(tmp_path / "ledger.db"))
    upgrade(opened)
    desk = Desk(opened)
    desk.ingest(comment(1))
    with opened.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # as if the disk ended here
    with pytest.raises(LedgerUnavailable, match="disk is full; make room"):
        desk.ingest(*(comment(number, "x" * 5000) for number in range(2, 200)))
    assert states(opened) == {"c1": "new"}
    with opened.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    desk.clock.forward(61)
    desk.ingest(*(comment(number, "x" * 5000) for number in range(2, 200)))
    assert len(states(opened)) == 199
    opened.close()


def test_a_file_that_is_no_database_is_refused_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text(
        "not a database at all, but long enough to have a header of its own" * 20
    )
    opened = connect(sqlite_url(tmp_path / "ledger.db"))
    with pytest.raises(LedgerUnusable, match="is not a database or is damaged; restore a backup"):
        upgrade(opened)
    opened.close()


def test_a_password_never_stands_in_an_address_that_is_shown() -> None:
    opened = connect("postgresql://ann:hunter2@127.0.0.1:9/nowhere")
    assert "hunter2" not in opened.address
    with pytest.raises(LedgerUnavailable) as caught:
        upgrade(opened)
    assert "hunter2" not in str(caught.value)
    opened.close()

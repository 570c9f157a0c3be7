"""What the ledger does with the manners of a channel, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from bot.models import Alert, Channel, Comment, Draft, Reply, State
from bot.reasons import Reason
from bot.responder import question
from bot.store import channels, circuit, drafting, verdicts
from bot.store.deciding import Sign, VerdictRefused
from bot.store.ledger import Ledger
from tests.builders import Desk, comment

LABEL = "(AI-assisted reply)"


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


def set_rules(desk: Desk, **rules: Any) -> None:
    desk.ledger.write(channels.set_rules, "demo", rules, now=desk.clock())


def reasons(desk: Desk) -> dict[str, tuple[str, str]]:
    rows = desk.ledger.read(lambda session: list(session.exec(select(Comment))))
    return {row.platform_id: (row.state, row.reason) for row in rows}


def reply_of(desk: Desk, platform_id: str = "c1") -> Reply:
    query = select(Reply).join(Comment).where(Comment.platform_id == platform_id)
    return desk.ledger.read(lambda session: session.exec(query).one())


def known(desk: Desk, most: int) -> None:
    desk.ledger.write(
        channels.known_as,
        desk.channel_id,
        account_id="us",
        account_name="Us",
        can={},
        max_reply_chars=most,
        flat_threads=False,
    )


def save(desk: Desk, *works: drafting.Work, text: str = "Ten minutes.") -> None:
    outcomes = [
        drafting.Outcome(
            work.comment.id or 0,
            State.READY,
            "because",
            draft=Draft(comment_id=work.comment.id or 0, created_at=desk.clock(), text=text),
        )
        for work in works
    ]
    desk.ledger.write(drafting.save_outcomes, outcomes, owner=desk.owner, now=desk.clock())


def test_of_two_comments_of_one_person_in_a_thread_the_second_goes_to_a_person(desk: Desk) -> None:
    set_rules(desk, one_reply_s=600)
    desk.ingest(
        comment(1, thread_id="t"), comment(2, thread_id="t"), comment(3, thread_id="t", author_id="else")
    )
    save(desk, *desk.claim())
    assert reasons(desk) == {
        "c1": (State.READY, "because"),
        "c2": (State.REVIEW, Reason.ONE_REPLY),
        "c3": (State.READY, "because"),
    }


def test_the_time_of_one_reply_ends(desk: Desk) -> None:
    set_rules(desk, one_reply_s=600)
    desk.ingest(comment(1, thread_id="t"))
    save(desk, *desk.claim())
    desk.ingest(comment(2, thread_id="t"))
    save(desk, *desk.claim())
    desk.clock.forward(600)
    desk.ingest(comment(3, thread_id="t"))
    save(desk, *desk.claim())
    assert [state for state, _ in reasons(desk).values()] == [State.READY, State.REVIEW, State.READY]


def test_another_bot_is_not_talked_to_for_ever(desk: Desk) -> None:
    for number in range(8):
        desk.ingest(comment(number, thread_id="t", author_id="bot"))
        save(desk, *desk.claim())
    found = [reason for _, reason in reasons(desk).values()]
    assert found == ["because"] * 5 + [Reason.LOOP] * 3


@pytest.mark.parametrize(
    ("platform", "options", "by_us"),
    [
        ("sandbox", {}, True),
        ("sandbox", {"base_url": "https://other.example"}, False),
        ("wordpress", {}, False),
    ],
)
def test_an_account_of_another_channel_of_ours_is_known_where_its_id_means_the_same(
    desk: Desk, platform: str, options: dict[str, str], by_us: bool
) -> None:
    def second(session: Session) -> None:
        channel = session.get_one(Channel, other)
        channel.account_id, channel.platform, channel.options = "7", platform, options
        session.add(channel)

    other = desk.add_channel("second").id
    desk.ledger.write(second)
    desk.ingest(comment(1, author_id="7"), comment(2, author_id="8"))
    found = {work.comment.author_id: work for work in desk.claim()}
    assert (found["7"].by_us, found["8"].by_us) == (by_us, False)
    assert (question(found["7"]).is_own, question(found["8"]).is_own) == (by_us, False)


def test_a_label_goes_out_with_the_reply_and_is_kept_apart(desk: Desk) -> None:
    set_rules(desk, label={"en": LABEL})
    desk.ready(1)
    reply = reply_of(desk)
    assert (reply.text, reply.label) == (f"Ten minutes.\n{LABEL}", LABEL)
    [job] = desk.claim_ready()
    assert job.text == reply.text, "what is sent is what a look for it compares with"


@pytest.mark.parametrize("written", [f"{LABEL} ", f"{LABEL}\n", "（AI 生成）"])
def test_a_label_that_the_model_wrote_itself_stands_there_once(desk: Desk, written: str) -> None:
    set_rules(desk, label={"en": LABEL, "zh": "（AI 生成）"})
    desk.ingest(comment(1))
    save(desk, *desk.claim(), text=f"Ten minutes. {written}")
    assert reply_of(desk).text == f"Ten minutes.\n{LABEL}"


def test_a_label_that_is_changed_later_changes_no_ordered_reply(desk: Desk) -> None:
    set_rules(desk, label={"en": LABEL})
    desk.ready(1)
    set_rules(desk, label={})
    assert desk.claim_ready()[0].text == f"Ten minutes.\n{LABEL}"


def test_a_person_writes_beside_the_label_and_the_verdict_is_without_it(desk: Desk) -> None:
    set_rules(desk, label={"en": LABEL})
    known(desk, 40)
    desk.ingest(comment(1))
    [work] = desk.claim()
    desk.decide(work, State.REVIEW)
    number = work.comment.id or 0
    with pytest.raises(VerdictRefused, match="takes 20 beside its label"):
        desk.ledger.write(verdicts.edit, number, text="x" * 21, sign=Sign("ann"), now=desk.clock())
    verdict = desk.ledger.write(
        verdicts.edit, number, text=f"Nine minutes.\n{LABEL}", sign=Sign("ann"), now=desk.clock()
    )
    assert (verdict.text, reply_of(desk).text) == ("Nine minutes.", f"Nine minutes.\n{LABEL}")


def test_a_reply_with_its_label_is_cut_to_what_the_platform_takes(desk: Desk) -> None:
    set_rules(desk, label={"en": "(AI)"})
    known(desk, 20)
    desk.ingest(comment(1))
    save(desk, *desk.claim(), text="Ten minutes. Then rest.")
    assert reply_of(desk).text == "Ten minutes.\n(AI)"


def note(desk: Desk, *bad: bool, sign: circuit.Sign = "refusals") -> bool:
    return desk.ledger.write(circuit.note, desk.channel_id, sign, bad, now=desk.clock(), detail="banned word")


def alerts(desk: Desk) -> list[str]:
    return desk.ledger.read(lambda session: list(session.exec(select(Alert.detail))))


def the_channel(desk: Desk) -> Channel:
    return desk.ledger.read(channels.named, "demo")


@pytest.mark.parametrize("sign", ["refusals", "unseen"])
def test_three_bad_replies_in_a_row_stop_the_channel_and_alert_once(desk: Desk, sign: circuit.Sign) -> None:
    assert not note(desk, True, True, sign=sign)
    assert not note(desk, False, True, sign=sign)
    assert not note(desk, True, sign=sign)
    assert note(desk, True, sign=sign)
    assert not note(desk, True, sign=sign), "it has stopped already"
    channel = the_channel(desk)
    assert channel.paused
    assert alerts(desk) == [channel.last_error]
    assert "3 replies in a row" in str(channel.last_error)


def test_resuming_counts_from_the_start(desk: Desk) -> None:
    note(desk, True, True, True)
    desk.ledger.write(channels.pause, "demo", paused=False, now=desk.clock())
    assert (the_channel(desk).refusals, the_channel(desk).unseen) == (0, 0)
    assert not note(desk, True, True)


def test_a_channel_may_be_told_never_to_stop(desk: Desk) -> None:
    set_rules(desk, stop_after=0)
    assert not note(desk, *[True] * 20)
    assert not the_channel(desk).paused


def test_new_opening_hours_leave_a_delay_as_it_was_drawn(desk: Desk) -> None:
    desk.ingest(comment(1))
    [work] = desk.claim()
    later = desk.clock() + timedelta(minutes=5)
    desk.decide(work, due_at=later)
    set_rules(desk, hours={"mon": ["09:00-18:00"]})
    row = desk.ledger.read(lambda session: session.exec(select(Comment)).one())
    assert row.due_at == later

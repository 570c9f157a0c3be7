"""Yesterday's canary goes live once people have judged it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.access.visitor import Visitor
from bot.models import Draft, Role, State, VoiceStatus
from bot.store import drafting, verdicts, voice_acts, voices
from bot.store.deciding import Sign
from bot.store.ledger import connect, sqlite_url
from bot.store.migrate import upgrade
from bot.store.voices import NewVoice
from bot.voices.canary import Tally
from tests.builders import Desk, comment
from training.graduate import graduate, proven
from training.promote import visitor

PERSON = Visitor(name="ada", role=Role.OWNER, via="terminal")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    ledger = connect(sqlite_url(tmp_path / "ledger.db"))
    upgrade(ledger)
    yield Desk(ledger)
    ledger.close()


def canary(desk: Desk, by: Visitor) -> None:
    desk.ledger.write(
        voices.add, NewVoice("night-1", "voices/x", "d", "base", 8), by=by.name, now=desk.clock()
    )
    desk.ledger.write(voice_acts.promote, by, "night-1", share=0.5, now=desk.clock())


def judged(desk: Desk, number: int, voice: str | None, *, good: bool) -> None:
    desk.ingest(comment(number))
    [work] = desk.claim()
    comment_id = work.comment.id or 0
    draft = Draft(comment_id=comment_id, created_at=desk.clock(), text="Ten.", voice=voice, model="base")
    outcome = drafting.Outcome(comment_id, State.REVIEW, "because", draft=draft)
    desk.ledger.write(drafting.save_outcomes, [outcome], owner=desk.owner, now=desk.clock())
    if good:
        desk.ledger.write(verdicts.approve, comment_id, sign=Sign("ann"), now=desk.clock())
    else:
        desk.ledger.write(verdicts.reject, comment_id, sign=Sign("ann"), reason="no", now=desk.clock())


def status(desk: Desk) -> VoiceStatus:
    return desk.ledger.read(voices.named, "night-1").status


def at_next_night(desk: Desk, least: int) -> bool:
    return desk.ledger.write(graduate, None, least=least, now=desk.clock()) is not None


def test_a_canary_that_people_approve_of_goes_live_at_the_next_night(desk: Desk) -> None:
    canary(desk, visitor())
    judged(desk, 1, "night-1", good=True)
    assert (at_next_night(desk, 2), status(desk)) == (False, VoiceStatus.CANARY)
    judged(desk, 2, "night-1", good=True)
    assert (at_next_night(desk, 2), status(desk)) == (True, VoiceStatus.LIVE)


def test_a_canary_that_is_rejected_more_often_than_the_voice_beside_it_stays_a_canary(desk: Desk) -> None:
    canary(desk, visitor())
    for number, (voice, good) in enumerate(
        [("night-1", True), ("night-1", False), (None, True), (None, True)]
    ):
        judged(desk, number + 1, voice, good=good)
    assert (at_next_night(desk, 2), status(desk)) == (False, VoiceStatus.CANARY)


def test_a_person_s_canary_is_left_to_the_person(desk: Desk) -> None:
    canary(desk, PERSON)
    judged(desk, 1, "night-1", good=True)
    assert (at_next_night(desk, 1), status(desk)) == (False, VoiceStatus.CANARY)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ((Tally(20), Tally(180, 0, 20)), True),
        ((Tally(18, 0, 2), Tally(180, 0, 20)), True),
        ((Tally(16, 0, 4), Tally(180, 0, 20)), False),
        ((Tally(19), Tally(180)), False),
    ],
)
def test_proven_is_enough_verdicts_and_no_more_rejections(rates: tuple[Tally, Tally], expected: bool) -> None:
    assert proven(*rates, 20) is expected

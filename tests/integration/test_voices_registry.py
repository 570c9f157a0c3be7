"""The registry of voices, on SQLite and on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from bot.models import Draft, State, Voice, VoiceEvent, VoiceStatus
from bot.store import drafting, tallies, verdicts, voices
from bot.store.deciding import Sign
from bot.store.ledger import Ledger
from bot.store.voices import ChangeRefused, NewVoice, NoSuchVoice
from bot.voices.canary import Tally
from bot.voices.routing import voice_for
from tests.builders import Desk, comment

LIVE, CANARY, RETIRED, CANDIDATE = (
    VoiceStatus.LIVE,
    VoiceStatus.CANARY,
    VoiceStatus.RETIRED,
    VoiceStatus.CANDIDATE,
)


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


def add(desk: Desk, *names: str, channel_id: int | None = None) -> None:
    for name in names:
        new = NewVoice(name, f"voices/{name}", f"digest of {name}", "base", 8, channel_id=channel_id)
        desk.ledger.write(voices.add, new, by="ann", now=desk.clock())


def promote(desk: Desk, *names: str, share: float | None = None) -> None:
    for name in names:
        desk.ledger.write(voices.promote, name, share=share, by="ann", now=desk.clock.forward(1))


def rollback(desk: Desk, channel_id: int | None = None) -> None:
    desk.ledger.write(voices.rollback, channel_id, by="ann", now=desk.clock.forward(1))


def statuses(desk: Desk) -> dict[str, str]:
    return {voice.name: voice.status for voice in desk.ledger.read(voices.every)}


def voice_now(desk: Desk, number: int) -> str | None:
    found = voice_for(f"c{number}", desk.channel_id, desk.ledger.read(voices.answering))
    return found.name if found is not None else None


def way_back(desk: Desk) -> list[str]:
    found = desk.ledger.read(voices.registry)
    return [voice.name for voice in found.voices if voice.id in found.ways_back]


def test_a_new_voice_is_a_candidate_with_its_history(desk: Desk) -> None:
    add(desk, "mia-1")
    voice = desk.ledger.read(voices.named, "mia-1")
    assert (voice.status, voice.created_at, voice.status_at) == (CANDIDATE, desk.clock(), desk.clock())
    [event] = desk.ledger.read(voices.history, voice.id or 0)
    assert (event.act, event.actor, event.from_status, event.to_status) == ("load", "ann", "", CANDIDATE)


def test_no_name_is_used_twice_even_when_its_voice_is_gone(desk: Desk) -> None:
    add(desk, "mia-1")
    desk.ledger.write(voices.retire, "mia-1", by="ann", now=desk.clock())
    desk.ledger.write(voices.forget_files, "mia-1", by="ann", now=desk.clock())
    with pytest.raises(ChangeRefused, match="taken"):
        add(desk, "mia-1")


def test_of_two_who_register_one_name_at_once_the_second_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(desk, "mia-1")
    monkeypatch.setattr(voices, "refuse_taken", lambda session, name: None)  # both have looked before
    with pytest.raises(ChangeRefused, match="'mia-1' is taken"):
        add(desk, "mia-1")


def test_a_parent_must_be_known(desk: Desk) -> None:
    new = NewVoice("mia-2", "voices/mia-2", "d", "base", 8, parent="nobody")
    with pytest.raises(NoSuchVoice):
        desk.ledger.write(voices.add, new, by="ann", now=desk.clock())
    assert statuses(desk) == {}


def test_a_scope_has_one_live_voice(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2")
    add(desk, "demo-1", channel_id=desk.channel_id)
    promote(desk, "mia-1", "demo-1", "mia-2")
    assert statuses(desk) == {"mia-1": RETIRED, "mia-2": LIVE, "demo-1": LIVE}


def test_a_second_canary_is_refused_and_changes_nothing(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2")
    promote(desk, "mia-1", share=0.1)
    with pytest.raises(ChangeRefused, match="mia-1 is the canary already"):
        promote(desk, "mia-2", share=0.1)
    assert statuses(desk) == {"mia-1": CANARY, "mia-2": CANDIDATE}


def test_a_canary_that_is_promoted_takes_the_live_place(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2")
    promote(desk, "mia-1")
    promote(desk, "mia-2", share=0.1)
    promote(desk, "mia-2")
    voice = desk.ledger.read(voices.named, "mia-2")
    assert statuses(desk) == {"mia-1": RETIRED, "mia-2": LIVE}
    assert voice.share == 0


def test_what_is_live_already_is_not_promoted_again(desk: Desk) -> None:
    add(desk, "mia-1")
    promote(desk, "mia-1")
    with pytest.raises(ChangeRefused, match="live already"):
        promote(desk, "mia-1")


def test_of_two_who_promote_at_once_one_voice_ends_live_and_the_history_holds_both(desk: Desk) -> None:
    names = [f"mia-{number}" for number in range(4)]
    add(desk, *names)
    start = Barrier(len(names))

    def act(name: str) -> None:
        start.wait()
        desk.ledger.write(voices.promote, name, share=None, by=name, now=desk.clock())

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(act, names))
    found = list(statuses(desk).values())
    assert (found.count(LIVE), found.count(RETIRED)) == (1, 3)
    back = 0
    while LIVE in statuses(desk).values():
        rollback(desk)
        back += 1
    assert back == len(names)


def test_of_two_who_promote_a_canary_at_once_one_is_refused(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2")
    start = Barrier(2)

    def act(name: str) -> bool:
        start.wait()
        try:
            desk.ledger.write(voices.promote, name, share=0.5, by=name, now=desk.clock())
        except ChangeRefused:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(act, ["mia-1", "mia-2"])) == [False, True]
    assert sorted(statuses(desk).values()) == [CANARY, CANDIDATE]


def test_a_rollback_goes_back_one_promotion_at_a_time_down_to_the_base_model(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2", "mia-3")
    promote(desk, "mia-1", "mia-2", "mia-3")
    for expected in ("mia-2", "mia-1"):
        rollback(desk)
        assert [name for name, status in statuses(desk).items() if status == LIVE] == [expected]
    rollback(desk)
    assert LIVE not in statuses(desk).values()
    with pytest.raises(ChangeRefused, match="no voice is live"):
        rollback(desk)


def test_what_was_rolled_back_from_is_no_way_back(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2", "mia-3")
    promote(desk, "mia-1", "mia-2")
    rollback(desk)
    promote(desk, "mia-3")
    assert way_back(desk) == ["mia-1"]


def test_an_old_voice_that_is_promoted_again_goes_back_to_the_one_between(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2")
    promote(desk, "mia-1", "mia-2", "mia-1")
    rollback(desk)
    assert statuses(desk) == {"mia-1": RETIRED, "mia-2": LIVE}


def test_a_removed_voice_is_skipped_on_the_way_back(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2", "mia-3", "mia-4")
    promote(desk, "mia-1", "mia-2", "mia-3", "mia-4")
    with pytest.raises(ChangeRefused, match="rollback would go back to"):
        desk.ledger.write(voices.forget_files, "mia-3", by="ann", now=desk.clock())
    desk.ledger.write(voices.forget_files, "mia-2", by="ann", now=desk.clock())
    rollback(desk)
    assert way_back(desk) == ["mia-1"]


def test_a_voice_is_not_the_way_back_to_itself(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2")
    promote(desk, "mia-1", "mia-2", "mia-1")
    desk.ledger.write(_remove_by_force, "mia-2")
    assert way_back(desk) == []


def _remove_by_force(session, name: str) -> None:  # type: ignore[no-untyped-def]
    voice = voices.named(session, name)
    voice.path = ""
    event = VoiceEvent(
        voice_id=voice.id or 0, at=voice.status_at, actor="x", act="remove", from_status="", to_status=""
    )
    session.add_all([voice, event])


def test_one_scope_is_rolled_back_by_itself(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2")
    add(desk, "demo-1", channel_id=desk.channel_id)
    promote(desk, "mia-1", "mia-2", "demo-1")
    rollback(desk, desk.channel_id)
    assert statuses(desk) == {"mia-1": RETIRED, "mia-2": LIVE, "demo-1": RETIRED}


def test_a_live_voice_is_not_retired_nor_removed(desk: Desk) -> None:
    add(desk, "mia-1")
    promote(desk, "mia-1")
    with pytest.raises(ChangeRefused, match="rollback"):
        desk.ledger.write(voices.retire, "mia-1", by="ann", now=desk.clock())
    with pytest.raises(ChangeRefused, match="only a retired voice"):
        desk.ledger.write(voices.forget_files, "mia-1", by="ann", now=desk.clock())
    assert statuses(desk) == {"mia-1": LIVE}


def test_a_voice_without_files_is_not_promoted(desk: Desk) -> None:
    add(desk, "mia-1")
    desk.ledger.write(voices.retire, "mia-1", by="ann", now=desk.clock())
    assert desk.ledger.write(voices.forget_files, "mia-1", by="ann", now=desk.clock()) == "voices/mia-1"
    with pytest.raises(ChangeRefused, match="removed"):
        promote(desk, "mia-1")


def test_the_next_claimed_comment_has_the_voice_that_was_promoted_or_rolled_back_to(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2")
    told = [voice_now(desk, 1)]
    promote(desk, "mia-1")
    told.append(voice_now(desk, 2))
    promote(desk, "mia-2")
    told.append(voice_now(desk, 3))
    rollback(desk)
    told.append(voice_now(desk, 4))
    assert told == [None, "mia-1", "mia-2", "mia-1"]


def test_a_channels_own_voice_goes_before_the_general_one(desk: Desk) -> None:
    add(desk, "mia-1")
    add(desk, "demo-1", channel_id=desk.channel_id)
    promote(desk, "mia-1")
    assert voice_now(desk, 1) == "mia-1"
    promote(desk, "demo-1")
    assert voice_now(desk, 2) == "demo-1"


def test_a_canary_answers_its_share_of_the_comments(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2")
    promote(desk, "mia-1")
    promote(desk, "mia-2", share=0.25)
    told = [voice_now(desk, number) for number in range(400)]
    assert told.count("mia-1") + told.count("mia-2") == 400
    assert 60 <= told.count("mia-2") <= 140


def voice(name: str, status: VoiceStatus, share: float = 0.0, channel_id: int | None = None) -> Voice:
    return Voice(name=name, path="p", digest="d", status=status, share=share, channel_id=channel_id)


@given(st.text(), st.integers(1, 3), st.floats(0, 1))
def test_the_same_comment_always_goes_to_the_same_voice(
    platform_id: str, channel_id: int, share: float
) -> None:
    known = [voice("a", LIVE), voice("b", CANARY, share), voice("c", LIVE, channel_id=2), voice("d", RETIRED)]
    first = voice_for(platform_id, channel_id, known)
    assert first is not None
    assert first is voice_for(platform_id, channel_id, known[::-1])
    assert first.name in (("c",) if channel_id == 2 else ("a", "b"))


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_keeps_every_comment_of_a_smaller_one(
    platform_id: str, one: float, other: float
) -> None:
    small, large = sorted((one, other))
    if voice_for(platform_id, 1, [voice("a", CANARY, small)]) is not None:
        assert voice_for(platform_id, 1, [voice("a", CANARY, large)]) is not None


@given(st.floats(0, 1))
def test_the_share_is_kept_within_three_standard_errors(share: float) -> None:
    known, asked = [voice("a", CANARY, share)], 2000
    got = sum(voice_for(str(number), 1, known) is not None for number in range(asked))
    assert abs(got - share * asked) <= 4 * (asked * 0.25) ** 0.5


def test_without_a_voice_the_base_model_answers() -> None:
    assert voice_for("c1", 1, []) is None
    assert voice_for("c1", 1, [voice("a", CANARY, 0.0), voice("b", CANDIDATE), voice("c", RETIRED)]) is None


def judged(desk: Desk, number: int, author: str | None, verdict: str, model: str = "base") -> None:
    """A comment whose draft `author` wrote and on which a person decided."""
    desk.ingest(comment(number))
    [work] = desk.claim()
    draft = Draft(
        comment_id=work.comment.id or 0, created_at=desk.clock(), text="Ten.", voice=author, model=model
    )
    outcome = drafting.Outcome(work.comment.id or 0, State.REVIEW, "because", draft=draft)
    desk.ledger.write(drafting.save_outcomes, [outcome], owner=desk.owner, now=desk.clock())
    acts = {
        "approve": verdicts.approve,
        "edit": partial(verdicts.edit, text="Twelve."),
        "reject": partial(verdicts.reject, reason="wrong"),
    }
    for one in verdict.split("+"):
        desk.ledger.write(acts[one], work.comment.id or 0, sign=Sign("ann"), now=desk.clock())


def test_a_trial_counts_each_draft_once_and_only_since_the_canary_began(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2")
    promote(desk, "mia-1")
    judged(desk, 1, "mia-1", "reject")
    promote(desk, "mia-2", share=0.5)
    for number, (author, verdict) in enumerate(
        [
            ("mia-1", "approve"),
            ("mia-1", "edit"),
            ("mia-2", "reject+edit"),
            ("mia-2", "approve"),
            (None, "reject"),
        ]
    ):
        judged(desk, 10 + number, author, verdict)
    [trial] = desk.ledger.read(tallies.trials)
    assert (trial.canary.name, trial.live and trial.live.name) == ("mia-2", "mia-1")
    assert (trial.canary_tally, trial.live_tally) == (Tally(1, 0, 1), Tally(1, 1, 0))
    assert desk.ledger.read(tallies.by_voice)["mia-1"] == Tally(1, 1, 1)


def test_without_a_live_voice_the_canary_is_compared_with_the_base_model_alone(desk: Desk) -> None:
    add(desk, "mia-1")
    promote(desk, "mia-1", share=0.5)
    judged(desk, 1, "mia-1", "reject")
    judged(desk, 2, None, "approve")
    judged(desk, 3, None, "reject", model="quotes")
    [trial] = desk.ledger.read(tallies.trials)
    assert (trial.canary_tally, trial.live_tally) == (Tally(0, 0, 1), Tally(1, 0, 0))


def test_every_change_stands_in_the_history_with_who_and_why(desk: Desk) -> None:
    add(desk, "mia-1", "mia-2")
    promote(desk, "mia-1")
    promote(desk, "mia-2", share=0.1)
    promote(desk, "mia-2")
    rollback(desk)
    rows = desk.ledger.read(
        lambda session: [
            (event.voice_id, event.act, event.to_status)
            for event in session.exec(select(VoiceEvent).order_by(VoiceEvent.id))
        ]
    )
    assert rows == [
        (1, "load", CANDIDATE), (2, "load", CANDIDATE), (1, "promote", LIVE), (2, "promote", CANARY),
        (1, "promote", RETIRED), (2, "promote", LIVE), (2, "rollback", RETIRED), (1, "rollback", LIVE),
    ]  # fmt: skip

"""From weights that passed the gate to a voice that answers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.access.visitor import Visitor
from bot.models import Night, NightStatus, Role, Voice, VoiceStatus
from bot.settings import Settings, VoicesSettings
from bot.store import audit, voice_acts, voices
from bot.store.audit import Which
from bot.store.ledger import Ledger, connect, sqlite_url
from bot.store.migrate import upgrade
from bot.store.voices import NewVoice
from bot.training_settings import TrainingSettings
from bot.voices.files import intact, take_in
from tests.builders import Desk
from tests.fake_weights import write_weights
from tests.fakes import FakeOpenAI
from tests.integration.conftest import model_server  # noqa: F401
from tests.training.stand_ins import NOW, house
from training.nightly import run
from training.promote import name_for

PERSON = Visitor(name="ada", role=Role.OWNER, via="terminal")
NAME = "night-2026-11-21"
"""Of what a night makes on the day of the tests."""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    (tmp_path / "data").mkdir()
    opened = connect(sqlite_url(tmp_path / "data" / "ledger.db"))
    upgrade(opened)
    yield opened
    opened.close()


def settings_in(folder: Path, **training: Any) -> Settings:
    """With the model server of the environment, where there is one."""
    given = TrainingSettings(**{"base": "/models/base", "trackers": [], **training})
    return Settings(data_dir=folder / "data", training=given, voices=VoicesSettings(canary_share=0.2))


def one_night(ledger: Ledger, settings: Settings, channel: str | None = None) -> tuple[Night, Voice]:
    [night] = run(house(settings, ledger), channel)
    assert night.voice is not None
    return night, ledger.read(voices.named, night.voice)


def put_live(ledger: Ledger, settings: Settings, name: str, *, share: float | None = None) -> None:
    """A voice that a person brought in and promoted."""
    source = write_weights(settings.data_dir.parent / name)
    folder, weights = take_in(source, settings.data_dir, name)
    ledger.write(voices.add, NewVoice(name, folder, weights.digest, "base", 8), by="ada", now=NOW)
    ledger.write(voice_acts.promote, PERSON, name, share=share, now=NOW)


@pytest.mark.usefixtures("model_server")
class TestServed:
    def test_a_night_ends_with_a_canary_that_the_server_has_and_that_a_rollback_can_leave(
        self, ledger: Ledger, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        settings = settings_in(tmp_path)
        put_live(ledger, settings, "before")
        night, voice = one_night(ledger, settings)
        server: FakeOpenAI = request.getfixturevalue("model_server")
        assert (night.status, night.error) == (NightStatus.PROMOTED, "")
        assert (voice.status, voice.share, voice.parent) == (VoiceStatus.CANARY, 0.2, "before")
        assert any(name.startswith(voice.name) for name in server.voices)
        assert server.requests[-1]["model"].startswith("night-2026-11-21-")

    def test_without_a_canary_the_voice_goes_live_and_one_command_goes_back(
        self, ledger: Ledger, tmp_path: Path
    ) -> None:
        settings = settings_in(tmp_path, canary=False)
        put_live(ledger, settings, "before")
        _, voice = one_night(ledger, settings)
        assert voice.status == VoiceStatus.LIVE
        went, came = ledger.write(voice_acts.roll_back, PERSON, None, now=NOW)
        assert (went.name, came and came.name) == (voice.name, "before")

    def test_the_row_says_what_the_voice_was_made_of(self, ledger: Ledger, tmp_path: Path) -> None:
        night, voice = one_night(ledger, settings_in(tmp_path))
        assert voice.data_hash == night.data_hash == "d" * 64
        assert voice.base_model == "base"
        assert voice.metrics["night"] == night.id
        assert voice.metrics["tokenizer"] == "tokens"
        assert voice.metrics["settings"]["base"] == voice.metrics["trained_on"] == "/models/base"
        assert voice.metrics["code_version"] == night.code_version
        assert voice.metrics["reward"]["accuracy"] == 0.9

    def test_the_audit_names_the_night(self, ledger: Ledger, tmp_path: Path) -> None:
        _, voice = one_night(ledger, settings_in(tmp_path))
        deeds = ledger.read(audit.deeds, Which(), limit=10)
        assert [(one.actor, one.act, one.subject) for one in deeds] == [
            ("night", "promote_voice", voice.name)
        ]
        assert [one.actor for one in ledger.read(voices.history, voice.id or 0)] == ["night", "night"]

    def test_the_canary_of_the_night_before_makes_room(self, ledger: Ledger, tmp_path: Path) -> None:
        settings = settings_in(tmp_path)
        _, first = one_night(ledger, settings)
        _, second = one_night(ledger, settings)
        assert (first.name, second.name) == ("night-2026-11-21", "night-2026-11-21-2")
        assert second.status == VoiceStatus.CANARY
        assert ledger.read(voices.named, first.name).status == VoiceStatus.RETIRED

    def test_a_person_s_canary_stays_and_the_new_voice_waits(self, ledger: Ledger, tmp_path: Path) -> None:
        settings = settings_in(tmp_path)
        put_live(ledger, settings, "theirs", share=0.5)
        night, voice = one_night(ledger, settings)
        assert (night.status, voice.status) == (NightStatus.PASSED, VoiceStatus.CANDIDATE)
        assert "theirs is the canary, put there by a person" in night.error
        assert f"rejoinder voices promote {voice.name}" in night.error

    def test_a_voice_that_went_live_meanwhile_is_not_pushed_aside(
        self, ledger: Ledger, tmp_path: Path
    ) -> None:
        settings = settings_in(tmp_path, canary=False)

        def meanwhile(point: str) -> None:
            if point == "ppo begins":
                put_live(ledger, settings, "other")

        from tests.training.stand_ins import stand_ins

        [night] = run(house(settings, ledger, steps=stand_ins(meanwhile)))
        assert night.status == NightStatus.PASSED
        assert "another voice went live since the night began with the base model" in night.error
        assert ledger.read(voices.named, "other").status == VoiceStatus.LIVE

    def test_a_server_that_refuses_the_weights_fails_the_night_and_nothing_is_left(
        self, ledger: Ledger, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        server: FakeOpenAI = request.getfixturevalue("model_server")
        server.max_rank = 4
        settings = settings_in(tmp_path)
        [night] = run(house(settings, ledger))
        assert night.status == NightStatus.FAILED
        assert "LoRA rank 8 is greater than max_lora_rank 4" in night.error
        assert ledger.read(voices.every) == []
        assert list((settings.data_dir / "voices").iterdir()) == []

    def test_weights_of_another_base_than_the_server_s_are_refused(
        self, ledger: Ledger, tmp_path: Path
    ) -> None:
        settings = settings_in(tmp_path)
        put_live(ledger, settings, "before")
        config = settings.data_dir / ledger.read(voices.named, "before").path / "adapter_config.json"
        assert config.exists()
        narrow = settings.model_copy(
            update={"generator": settings.generator.model_copy(update={"model": "another"})}
        )
        [night] = run(house(narrow, ledger))
        assert night.status == NightStatus.FAILED
        assert "'another'" in night.error

    def test_a_retired_voice_s_files_go_when_enough_newer_ones_are_there(
        self, ledger: Ledger, tmp_path: Path
    ) -> None:
        settings = settings_in(tmp_path, keep=1, canary=False)
        settings = settings.model_copy(
            update={"service": settings.service.model_copy(update={"lease_s": 0.0})}
        )
        names = [one_night(ledger, settings)[1].name for _ in range(4)]
        kept = {one.name: bool(one.path) for one in ledger.read(voices.every)}
        assert kept == {names[0]: False, names[1]: False, names[2]: True, names[3]: True}
        for one in ledger.read(voices.every):
            assert not one.path or intact(settings.data_dir / one.path, one.digest)
        went, came = ledger.write(voice_acts.roll_back, PERSON, None, now=NOW)
        assert (went.name, came and came.name) == (names[3], names[2])


class TestUnserved:
    def test_without_a_server_the_voice_is_a_candidate_and_the_line_says_what_to_do(
        self, ledger: Ledger, tmp_path: Path
    ) -> None:
        night, voice = one_night(ledger, settings_in(tmp_path))
        assert (night.status, voice.status) == (NightStatus.PASSED, VoiceStatus.CANDIDATE)
        assert "no model server is set up" in night.error
        assert night.error.endswith("rejoinder voices promote night-2026-11-21")
        assert intact(tmp_path / "data" / voice.path, voice.digest)

    def test_with_all_servers_away_too(
        self, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REJOINDER__GENERATOR__KIND", "vllm")
        monkeypatch.setenv("REJOINDER__GENERATOR__BASE_URL", "http://127.0.0.1:9/v1")
        monkeypatch.setenv("REJOINDER__GENERATOR__MODEL", "base")
        night, voice = one_night(ledger, settings_in(tmp_path))
        assert (night.status, voice.status) == (NightStatus.PASSED, VoiceStatus.CANDIDATE)
        assert "cannot be reached" in night.error


class TestChannel:
    def test_each_channel_that_is_named_has_a_night_and_a_voice_of_its_own(
        self, ledger: Ledger, tmp_path: Path
    ) -> None:
        desk = Desk(ledger)
        other = desk.add_channel("咖啡 Café")
        settings = settings_in(tmp_path, channels=["demo", "咖啡 Café"])
        done = run(house(settings, ledger))
        assert [night.channel_id for night in done] == [desk.channel.id, other.id]
        assert [night.voice for night in done] == ["demo-1", "caf-2"]
        assert [one.channel_id for one in ledger.read(voices.every)] == [desk.channel.id, other.id]

    def test_a_night_that_waits_goes_first_and_the_other_channels_follow(
        self, ledger: Ledger, tmp_path: Path
    ) -> None:
        from tests.training.test_nightly import with_step
        from training.errors import OutOfBudget

        desk = Desk(ledger)
        desk.add_channel("second")
        settings = settings_in(tmp_path, channels=["demo", "second"])
        stopped = run(house(settings, ledger, steps=with_step("ppo", OutOfBudget("over"))))
        assert [night.status for night in stopped] == [NightStatus.RUNNING]
        done = run(house(settings, ledger))
        assert [night.voice for night in done] == ["demo-1", "second-2"]

    def test_a_channel_without_a_voice_of_its_own_begins_with_that_of_all(
        self, ledger: Ledger, tmp_path: Path
    ) -> None:
        Desk(ledger)
        settings = settings_in(tmp_path)
        put_live(ledger, settings, "everybody")
        night, voice = one_night(ledger, settings, "demo")
        assert night.parent == voice.parent == "everybody"


class TestName:
    @pytest.mark.parametrize(
        ("channel", "name"),
        [
            (None, "night-2026-11-21"),
            ("Demo Shop!", "demo-shop-7"),
            ("频道", "channel-7"),
            ("a" * 90, "a" * 40 + "-7"),
        ],
    )
    def test_a_name_is_one_that_servers_and_files_take(
        self, ledger: Ledger, channel: str | None, name: str
    ) -> None:
        night = Night(id=7, began_at=datetime(2026, 11, 21, tzinfo=UTC), folder="")
        assert ledger.read(name_for, night, channel) == name

    def test_a_name_that_a_voice_ever_had_is_not_used_again(self, ledger: Ledger, tmp_path: Path) -> None:
        settings = settings_in(tmp_path)
        put_live(ledger, settings, "night-2026-11-21")
        _, voice = one_night(ledger, settings)
        assert voice.name == "night-2026-11-21-2"


@pytest.mark.usefixtures("model_server")
class TestDecidedMeanwhile:
    """A night was killed between the voice's registration and its promotion; a person decided before it went on."""

    def killed_after_registering(self, ledger: Ledger, settings: Settings) -> None:
        def end_there(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("training.promote.finish", end_there)
            with pytest.raises(KeyboardInterrupt):
                run(house(settings, ledger))
        assert ledger.read(voices.named, NAME).status == VoiceStatus.CANDIDATE

    def test_a_voice_that_a_person_retired_stays_retired(self, ledger: Ledger, tmp_path: Path) -> None:
        settings = settings_in(tmp_path)
        self.killed_after_registering(ledger, settings)
        ledger.write(voice_acts.retire, PERSON, NAME, now=NOW)
        night, voice = one_night(ledger, settings)
        assert (night.status, voice.status) == (NightStatus.PASSED, VoiceStatus.RETIRED)
        assert night.error == f"a person has decided about {NAME} already: it is retired"

    @pytest.mark.parametrize("share", [None, 0.5])
    def test_a_voice_that_a_person_promoted_stays_as_they_put_it(
        self, ledger: Ledger, tmp_path: Path, share: float | None
    ) -> None:
        settings = settings_in(tmp_path)
        self.killed_after_registering(ledger, settings)
        ledger.write(voice_acts.promote, PERSON, NAME, share=share, now=NOW)
        night, voice = one_night(ledger, settings)
        assert (night.status, voice.share) == (NightStatus.PROMOTED, share or 0.0)
        assert "a person has decided" in night.error
        assert "waits as a candidate" not in night.error

    def test_a_voice_whose_files_a_person_removed_is_not_looked_for(
        self, ledger: Ledger, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        settings = settings_in(tmp_path)
        self.killed_after_registering(ledger, settings)
        ledger.write(voice_acts.retire, PERSON, NAME, now=NOW)
        ledger.write(voices.forget_files, NAME, by="ada", now=NOW)
        server: FakeOpenAI = request.getfixturevalue("model_server")
        server.voices.clear()
        night, _ = one_night(ledger, settings)
        assert (night.status, server.voices) == (NightStatus.PASSED, type(server.voices)())

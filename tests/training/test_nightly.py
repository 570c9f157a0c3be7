"""The night as a whole, with steps that take no time: one at a time, stopped and gone on with, ended for a reason."""

import errno
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.models import Night, NightStatus
from bot.settings import Settings
from bot.store import nights, voices
from bot.store.channels import NoSuchChannel
from bot.store.ledger import Ledger, LedgerUnavailable, connect, sqlite_url
from bot.store.migrate import upgrade
from bot.store.nights import NewNight, NightError, NightRuns
from tests.builders import Desk
from tests.training.stand_ins import NAMES, NOW, house, stand_ins
from training.errors import BadData, Diverged, NoRoom, OutOfBudget, TooLittle
from training.folders import made
from training.lease import LEASE, someone_is_at_it
from training.nightly import House, finite, run
from training.run import Run
from training.steps import Step, Work, gate, too_inaccurate
from training.tidy import old_folders, strip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


def settings_in(folder: Path, **training: Any) -> Settings:
    given = {"base": "/models/base", "trackers": [], "canary": False, **training}
    return Settings.model_validate({"data_dir": folder / "data", "training": given})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    (tmp_path / "data").mkdir()
    opened = connect(sqlite_url(tmp_path / "data" / "ledger.db"))
    upgrade(opened)
    yield opened
    opened.close()


def one(nights_done: list[Night]) -> Night:
    [night] = nights_done
    return night


def with_step(name: str, error: BaseException) -> list[Step]:
    """The stand-ins, of which one ends with an error after a part of its work."""

    def fail(work: Work, run: Run, out: Path) -> None:
        with made(out) as folder:
            (folder / "half").write_text("half")
            raise error

    return [Step(one.name, fail, one.figures) if one.name == name else one for one in stand_ins()]


class TestOutcome:
    def test_a_night_that_passes_ends_with_a_voice_and_the_figures_of_every_step(
        self, settings: Settings, ledger: Ledger
    ) -> None:
        night = one(run(house(settings, ledger)))
        assert (night.status, night.turn, night.lease_owner) == (NightStatus.PASSED, None, None)
        assert night.voice == "night-2026-11-21"
        assert night.data_hash == "d" * 64
        assert set(NAMES) <= night.figures.keys()
        assert night.settings["base"] == "/models/base"
        assert night.code_version

    def test_a_refused_night_names_the_guards_and_makes_no_voice(
        self, settings: Settings, ledger: Ledger
    ) -> None:
        refused = [{"guard": "kl", "detail": "KL is 30.0, over 12"}]
        night = one(run(house(settings, ledger, steps=stand_ins(refused=refused))))
        assert (night.status, night.refusals) == (NightStatus.REFUSED, refused)
        assert ledger.read(voices.every) == []

    def test_too_little_to_learn_from_ends_a_night_and_leaves_no_files(
        self, settings: Settings, ledger: Ledger
    ) -> None:
        little = with_step("snapshot", TooLittle("7 rows of 50: 43 missing"))
        night = one(run(house(settings, ledger, steps=little)))
        assert (night.status, night.error) == (NightStatus.SKIPPED, "7 rows of 50: 43 missing")
        assert not (settings.data_dir / night.folder).exists()

    def test_a_loss_that_is_no_number_fails_the_night_in_one_line_and_keeps_its_files(
        self, settings: Settings, ledger: Ledger
    ) -> None:
        night = one(run(house(settings, ledger, steps=with_step("ppo", Diverged("the loss is nan")))))
        assert (night.status, night.step, night.error) == (NightStatus.FAILED, "ppo", "the loss is nan")
        assert (settings.data_dir / night.folder / "sft" / "metrics.json").exists()

    def test_a_defect_is_kept_in_the_row_and_raised(self, settings: Settings, ledger: Ledger) -> None:
        with pytest.raises(KeyError):
            run(house(settings, ledger, steps=with_step("sft", KeyError("what"))))
        [found] = ledger.read(nights.page)
        assert (found.night.status, found.night.error) == (NightStatus.FAILED, "KeyError: 'what'")

    def test_a_channel_that_is_not_there_is_told_before_any_night_begins(
        self, ledger: Ledger, tmp_path: Path
    ) -> None:
        Desk(ledger)
        with pytest.raises(NoSuchChannel, match="'gone'"):
            run(house(settings_in(tmp_path, channels=["demo", "gone"]), ledger))
        assert ledger.read(nights.page) == []

    def test_a_dry_run_does_all_but_the_promotion(self, settings: Settings, ledger: Ledger) -> None:
        night = one(run(house(settings, ledger, dry=True)))
        assert (night.status, night.voice) == (NightStatus.PASSED, None)
        assert (settings.data_dir / night.folder / "evaluation").exists()
        assert ledger.read(voices.every) == []
        assert not (settings.data_dir / "voices").exists()

    def test_a_dry_run_counts_no_verdicts_as_learned_from(self, settings: Settings, ledger: Ledger) -> None:
        run(house(settings, ledger, dry=True))
        assert ledger.read(nights.latest, None, trained=True) is None

    def test_no_base_model_is_told_before_anything_begins(self, tmp_path: Path, ledger: Ledger) -> None:
        with pytest.raises(Exception, match="base is not set"):
            run(house(settings_in(tmp_path, base=""), ledger))
        assert ledger.read(nights.page) == []

    def test_numbers_that_are_none_do_not_reach_the_ledger(self) -> None:
        assert finite({"a": [float("nan"), 1.0], "b": float("inf")}) == {"a": [None, 1.0], "b": None}


class TestReward:
    @pytest.mark.parametrize(
        ("accuracy", "ends"), [(0.59, True), (0.6, False), (None, True), (float("nan"), True)]
    )
    def test_a_reward_model_that_cannot_tell_better_from_worse_ends_the_night(
        self, settings: Settings, ledger: Ledger, tmp_path: Path, accuracy: float | None, ends: bool
    ) -> None:
        out = tmp_path / "reward"
        out.mkdir()
        (out / "metrics.json").write_text(json.dumps({"accuracy": accuracy}))
        work = Work(settings, ledger, tmp_path, "", None, NOW)
        refused = too_inaccurate(work, out)
        assert bool(refused) == ends
        assert all(
            one["guard"] == "reward_accuracy" and "min_accuracy is 0.6" in one["detail"] for one in refused
        )


class TestGate:
    @pytest.mark.parametrize("told", ["{", '{"version": 1}'])
    def test_a_report_that_lacks_figures_lets_nobody_pass_and_says_so(
        self, settings: Settings, ledger: Ledger, tmp_path: Path, told: str
    ) -> None:
        (tmp_path / "report.json").write_text(told)
        with pytest.raises(BadData, match="lacks figures or is damaged"):
            gate(Work(settings, ledger, tmp_path, "", None, NOW), tmp_path)


class TestOneAtATime:
    def test_of_two_nights_the_second_is_told_that_the_first_runs(
        self, settings: Settings, ledger: Ledger
    ) -> None:
        def second(point: str) -> None:
            if point == "sft begins":
                with pytest.raises(NightRuns, match="night 1 runs already"):
                    run(house(settings, ledger, owner="elsewhere:1:1"))

        assert one(run(house(settings, ledger, steps=stand_ins(second)))).status == NightStatus.PASSED
        assert len(ledger.read(nights.page)) == 1

    def test_a_night_of_a_process_that_is_gone_is_taken_over_at_once(
        self, settings: Settings, ledger: Ledger
    ) -> None:
        ended = subprocess.Popen([sys.executable, "-c", "pass"])
        ended.wait()
        own = House(settings, ledger).owner
        gone = ":".join([own.split(":", maxsplit=1)[0], str(ended.pid), "1"])
        begun = begin(ledger, settings, owner=gone)
        assert one(run(house(settings, ledger))).id == begun.id

    def test_a_process_that_is_there_keeps_its_night_though_a_clock_says_that_its_lease_is_over(
        self, settings: Settings, ledger: Ledger
    ) -> None:
        said = "from training.lease import own_name; print(own_name(), flush=True); input()"
        with subprocess.Popen(
            [sys.executable, "-c", said], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdout is not None
            owner = other.stdout.readline().strip()
            begun = begin(ledger, settings, owner=owner)
            hours_later = NOW + 100 * LEASE
            with pytest.raises(NightRuns, match=f"night {begun.id} runs already"):
                run(house(settings, ledger, clock=lambda: hours_later))
            assert someone_is_at_it(ledger, lambda: hours_later)
            other.communicate("")
        assert not someone_is_at_it(ledger, lambda: hours_later)
        assert one(run(house(settings, ledger, clock=lambda: hours_later))).id == begun.id

    def test_a_night_of_another_machine_is_taken_over_when_its_lease_is_over(
        self, settings: Settings, ledger: Ledger
    ) -> None:
        begun = begin(ledger, settings, owner="elsewhere:1:1")
        with pytest.raises(NightRuns):
            run(house(settings, ledger))
        later = NOW + LEASE
        assert one(run(house(settings, ledger, clock=lambda: later))).id == begun.id

    def test_a_process_that_lost_its_night_writes_nothing_more(
        self, settings: Settings, ledger: Ledger
    ) -> None:
        def steal(point: str) -> None:
            if point == "ppo there":
                ledger.write(
                    nights.take_over,
                    1,
                    owner="thief",
                    now=NOW + LEASE,
                    lease=LEASE,
                    is_gone=lambda owner: True,
                )

        with pytest.raises(NightError, match="taken over by another process"):
            run(house(settings, ledger, steps=stand_ins(steal)))
        found = ledger.read(nights.current)
        assert found is not None
        assert (found.lease_owner, found.status, found.step) == ("thief", NightStatus.RUNNING, "ppo")
        assert ledger.read(voices.every) == []


def begin(ledger: Ledger, settings: Settings, *, owner: str) -> Night:
    """A night as another process has begun it."""
    from training.marks import marks

    new = NewNight(figures={"marks": marks(settings.training, dry=False), "dry": False})
    return ledger.write(nights.begin, new, owner=owner, now=NOW, lease=LEASE)


class TestGoingOn:
    @pytest.mark.parametrize("name", NAMES)
    def test_a_night_out_of_budget_goes_on_after_its_last_finished_step(
        self, settings: Settings, ledger: Ledger, name: str
    ) -> None:
        stopped = one(run(house(settings, ledger, steps=with_step(name, OutOfBudget("the time is over")))))
        assert (stopped.status, stopped.step, stopped.error) == (
            NightStatus.RUNNING,
            name,
            "the time is over",
        )
        assert not nights.is_held(stopped, NOW)
        began: list[str] = []
        ended = one(run(house(settings, ledger, steps=stand_ins(began.append))))
        assert (ended.id, ended.status, ended.error[:9]) == (stopped.id, NightStatus.PASSED, "it could ")
        assert [point.split()[0] for point in began if point.endswith("begins")] == list(
            NAMES[NAMES.index(name) :]
        )

    def test_a_full_disk_stops_the_night_with_a_line_and_it_goes_on_when_there_is_room(
        self, settings: Settings, ledger: Ledger
    ) -> None:
        with pytest.raises(NoRoom, match="make room"):
            run(house(settings, ledger, steps=with_step("ppo", NoRoom("the disk is full; make room"))))
        waiting = ledger.read(nights.current)
        assert waiting is not None
        assert "make room" in waiting.error
        assert one(run(house(settings, ledger))).id == waiting.id

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
    def test_a_full_disk_is_no_failure_wherever_it_shows(
        self, settings: Settings, ledger: Ledger, number: int
    ) -> None:
        def curves(work: Work, run: Run, out: Path) -> None:
            raise OSError(number, "No room", "events.out.tfevents")

        steps = [Step(one.name, curves if one.name == "ppo" else one.do, one.figures) for one in stand_ins()]
        with pytest.raises(NoRoom, match=r"is full .*make room, then start again"):
            run(house(settings, ledger, steps=steps))
        assert one(run(house(settings, ledger))).status == NightStatus.PASSED

    def test_ctrl_c_leaves_a_night_that_goes_on(self, settings: Settings, ledger: Ledger) -> None:
        with pytest.raises(KeyboardInterrupt):
            run(house(settings, ledger, steps=with_step("reward", KeyboardInterrupt())))
        waiting = ledger.read(nights.current)
        assert waiting is not None
        assert (waiting.step, waiting.lease_owner) == ("reward", None)
        assert one(run(house(settings, ledger))).status == NightStatus.PASSED

    def test_a_database_out_of_reach_costs_no_night(self, settings: Settings, ledger: Ledger) -> None:
        away = with_step("ppo", LedgerUnavailable("the database does not answer"))
        with pytest.raises(LedgerUnavailable):
            run(house(settings, ledger, steps=away, owner="elsewhere:1:1"))
        waiting = ledger.read(nights.current)
        assert waiting is not None
        assert waiting.status == NightStatus.RUNNING
        later = NOW + LEASE
        assert one(run(house(settings, ledger, clock=lambda: later))).id == waiting.id

    def test_ctrl_c_at_the_very_end_is_told_as_such(self, settings: Settings, ledger: Ledger) -> None:
        def ended_and_stopped(*given: Any) -> Any:
            house(settings, ledger).promote(*given)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(house(settings, ledger, promote=ended_and_stopped))
        assert [line.night.status for line in ledger.read(nights.page)] == [NightStatus.PASSED]

    def test_other_settings_begin_a_night_anew_instead_of_mixing(
        self, settings: Settings, ledger: Ledger, tmp_path: Path
    ) -> None:
        stopped = one(run(house(settings, ledger, steps=with_step("ppo", OutOfBudget("over")))))
        other = settings_in(tmp_path, seed=7)
        began: list[str] = []
        ended = one(run(house(other, ledger, steps=stand_ins(began.append))))
        assert ended.id != stopped.id
        assert began[0] == "snapshot begins"
        given_up = ledger.read(nights.get, stopped.id or 0).night
        assert given_up.status == NightStatus.FAILED
        assert given_up.error == "settings changed in the middle of the night; a new one has begun"

    def test_another_base_model_begins_a_night_anew(self, ledger: Ledger, tmp_path: Path) -> None:
        base = tmp_path / "base"
        base.mkdir()
        (base / "tokenizer.json").write_text("{}")
        settings = settings_in(tmp_path, base=str(base))
        stopped = one(run(house(settings, ledger, steps=with_step("ppo", OutOfBudget("over")))))
        (base / "tokenizer.json").write_text('{"other": 1}')
        assert one(run(house(settings, ledger))).id != stopped.id
        assert "base model changed" in ledger.read(nights.get, stopped.id or 0).night.error

    def test_more_hours_or_another_cron_line_do_not_begin_it_anew(
        self, settings: Settings, ledger: Ledger, tmp_path: Path
    ) -> None:
        stopped = one(run(house(settings, ledger, steps=with_step("ppo", OutOfBudget("over")))))
        other = settings_in(tmp_path, hours=12, cron="0 4 * * *")
        assert one(run(house(other, ledger))).id == stopped.id

    def test_a_dry_run_waits_for_the_night_that_waits(self, settings: Settings, ledger: Ledger) -> None:
        stopped = one(run(house(settings, ledger, steps=with_step("ppo", OutOfBudget("over")))))
        with pytest.raises(NightError, match="let it end first"):
            run(house(settings, ledger, dry=True))
        assert one(run(house(settings, ledger))).id == stopped.id


class TestTidy:
    def test_of_older_nights_only_the_report_stays(self, ledger: Ledger, tmp_path: Path) -> None:
        settings = settings_in(tmp_path, keep=2)
        done = [one(run(house(settings, ledger))) for _ in range(4)]
        there = [sorted(path.name for path in (settings.data_dir / night.folder).iterdir()) for night in done]
        whole = sorted([*NAMES, "voice"])
        assert there == [["evaluation"], ["evaluation"], whole, whole]

    def test_old_files_that_cannot_be_deleted_do_not_end_a_night_that_is_over(
        self, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*given: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("training.nightly.tidy", refuse)
        assert one(run(house(settings_in(tmp_path), ledger))).status == NightStatus.PASSED

    @pytest.mark.parametrize("folder", ["", ".", "..", "nights", "voices", "nights/../..", "/"])
    def test_no_folder_but_a_night_s_own_is_put_away(self, tmp_path: Path, folder: str) -> None:
        (tmp_path / "nights" / "7").mkdir(parents=True)
        (tmp_path / "voices").mkdir()
        own = Night(id=7, status=NightStatus.FAILED, began_at=NOW, folder="nights/7")
        other = Night(id=8, status=NightStatus.FAILED, began_at=NOW, folder=folder)
        assert old_folders([other, own], tmp_path, 0) == [tmp_path / "nights" / "7"]

    def test_a_folder_that_was_moved_and_linked_is_left_where_it_is(self, tmp_path: Path) -> None:
        large, night = tmp_path / "large", tmp_path / "7"
        large.mkdir()
        night.mkdir()
        (night / "logs").symlink_to(large)
        strip(night)
        assert large.is_dir()

    def test_a_night_that_was_skipped_takes_no_other_ones_place(self, ledger: Ledger, tmp_path: Path) -> None:
        settings = settings_in(tmp_path, keep=1)
        kept = one(run(house(settings, ledger)))
        run(house(settings, ledger, steps=with_step("snapshot", TooLittle("too little"))))
        assert (settings.data_dir / kept.folder / "ppo").exists()

    def test_work_in_progress_is_gone_when_the_night_is_over(
        self, settings: Settings, ledger: Ledger
    ) -> None:
        def checkpoint(point: str) -> None:
            if point == "ppo begins":
                (settings.data_dir / "nights" / "1" / "work" / "ppo").mkdir(parents=True)

        night = one(run(house(settings, ledger, steps=stand_ins(checkpoint))))
        assert not (settings.data_dir / night.folder / "work").exists()

"""Nights in the ledger, and what the service and the command line make of them."""

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import nights as starting
from bot.doctor.nights import night_findings
from bot.generator import GeneratorUnavailable
from bot.models import Night, NightStatus
from bot.nights import Nights, command, environment
from bot.schedule import at_night
from bot.serving.breaker import FAILURES
from bot.serving.fleet import Fleet
from bot.serving.server import ModelServer
from bot.settings import Settings
from bot.store import nights
from bot.store.ledger import Ledger
from bot.store.nights import Listed, NewNight, NightLost, NightRuns, NoSuchNight
from tests.builders import START, Desk
from tests.command_line import Cli
from tests.conftest import require
from tests.fakes import FakeOpenAI

LEASE = timedelta(seconds=60)


def begin(ledger: Ledger, *, owner: str = "me", now: datetime = START, **new: object) -> Night:
    return ledger.write(nights.begin, NewNight(**new), owner=owner, now=now, lease=LEASE)  # type: ignore[arg-type]


def current(ledger: Ledger) -> Night:
    found = ledger.read(nights.current)
    assert found is not None
    return found


class TestTurn:
    """On SQLite and on PostgreSQL."""

    def test_while_a_night_runs_no_other_begins(self, ledger: Ledger) -> None:
        first = begin(ledger)
        with pytest.raises(NightRuns, match=f"night {first.id} runs already"):
            begin(ledger, owner="other")
        ledger.write(nights.end, first.id or 0, NightStatus.REFUSED, owner="me", now=START)
        assert begin(ledger, owner="other").id != first.id

    def test_of_many_that_begin_at_once_one_does(self, ledger: Ledger) -> None:
        async def one(number: int) -> bool:
            try:
                await ledger.awrite(nights.begin, NewNight(), owner=str(number), now=START, lease=LEASE)
            except NightRuns:
                return False
            return True

        async def all_at_once() -> list[bool]:
            return await asyncio.gather(*(one(number) for number in range(8)))

        assert asyncio.run(all_at_once()).count(True) == 1

    def test_a_night_has_a_folder_of_its_own(self, ledger: Ledger) -> None:
        night = begin(ledger)
        assert ledger.read(nights.get, night.id or 0).night.folder == f"nights/{night.id}"

    def test_a_lease_that_is_renewed_is_not_taken_over_and_one_that_is_over_is(self, ledger: Ledger) -> None:
        night = begin(ledger)
        ledger.write(nights.renew, night.id or 0, owner="me", now=START + LEASE / 2, lease=LEASE)
        with pytest.raises(NightRuns):
            ledger.write(nights.take_over, night.id or 0, owner="you", now=START + LEASE, lease=LEASE)
        late = START + 2 * LEASE
        ledger.write(nights.take_over, night.id or 0, owner="you", now=late, lease=LEASE)
        with pytest.raises(NightLost, match="taken over"):
            ledger.write(nights.renew, night.id or 0, owner="me", now=late, lease=LEASE)
        assert current(ledger).lease_owner == "you"

    def test_a_night_whose_process_is_known_to_be_gone_is_taken_over_at_once(self, ledger: Ledger) -> None:
        night = begin(ledger)
        ledger.write(
            nights.take_over,
            night.id or 0,
            owner="you",
            now=START,
            lease=LEASE,
            is_gone=lambda owner: owner == "me",
        )
        assert current(ledger).lease_owner == "you"

    def test_a_night_that_was_given_back_waits_with_a_reason_and_anybody_goes_on(
        self, ledger: Ledger
    ) -> None:
        night = begin(ledger)
        ledger.write(nights.give_back, night.id or 0, owner="me", why="the time is over")
        waiting = current(ledger)
        assert (waiting.error, nights.is_held(waiting, START)) == ("the time is over", False)
        with pytest.raises(NightRuns):
            begin(ledger, owner="you")
        again = ledger.write(nights.take_over, night.id or 0, owner="you", now=START, lease=LEASE)
        assert again.error == ""

    def test_a_night_that_has_ended_is_not_taken_over(self, ledger: Ledger) -> None:
        night = begin(ledger)
        ledger.write(nights.end, night.id or 0, NightStatus.FAILED, owner="me", now=START, error="why")
        with pytest.raises(NightLost, match="has ended"):
            ledger.write(nights.take_over, night.id or 0, owner="you", now=START, lease=LEASE)

    def test_figures_of_the_steps_add_up(self, ledger: Ledger) -> None:
        night = begin(ledger, figures={"dry": False})
        note(ledger, night, "sft", figures={"sft": {"loss": 1.5}}, data_hash="abc")
        note(ledger, night, "reward", figures={"reward": {"accuracy": 0.75}}, voice="ada")
        found = current(ledger)
        assert found.figures == {"dry": False, "sft": {"loss": 1.5}, "reward": {"accuracy": 0.75}}
        assert (found.step, found.data_hash, found.voice) == ("reward", "abc", "ada")


def note(ledger: Ledger, night: Night, step: str, **told: object) -> None:
    ledger.write(nights.note_step, night.id or 0, step, owner="me", **told)  # type: ignore[arg-type]


def ended(ledger: Ledger, status: NightStatus, **new: object) -> Night:
    night = begin(ledger, **new)
    return ledger.write(nights.end, night.id or 0, status, owner="me", now=START, error="why")


class TestReading:
    def test_nights_come_newest_first_page_by_page_with_their_channel(self, ledger: Ledger) -> None:
        channel = Desk(ledger).channel
        ids = [ended(ledger, NightStatus.SKIPPED, channel_id=channel.id).id for _ in range(3)]
        first = ledger.read(nights.page, limit=2)
        assert [one.night.id for one in first] == [ids[2], ids[1]]
        assert [one.night.id for one in ledger.read(nights.page, before=ids[1], limit=2)] == [ids[0]]
        assert first[0].channel == "demo"

    def test_the_last_night_that_learned_is_told_apart_by_channel_and_outcome(self, ledger: Ledger) -> None:
        channel = Desk(ledger).channel
        trained = ended(ledger, NightStatus.REFUSED)
        ended(ledger, NightStatus.SKIPPED)
        ended(ledger, NightStatus.FAILED)
        ended(ledger, NightStatus.PROMOTED, channel_id=channel.id)
        ended(ledger, NightStatus.PASSED, figures={"dry": True})
        found = ledger.read(nights.latest, None, trained=True)
        assert found is not None
        assert found.id == trained.id

    def test_a_number_that_no_night_has_is_told_in_a_line(self, ledger: Ledger) -> None:
        with pytest.raises(NoSuchNight, match="there is no night 7"):
            ledger.read(nights.get, 7)

    def test_a_skipped_night_is_no_news(self, ledger: Ledger) -> None:
        failed = ended(ledger, NightStatus.FAILED)
        ended(ledger, NightStatus.SKIPPED)
        last = ledger.read(nights.last)
        assert last is not None
        assert last.night.id == failed.id

    def test_a_night_that_began_since_a_moment_is_known(self, ledger: Ledger) -> None:
        ended(ledger, NightStatus.SKIPPED)
        assert ledger.read(nights.begun_since, START)
        assert not ledger.read(nights.begun_since, START + timedelta(seconds=1))


class TestDoctor:
    @pytest.mark.parametrize(
        ("night", "level", "words"),
        [
            (
                {"status": NightStatus.FAILED, "error": "the loss is nan"},
                "warning",
                "failed: the loss is nan",
            ),
            (
                {"status": NightStatus.REFUSED, "refusals": [{"guard": "kl", "detail": "x"}]},
                "warning",
                "was refused (kl)",
            ),
            (
                {"status": NightStatus.RUNNING, "turn": "night", "step": "ppo", "error": "the time is over"},
                "warning",
                "waits at step ppo (the time is over)",
            ),
            (
                {"status": NightStatus.RUNNING, "turn": "night", "step": "ppo", "lease_until": START + LEASE},
                "ok",
                "runs, step ppo",
            ),
            ({"status": NightStatus.PROMOTED, "voice": "night-1"}, "ok", "made night-1"),
        ],
    )
    def test_the_last_night_is_told(self, night: dict[str, object], level: str, words: str) -> None:
        row = Night(id=3, began_at=START, folder="nights/3", **night)  # type: ignore[arg-type]
        [finding] = night_findings(Settings(), Listed(row, None), START)
        assert (finding.level, finding.part) == (level, "night")
        assert words in finding.english
        assert "第 3 夜" in finding.chinese

    def test_nothing_is_told_where_no_night_was_and_none_is_planned(self) -> None:
        assert list(night_findings(Settings(), None, START)) == []

    def test_a_cron_line_without_a_base_model_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REJOINDER__TRAINING__CRON", "0 3 * * *")
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        levels = [(one.level, one.english.split(";")[0]) for one in night_findings(Settings(), None, START)]
        assert levels == [
            ("error", "training.cron is set, but not training.base"),
            (
                "error",
                "training.cron is set, but its packages are not installed: pip install 'rejoinder[train]'",
            ),
        ]

    def test_doctor_tells_of_a_failed_night(self, cli: Cli) -> None:
        ended(cli.desk().ledger, NightStatus.FAILED)
        cli("doctor", "--json")
        [line] = [one for one in json.loads(cli.out) if one["part"] == "night"]
        assert line == {"level": "warning", "part": "night", "message": "night 1 failed: why"}


CHILD = """
import os, signal, sys, time
from pathlib import Path
{body}
Path({out!r}).write_text(" ".join(sys.argv[1:]))
"""


class TestService:
    """The service starts the nights, as processes."""

    @pytest.fixture
    def child(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
        """Puts a script in the training's place; it writes its arguments to the file that is returned."""

        def put(body: str = "") -> Path:
            out, script = tmp_path / "called", tmp_path / "child.py"
            script.write_text(CHILD.format(body=body, out=str(out)))
            monkeypatch.setattr(starting, "command", lambda *words: [sys.executable, str(script), *words])
            return out

        return put

    async def test_a_night_is_started_with_the_options_of_the_service(
        self, child: Callable[[str], Path], tmp_path: Path
    ) -> None:
        out = child("")
        held = Nights(["--data-dir", "here"], tmp_path, lambda: START)
        await held.start()
        await held.drain()
        assert out.read_text() == f"--data-dir here nightly --by-cron {START.isoformat()}"
        assert (tmp_path / "nights" / "nightly.log").exists()
        held.stop()

    async def test_a_log_that_has_grown_large_is_put_aside_before_a_night_writes_to_it(
        self, child: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        child("print('tonight')")
        monkeypatch.setattr(starting, "MOST_LOG_BYTES", 3)
        log = tmp_path / starting.LOG
        log.parent.mkdir()
        log.write_text("last night\n")
        held = Nights([], tmp_path, lambda: START)
        await held.start()
        await held.drain()
        held.stop()
        assert (log.read_text(), log.with_name("nightly.log.1").read_text()) == ("tonight\n", "last night\n")

    async def test_while_one_runs_no_other_is_started_and_at_the_end_it_is_asked_to_stop(
        self, child: Callable[[str], Path], tmp_path: Path
    ) -> None:
        ready = tmp_path / "ready"
        os.mkfifo(ready)
        body = (
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
            f"open({str(ready)!r}, 'w').close()\nsignal.pause()"
        )
        child(body)
        held = Nights([], tmp_path, lambda: START)
        await held.start()
        await asyncio.to_thread(lambda: ready.open().close())
        process = held._process
        await held.start()
        assert held._process is process
        assert held.runs
        held.stop()
        await held.drain()
        assert process is not None
        assert process.returncode == 143
        assert not held.runs

    async def test_after_a_night_that_was_killed_the_model_servers_are_woken(
        self, child: Callable[[str], Path], tmp_path: Path
    ) -> None:
        out = child("if 'wake' not in sys.argv: os.kill(os.getpid(), signal.SIGKILL)")
        held = Nights(["-c", "x"], tmp_path, lambda: START)
        await held.start()
        await held.drain()
        assert out.read_text() == "-c x wake"
        held.stop()

    async def test_a_program_that_cannot_be_started_is_no_end_of_the_service(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(starting, "command", lambda *words: [str(tmp_path / "nowhere")])
        held = Nights([], tmp_path, lambda: START)
        await held.start()
        assert not held.runs
        held.stop()

    async def test_the_hour_is_read_on_the_clocks_of_the_time_zone(self) -> None:
        scheduler = AsyncIOScheduler()

        async def start() -> None:
            raise AssertionError("not yet")

        at_night(scheduler, "30 3 * * *", "Asia/Shanghai", start)
        [job] = scheduler.get_jobs()
        midnight = datetime(2026, 11, 21, tzinfo=ZoneInfo("Asia/Shanghai"))
        assert job.trigger.get_next_fire_time(None, midnight) == midnight.replace(hour=3, minute=30)
        assert job.misfire_grace_time == 3600

    def test_the_training_beside_the_bot_that_runs_is_what_is_started(self, tmp_path: Path) -> None:
        (tmp_path / "training").mkdir()
        (tmp_path / "training" / "__main__.py").write_text("print('another program')")
        asked = subprocess.run(
            command("--help"), env=environment(), cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert "nightly" in asked.stdout


class TestKilled:
    def test_killed_anywhere_and_started_again_it_ends_as_if_undisturbed(
        self, model_server: FakeOpenAI, tmp_path: Path
    ) -> None:
        require(sys.platform == "linux", "processes are forked")
        assert model_server.url
        done = subprocess.run(
            [sys.executable, "-m", "tests.training.killed", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        told = json.loads(done.stdout)
        assert told["half_written"] == []
        assert told["different"] == []
        assert told["points"] > 50
        assert [one["status"] for one in told["expected"]["voices"]] == ["canary"]
        assert [one["status"] for one in told["expected"]["nights"]] == ["promoted"]


class TestAsleep:
    """What a sleeping server means for the comments that come meanwhile."""

    async def test_a_request_runs_into_its_deadline_and_the_server_is_left_alone_until_it_is_awake(
        self,
    ) -> None:
        async with FakeOpenAI(can_sleep=True) as fake:
            fleet = Fleet([ModelServer(base_url=fake.url, deadline_s=0.2)], model="base", deadline_s=0.2)
            async with aiohttp.ClientSession() as http:
                await http.post(f"{fake.url.removesuffix('/v1')}/sleep")
                for _ in range(FAILURES):
                    with pytest.raises(GeneratorUnavailable, match="did not answer within"):
                        await fleet.chat([{"role": "user", "content": "hello"}])
                assert not fleet.uses()[0].well
                await http.post(f"{fake.url.removesuffix('/v1')}/wake_up")
            answer = await fleet.chat([{"role": "user", "content": "hello"}])
            assert answer.choices
            assert fleet.uses()[0].well
            await fleet.aclose()

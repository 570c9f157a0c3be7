"""What a night shows of itself, and what stops it."""

import json
import os
import subprocess
import sys
import types
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import structlog
from rich.console import Console

from bot.models import Night
from bot.settings import GeneratorSettings, Settings
from bot.store import nights
from bot.store.ledger import Ledger, LedgerUnavailable
from bot.store.nights import NewNight, NightLost, NightRuns
from bot.training_settings import TrainingSettings
from tests.builders import START
from tests.fakes import FakeOpenAI
from tests.integration.conftest import model_server  # noqa: F401
from tests.training.stand_ins import house, stand_ins
from training import server_sleep
from training.__main__ import main
from training.errors import OutOfBudget
from training.lease import LEASE, Lease, is_gone, own_name, utc_now
from training.nightly import frees_device, run
from training.progress import GIB, Budget, Screen, Watch, trackers, used_bytes
from training.server_sleep import MARK, SleepRefused, asleep, wake


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TestBudget:
    def test_time_that_is_over_ends_the_step_with_a_line(self) -> None:
        clock = Seconds()
        budget = Budget(2.0, clock=clock)
        clock.now = 7199
        budget.check()
        clock.now = 7200
        with pytest.raises(OutOfBudget, match="hours = 2 are over; what is done is kept"):
            budget.check()

    def test_memory_over_the_limit_ends_it_and_0_is_no_limit(self) -> None:
        Budget(1.0, 0.0, used=lambda: 10**15).check()
        Budget(1.0, 4.0, used=lambda: 4 * GIB).check()
        with pytest.raises(OutOfBudget, match="memory_gb = 4; raise it, or lower micro_batch"):
            Budget(1.0, 4.0, used=lambda: 4 * GIB + GIB // 2).check()

    def test_memory_is_that_of_this_process(self) -> None:
        before = used_bytes()
        held = bytearray(os.urandom(1 << 20) * 64)
        assert used_bytes() - before > len(held) // 2

    def test_a_step_stops_where_it_tells_how_far_it_is(self) -> None:
        clock = Seconds()
        watch = Watch(seed=7, budget=Budget(1.0, clock=clock), screen=Screen(Console(file=StringIO())))
        step = watch.of("ppo")
        step.advance(1, 2, kl=0.5)
        assert step.seed == 7
        clock.now = 3601
        with pytest.raises(OutOfBudget):
            step.advance(2, 2, kl=0.5)


class Kept:
    def __init__(self) -> None:
        self.noted: list[tuple[str, int, dict[str, float]]] = []

    def note(self, step: str, at: int, figures: Any) -> None:
        self.noted.append((step, at, dict(figures)))

    def close(self) -> None:
        self.noted.append(("closed", 0, {}))


class TestScreen:
    def test_on_a_terminal_there_is_a_bar_for_each_step_with_its_figures(self) -> None:
        out = StringIO()
        with Screen(Console(file=out, force_terminal=True, width=120)) as screen:
            screen.show("sft", 3, 10, {"loss": 1.25})
            screen.show("ppo", 1, 50, {"kl": 0.5})
        assert "sft" in out.getvalue()
        assert "3/10" in out.getvalue()
        assert "loss 1.25" in out.getvalue()
        assert "kl 0.5" in out.getvalue()

    def test_elsewhere_a_line_comes_now_and_then_and_at_the_end(self) -> None:
        clock, out = Seconds(), StringIO()
        screen = Screen(Console(file=out), clock=clock)
        with structlog.testing.capture_logs() as told:
            for done in range(1, 101):
                clock.now += 1
                screen.show("ppo", done, 100, {"kl": 1.0})
        assert [line["done"] for line in told] == [1, 31, 61, 91, 100]
        assert out.getvalue() == ""

    def test_figures_go_to_every_tracker(self) -> None:
        kept = Kept()
        watch = Watch(seed=0, budget=Budget(1.0), screen=Screen(Console(file=StringIO())), trackers=[kept])
        watch.of("ppo").advance(3, 50, kl=0.5, reward=1.0)
        assert kept.noted == [("ppo", 3, {"kl": 0.5, "reward": 1.0})]


class TestTrackers:
    def test_tensorboard_has_the_curves_of_every_step(self, tmp_path: Path) -> None:
        pytest.importorskip("tensorboard")
        pytest.importorskip("torch")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        with trackers(["tensorboard"], tmp_path / "logs", "night-1") as [kept]:
            for at in (1, 2, 3):
                kept.note("ppo", at, {"kl": at / 10})
        found = EventAccumulator(str(tmp_path / "logs"))
        found.Reload()
        assert [(one.step, round(one.value, 3)) for one in found.Scalars("ppo/kl")] == [
            (1, 0.1),
            (2, 0.2),
            (3, 0.3),
        ]

    def test_a_night_that_tells_nothing_opens_nothing(self, tmp_path: Path) -> None:
        with trackers(["tensorboard"], tmp_path / "logs", "night-1") as [kept]:
            kept.note("snapshot", 1, {})
        assert not (tmp_path / "logs").exists()

    def test_weights_and_biases_goes_on_in_the_run_of_the_same_night(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[Any] = []

        class FakeRun:
            def log(self, figures: dict[str, float]) -> None:
                asked.append(figures)

            def finish(self) -> None:
                asked.append("finished")

        def init(**options: Any) -> FakeRun:
            asked.append((options["id"], options["resume"]))
            return FakeRun()

        module = types.ModuleType("wandb")
        module.init = init  # type: ignore[attr-defined]
        module.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
        monkeypatch.setitem(sys.modules, "wandb", module)
        with trackers(["wandb"], tmp_path / "logs", "night-7") as [kept]:
            kept.note("sft", 4, {"loss": 1.5})
        assert asked == [("night-7", "allow"), {"sft/at": 4, "sft/loss": 1.5}, "finished"]

    def test_one_that_is_wanted_and_not_installed_is_told_and_no_hindrance(self, tmp_path: Path) -> None:
        if "wandb" in sys.modules:
            pytest.skip("wandb is installed")
        with (
            structlog.testing.capture_logs() as told,
            trackers(["wandb"], tmp_path / "logs", "night-7") as kept,
        ):
            assert kept == []
        assert told[0]["tracker"] == "wandb"


class TestLease:
    def begin(self, ledger: Ledger) -> Night:
        return ledger.write(nights.begin, NewNight(), owner="me", now=START, lease=LEASE)

    def test_it_is_renewed_while_the_night_runs(self, ledger: Ledger) -> None:
        night = self.begin(ledger)
        times = [START + timedelta(seconds=60 * number) for number in range(1000)]
        renewed = Event()

        def clock() -> datetime:
            if len(times) < 995:
                renewed.set()
            return times.pop(0)

        with Lease(ledger, night.id or 0, "me", clock=clock, every_s=0.001) as lease:
            assert renewed.wait(30)
            lease.check()
        found = ledger.read(nights.current)
        assert found is not None
        assert found.lease_until is not None
        assert found.lease_until > START + LEASE

    def test_a_night_that_another_took_over_stops_at_the_next_sign(self, ledger: Ledger) -> None:
        night = self.begin(ledger)
        late = START + 2 * LEASE
        ledger.write(nights.take_over, night.id or 0, owner="thief", now=late, lease=LEASE)
        lease = Lease(ledger, night.id or 0, "me", clock=lambda: late, every_s=0.001)
        with lease:
            lease._thread.join(30)
        with pytest.raises(NightLost, match="taken over"):
            lease.check()

    def test_a_ledger_out_of_reach_ends_it_only_when_the_lease_is_over(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        night = self.begin(ledger)
        now = [START]

        def away(*_: Any, **__: Any) -> None:
            raise LedgerUnavailable("the ledger is away")

        monkeypatch.setattr(ledger, "write", away)
        lease = Lease(ledger, night.id or 0, "me", clock=lambda: now[0], every_s=0.001)
        lease._renew()
        lease.check()
        now[0] = START + LEASE
        lease._renew()
        with pytest.raises(NightLost, match="could not be renewed in time"):
            lease.check()


class TestProcess:
    def test_this_process_is_there_and_one_that_ended_is_gone(self) -> None:
        assert not is_gone(own_name())
        child = subprocess.run(
            [sys.executable, "-c", "from training.lease import own_name; print(own_name())"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert is_gone(child.stdout.strip())

    def test_a_process_that_has_ended_and_was_not_looked_after_is_gone(self) -> None:
        code = "from training.lease import own_name; print(own_name(), flush=True)"
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            name = child.stdout.readline().strip()
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            assert is_gone(name)

    def test_another_process_with_the_number_of_one_that_ended_is_told_apart(self) -> None:
        machine, number, _ = own_name().split(":")
        assert is_gone(f"{machine}:{number}:1")

    def test_a_process_that_is_hidden_is_not_taken_for_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        own, read = own_name(), Path.read_text

        def hidden(path: Path, *args: Any, **kwargs: Any) -> str:
            if path.name == "stat":
                raise FileNotFoundError(path)
            return read(path, *args, **kwargs)

        monkeypatch.setattr(Path, "read_text", hidden)
        assert not is_gone(own)

    def test_a_machine_of_the_same_name_is_another_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        read = Path.read_text

        def elsewhere(path: Path, *args: Any, **kwargs: Any) -> str:
            return "another start\n" if path.name == "boot_id" else read(path, *args, **kwargs)

        with monkeypatch.context() as there:
            there.setattr(Path, "read_text", elsewhere)
            machine = own_name().split(":")[0]
        assert not is_gone(f"{machine}:4194305:1")

    def test_of_another_machine_nothing_is_known(self) -> None:
        assert not is_gone("elsewhere/1:1:1")
        assert not is_gone("nonsense")


def test_the_error_of_a_night_may_quote_anything_whatever_the_database(
    ledger: Ledger, tmp_path: Path
) -> None:
    def break_off(point: str) -> None:
        raise RuntimeError("a \x00 \u202e b")

    training = TrainingSettings(base="/models/base", trackers=[])
    with pytest.raises(RuntimeError):
        run(
            house(Settings(data_dir=tmp_path / "data", training=training), ledger, steps=stand_ins(break_off))
        )
    [found] = ledger.read(nights.page)
    assert found.night.error == "RuntimeError: a \\x00 \\u202e b"


class TestSleep:
    @pytest.fixture
    def server(self, request: pytest.FixtureRequest) -> FakeOpenAI:
        found: FakeOpenAI = request.getfixturevalue("model_server")
        found.can_sleep = True
        return found

    def test_the_server_sleeps_while_the_block_runs_and_loads_its_voices_anew(
        self, server: FakeOpenAI, tmp_path: Path
    ) -> None:
        server.voices["ada-1"] = "/voices/ada"
        with asleep([server.url], tmp_path):
            assert server.sleeping
            assert (tmp_path / MARK).exists()
        assert not server.sleeping
        assert server.voices == {}
        assert not (tmp_path / MARK).exists()
        assert ("/sleep", {"level": "1", "mode": "wait"}) in server.calls

    def test_it_wakes_when_the_block_breaks(self, server: FakeOpenAI, tmp_path: Path) -> None:
        with pytest.raises(KeyboardInterrupt), asleep([server.url], tmp_path):
            raise KeyboardInterrupt
        assert not server.sleeping

    def test_a_server_that_a_killed_night_left_asleep_is_woken_at_the_next_start(
        self, server: FakeOpenAI, tmp_path: Path
    ) -> None:
        left = asleep([server.url], tmp_path)
        left.__enter__()
        assert wake(tmp_path) == [server.url.removesuffix("/v1")]
        assert not server.sleeping
        assert wake(tmp_path) == []

    def test_a_server_that_does_not_offer_it_is_refused_with_the_cure(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> None:
        server: FakeOpenAI = request.getfixturevalue("model_server")
        with (
            pytest.raises(SleepRefused, match="--enable-sleep-mode and VLLM_SERVER_DEV_MODE=1"),
            asleep([server.url], tmp_path),
        ):
            pytest.fail("the block must not run")
        assert not (tmp_path / MARK).exists()

    def test_a_server_that_is_away_uses_no_gpu_and_is_left_alone(self, tmp_path: Path) -> None:
        with asleep(["http://127.0.0.1:9/v1"], tmp_path):
            assert (tmp_path / MARK).read_text() == "[]"
        assert not (tmp_path / MARK).exists()

    def test_one_that_ended_while_it_slept_is_no_hindrance(self, tmp_path: Path) -> None:
        (tmp_path / MARK).write_text('["http://127.0.0.1:9"]')
        assert wake(tmp_path) == ["http://127.0.0.1:9"]
        assert not (tmp_path / MARK).exists()

    def test_one_that_cannot_be_woken_leaves_no_other_asleep(
        self, server: FakeOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = server_sleep._ask

        def ask(client: Any, at: str, what: str, **options: str) -> None:
            if what == "wake_up" and at.startswith("http://localhost"):
                raise SleepRefused("it does not wake")
            real(client, at, what, **options)

        root = server.url.removesuffix("/v1")
        (tmp_path / MARK).write_text(json.dumps([root.replace("127.0.0.1", "localhost"), root]))
        server.sleeping = True
        monkeypatch.setattr(server_sleep, "_ask", ask)
        with pytest.raises(SleepRefused):
            wake(tmp_path)
        assert not server.sleeping
        assert (tmp_path / MARK).exists()

    def test_a_night_puts_it_to_sleep_for_the_heavy_steps_and_wakes_it_for_the_promotion(
        self, server: FakeOpenAI, ledger: Ledger, tmp_path: Path
    ) -> None:
        seen: dict[str, bool] = {}

        def look(point: str) -> None:
            seen[point] = server.sleeping

        training = TrainingSettings(base="/models/base", trackers=[], sleep_server=True)
        settings = Settings(data_dir=tmp_path / "data", training=training)
        [night] = run(house(settings, ledger, steps=stand_ins(look)))
        assert night.status == "promoted"
        assert not seen["snapshot there"]
        assert all(seen[f"{step} there"] for step in ("sft", "reward", "judge", "ppo", "evaluation"))
        assert not server.sleeping

    def test_another_start_does_not_wake_what_a_running_night_has_put_to_sleep(
        self, server: FakeOpenAI, ledger: Ledger, tmp_path: Path
    ) -> None:
        def others(point: str) -> None:
            if point == "sft there":
                with pytest.raises(NightRuns):
                    run(house(settings, ledger, owner="elsewhere:1:1"))
                assert main(["-c", str(file), "wake"]) == 0
                assert server.sleeping

        file = tmp_path / "rejoinder.toml"
        url = ledger.engine.url.render_as_string(hide_password=False)
        file.write_text(f'data_dir = "{tmp_path / "data"}"\n[database]\nurl = "{url}"\n')
        training = TrainingSettings(base="/models/base", trackers=[], sleep_server=True)
        settings = Settings(data_dir=tmp_path / "data", training=training)
        [night] = run(house(settings, ledger, steps=stand_ins(others), clock=utc_now))
        assert night.status == "promoted"

    def test_servers_that_write_the_replies_stay_awake(self) -> None:
        vllm = GeneratorSettings(kind="vllm", base_url="http://127.0.0.1:9/v1", model="base")
        local = TrainingSettings(sleep_server=True)
        by_server = TrainingSettings.model_validate({"sleep_server": True, "ppo": {"rollouts": "server"}})
        assert frees_device(Settings(generator=vllm, training=local))
        assert not frees_device(Settings(generator=vllm, training=by_server))
        assert not frees_device(Settings(training=local))

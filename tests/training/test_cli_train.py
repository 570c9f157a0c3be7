"""`rejoinder train` and `python -m training`, as processes and as people meet them."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.cli import main as rejoinder
from bot.models import NightStatus
from bot.nights import environment
from bot.store import nights
from bot.store.ledger import Ledger, connect, sqlite_url
from bot.store.migrate import upgrade
from bot.store.nights import NewNight
from tests.builders import START
from training import __main__ as training
from training.lease import LEASE
from training.words import WORDS


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Commands in this process set handlers of their own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    opened = connect(sqlite_url(tmp_path / "data" / "ledger.db"))
    upgrade(opened)
    yield opened
    opened.close()


def ended(ledger: Ledger, status: NightStatus, **told: Any) -> int:
    night = ledger.write(nights.begin, NewNight(base_model="b"), owner="me", now=START, lease=LEASE)
    ledger.write(nights.note_step, night.id or 0, "ppo", owner="me", voice=told.pop("voice", None))
    ledger.write(nights.end, night.id or 0, status, owner="me", now=START, **told)
    return night.id or 0


class TestHelp:
    def test_help_needs_none_of_the_heavy_packages(self, tmp_path: Path) -> None:
        code = "import sys; from training.__main__ import main; main(['--help']); print(sorted(sys.modules))"
        asked = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        for name in ("nightly", "sft", "reward", "ppo", "evaluate", "demo", "status", "list"):
            assert name in asked.stdout
        for module in ("torch", "transformers", "sqlalchemy", "bot.settings"):
            assert f"'{module}'" not in asked.stdout

    def test_every_word_is_there_in_both_languages(self) -> None:
        assert all(english.strip() and chinese.strip() for english, chinese in WORDS.values())


class TestErrors:
    def test_packages_that_are_missing_are_told_with_the_cure(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(training, "NEEDED", ("no_such_package",))
        assert training.main(["nightly"]) == 2
        assert "pip install 'rejoinder[train]'" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["nonsense"], "No such command"),
            (["sft"], "name a night by its number, or give --data DIR with --out DIR"),
            (["sft", "--data", "x"], "name a night by its number"),
            (["sft", "0"], "greater than or equal to 1"),
            (["sft", "9" * 30], "less than or equal to"),
            (["sft", "7", "--start", "x"], "--start: only with --data, as night 7 has weights of its own"),
            (["ppo", "7", "--reward", "x"], "--reward: only with --data"),
            (["ppo", "--data", "x", "--out", "y", "--start", "z"], "give --start DIR and --reward DIR"),
            (["evaluate"], "name a night by its number; 'rejoinder train list'"),
            (["-c", "nowhere.toml", "status"], "cannot be read"),
            (["--lang", "fr", "status"], "'fr'"),
        ],
    )
    def test_bad_usage_is_one_line_and_code_2(
        self, ledger: Ledger, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
    ) -> None:
        assert training.main(arguments) == 2
        told = capsys.readouterr().err
        assert words in told
        assert told.count("\n") == 1

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["nightly"], "training.base is not set"),
            (["nightly", "--channel", "nowhere"], "nowhere"),
            (["ppo", "7"], "there is no night 7"),
            (["--data-dir", "/dev/null", "status"], "name a folder that can be written to"),
            (["sft", "--data", "empty", "--out", "o"], "holds no sft.jsonl"),
        ],
    )
    def test_what_cannot_be_had_is_one_line_and_code_1(
        self, ledger: Ledger, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
    ) -> None:
        assert training.main(arguments) == 1
        told = capsys.readouterr().err
        assert words in told
        assert told.count("\n") == 1

    def test_while_a_night_runs_a_second_is_refused_and_the_cron_s_says_nothing(
        self, ledger: Ledger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REJOINDER__TRAINING__BASE", "/models/base")
        monkeypatch.setattr("training.nightly.utc_now", lambda: START)
        now = training_now()
        ledger.write(nights.begin, NewNight(), owner="elsewhere/1:1:1", now=now, lease=LEASE)
        assert training.main(["nightly"]) == 1
        assert "night 1 runs already" in capsys.readouterr().err
        later = "2999-01-01T00:00:00+00:00"
        assert training.main(["nightly", "--by-cron", later]) == 0
        assert capsys.readouterr() == ("", "")

    def test_a_night_that_began_since_the_hour_is_enough_for_the_cron(
        self, ledger: Ledger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ended(ledger, NightStatus.SKIPPED)
        assert training.main(["nightly", "--by-cron", START.isoformat()]) == 0
        assert len(ledger.read(nights.page)) == 1


def training_now() -> Any:
    from training.lease import utc_now

    return utc_now()


class TestTelling:
    def test_status_tells_of_the_last_night_in_both_languages(
        self, ledger: Ledger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        refusals = [{"guard": "kl", "detail": "KL is 30, over 12"}]
        ended(ledger, NightStatus.REFUSED, refusals=refusals)
        assert training.main(["status"]) == 0
        assert (
            capsys.readouterr().out == "Night 1 was refused, and nothing changes:\n- kl: KL is 30, over 12\n"
        )
        assert training.main(["--lang", "zh", "status"]) == 0
        assert capsys.readouterr().out.startswith("第 1 夜未通过评审")

    def test_a_night_that_waits_says_how_it_goes_on(
        self, ledger: Ledger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        night = ledger.write(nights.begin, NewNight(), owner="me", now=START, lease=LEASE)
        ledger.write(nights.note_step, night.id or 0, "ppo", owner="me")
        ledger.write(nights.give_back, night.id or 0, owner="me", why="the time is over")
        assert training.main(["status"]) == 0
        told = capsys.readouterr().out
        assert told == "Night 1 waits at step ppo: the time is over Go on with it: rejoinder train nightly\n"

    def test_the_list_has_every_night_and_json_has_all_of_it(
        self, ledger: Ledger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ended(ledger, NightStatus.PROMOTED, voice="night-1")
        ended(ledger, NightStatus.FAILED, error="the loss is nan")
        assert training.main(["list"]) == 0
        told = capsys.readouterr().out
        assert "night-1" in told
        assert "the loss is nan" in told
        assert training.main(["list", "--json", "-n", "1"]) == 0
        [found] = json.loads(capsys.readouterr().out)
        assert (found["id"], found["status"], found["error"]) == (2, "failed", "the loss is nan")
        assert found["began_at"] == START.isoformat()

    def test_no_night_yet_says_how_to_begin(self, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        assert training.main(["list"]) == 0
        assert "rejoinder train nightly" in capsys.readouterr().out


class TestPassedOn:
    def test_options_before_and_after_the_command_reach_the_other_process(
        self, ledger: Ledger, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "mine.toml").write_text(f'data_dir = "{tmp_path / "elsewhere"}"\n')
        assert rejoinder(["train", "status", "--lang", "zh", "-c", str(tmp_path / "mine.toml")]) == 0
        assert capfd.readouterr().out.startswith("还没有训练过")
        assert (tmp_path / "elsewhere" / "ledger.db").exists()

    def test_the_exit_code_is_that_of_the_other_process(
        self, ledger: Ledger, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert rejoinder(["train", "nonsense"]) == 2
        assert "No such command 'nonsense'" in capfd.readouterr().err

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_ends_a_night_without_a_traceback_and_it_waits(
        self, ledger: Ledger, tmp_path: Path, number: signal.Signals, code: int
    ) -> None:
        script = tmp_path / "night.py"
        script.write_text(
            "import sys\nfrom tests.training import stand_ins\nfrom training import nightly, __main__\n"
            "import signal\n"
            "def at(point):\n    if point == 'ppo half':\n        print('here', flush=True)\n        signal.pause()\n"
            "nightly.STEPS = stand_ins.stand_ins(at)\n"
            "real = nightly.House\n"
            "def fits(source, tokenizer): return None\n"
            "nightly.House = lambda *a, **k: real(*a, **{**k, 'steps': nightly.STEPS, 'fit': fits})\n"
            "sys.exit(__main__.main(['nightly']))\n"
        )
        env = {
            **environment(),
            "REJOINDER__TRAINING__BASE": "/models/base",
            "REJOINDER__TRAINING__TRACKERS": "[]",
        }
        with subprocess.Popen(
            [sys.executable, str(script)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
            process.send_signal(number)
            _, err = process.communicate(timeout=60)
        assert process.returncode == code
        assert "Traceback" not in err
        waiting = ledger.read(nights.current)
        assert waiting is not None
        assert (waiting.step, waiting.lease_owner) == ("ppo", None)
        assert not (tmp_path / "data" / "nights" / "1" / "ppo").exists()
        assert (tmp_path / "data" / "nights" / "1" / "judge").is_dir()

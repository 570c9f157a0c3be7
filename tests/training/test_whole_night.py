"""One whole night with the real steps, on a base small enough for seconds."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree, rmtree

import pytest

from bot.models import Night, NightStatus
from bot.settings import Settings
from bot.store import voices
from bot.store.ledger import Ledger, connect, sqlite_url
from bot.store.migrate import upgrade
from bot.store.voices import NewVoice
from bot.voices.files import digest_of, read_weights, take_in
from tests.fake_weights import write_weights
from tests.training.conftest import build_base, small_settings
from tests.training.creator import NOW, Creator
from training.alone import on_data, on_night
from training.errors import BadData, OutOfBudget
from training.nightly import House, run
from training.promote import tokenizer_mark
from training.run import Run
from training.steps import STEPS, Step, Work

AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    for name in ("torch", "transformers", "peft", "trl", "datasets"):
        pytest.importorskip(name)
    return str(build_base(tmp_path_factory.mktemp("base"), max_position_embeddings=4096))


def home(folder: Path, base: str) -> tuple[Settings, Ledger]:
    folder.mkdir()
    ledger = connect(sqlite_url(folder / "ledger.db"))
    upgrade(ledger)
    creator = Creator(ledger)
    creator.day(24)
    creator.save()
    data = {"min_rows": 4, "min_pairs": 4, "min_new": 1}
    training = small_settings(
        base, data=data, reward={"min_accuracy": 0.5, "batch": 4}, trackers=["tensorboard"]
    )
    return Settings(data_dir=folder, training=training), ledger


class Stopping:
    """A run that is out of time after the first sign of each step, once."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def seed(self) -> int:
        return self._run.seed

    def advance(self, done: int, total: int, **figures: float) -> None:
        self._run.advance(done, total, **figures)
        raise OutOfBudget("the time is over")


def open_gate(stopping: set[str]) -> list[Step]:
    """The real steps without the gate, which random weights do not pass; those in `stopping` break off once."""

    def broken_off(step: Step) -> Step:
        def do(work: Work, run: Run, out: Path) -> None:
            if step.name in stopping:
                stopping.remove(step.name)
                step.do(work, Stopping(run), out)
            else:
                step.do(work, run, out)

        return Step(step.name, do, step.figures, heavy=step.heavy)

    return [broken_off(step) for step in STEPS]


@pytest.fixture(scope="module")
def whole(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Ledger, Night]]:
    settings, ledger = home(tmp_path_factory.mktemp("whole") / "data", base)
    [night] = run(House(settings, ledger, steps=open_gate(set()), clock=lambda: AT))
    yield settings, ledger, night
    ledger.close()


def test_a_night_makes_every_folder_and_a_voice_of_real_weights(
    whole: tuple[Settings, Ledger, Night],
) -> None:
    settings, ledger, night = whole
    assert night.status == NightStatus.PASSED
    assert night.error.startswith("it could not be tried on a server")
    folder = settings.data_dir / night.folder
    assert {one.name for one in folder.iterdir()} == {
        *(step.name for step in STEPS), "voice", "logs"
    }  # fmt: skip
    assert (folder / "evaluation" / "report.html").stat().st_size > 1000
    [voice] = ledger.read(voices.every)
    weights = read_weights(settings.data_dir / voice.path)
    assert (weights.rank, weights.digest) == (4, voice.digest)
    assert len(voice.metrics["tokenizer"]) == 64


def test_the_row_has_what_each_step_measured(whole: tuple[Settings, Ledger, Night]) -> None:
    _, _, night = whole
    assert night.figures["snapshot"]["content_sha256"] == night.data_hash
    assert 0 <= night.figures["reward"]["accuracy"] <= 1
    assert night.figures["judge"].keys() == night.figures["reward"].keys()
    assert night.figures["evaluation"]["prompts"] > 0
    assert "samples" not in night.figures["evaluation"]


def test_stopped_in_every_step_and_gone_on_with_it_comes_to_the_same_weights(
    whole: tuple[Settings, Ledger, Night], base: str, tmp_path: Path
) -> None:
    settings, ledger = home(tmp_path / "data", base)
    steps = open_gate({"sft", "reward", "judge", "ppo"})
    stopped = []
    for _ in range(5):
        [night] = run(House(settings, ledger, steps=steps, clock=lambda: AT))
        stopped.append(night.step)
    assert stopped == ["sft", "reward", "judge", "ppo", "promotion"]
    [voice], [expected] = ledger.read(voices.every), whole[1].read(voices.every)
    assert voice.digest == expected.digest
    ledger.close()


def test_the_real_gate_refuses_what_random_weights_make_and_says_why(
    base: str, tmp_path: Path, whole: tuple[Settings, Ledger, Night]
) -> None:
    settings, _, done = whole
    work = Work(settings, whole[1], settings.data_dir / done.folder, base, None, NOW)
    [gate] = [step for step in STEPS if step.name == "evaluation"]
    refused = gate.refuses(work, work.folder / "evaluation")
    assert "judge" in {one["guard"] for one in refused}
    assert all(one["detail"] for one in refused)


def test_a_step_by_itself_makes_of_the_same_files_the_same_weights(
    whole: tuple[Settings, Ledger, Night], tmp_path: Path
) -> None:
    settings, _, night = whole
    folder = settings.data_dir / night.folder
    made = {"sft": folder / "sft", "reward": folder / "reward"}
    for name, given in (
        ("sft", {}),
        ("reward", {}),
        ("ppo", {"start": made["sft"], "reward": made["reward"]}),
    ):
        out = on_data(settings, name, folder / "snapshot", tmp_path / name, **given)
        assert digest_of(out) == digest_of(folder / name)


def test_a_step_that_is_done_is_not_done_again_by_itself(whole: tuple[Settings, Ledger, Night]) -> None:
    settings, ledger, night = whole
    with pytest.raises(BadData, match="is there already; remove it to do the step again"):
        on_night(settings, ledger, "ppo", night.id or 0)


def test_the_evaluation_of_a_night_is_done_anew_where_its_folder_was_removed(
    whole: tuple[Settings, Ledger, Night],
) -> None:
    settings, ledger, night = whole
    folder = settings.data_dir / night.folder / "evaluation"
    before = (folder / "report.json").read_text()
    rmtree(folder)
    assert on_night(settings, ledger, "evaluation", night.id or 0) == [folder]
    assert (folder / "report.json").read_text() == before


def test_a_base_without_a_chat_template_fails_the_night_before_anything_is_learned(
    base: str, tmp_path: Path
) -> None:
    bare = Path(copytree(base, tmp_path / "bare"))
    (bare / "chat_template.jinja").unlink()
    settings, ledger = home(tmp_path / "data", str(bare))
    [night] = run(House(settings, ledger, clock=lambda: AT))
    assert (night.status, night.step) == (NightStatus.FAILED, "sft")
    assert "has no chat template" in night.error
    ledger.close()


def test_another_tokenizer_than_the_live_voice_s_fails_the_night_with_the_cure(
    base: str, tmp_path: Path
) -> None:
    changed = Path(copytree(base, tmp_path / "changed"))
    settings, ledger = home(tmp_path / "data", str(changed))
    folder, weights = take_in(write_weights(tmp_path / "voice", base="changed"), settings.data_dir, "old")
    old = NewVoice("old", folder, weights.digest, "changed", 8, metrics={"tokenizer": tokenizer_mark(base)})
    ledger.write(voices.add, old, by="night", now=AT)
    ledger.write(voices.promote, "old", share=None, by="night", now=AT)
    template = changed / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    [night] = run(House(settings, ledger, clock=lambda: AT))
    assert (night.status, night.parent) == (NightStatus.FAILED, "old")
    assert "restore the old files" in night.error
    assert "\n" not in night.error
    ledger.close()

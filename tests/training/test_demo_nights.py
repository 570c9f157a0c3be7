"""Whole nights with all their real steps, on a world small enough for a test: one that promotes, one that must not."""

import io
import json
from pathlib import Path

import pytest

from tests.conftest import require_module

for _name in ("torch", "transformers", "peft", "trl"):
    require_module(_name)

from rich.console import Console  # noqa: E402

from training.demo.base import Size  # noqa: E402
from training.demo.report import DemoReport, show  # noqa: E402
from training.demo.run import run_demo  # noqa: E402
from training.demo.settings import TRAINING, Plan  # noqa: E402

SMALL = Plan(
    base=Size(hidden=96, layers=3, steps=420),
    comments=(160, 24),
    measured=32,
    training=TRAINING.model_copy(
        update={
            # With so few verdicts the preference model has to read them more often, and PPO to stay near its start.
            "reward": TRAINING.reward.model_copy(update={"epochs": 3.0}),
            "ppo": TRAINING.ppo.model_copy(
                update={"batches": 20, "learning_rate": 1e-3, "kl_adaptive": False, "kl_stop": 20.0}
            ),
            # A base this small garbles a number now and then, whoever speaks.
            "gate": TRAINING.gate.model_copy(update={"prompts": 32, "max_drop": 0.15}),
        }
    ),
    broken={2: {"learning_rate": 1e-2, "kl_stop": 1e6}},
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> DemoReport:
    """A sound night, then a broken one on the voice that it made."""
    folder = tmp_path_factory.mktemp("demo")
    return run_demo(folder, seed=7, nights=2, plan=SMALL, console=Console(quiet=True))


def test_a_sound_night_promotes_a_voice_that_its_creator_likes_better(report: DemoReport) -> None:
    night = report.nights[0]
    assert night.status == "promoted", night.refusals
    assert night.after_ppo is not None
    assert night.after_ppo.taste > night.before.taste
    assert night.figures["evaluation"]["judge"]["low"] > 0


def test_a_broken_night_is_refused_and_the_voice_before_it_goes_on_answering(report: DemoReport) -> None:
    sound, broken = report.nights
    assert broken.status == "refused", broken.error
    assert broken.refusals
    assert not broken.voice
    assert sound.after_ppo is not None
    assert broken.before.texts == sound.after_ppo.texts


def test_every_step_leaves_its_folder_and_a_report_for_people(report: DemoReport) -> None:
    for night in report.nights:
        for step in ("snapshot", "sft", "reward", "judge", "ppo", "evaluation"):
            assert (night.folder / step).is_dir(), step
        assert "<html" in (night.folder / "evaluation" / "report.html").read_text("utf-8")
        assert not (night.folder / "work").exists()


def test_the_voice_names_the_base_that_it_is_for(report: DemoReport) -> None:
    [config] = (report.folder / "voices").rglob("adapter_config.json")
    assert Path(json.loads(config.read_text("utf-8"))["base_model_name_or_path"]).name == "base-7"


def test_what_is_shown_names_every_guard_that_refused(report: DemoReport) -> None:
    shown = io.StringIO()
    show(report, Console(file=shown, width=200))
    assert all(refusal["guard"] in shown.getvalue() for refusal in report.nights[1].refusals)
    assert json.loads(json.dumps(report.as_json()))["bad_nights_refused"] == 1

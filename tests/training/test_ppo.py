"""PPO on a tiny model: that it learns, that it can be killed, and when it stops."""

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from bot.training_settings import TrainingSettings  # noqa: E402
from tests.training.conftest import json_of, small_settings  # noqa: E402
from tests.training.roles import PROMPTS, Broken, Ends, Wanted, adapters, lively_base, weights_of  # noqa: E402
from tests.training.test_sft import small_files  # noqa: E402
from training import checkpoints  # noqa: E402
from training.checkpoints import Progress  # noqa: E402
from training.errors import BadData, Diverged, NoRoom, OutOfBudget  # noqa: E402
from training.ppo import improve  # noqa: E402
from training.rows import Prompt  # noqa: E402
from training.run import Quiet  # noqa: E402

Improved = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> str:
    return lively_base(tmp_path_factory.mktemp("lively"))


@pytest.fixture
def improved(lively: str, tmp_path: Path) -> Improved:
    """Runs PPO into `tmp_path / out`; keywords are those of the settings' `ppo`, and `improve`'s own."""
    start, reward = adapters(small_settings(lively), tmp_path)

    def run(out: str = "out", *, top: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        own = {name: changes.pop(name) for name in ("run", "work", "extra", "weights") if name in changes}
        ppo = small_settings(lively).ppo.model_dump() | {"batch": 8, "micro_batch": 8} | changes
        settings = small_settings(lively, ppo=ppo, **(top or {}))
        given = {"run": Quiet(), "work": tmp_path / f"{out}-work", "extra": (Wanted(),)} | own
        return improve(lively, start, reward, PROMPTS, tmp_path / out, settings=settings, **given)

    return run


def curves_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "curves.jsonl").read_text("utf-8").splitlines()]


def test_what_is_rewarded_becomes_more_frequent(improved: Improved, tmp_path: Path) -> None:
    scorer = Wanted()

    improved(
        extra=(scorer,), batches=12, batch=32, micro_batch=32, learning_rate=0.05, kl_coef=0.0, kl_stop=1e9
    )

    assert sum(scorer.means[-3:]) / 3 > sum(scorer.means[:3]) / 3 + 0.3


def test_a_run_leaves_an_adapter_its_metrics_and_one_line_a_batch(improved: Improved, tmp_path: Path) -> None:
    metrics = improved(batches=3)

    curves = curves_of(tmp_path / "out")
    wanted = {
        "reward", "score", "kl", "entropy", "length", "eos_rate", "distinct", "policy_loss", "value_loss",
        "clip_fraction", "seconds", "kl_coef",
    }  # fmt: skip
    assert json_of(tmp_path / "out" / "metrics.json") == metrics
    assert [row["batch"] for row in curves] == [0, 1, 2]
    assert all(wanted <= row.keys() for row in curves)
    assert metrics["stopped"] == ""
    assert curves[0]["kl"] == pytest.approx(0.0, abs=1e-4), "the reference is the policy as it began"
    assert weights_of(tmp_path / "out") != weights_of(tmp_path / "start")


def test_a_seed_gives_the_same_weights_bit_for_bit(improved: Improved, tmp_path: Path) -> None:
    for out, seed in (("a", 0), ("b", 0), ("c", 1)):
        improved(out, run=Quiet(seed))

    assert weights_of(tmp_path / "a") == weights_of(tmp_path / "b") != weights_of(tmp_path / "c")


def test_micro_batches_and_checkpointed_gradients_change_nothing_but_rounding(
    improved: Improved, tmp_path: Path
) -> None:
    improved("whole", batches=1)
    improved("parts", batches=1, micro_batch=3)
    improved("again", batches=1, top={"gradient_checkpointing": True})

    from safetensors.torch import load_file

    whole = load_file(tmp_path / "whole" / "adapter_model.safetensors")
    start = load_file(tmp_path / "start" / "adapter_model.safetensors")
    for other in ("parts", "again"):
        found = load_file(tmp_path / other / "adapter_model.safetensors")
        for name, one in whole.items():
            # Adam divides by the gradient's size: where it is next to nothing, rounding decides the direction.
            moved = (found[name] - start[name], one - start[name])
            assert torch.nn.functional.cosine_similarity(*(move.flatten() for move in moved), dim=0) > 0.99


KILLED = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from bot.training_settings import TrainingSettings
from tests.training.roles import PROMPTS, Ends, Wanted
from training.ppo import improve
settings, folder = TrainingSettings.model_validate_json(sys.argv[1]), Path(sys.argv[2])
run = Ends(int(sys.argv[3]), killed=True)
improve(settings.base, folder / "start", folder / "reward", PROMPTS, folder / "killed", settings=settings,
        run=run, work=folder / "killed-work", extra=(Wanted(),))
"""


def test_a_killed_run_goes_on_to_the_same_weights(improved: Improved, lively: str, tmp_path: Path) -> None:
    changes = {"batches": 5, "checkpoint_every": 2}
    improved("whole", **changes)
    ppo = small_settings(lively).ppo.model_dump() | {"batch": 8, "micro_batch": 8} | changes
    settings = small_settings(lively, ppo=ppo).model_dump_json()

    done = subprocess.run([sys.executable, "-c", KILLED, settings, str(tmp_path), "3"], check=False)
    assert done.returncode == -9
    assert not (tmp_path / "killed").exists()
    scorer = Wanted()
    improved("killed", extra=(scorer,), **changes)

    assert len(scorer.means) == 3, "the batches after the checkpoint"
    assert weights_of(tmp_path / "killed") == weights_of(tmp_path / "whole")
    assert len(curves_of(tmp_path / "killed")) == 5


def test_a_run_out_of_budget_loses_no_batch(improved: Improved, tmp_path: Path) -> None:
    improved("whole", batches=4)

    with pytest.raises(OutOfBudget):
        improved("out", batches=4, run=Ends(3))
    assert not (tmp_path / "out").exists()
    scorer = Wanted()
    improved("out", batches=4, extra=(scorer,))

    assert len(scorer.means) == 1
    assert weights_of(tmp_path / "out") == weights_of(tmp_path / "whole")


def test_a_checkpoint_of_other_settings_is_not_gone_on_with(improved: Improved) -> None:
    with pytest.raises(OutOfBudget):
        improved(batches=4, run=Ends(3))
    scorer = Wanted()

    improved(batches=4, kl_coef=0.5, extra=(scorer,))

    assert len(scorer.means) == 4


def test_kl_over_the_limit_stops_and_the_last_policy_under_it_is_kept(
    improved: Improved, tmp_path: Path
) -> None:
    metrics = improved(batches=30, learning_rate=0.01, kl_coef=0.0, kl_stop=1.0)

    curves = curves_of(tmp_path / "out")
    assert metrics["stopped"] == "kl"
    assert curves[-1]["kl"] > 1.0 >= max(row["kl"] for row in curves[:-1])
    assert metrics["batches"] == len(curves) - 2, "the policy that wrote the last batch but one"
    assert metrics["kl"] == curves[-2]["kl"]


def test_kl_that_runs_away_at_once_leaves_nothing(improved: Improved, tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="learning_rate"):
        improved(batches=3, learning_rate=5.0, kl_stop=0.5)

    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_no_number_stops_and_the_last_good_step_is_kept(
    improved: Improved, tmp_path: Path
) -> None:
    metrics = improved("broken", batches=4, extra=(Broken(after=3),))

    assert metrics["stopped"] == "nan"
    assert metrics["batches"] == 2
    with pytest.raises(Diverged, match="no number"):
        improved("never", extra=(Broken(after=0),))


def test_the_coefficient_adapts_where_that_is_wanted(improved: Improved, tmp_path: Path) -> None:
    improved(batches=3, kl_adaptive=True, kl_coef=1.0)

    assert [row["kl_coef"] for row in curves_of(tmp_path / "out")] == pytest.approx([1.0, 0.98, 0.98**2])


def test_a_prompt_without_room_for_a_reply_is_left_out_and_counted(
    improved: Improved, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = Prompt(({"role": "user", "content": "long " * 3000},))
    monkeypatch.setattr("tests.training.test_ppo.PROMPTS", [endless, *PROMPTS])
    metrics = improved(batches=2)
    assert (metrics["batches"], metrics["left_out"]) == (2, 1)
    monkeypatch.setattr("tests.training.test_ppo.PROMPTS", [endless])
    with pytest.raises(BadData, match="no prompt leaves room"):
        improved("none")


def test_nothing_to_learn_from_is_said(tiny_settings: TrainingSettings, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no prompts"):
        improve("", tmp_path, tmp_path, [], tmp_path, settings=tiny_settings, run=Quiet(), work=tmp_path)


def test_a_disk_that_fills_while_the_policy_is_saved_is_told_and_leaves_nothing_behind(
    improved: Improved, tmp_path: Path
) -> None:
    # PEFT's page for a model hub, which comes first, has room; the weights have not.
    with small_files(6_000), pytest.raises(NoRoom, match="disk is full; make room, then start again"):
        improved("full", batches=1, checkpoint_every=9)
    assert [one.name for one in tmp_path.glob("full*")] == []


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints.save(tmp_path, Progress("same", batch=1))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr("training.checkpoints.os.fsync", full)
    with pytest.raises(NoRoom, match="make room"):
        checkpoints.save(tmp_path, Progress("same", batch=2))

    found = checkpoints.load(tmp_path, "same")
    assert found is not None
    assert found.batch == 1
    assert [one.name for one in tmp_path.iterdir()] == [checkpoints.FILE]

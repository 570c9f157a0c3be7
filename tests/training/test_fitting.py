"""Which rows are learned from and how often, and what a trainer leaves behind where it is stopped."""

import errno
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import require_module
from tests.training.conftest import small_settings
from training.errors import BadData, NoRoom
from training.run import Quiet

require_module("torch")
require_module("trl")

from safetensors import SafetensorError  # noqa: E402

from training.fitting import arguments, drawn, last_checkpoint, plain_errors, room  # noqa: E402


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_one_weight_each_come_once_an_epoch(seed: int) -> None:
    order = drawn([0.3] * 100, 2.0, seed)
    assert sorted(order[:100]) == sorted(order[100:]) == list(range(100))
    assert order[:100] != order[100:]


@pytest.mark.parametrize("seed", range(20))
def test_a_row_comes_its_share_rounded_down_or_up(seed: int) -> None:
    weights = [1.0, 2.0, 3.0, 0.5, 0.0, 1.5]
    counts = Counter(drawn(weights, 1.0, seed))
    shares = [one * len(weights) / sum(weights) for one in weights]
    assert sum(counts.values()) == len(weights)
    assert all(int(share) <= counts[row] <= int(share) + 1 for row, share in enumerate(shares))
    assert counts[4] == 0


def test_over_many_epochs_rows_come_in_proportion_to_their_weights() -> None:
    weights = [1.0, 2.0, 3.0, 0.5, 0.0, 1.5]
    counts = Counter(drawn(weights, 2000.0, 0))
    total = 2000 * len(weights)
    assert [round(counts[row] / total, 2) for row in range(6)] == [0.12, 0.25, 0.38, 0.06, 0.0, 0.19]


def test_the_order_follows_from_the_seed() -> None:
    assert drawn([1.0, 2.0] * 20, 1.5, 7) == drawn([1.0, 2.0] * 20, 1.5, 7)
    assert drawn([1.0, 2.0] * 20, 1.5, 7) != drawn([1.0, 2.0] * 20, 1.5, 8)


def test_half_an_epoch_is_half_the_rows() -> None:
    order = drawn([1.0] * 10, 0.5, 0)
    assert len(order) == len(set(order)) == 5


@pytest.mark.parametrize("weights", [[], [0.0, 0.0], [1.0, -1.0], [float("nan")], [float("inf"), 1.0]])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    with pytest.raises(BadData, match="weights"):
        drawn(weights, 1.0, 0)


@pytest.mark.parametrize(("devices", "micro", "accumulated"), [(1, 4, 4), (4, 4, 1), (8, 2, 1), (32, 1, 1)])
def test_the_batch_is_over_all_devices(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, devices: int, micro: int, accumulated: int
) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(devices))
    settings = small_settings("", sft={"batch": 16, "micro_batch": 4})
    found = arguments(settings.sft, settings, Quiet(), tmp_path, 160)
    assert (found["per_device_train_batch_size"], found["gradient_accumulation_steps"]) == (
        micro,
        accumulated,
    )


def test_precision_and_checkpointing_come_from_the_settings(tmp_path: Path) -> None:
    settings = small_settings("", precision="bfloat16", gradient_checkpointing=True)
    found = arguments(settings.sft, settings, Quiet(), tmp_path, 16)
    assert found["bf16"]
    assert found["gradient_checkpointing_kwargs"] == {"use_reentrant": False}


def checkpoint(work: Path, step: int, state: str) -> Path:
    folder = work / f"checkpoint-{step}"
    folder.mkdir()
    (folder / "trainer_state.json").write_text(state)
    return folder


def test_a_half_written_checkpoint_is_cleared_away_for_the_one_before(tmp_path: Path) -> None:
    good = checkpoint(tmp_path, 9, json.dumps({"global_step": 9}))
    broken = checkpoint(tmp_path, 10, '{"global_st')
    assert last_checkpoint(tmp_path) == str(good)
    assert not broken.exists()


def test_there_may_be_no_checkpoint(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    checkpoint(tmp_path, 1, "")
    assert last_checkpoint(tmp_path) is None


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:659] . unexpected pos 64 vs 0"),
    ],
)
def test_a_full_disk_is_told_as_one_whoever_wrote(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(NoRoom, match="the disk is full; make room"), room(tmp_path), plain_errors():
        raise error


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "no"), RuntimeError("other"), SafetensorError("bad")]
)
def test_other_errors_are_no_full_disk(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)), room(tmp_path), plain_errors():
        raise error

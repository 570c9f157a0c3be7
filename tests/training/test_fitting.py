"""How a trainer is set, and what it leaves behind where it is stopped."""

import errno
import json
from pathlib import Path

import pytest

from tests.conftest import require_module
from tests.training.conftest import small_settings
from training.errors import NoRoom
from training.run import Quiet

require_module("torch")
require_module("trl")

from safetensors import SafetensorError  # noqa: E402

from training.fitting import arguments, last_checkpoint, plain_errors, room  # noqa: E402


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

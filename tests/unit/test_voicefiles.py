"""What is taken for a voice, and what is refused with one line."""

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.voices.files import BadVoice, checked_name, intact, read_weights, served_as, take_in, unlike
from tests.fake_weights import write_weights

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def change_config(folder: Path, **values: object) -> None:
    file = folder / CONFIG
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def safetensors(header: object, data: bytes = b"") -> bytes:
    written = json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + data


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "trained")


def test_a_voice_is_copied_whole_and_read_only(source: Path, tmp_path: Path) -> None:
    (source / "training_args.bin").write_bytes(b"a pickle")
    folder, weights = take_in(source, tmp_path / "data", "mia-1")
    assert folder == f"voices/{served_as('mia-1', weights.digest)}"
    assert (weights.base_model, weights.rank) == ("base", 8)
    kept = sorted((tmp_path / "data" / folder).iterdir())
    assert [file.name for file in kept] == [CONFIG, WEIGHTS]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o444 for file in kept)
    assert [file.name for file in (tmp_path / "data" / "voices").iterdir()] == [Path(folder).name]


def test_a_change_of_one_byte_is_another_voice(source: Path, tmp_path: Path) -> None:
    folder, weights = take_in(source, tmp_path, "mia-1")
    assert intact(tmp_path / folder, weights.digest)
    change_config(source, lora_alpha=17)
    other, changed = take_in(source, tmp_path, "mia-1")
    assert other != folder
    assert weights.digest != changed.digest
    assert not intact(tmp_path / other, weights.digest)
    assert not intact(tmp_path / "nowhere", weights.digest)


def test_the_same_voice_taken_in_twice_is_one_folder(source: Path, tmp_path: Path) -> None:
    assert take_in(source, tmp_path, "mia-1") == take_in(source, tmp_path, "mia-1")


def test_a_pickle_is_refused_with_the_cure(source: Path, tmp_path: Path) -> None:
    (source / WEIGHTS).rename(source / "adapter_model.bin")
    with pytest.raises(BadVoice, match=r"may run code.*safetensors"):
        take_in(source, tmp_path / "data", "mia-1")


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_link_is_not_followed(source: Path, tmp_path: Path, name: str) -> None:
    (source / name).rename(tmp_path / "elsewhere")
    (source / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadVoice, match="not a link"):
        take_in(source, tmp_path / "data", "mia-1")


def test_a_pipe_does_not_hold_the_program(source: Path, tmp_path: Path) -> None:
    (source / CONFIG).unlink()
    os.mkfifo(source / CONFIG)
    with pytest.raises(BadVoice, match="no regular file"):
        take_in(source, tmp_path / "data", "mia-1")


def test_a_folder_in_place_of_a_file_is_refused(source: Path, tmp_path: Path) -> None:
    (source / CONFIG).unlink()
    (source / CONFIG).mkdir()
    with pytest.raises(BadVoice, match="no regular file"):
        take_in(source, tmp_path / "data", "mia-1")


def test_an_oversized_file_is_refused_before_it_is_copied(source: Path, tmp_path: Path) -> None:
    os.truncate(source / WEIGHTS, (8 << 30) + 1)
    with pytest.raises(BadVoice, match="more than"):
        take_in(source, tmp_path / "data", "mia-1")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"peft_type": "IA3"}, "no LoRA"),
        ({"base_model_name_or_path": None}, "base_model_name_or_path"),
        ({"base_model_name_or_path": "no\0store\ud800"}, "base_model_name_or_path"),
        ({"base_model_name_or_path": "m" * 501}, "base_model_name_or_path"),
        ({"r": 0}, "rank"),
        ({"r": True}, "rank"),
        ({"r": 16}, "has rank 8"),
        ({"target_modules": []}, "target_modules"),
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias"),
    ],
)
def test_a_configuration_that_cannot_be_served_is_refused(
    source: Path, tmp_path: Path, values: dict[str, object], said: str
) -> None:
    change_config(source, **values)
    with pytest.raises(BadVoice, match=said):
        take_in(source, tmp_path / "data", "mia-1")


A = "model.q_proj.lora_A.weight"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        b"\xff" * 16,
        (3).to_bytes(8, "little") + b"{}",
        safetensors([]),
        safetensors("text"),
        safetensors({A: {}}),
        safetensors({A: {"dtype": "BF16", "shape": [8, -1], "data_offsets": [0, 0]}}),
        safetensors({A: {"dtype": "PICKLE", "shape": [8, 1], "data_offsets": [0, 16]}}, bytes(16)),
        safetensors({A: {"dtype": "BF16", "shape": [8, 1], "data_offsets": [0, 16]}}, bytes(15)),
        safetensors({A: {"dtype": "BF16", "shape": [8, 1], "data_offsets": [0, 16]}}, bytes(17)),
        safetensors({A: {"dtype": "BF16", "shape": [8, 1], "data_offsets": [2, 18]}}, bytes(18)),
        safetensors({A: {"dtype": "BF16", "shape": [8], "data_offsets": [0, 16]}}, bytes(16)),
        safetensors({"other": {"dtype": "BF16", "shape": [8, 1], "data_offsets": [0, 16]}}, bytes(16)),
        (6).to_bytes(8, "little") + b"[" * 6,
        safetensors({})[:8] + b"\xff\xfe",
        safetensors(
            {"m\n\x1b[2J.lora_A.w": {"dtype": "BF16", "shape": [8, 1], "data_offsets": [0, 16]}}, bytes(16)
        ),
        safetensors({"m" * 501 + A: {"dtype": "BF16", "shape": [8, 1], "data_offsets": [0, 16]}}, bytes(16)),
        safetensors({A: {"dtype": "BF16", "shape": [8, 0], "data_offsets": [0, 0]}}),
        safetensors({A: {"dtype": "BF16", "shape": [10**18] * 100_000, "data_offsets": [0, 16]}}, bytes(16)),
    ],
    ids=range(20),
)
def test_damaged_weights_are_refused_and_leave_nothing(source: Path, tmp_path: Path, data: bytes) -> None:
    (source / WEIGHTS).write_bytes(data)
    with pytest.raises(BadVoice, match=WEIGHTS):
        take_in(source, tmp_path / "data", "mia-1")
    assert list((tmp_path / "data" / "voices").iterdir()) == []


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_one_line(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = write_weights(tmp_path_factory.mktemp("voice"))
    (folder / WEIGHTS).write_bytes(data)
    with pytest.raises(BadVoice) as refused:
        read_weights(folder)
    assert "\n" not in str(refused.value)


def test_a_configuration_that_is_no_json_is_refused(source: Path, tmp_path: Path) -> None:
    (source / CONFIG).write_bytes(b"[" * 100_000)
    with pytest.raises(BadVoice, match="no JSON"):
        take_in(source, tmp_path / "data", "mia-1")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadVoice, match="is not there"):
        take_in(tmp_path / "nowhere", tmp_path / "data", "mia-1")


@pytest.mark.parametrize(
    "name", ["", "base", "Mia", "../mia", ".mia", "mia 1", "m" * 65, "mia/1", "米亚", "mia\n"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadVoice, match="no name"):
        checked_name(name)


@pytest.mark.parametrize("name", ["mia-1", "0", "m.i_a-2", "m" * 64])
def test_what_is_a_name_is_taken(name: str) -> None:
    assert checked_name(name) == name


def test_voices_of_models_of_other_widths_are_told_apart_and_of_other_ranks_not(tmp_path: Path) -> None:
    shapes = {
        (rank, hidden): read_weights(
            write_weights(tmp_path / f"{rank}-{hidden}", rank=rank, hidden=hidden)
        ).shapes
        for rank in (4, 8)
        for hidden in (128, 256)
    }
    assert unlike(shapes[4, 256], shapes[8, 256]) is None
    assert "128 in place of 256" in str(unlike(shapes[8, 128], shapes[8, 256]))

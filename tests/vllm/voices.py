"""Voices that a server must not speak with, made from a good one. Plain Python: the tests have no torch here."""

import json
import shutil
from pathlib import Path
from typing import Any

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def corrupt(good: Path, folder: Path) -> Path:
    """Weights that are no weights."""
    shutil.copytree(good, folder)
    (folder / WEIGHTS).write_bytes(b"not weights " * 100)
    return folder


def cut_short(good: Path, folder: Path) -> Path:
    """The first half of the weights, as an interrupted copy leaves them."""
    shutil.copytree(good, folder)
    whole = (good / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    return folder


def of_rank(good: Path, folder: Path, rank: int) -> Path:
    """Zeros of another rank."""
    return _reshaped(good, folder, rank=rank, scale=1.0)


def for_another_base(good: Path, folder: Path, scale: float) -> Path:
    """Zeros for a base whose matrices are `scale` times as wide and as high."""
    return _reshaped(good, folder, rank=None, scale=scale)


def renamed(good: Path, folder: Path, name: str) -> Path:
    """The same weights with `name` in their header, so that they count as another version."""
    shutil.copytree(good, folder)
    content = (good / WEIGHTS).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = {"__metadata__": {"version": name}} | json.loads(content[8 : 8 + length])
    header["__metadata__"]["version"] = name
    text = json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    return folder


def _reshaped(good: Path, folder: Path, *, rank: int | None, scale: float) -> Path:
    folder.mkdir(parents=True)
    config = json.loads((good / CONFIG).read_text("utf-8"))
    config["r"] = rank or config["r"]
    (folder / CONFIG).write_text(json.dumps(config), "utf-8")
    shapes = {name: _shape(name, shape, rank, scale) for name, shape in _shapes(good / WEIGHTS).items()}
    _write_zeros(folder / WEIGHTS, shapes)
    return folder


def _shape(name: str, shape: list[int], rank: int | None, scale: float) -> list[int]:
    """`lora_A` is (rank, in), `lora_B` is (out, rank)."""
    if "lora_A" in name:
        return [rank or shape[0], int(shape[1] * scale)]
    return [int(shape[0] * scale), rank or shape[1]]


def _shapes(file: Path) -> dict[str, list[int]]:
    """Name -> shape. safetensors: eight bytes with the length of a JSON header, the header, the data."""
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8 : 8 + length])
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def _write_zeros(file: Path, shapes: dict[str, list[int]]) -> None:
    header, end = {}, 0
    for name, (rows, columns) in shapes.items():
        begin, end = end, end + 4 * rows * columns
        header[name] = {"dtype": "F32", "shape": [rows, columns], "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))

"""The files of a voice: checked, copied to where nobody writes again, and told apart by their contents.

Only the configuration and the weights are taken. They are checked in the copy, so that what was checked is what is
served, and nothing of them is ever run.
"""

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
FOLDER = "voices"
"""Below `data_dir`; see `generator.voices_dir`."""

CONFIG_BYTES = 1 << 20
WEIGHTS_BYTES = 8 << 30
HEADER_BYTES = 16 << 20
MOST_DIMENSIONS = 8
SHOWN_CHARS = 500
"""Longest name, of a tensor or of a base model, that is taken: people read it."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}

Shapes = Mapping[str, tuple[int, ...]]


class BadVoice(ValueError):
    """The files are no LoRA weights that can be served; the message says what is wrong and what cures it."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What the files say of themselves."""

    base_model: str
    rank: int
    digest: str
    """SHA-256 over both files, names and contents, in hexadecimal."""
    shapes: Shapes


def checked_name(name: str) -> str:
    """Raises BadVoice for what is no name of a voice."""
    if name == "base" or not _NAME.fullmatch(name):
        raise BadVoice(
            f"{name!r} is no name for a voice: at most 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a "
            "digit; 'base' is the base model"
        )
    return name


def served_as(name: str, digest: str) -> str:
    """The name of the voice on the servers."""
    return f"{name}-{digest[:8]}"


def take_in(source: Path, data_dir: Path, name: str) -> tuple[str, Weights]:
    """Copy the voice in `source` below `data_dir`; returns its folder, relative to `data_dir`.

    It is there whole or not at all. Raises BadVoice, OSError.
    """
    checked_name(name)
    home = data_dir / FOLDER
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".taking-", dir=home) as folder:
        copy = Path(folder) / "voice"
        copy.mkdir(mode=0o755)
        _copy(source / CONFIG, copy / CONFIG, CONFIG_BYTES)
        _copy(source / WEIGHTS, copy / WEIGHTS, WEIGHTS_BYTES)
        weights = read_weights(copy)
        target = home / served_as(name, weights.digest)
        if target.exists():
            if read_weights(target).digest != weights.digest:
                raise BadVoice(f"{target} exists and holds something else; move it away")
        else:
            copy.rename(target)
    return f"{FOLDER}/{target.name}", weights


def read_weights(folder: Path) -> Weights:
    """Check the files in `folder`. Raises BadVoice, OSError."""
    config = _read_config(folder / CONFIG)
    shapes = _read_shapes(folder / WEIGHTS)
    _check_shapes(shapes, config["r"], ranks_differ=bool(config.get("rank_pattern")))
    return Weights(config["base_model_name_or_path"], config["r"], digest_of(folder), shapes)


def digest_of(folder: Path) -> str:
    """Raises OSError."""
    whole = sha256()
    for name in sorted((CONFIG, WEIGHTS)):
        with (folder / name).open("rb") as file:
            whole.update(name.encode() + b"\0")
            while piece := file.read(1 << 20):
                whole.update(piece)
            whole.update(b"\0")
    return whole.hexdigest()


def intact(folder: Path, digest: str) -> bool:
    """Whether the files are there and as they were registered."""
    try:
        return digest_of(folder) == digest
    except OSError:
        return False


def unlike(one: Shapes, other: Shapes) -> str | None:
    """Where two voices cannot be of the same base model, whatever their ranks; None: nowhere."""
    for name in sorted(one.keys() & other.keys()):
        side = 1 if ".lora_A." in name else 0
        if len(one[name]) == len(other[name]) == 2 and one[name][side] != other[name][side]:
            return f"{name} has {one[name][side]} in place of {other[name][side]}"
    return None


def remove(folder: Path) -> None:
    """Nothing where it is gone already. Raises OSError."""
    if folder.exists():
        shutil.rmtree(folder)


def _copy(source: Path, target: Path, most: int) -> None:
    """A regular file of at most `most` bytes; the copy is for reading only."""
    try:
        # A link might lead anywhere, and be changed after it was checked; a pipe would wait for ever.
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise BadVoice(_missing(source)) from error
    except OSError as error:
        raise BadVoice(
            f"{source} cannot be read ({error.strerror}); give the file itself, not a link to it"
        ) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise BadVoice(f"{source} is no regular file; give the folder that the training wrote")
    with os.fdopen(descriptor, "rb") as file:
        if found.st_size > most:
            raise BadVoice(f"{source} has {found.st_size} bytes, more than {most}; it is no LoRA of a voice")
        with target.open("xb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
    target.chmod(0o444)


def _missing(source: Path) -> str:
    if source.name == WEIGHTS and source.with_suffix(".bin").exists():
        return (
            f"{source.parent} holds adapter_model.bin, a pickle, which may run code when it is opened; "
            "save the weights as safetensors (PEFT does: save_pretrained(DIR, safe_serialization=True))"
        )
    return f"{source} is not there; give the folder that the training wrote, with {CONFIG} and {WEIGHTS}"


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadVoice(f"{CONFIG} is no JSON ({error}); train or export the voice again") from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        raise BadVoice(f"{CONFIG} describes no LoRA (peft_type); vLLM serves no other kind of adapter")
    base, rank = config.get("base_model_name_or_path"), config.get("r")
    if not isinstance(base, str) or not _readable(base) or type(rank) is not int or not 0 < rank <= 4096:
        raise BadVoice(
            f"{CONFIG} lacks base_model_name_or_path or a rank r of 1 to 4096; export the voice again"
        )
    if not config.get("target_modules"):
        raise BadVoice(f"{CONFIG} names no target_modules; export the voice again")
    # vLLM refuses these when it loads the voice, with words that name no cure.
    for key, harmless in (("use_dora", False), ("bias", "none"), ("modules_to_save", None)):
        if config.get(key, harmless) not in (harmless, []):
            raise BadVoice(f"{CONFIG}: vLLM cannot serve a LoRA with {key}; train the voice without it")
    return config


def _read_shapes(file: Path) -> Shapes:
    """The form: https://github.com/huggingface/safetensors#format."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if size < 8 or not 2 <= length <= min(size - 8, HEADER_BYTES):
            raise BadVoice(f"{WEIGHTS} is no safetensors file, or it is cut short; copy it again")
        raw = opened.read(length)
    try:
        header = json.loads(raw)
        header.pop("__metadata__", None)
        if not all(map(_readable, header)):
            raise ValueError("a name that nobody can read")
        spans = sorted((*_span(entry), name) for name, entry in header.items())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadVoice(f"the header of {WEIGHTS} cannot be read; train or export the voice again") from error
    at = 0
    for begin, end, _ in spans:
        if begin != at or end < begin:
            raise BadVoice(f"{WEIGHTS} is damaged: its tensors overlap or leave gaps; copy it again")
        at = end
    if at != size - 8 - length:
        raise BadVoice(f"{WEIGHTS} is damaged: its tensors take {at} bytes, it holds {size - 8 - length}")
    return {name: tuple(header[name]["shape"]) for *_, name in spans}


def _readable(name: str) -> bool:
    return 0 < len(name) <= SHOWN_CHARS and name.isprintable()


def _span(entry: Mapping[str, Any]) -> tuple[int, int]:
    """Where a tensor begins and ends. Raises ValueError when its shape takes another number of bytes."""
    begin, end = entry["data_offsets"]
    shape = entry["shape"]
    # Numbers of any length may stand there, and to multiply a million of them takes for ever.
    if len(shape) > MOST_DIMENSIONS or not all(
        type(number) is int and number >= 0 for number in (begin, end, *shape)
    ):
        raise ValueError("no shape or no place")
    if end - begin != prod(shape) * _BYTES[entry["dtype"]]:
        raise ValueError("shape and size differ")
    return begin, end


def _check_shapes(shapes: Shapes, rank: int, *, ranks_differ: bool) -> None:
    parts = [(name, shape) for name, shape in shapes.items() if ".lora_A." in name or ".lora_B." in name]
    if not parts or any(len(shape) != 2 or 0 in shape for _, shape in parts):
        raise BadVoice(f"{WEIGHTS} holds no LoRA matrices (lora_A, lora_B); export the voice again")
    for name, shape in parts:
        found = shape[0] if ".lora_A." in name else shape[1]
        if found != rank and not ranks_differ:
            raise BadVoice(
                f"{WEIGHTS}: {name} has rank {found}, {CONFIG} says {rank}; export the voice again"
            )

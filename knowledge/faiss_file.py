"""A faiss index as a file that is the old one or the new one after a kill at any moment, and never half of one.

At the end of the file stands what it is, with a checksum: faiss itself believes whatever it reads.
"""

import json
import os
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import faiss

from knowledge.store import LibraryError

FORMAT = 1
_TRAILER_BYTES = 256
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an index was made from."""

    identity: str
    dimension: int
    generation: int
    trained_on: int
    """How many vectors its lists were cut for."""


def write(path: Path, index: Any, stamp: Stamp) -> None:
    """Put `index` in the place of what `path` holds. Raises LibraryError when it cannot be written."""
    for left in path.parent.glob(f"{path.name}.*.new"):
        left.unlink(missing_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with new.open("wb") as file:
            _write(file, index, stamp)
        new.replace(path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        new.unlink(missing_ok=True)
        raise LibraryError(
            f"{path} cannot be written ({error}); check that the disk has space, then ingest again"
        ) from error


def _write(file: BinaryIO, index: Any, stamp: Stamp) -> None:
    checksum = 0

    def write_block(block: bytes) -> int:
        nonlocal checksum
        checksum = zlib.crc32(block, checksum)
        return file.write(block)

    faiss.write_index(index, faiss.PyCallbackIOWriter(write_block, _BLOCK))
    told = {"format": FORMAT, "length": file.tell(), "checksum": checksum, **asdict(stamp)}
    file.write(json.dumps(told).encode().rjust(_TRAILER_BYTES))
    file.flush()
    os.fsync(file.fileno())


def stamp(path: Path) -> Stamp | None:
    """What the index in `path` was made from; None when there is none that this version can read."""
    try:
        with path.open("rb") as file:
            trailer = _trailer(file)
    except OSError:
        return None
    return None if trailer is None else _stamp(trailer)


def read(path: Path) -> tuple[Any, Stamp] | None:
    """The index in `path`; None when it is missing, cut short or changed since it was written."""
    try:
        with path.open("rb") as file:
            trailer = _trailer(file)
            if trailer is None or not _intact(file, trailer):
                return None
            file.seek(0)
            return faiss.read_index(faiss.PyCallbackIOReader(file.read, _BLOCK)), _stamp(trailer)
    except (OSError, RuntimeError):
        return None


def _stamp(trailer: dict[str, Any]) -> Stamp:
    return Stamp(str(trailer["identity"]), trailer["dimension"], trailer["generation"], trailer["trained_on"])


def _trailer(file: BinaryIO) -> dict[str, Any] | None:
    if file.seek(0, os.SEEK_END) < _TRAILER_BYTES:
        return None
    file.seek(-_TRAILER_BYTES, os.SEEK_END)
    try:
        told = json.loads(file.read())
    except ValueError:
        return None
    return told if isinstance(told, dict) and told.get("format") == FORMAT else None


def _intact(file: BinaryIO, trailer: dict[str, Any]) -> bool:
    file.seek(0)
    left, checksum = int(trailer["length"]), 0
    while left > 0 and (block := file.read(min(left, _BLOCK))):
        checksum = zlib.crc32(block, checksum)
        left -= len(block)
    return left == 0 and checksum == trailer["checksum"]


def _sync_folder(folder: Path) -> None:
    """A rename lasts only when its folder is on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

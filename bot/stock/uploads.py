"""Files that people upload: streamed to a folder of their own, whole or not at all."""

import asyncio
import os
import re
import time
import unicodedata
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal
from uuid import uuid4

from knowledge.loaders import SUFFIXES

FOLDER: Final = "uploads"
"""Below `data_dir`."""
STEM_BYTES: Final = 150
"""Longest name without its ending, in UTF-8; file systems take 255 with all that is added."""
_PART, _OLD = ".part-", ".old-"
_STALE_S: Final = 86_400
_UNWANTED: Final = frozenset('<>:"|?*')
"""Printable, but no part of a name everywhere."""


class UploadRefused(Exception):
    """A file that is not taken; nothing of it is left. `code` and `values` are for whoever words it."""

    def __init__(self, code: Literal["too_large", "wrong_kind", "no_room"], **values: Any) -> None:
        super().__init__(f"{code} {values}")
        self.code = code
        self.values = values


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was uploaded and waits to be read."""

    path: Path
    size: int
    """Bytes."""
    mark: tuple[int, int]
    """Number and time of the file: another that has taken its place since has others."""
    old: Path | None = None
    """What stood in its place, until it has been read."""

    @property
    def there(self) -> bool:
        """Whether the file at `path` is still this one."""
        try:
            return _mark(self.path.stat()) == self.mark
        except FileNotFoundError:
            return False


def as_taken(path: Path, old: Path | None = None) -> Taken:
    """The file that is at `path` now. Raises OSError."""
    found = path.stat()
    return Taken(path, found.st_size, _mark(found), old)


def _mark(found: os.stat_result) -> tuple[int, int]:
    return found.st_ino, found.st_mtime_ns


class Uploads:
    """The folder of the uploaded files. Several processes may use it."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.max_bytes = max_bytes
        self._placing = Lock()

    async def take(self, name: str, pieces: AsyncIterator[bytes], *, replace: bool) -> Taken:
        """Keep a file under its name made safe; with `replace` in the place of a file of that name, else beside it
        under a name with a number. Raises UploadRefused.
        """
        safe = safe_name(name)
        part = self.folder / f"{_PART}{uuid4().hex}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            await self._write(part, pieces)
            return await asyncio.to_thread(self._place, part, safe, replace)
        except OSError as error:
            raise UploadRefused("no_room", name=safe, why=error.strerror or str(error)) from error
        finally:
            # Where even that fails, `kept` clears it away later.
            with suppress(OSError):
                part.unlink(missing_ok=True)

    async def _write(self, part: Path, pieces: AsyncIterator[bytes]) -> None:
        size = 0
        with part.open("xb") as file:
            async for piece in pieces:
                size += len(piece)
                if size > self.max_bytes:
                    raise UploadRefused("too_large", limit=self.max_bytes // 1_000_000)
                await asyncio.to_thread(file.write, piece)

    def _place(self, part: Path, name: str, replace: bool) -> Taken:
        # While one takes a name's place the name is free for a moment, and another may not take it for its own.
        with self._placing:
            return self._put(part, name, replace)

    def _put(self, part: Path, name: str, replace: bool) -> Taken:
        target = self.folder / name
        if replace and target.exists():
            old = self.folder / f"{_OLD}{uuid4().hex}"
            # A file is known by its size and time: one that is written within the same tick would pass for the old one.
            then, now = target.stat().st_mtime_ns, part.stat().st_mtime_ns
            os.utime(part, ns=(now, max(now, then + 1)))
            target.rename(old)
            part.rename(target)
            return as_taken(target, old)
        free = self._reserved(name)
        part.replace(free)
        return as_taken(free)

    def _reserved(self, name: str) -> Path:
        """A free name; of two uploads at the same time one takes the next."""
        stem, _, ending = name.rpartition(".")
        for number in count(1):
            free = self.folder / (name if number == 1 else f"{stem} ({number}).{ending}")
            with suppress(FileExistsError):
                free.touch(exist_ok=False)
                break
        return free

    def settle(self, taken: Taken, *, held: bool) -> None:
        """What the library holds stays; what it could not read goes, and what stood there before comes back."""
        if not held and taken.there:
            if taken.old is not None and taken.old.exists():
                taken.old.replace(taken.path)
            else:
                taken.path.unlink(missing_ok=True)
        if taken.old is not None:
            taken.old.unlink(missing_ok=True)

    def owns(self, source: str) -> bool:
        """Whether `source` is a file of this folder, which goes when its document is removed."""
        return Path(source).parent == self.folder

    def kept(self) -> list[Path]:
        """Every file that was taken; what an upload left that was broken off long ago is cleared away."""
        found = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        for path in found:
            if path.name.startswith((_PART, _OLD)) and path.stat().st_mtime < time.time() - _STALE_S:
                path.unlink(missing_ok=True)
        return [path for path in found if not path.name.startswith(".") and path.is_file()]


def safe_name(given: str) -> str:
    """The last part of `given` as a name that any file system takes and anybody can read.

    Raises UploadRefused for a kind of file that is not read.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", given))[-1]
    shown = "".join(one for one in last if one.isprintable() and one not in _UNWANTED)
    stem, dot, ending = shown.rstrip(" .").rpartition(".")
    suffix = f"{dot}{ending.lower()}"
    if suffix not in SUFFIXES:
        raise UploadRefused("wrong_kind", name=shown[:80], kinds=" ".join(sorted(SUFFIXES)))
    cut = stem.encode()[:STEM_BYTES].decode("utf-8", "ignore")
    return (cut.strip(" .~$") or "document") + suffix

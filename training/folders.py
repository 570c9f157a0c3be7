"""Folders that are there whole or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.errors import NoRoom

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a write fails with where there is no room: on the disk, in the quota, below the limit of a file's size."""


@contextmanager
def made(target: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `target` when the block ends well; until then `target` is not there.

    What an earlier run left half-done is cleared away; what a later run needs to go on (checkpoints) belongs
    elsewhere. Raises NoRoom, OSError.
    """
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        for file in part.rglob("*"):
            _to_disk(file)
        part.rename(target)
        _to_disk(target.parent)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        if error.errno in FULL:
            raise NoRoom(
                f"{target} cannot be written: the disk is full; make room, then start again"
            ) from error
        raise


def _to_disk(path: Path) -> None:
    # A rename may reach the disk before the contents do.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Files and folders that appear whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


class InTheWay(ValueError):
    """Something stands in the place that is not to be overwritten; the message says what to do."""


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Written beside its place and moved there at the end; what breaks off, by Ctrl-C too, leaves nothing behind.

    A lone surrogate leaves as \\udXXX, which is how JSON writes it.
    """
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", errors="backslashreplace") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, mark: str) -> Iterator[Path]:
    """An empty folder to write into, which then takes the place of `path`. As `whole_file` otherwise.

    A folder that stands there is replaced if it is empty or has a file named `mark`, as those made here have.
    Raises InTheWay.
    """
    if path.exists() and not _is_ours(path, mark):
        raise InTheWay(f"{path} is there and was not made by this command; name a new or an empty folder")
    unfinished, before = path.with_name(f"{path.name}.unfinished"), path.with_name(f"{path.name}.before")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        if path.exists():
            shutil.rmtree(before, ignore_errors=True)
            path.rename(before)
        unfinished.rename(path)
        shutil.rmtree(before, ignore_errors=True)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _is_ours(path: Path, mark: str) -> bool:
    return path.is_dir() and ((path / mark).is_file() or not any(path.iterdir()))

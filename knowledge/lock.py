"""One writer at a time, across processes: a lock that the operating system lets go of when its holder dies."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from knowledge.store import LibraryError


class WriterLock:
    """An exclusive transaction on an empty SQLite file; works wherever the library itself works."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self, wait_s: float) -> Iterator[bool]:
        """Whether the lock was got within `wait_s`; it is kept until the block ends."""
        connection = sqlite3.connect(
            self._path, timeout=wait_s, isolation_level=None, check_same_thread=False
        )
        try:
            yield _begin(connection, self._path)
        finally:
            connection.close()


def _begin(connection: sqlite3.Connection, path: Path) -> bool:
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return False
        raise LibraryError(f"{path} cannot be written ({error}); check permissions and free space") from error
    return True

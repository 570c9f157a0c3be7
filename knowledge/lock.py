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
        connection = self._connect(wait_s)
        try:
            yield _begin(connection, self._path)
        finally:
            connection.close()

    def _connect(self, wait_s: float) -> sqlite3.Connection:
        try:
            return sqlite3.connect(self._path, timeout=wait_s, isolation_level=None, check_same_thread=False)
        except sqlite3.OperationalError as error:
            raise _unwritable(self._path, error) from error


def _begin(connection: sqlite3.Connection, path: Path) -> bool:
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return False
        raise _unwritable(path, error) from error
    return True


def _unwritable(path: Path, error: sqlite3.OperationalError) -> LibraryError:
    return LibraryError(f"{path} cannot be written ({error}); check permissions and free space")

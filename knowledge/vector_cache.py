"""What was embedded, by the content it was made from, and which passage has which vectors; one SQLite file.

Vectors are kept as signed bytes: directions only, since each is brought to unit length when it is read. That moves
a cosine of 384 dimensions by about 0.0003, and every index is made from these bytes, so a rebuilt one is the same.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from knowledge.store import BUSY_TIMEOUT_S, LibraryError
from knowledge.vectors import Rows, Vectors

_MANY = 500
"""Numbers per query; SQLite allows a limited count of parameters."""
_TINY = np.float32(1e-12)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, directions BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS entries (
    passage INTEGER PRIMARY KEY, document INTEGER NOT NULL, vector INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_by_document ON entries (document);
CREATE TABLE IF NOT EXISTS changes (document INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS changes_by_generation ON changes (generation);
CREATE TABLE IF NOT EXISTS generation (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS origin (
    one INTEGER PRIMARY KEY CHECK (one = 1), identity TEXT NOT NULL, dimension INTEGER NOT NULL, probe BLOB NOT NULL
);
INSERT OR IGNORE INTO generation VALUES (1, 0);
"""

_DIGESTS = "SELECT digest FROM vectors WHERE digest"
_FIRST_ROWS = (
    "SELECT passage, document, substr(directions, 1, ?) FROM entries JOIN vectors ON id = vector "
    "WHERE document"
)
_ALL_ROWS = "SELECT passage, directions FROM entries JOIN vectors ON id = vector WHERE passage"

Entry = tuple[int, int, bytes]
"""Passage, document, and the digest of what was embedded."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where the vectors come from."""

    identity: str
    """Another one whenever everything is embedded anew."""
    dimension: int
    probe: Vectors
    """(1, dimension): a text's vector, by which the model can be told from another of the same name."""


class VectorCache:
    """Safe to use from several threads, and to read while another process writes."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file. Raises LibraryError when it cannot be used."""
        self._path = path
        self._lock = threading.RLock()
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            # FULL: an index that was saved must never know of a generation that the disk then forgets.
            self._db.executescript(
                f"PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {_SCHEMA}"
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except (sqlite3.DatabaseError, OSError) as error:
                raise LibraryError(
                    f"{self._path} cannot be used ({error}); free disk space if it is full, and where that is not "
                    "the reason remove its folder: the next ingest embeds again"
                ) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def origin(self) -> Origin | None:
        """None before anything was embedded."""
        with self._translated():
            row = self._db.execute("SELECT identity, dimension, probe FROM origin").fetchone()
        return None if row is None else Origin(row[0], row[1], np.frombuffer(row[2], np.float32)[None])

    def start_over(self, origin: Origin) -> None:
        """Forget all vectors: they are now made by `origin`."""
        with self._writing():
            for table in ("vectors", "entries", "changes", "origin"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the line above
            self._db.execute("UPDATE generation SET number = 0")
            self._db.execute(
                "INSERT INTO origin VALUES (1, ?, ?, ?)",
                (origin.identity, origin.dimension, origin.probe.astype(np.float32).tobytes()),
            )

    def generation(self) -> int:
        """The store's generation that the entries reflect."""
        with self._translated():
            return int(self._db.execute("SELECT number FROM generation").fetchone()[0])

    def missing(self, digests: Iterable[bytes]) -> set[bytes]:
        """Those of `digests` for which there are no vectors yet."""
        left = set(digests)
        with self._translated():
            for part in _parts(list(left)):
                rows = self._db.execute(f"{_DIGESTS} IN ({_marks(part)})", part)
                left.difference_update([row[0] for row in rows])
        return left

    def add(self, vectors: Mapping[bytes, Vectors]) -> None:
        """Keep vectors for good: for each digest the passage's in the first row, its sentences' in the others."""
        with self._writing():
            self._db.executemany(
                "INSERT OR IGNORE INTO vectors (digest, directions) VALUES (?, ?)",
                [(digest, to_bytes(rows)) for digest, rows in vectors.items()],
            )

    def put(self, documents: Sequence[int], entries: Iterable[Entry], generation: int) -> None:
        """Put `entries`, whose vectors are all there, in the place of those of `documents`, as of `generation`."""
        with self._writing():
            for document in documents:
                self._db.execute("DELETE FROM entries WHERE document = ?", (document,))
                self._db.execute("INSERT OR REPLACE INTO changes VALUES (?, ?)", (document, generation))
            self._db.executemany("INSERT INTO entries SELECT ?, ?, id FROM vectors WHERE digest = ?", entries)
            self._db.execute("UPDATE generation SET number = ?", (generation,))

    def forget_entries(self, identity: str) -> None:
        """Go back to generation 0 but keep the vectors; indexes made under the former identity are foreign now."""
        with self._writing():
            for table in ("entries", "changes"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the line above
            self._db.execute("UPDATE generation SET number = 0")
            self._db.execute("UPDATE origin SET identity = ?", (identity,))

    def prune(self) -> int:
        """Drop the vectors of passages that are gone, once they outnumber the others; returns how many."""
        with self._writing():
            kept, held = self._db.execute(
                "SELECT (SELECT count(DISTINCT vector) FROM entries), (SELECT count(*) FROM vectors)"
            ).fetchone()
            if held <= 2 * kept:
                return 0
            self._db.execute("DELETE FROM vectors WHERE id NOT IN (SELECT vector FROM entries)")
        return int(held - kept)

    def changed_since(self, generation: int) -> list[int]:
        """Documents whose entries have changed after `generation`."""
        with self._translated():
            rows = self._db.execute("SELECT document FROM changes WHERE generation > ?", (generation,))
            return [row[0] for row in rows]

    def rows_of(self, documents: Sequence[int], dimension: int) -> Rows:
        """The passages' vectors of these documents."""
        found: list[tuple[int, int, bytes]] = []
        with self._translated():
            for part in _parts(documents):
                found += self._db.execute(
                    f"{_FIRST_ROWS} IN ({_marks(part)})",
                    (dimension, *part),
                )
        directions = np.frombuffer(b"".join(row[2] for row in found), np.int8).reshape(-1, dimension)
        passages, documents_of = (np.array([row[column] for row in found], np.int64) for column in (0, 1))
        return Rows(passages, documents_of, to_vectors(directions))

    def cosines(self, vector: Vectors, passages: Sequence[int]) -> dict[int, tuple[list[float], list[float]]]:
        """For each passage the cosines of `vector` with its rows, and with the directions between each two neighbours.

        Passages without any are left out.
        """
        found: list[tuple[int, bytes]] = []
        with self._translated():
            for part in _parts(passages):
                found += self._db.execute(
                    f"{_ALL_ROWS} IN ({_marks(part)})",
                    part,
                )
        row = np.asarray(vector, np.float32).reshape(-1)
        rows = to_vectors(np.frombuffer(b"".join(held for _, held in found), np.int8).reshape(-1, len(row)))
        cosines = rows @ row
        lengths = np.sqrt(np.maximum(2 + 2 * np.einsum("ij,ij->i", rows[:-1], rows[1:]), _TINY))
        single, double = cosines.tolist(), ((cosines[:-1] + cosines[1:]) / lengths).tolist()
        ends = np.cumsum([len(held) // len(row) for _, held in found]).tolist()
        return {
            number: (single[start:end], double[start : end - 1])
            for (number, _), start, end in zip(found, [0, *ends], ends, strict=False)
        }

    def close(self) -> None:
        with self._lock:
            self._db.close()


def to_bytes(vectors: Vectors) -> bytes:
    """Directions of (n, dimension) as signed bytes; a row of zeros stays one."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=_TINY)
    return bytes(np.rint(vectors * (127 / largest)).astype(np.int8).tobytes())


def to_vectors(directions: "np.ndarray[tuple[int, int], np.dtype[np.int8]]") -> Vectors:
    """(n, dimension) of unit length; a row of zeros stays one."""
    rows = directions.astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return np.divide(rows, lengths, out=rows, where=lengths > 0)


def _parts(values: Sequence[object]) -> Iterator[Sequence[object]]:
    for start in range(0, len(values), _MANY):
        yield values[start : start + _MANY]


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))

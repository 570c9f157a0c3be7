"""Documents and passages in one SQLite file: the truth that every index is derived from.

Each change takes the next generation number; an index that knows its own generation can ask what changed since.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from knowledge.base import Document, Passage

SCHEMA_VERSION = 3
BUSY_TIMEOUT_S = 10.0
_MANY = 500
"""Numbers per query; SQLite allows a limited count of parameters."""

_SCHEMA = """
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    language TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    digest TEXT NOT NULL,
    made_by TEXT NOT NULL,
    passages INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    tags TEXT NOT NULL DEFAULT '',
    address TEXT NOT NULL DEFAULT '',
    date TEXT NOT NULL DEFAULT '',
    read_at TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT ''
);
CREATE INDEX documents_by_generation ON documents (generation);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    heading TEXT NOT NULL,
    page INTEGER,
    text TEXT NOT NULL,
    language TEXT NOT NULL,
    time TEXT NOT NULL DEFAULT '',
    answer TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX passages_by_document ON passages (document_id, position);
CREATE TABLE removed (document_id INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO state VALUES ('generation', 0);
"""
_TO_2 = """
ALTER TABLE documents ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN date TEXT NOT NULL DEFAULT '';
ALTER TABLE passages ADD COLUMN time TEXT NOT NULL DEFAULT '';
ALTER TABLE passages ADD COLUMN answer TEXT NOT NULL DEFAULT '';
"""
_TO_3 = """
ALTER TABLE documents ADD COLUMN read_at TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN notes TEXT NOT NULL DEFAULT '';
"""
_STEPS = {0: _SCHEMA, 1: _TO_2 + _TO_3, 2: _TO_3}
"""What brings a file of each older version up to date."""
_PASSAGES = """
SELECT p.id, p.document_id, d.source, d.title, p.heading, p.page, p.position, p.text, p.language, p.time, p.answer,
    d.tags
FROM passages p JOIN documents d ON d.id = p.document_id
"""
_DOCUMENTS = (
    "SELECT id, source, title, language, passages, tags, address, date, read_at, notes FROM documents"
)
_JOINT = "\n"


class LibraryError(Exception):
    """The library cannot be used as it is; the message says what to do."""


class LibraryBusy(LibraryError):
    """Another process is writing the library; it works later."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells whether a source has changed since it was read."""

    size: int
    """Bytes."""
    modified_ns: int
    """Modification time in nanoseconds; 0 where there is none."""
    digest: str
    """SHA-256 of the bytes, hexadecimal."""
    made_by: str
    """Version and settings of the code that split the document."""


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage before the store gives it a number."""

    heading: str
    page: int | None
    text: str
    language: str
    time: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document before the store gives it a number; the fields are those of `knowledge.base.Document`."""

    source: str
    title: str
    language: str
    fingerprint: Fingerprint
    passages: Sequence[NewPassage]
    tags: frozenset[str] = frozenset()
    address: str = ""
    date: str = ""
    notes: Sequence[str] = ()


class Store:
    """Safe to use from several threads and, with a wait of up to `BUSY_TIMEOUT_S`, from several processes."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file. Raises LibraryError when it is newer than this program or no database."""
        self._lock = threading.RLock()
        self._path = path
        try:
            self._db = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise LibraryError(_cure(path, error)) from error

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        with self._writing():
            version = int(self._one("PRAGMA user_version"))
            if version > SCHEMA_VERSION:
                raise LibraryError(
                    f"{self._path} was made by a newer version (schema {version}, known here: {SCHEMA_VERSION}); "
                    "update the program, or point it at another library"
                )
            if version < SCHEMA_VERSION:
                for statement in _STEPS[version].split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _one(self, sql: str, *values: object) -> int:
        row = self._db.execute(sql, values).fetchone()
        return int(row[0])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction that holds the write lock from its start, so that it never fails half way."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise LibraryError(_cure(self._path, error)) from error

    def _next_generation(self) -> int:
        self._db.execute("UPDATE state SET value = value + 1 WHERE name = 'generation'")
        return self.generation()

    def generation(self) -> int:
        """Number of the last change."""
        with self._lock, self._translated():
            return self._one("SELECT value FROM state WHERE name = 'generation'")

    def data_version(self) -> int:
        """Changes whenever another connection has written; costs microseconds."""
        with self._lock, self._translated():
            return self._one("PRAGMA data_version")

    def note(self, name: str, value: int) -> None:
        """Keep a number under `name`; other connections see by `data_version` that something has changed."""
        with self._translated(), self._writing():
            self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, value))

    def put(self, documents: Sequence[NewDocument]) -> list[int]:
        """Add the documents, all or none, each in the place of what its source held before; returns their numbers."""
        if not documents:
            return []
        with self._translated(), self._writing():
            generation = self._next_generation()
            numbers = [self._put_document(document, generation) for document in documents]
            self._db.executemany("DELETE FROM passages WHERE document_id = ?", zip(numbers))
            self._db.executemany(
                "INSERT INTO passages (document_id, position, heading, page, text, language, time, answer)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                _passage_rows(numbers, documents),
            )
        return numbers

    def _put_document(self, document: NewDocument, generation: int) -> int:
        mark = document.fingerprint
        row = self._db.execute(
            "INSERT INTO documents (source, title, language, size, modified_ns, digest, made_by, passages,"
            " generation, tags, address, date, notes, read_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (source) DO UPDATE SET title = excluded.title, language = excluded.language,"
            " size = excluded.size,"
            " modified_ns = excluded.modified_ns, digest = excluded.digest, made_by = excluded.made_by,"
            " passages = excluded.passages, generation = excluded.generation,"
            " tags = excluded.tags, address = excluded.address, date = excluded.date, notes = excluded.notes,"
            " read_at = excluded.read_at RETURNING id",
            (
                document.source,
                document.title,
                document.language,
                mark.size,
                mark.modified_ns,
                mark.digest,
                mark.made_by,
                len(document.passages),
                generation,
                _joined(document.tags),
                document.address,
                document.date,
                _JOINT.join(document.notes),
                _now(),
            ),
        ).fetchone()
        return int(row[0])

    def touch(self, source: str, fingerprint: Fingerprint) -> None:
        """Note a new size and time of a document whose content is the same."""
        with self._translated(), self._writing():
            self._db.execute(
                "UPDATE documents SET size = ?, modified_ns = ?, read_at = ? WHERE source = ?",
                (fingerprint.size, fingerprint.modified_ns, _now(), source),
            )

    def tag(self, source: str, tags: frozenset[str]) -> None:
        """File the document under `tags` in place of those it had; what it holds stays as it is."""
        with self._translated(), self._writing():
            self._db.execute("UPDATE documents SET tags = ? WHERE source = ?", (_joined(tags), source))

    def remove(self, source: str) -> bool:
        """Remove one document; False when there is none."""
        with self._translated(), self._writing():
            row = self._db.execute(
                "DELETE FROM documents WHERE source = ? RETURNING id", (source,)
            ).fetchone()
            if row is not None:
                self._db.execute("INSERT INTO removed VALUES (?, ?)", (row[0], self._next_generation()))
        return row is not None

    def fingerprint(self, source: str) -> Fingerprint | None:
        """What is known of `source`, None when it is not in the library."""
        with self._lock, self._translated():
            row = self._db.execute(
                "SELECT size, modified_ns, digest, made_by FROM documents WHERE source = ?", (source,)
            ).fetchone()
        return None if row is None else Fingerprint(*row)

    def documents(self) -> list[Document]:
        """All documents, by source."""
        with self._lock, self._translated():
            rows = self._db.execute(f"{_DOCUMENTS} ORDER BY source")
            return [_document(row) for row in rows]

    def document(self, source: str) -> Document | None:
        """The document that `source` holds, None when it is not in the library."""
        with self._lock, self._translated():
            row = self._db.execute(f"{_DOCUMENTS} WHERE source = ?", (source,)).fetchone()
        return None if row is None else _document(row)

    def numbered(self, number: int) -> Document | None:
        """The document with this number, None when it is not in the library."""
        with self._lock, self._translated():
            row = self._db.execute(f"{_DOCUMENTS} WHERE id = ?", (number,)).fetchone()
        return None if row is None else _document(row)

    def tags(self) -> frozenset[str]:
        """Every tag that a document carries."""
        with self._lock, self._translated():
            rows = self._db.execute("SELECT DISTINCT tags FROM documents")
            return frozenset().union(*(_parted(joined) for (joined,) in rows))

    def tagged(self, tags: frozenset[str]) -> frozenset[int]:
        """Numbers of the documents that carry at least one of `tags`."""
        with self._lock, self._translated():
            rows = self._db.execute("SELECT id, tags FROM documents WHERE tags != ''")
            return frozenset(number for number, joined in rows if not tags.isdisjoint(_parted(joined)))

    def changed_since(self, generation: int) -> list[int]:
        """Numbers of the documents that were added, replaced or removed after `generation`."""
        with self._lock, self._translated():
            rows = self._db.execute(
                "SELECT id FROM documents WHERE generation > ?1 "
                "UNION SELECT document_id FROM removed WHERE generation > ?1 ORDER BY 1",
                (generation,),
            )
            return [row[0] for row in rows]

    def passages_of(self, document_id: int) -> list[Passage]:
        """The passages of one document, in order; empty when it was removed."""
        with self._lock, self._translated():
            rows = self._db.execute(
                f"{_PASSAGES} WHERE p.document_id = ? ORDER BY p.position", (document_id,)
            )
            return [_passage(row) for row in rows]

    def passages_by_document(self, documents: Sequence[int]) -> list[Passage]:
        """The passages of several documents, those of one together and in order; none of those that are gone."""
        with self._lock, self._translated():
            marks = ",".join("?" * len(documents))
            rows = self._db.execute(
                f"{_PASSAGES} WHERE p.document_id IN ({marks}) ORDER BY p.document_id, p.position", documents
            )
            return [_passage(row) for row in rows]

    def passages(self, ids: Iterable[int]) -> dict[int, Passage]:
        """The passages with these numbers; those that are gone are left out."""
        wanted = list(ids)
        found: dict[int, Passage] = {}
        with self._lock, self._translated():
            for start in range(0, len(wanted), _MANY):
                part = wanted[start : start + _MANY]
                marks = ",".join("?" * len(part))
                rows = self._db.execute(f"{_PASSAGES} WHERE p.id IN ({marks})", part)
                found.update((row[0], _passage(row)) for row in rows)
        return found

    def counts(self) -> tuple[int, int]:
        """How many documents and how many passages."""
        with self._lock, self._translated():
            return self._one("SELECT count(*) FROM documents"), self._one("SELECT count(*) FROM passages")

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _joined(tags: frozenset[str]) -> str:
    return _JOINT.join(sorted(tags))


def _parted(joined: str) -> frozenset[str]:
    return frozenset(joined.split(_JOINT)) if joined else frozenset()


def _document(row: tuple[Any, ...]) -> Document:
    number, source, title, language, passages, tags, address, date, read_at, notes = row
    told = tuple(notes.split(_JOINT)) if notes else ()
    return Document(number, source, title, language, passages, _parted(tags), address, date, read_at, told)


def _passage(row: tuple[Any, ...]) -> Passage:
    *fields, tags = row
    return Passage(*[*fields, _parted(tags)])


def _passage_rows(numbers: Sequence[int], documents: Sequence[NewDocument]) -> Iterator[tuple[object, ...]]:
    # A source that is given twice has one number, and what stands last in its place.
    last = dict(zip(numbers, documents, strict=True))
    for number, document in last.items():
        for position, passage in enumerate(document.passages):
            yield (
                number,
                position,
                passage.heading,
                passage.page,
                passage.text,
                passage.language,
                passage.time,
                passage.answer,
            )


def _cure(path: Path, error: sqlite3.DatabaseError) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return f"{path} is in use by another process ({text}); wait until it has finished, then try again"
    if "full" in text:
        return f"the disk that holds {path} is full; free some space, then try again"
    if "not a database" in text or "malformed" in text:
        return f"{path} is damaged ({text}); move it away and ingest the documents again"
    return f"{path} cannot be used ({text}); check that its folder exists and can be written"

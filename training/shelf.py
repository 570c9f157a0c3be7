"""Rows on the disk while it is decided what becomes of them: a ledger of any size fits into little memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from training.errors import NoRoom
from training.preferences import Kept, Opinion
from training.split import Thread

_SHAPE = """
CREATE TABLE prompt (id INTEGER PRIMARY KEY, hash TEXT UNIQUE, near TEXT, messages TEXT);
CREATE TABLE row (id INTEGER PRIMARY KEY, part TEXT, prompt INTEGER, near TEXT, topic TEXT, thread TEXT, channel TEXT,
    comment INTEGER, verdict INTEGER, reviewer TEXT, at TEXT, better TEXT, worse TEXT, key TEXT, columns TEXT);
CREATE INDEX same ON row (part, near, at, verdict, id);
CREATE TABLE kept (id INTEGER PRIMARY KEY, at TEXT, owner TEXT, thread TEXT, file TEXT, weight REAL);
CREATE INDEX place ON kept (file, at, id);
CREATE TABLE side (thread TEXT PRIMARY KEY, sft TEXT, pairs TEXT) WITHOUT ROWID;
CREATE TABLE vote (part TEXT, topic TEXT, better TEXT, worse TEXT, reviewer TEXT,
    PRIMARY KEY (part, topic, better, worse, reviewer)) WITHOUT ROWID;
"""


class Place(NamedTuple):
    """Where a row stands among the others."""

    part: str
    near: str
    """The same for prompts that are nearly the same."""
    topic: str
    """The same for comments that are nearly the same."""
    thread: str
    channel: str


class Standing(NamedTuple):
    """What a kept row's weight depends on."""

    number: int
    at: str
    owner: str
    thread: str
    channel: str
    agreeing: int
    against: int


class Shelf:
    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        # What is lost when the machine stops is made again.
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SHAPE + "BEGIN;")

    def close(self) -> None:
        self._db.close()

    def put(self, place: Place, opinion: Opinion, prompt: tuple[str, str], columns: str) -> None:
        """`prompt`: its hash and its messages as JSON. `opinion.number` is not read: rows are numbered here."""
        self._db.execute(
            "INSERT OR IGNORE INTO prompt (hash, near, messages) VALUES (?, ?, ?)",
            (prompt[0], place.near, prompt[1]),
        )
        one = opinion
        self._db.execute(
            "INSERT INTO row SELECT NULL, ?, id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM prompt WHERE hash = ?",
            (
                *place,
                one.comment,
                one.verdict,
                one.reviewer,
                one.at,
                one.better,
                one.worse,
                one.key,
                columns,
                prompt[0],
            ),
        )

    def by_prompt(self) -> Iterator[tuple[str, list[Opinion]]]:
        """All opinions on one prompt, oldest first, with their part."""
        rows = self._db.execute(
            "SELECT part, near, id, at, verdict, comment, reviewer, better, worse, key FROM row INDEXED BY same"
            " ORDER BY part, near, at, verdict, id"
        )
        for (part, _), together in groupby(rows, key=lambda row: row[:2]):
            yield part, [Opinion(*row[2:]) for row in together]

    def keep(self, kept: Kept, owner: str) -> None:
        """A reply that is only rejected is kept as votes, and not as a row."""
        number = kept.first.number
        self._db.executemany(
            "INSERT OR IGNORE INTO vote SELECT part, topic, better, worse, ? FROM row WHERE id = ?",
            [(reviewer, number) for reviewer in sorted(kept.reviewers)],
        )
        if kept.first.better:
            self._db.execute(
                "INSERT INTO kept (id, at, owner, thread) SELECT id, ?, ?, thread FROM row WHERE id = ?",
                (kept.at, owner, number),
            )

    def threads(self) -> Iterator[Thread]:
        """Those of rows that are kept, by name."""
        rows = self._db.execute(
            "SELECT row.thread, min(channel), min(row.at), max(part = 'preferences')"
            " FROM kept JOIN row USING (id) GROUP BY row.thread ORDER BY row.thread"
        )
        return (Thread(name, channel, began, bool(pairs)) for name, channel, began, pairs in rows)

    def shared_prompts(self) -> Iterator[tuple[str, str]]:
        """Prompts of rows that are kept and stand in several threads, each with all of these."""
        return self._db.execute(
            "SELECT DISTINCT near, row.thread FROM kept JOIN row USING (id) WHERE near IN"
            " (SELECT near FROM kept JOIN row USING (id) GROUP BY near HAVING min(row.thread) < max(row.thread))"
            " ORDER BY near, row.thread"
        )

    def knows(self, near: str) -> bool:
        """Whether a row is kept under this prompt."""
        asked = "SELECT 1 FROM row JOIN kept USING (id) WHERE part = ? AND near = ? LIMIT 1"
        return any(self._db.execute(asked, (part, near)).fetchone() for part in ("preferences", "sft"))

    def place(self, sides: Iterable[tuple[str, str, str]]) -> None:
        """Of each thread: its name, the file of its replies and the file of its pairs."""
        self._db.executemany("INSERT INTO side VALUES (?, ?, ?)", sides)
        self._db.execute(
            "UPDATE kept SET file = (SELECT CASE part WHEN 'sft' THEN sft ELSE pairs END"
            " FROM row JOIN side USING (thread) WHERE row.id = kept.id)"
        )

    def standings(self, file: str) -> Iterator[Standing]:
        """In the order of the file."""
        rows = self._db.execute(
            "SELECT kept.id, kept.at, owner, kept.thread, row.channel,"
            " (SELECT count(*) FROM vote v WHERE v.part = row.part AND v.topic = row.topic"
            "  AND v.better = row.better AND v.worse = row.worse),"
            " (SELECT count(*) FROM vote v WHERE v.part = row.part AND v.topic = row.topic"
            "  AND v.better = row.worse AND v.worse = row.better)"
            " FROM kept JOIN row USING (id) WHERE file = ? ORDER BY kept.at, kept.id",
            (file,),
        )
        return map(Standing._make, rows)

    def weigh(self, weights: Iterator[tuple[float, int]]) -> None:
        """Weight and number of rows that are kept."""
        self._db.executemany("UPDATE kept SET weight = ? WHERE id = ?", weights)

    def drop_lightest(self, file: str, number: int) -> None:
        """Of rows that weigh the same, the oldest."""
        self._db.execute(
            "DELETE FROM kept WHERE id IN (SELECT id FROM kept WHERE file = ? ORDER BY weight, at, id LIMIT ?)",
            (file, number),
        )

    def counts(self) -> dict[str, int]:
        return dict(self._db.execute("SELECT file, count(*) FROM kept GROUP BY file").fetchall())

    def lines(self, file: str) -> Iterator[tuple[str, str, float]]:
        """The messages of the prompt and the other columns, as JSON, and the weight; in the order of the file."""
        return self._db.execute(
            "SELECT messages, columns, weight FROM kept JOIN row USING (id) JOIN prompt ON prompt.id = row.prompt"
            " WHERE file = ? ORDER BY kept.at, kept.id",
            (file,),
        )


@contextmanager
def opened(path: Path) -> Iterator[Shelf]:
    """An empty shelf at `path`, gone when the block ends. Raises NoRoom."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    shelf: Shelf | None = None
    try:
        shelf = Shelf(path)
        yield shelf
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        raise NoRoom(f"{path} cannot be written: the disk is full; make room, then start again") from error
    finally:
        if shelf is not None:
            shelf.close()
        path.unlink(missing_ok=True)

"""What the sandbox site remembers, in one small SQLite file.

Ids are never used twice, also after a restart, and lie far above 2**53: a client that reads them as floating-point
numbers breaks here first. Times strictly increase. Texts are kept as JSON, so that the site can hold and serve what
a hostile platform would: lone surrogates and NUL.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from adapters.base import Clock

FIRST_ID: Final = 7_300_000_000_000_000_001
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INSERT: Final = """
INSERT INTO comment (post_id, thread_id, parent_id, author_id, author_name, text, created_us, by_creator, seq,
    pictures)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING id, post_id, coalesce(thread_id, id), parent_id, author_id, author_name, text, created_us, by_creator,
    deleted, seq, pictures, likes, hearted
"""
_SELECT: Final = """
SELECT id, post_id, coalesce(thread_id, id), parent_id, author_id, author_name, text, created_us, by_creator,
    deleted, seq, pictures, likes, hearted
FROM comment WHERE
"""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS post (
    id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, text TEXT NOT NULL, created_us INTEGER NOT NULL,
    pictures TEXT NOT NULL DEFAULT '[]');
CREATE TABLE IF NOT EXISTS comment (
    id INTEGER PRIMARY KEY AUTOINCREMENT, post_id INTEGER NOT NULL REFERENCES post (id),
    thread_id INTEGER, parent_id INTEGER, author_id TEXT NOT NULL, author_name TEXT NOT NULL,
    text TEXT NOT NULL, created_us INTEGER NOT NULL, by_creator INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0, seq INTEGER NOT NULL, pictures TEXT NOT NULL DEFAULT '[]',
    likes INTEGER NOT NULL DEFAULT 0, hearted INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS comment_created ON comment (created_us);
CREATE INDEX IF NOT EXISTS comment_thread ON comment (thread_id);
CREATE INDEX IF NOT EXISTS comment_seq ON comment (seq);
"""


@dataclass(frozen=True, slots=True)
class SitePost:
    """A post; `id` is its number in digits."""

    id: str
    title: str
    text: str
    pictures: tuple[str, ...] = ()
    """Addresses of its images; those of this site begin with a slash."""


@dataclass(frozen=True, slots=True)
class SiteComment:
    """A comment; `seq` grows with every change to any comment."""

    id: str
    post_id: str
    thread_id: str
    parent_id: str | None
    author_id: str
    author_name: str
    text: str
    created_us: int
    """Microseconds since 1970."""
    by_creator: bool
    deleted: bool
    seq: int
    pictures: tuple[str, ...] = ()
    """As those of a post."""
    likes: int = 0
    hearted: bool = False

    @property
    def created_at(self) -> str:
        """ISO 8601 with microseconds and `Z`."""
        return f"{_EPOCH + timedelta(microseconds=self.created_us):%Y-%m-%dT%H:%M:%S.%fZ}"


def to_us(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class SandboxStore:
    """Posts and threaded comments. `path` is a file, made where there is none, or `:memory:`."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._clock = clock
        self._db = sqlite3.connect(path, isolation_level=None)
        # Losing the last comments at a power cut is fine for a sandbox; a killed process loses nothing.
        self._db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
        )
        self._db.executescript(_SCHEMA)
        self._add_columns()
        self._start_ids()
        self._last_us: int = self._number("SELECT max(created_us) FROM comment")
        self._seq: int = self._number("SELECT max(seq) FROM comment")

    def close(self) -> None:
        self._db.close()

    def add_post(self, title: str, text: str, pictures: Sequence[str] = ()) -> str:
        """The id of the new post."""
        cursor = self._db.execute(
            "INSERT INTO post (title, text, created_us, pictures) VALUES (?, ?, ?, ?)",
            (json.dumps(title), json.dumps(text), self._next_us(), json.dumps(list(pictures))),
        )
        return str(cursor.lastrowid)

    def posts(self) -> list[SitePost]:
        """Every post, newest first."""
        rows = self._db.execute("SELECT id, title, text, pictures FROM post ORDER BY id DESC")
        return [
            SitePost(str(key), json.loads(title), json.loads(text), tuple(json.loads(pictures)))
            for key, title, text, pictures in rows
        ]

    def has_post(self, post_id: str) -> bool:
        return self._one("SELECT 1 FROM post WHERE id = ?", _key(post_id)) is not None

    def add_comment(
        self,
        *,
        post_id: str,
        parent: SiteComment | None,
        author_id: str,
        author_name: str,
        text: str,
        by_creator: bool,
        pictures: Sequence[str] = (),
    ) -> SiteComment:
        """Store a comment, below `parent` or at the top of the post."""
        self._seq += 1
        cursor = self._db.execute(
            _INSERT,
            (
                _key(post_id),
                _key(parent.thread_id) if parent else None,
                _key(parent.id) if parent else None,
                json.dumps(author_id),
                json.dumps(author_name),
                json.dumps(text),
                self._next_us(),
                by_creator,
                self._seq,
                json.dumps(list(pictures)),
            ),
        )
        return _comment(cursor.fetchone())

    def delete(self, comment_id: str) -> bool:
        """Hide a comment and forget its text; its answers stay. False where there is none."""
        self._seq += 1
        sql = "UPDATE comment SET deleted = 1, text = '\"\"', seq = ? WHERE id = ? AND deleted = 0"
        return self._db.execute(sql, (self._seq, _key(comment_id))).rowcount > 0

    def like(self, comment_id: str, *, likes: int, hearted: bool = False) -> None:
        """Set how many people like a comment, and whether the creator has marked it."""
        sql = "UPDATE comment SET likes = ?, hearted = ? WHERE id = ?"
        self._db.execute(sql, (likes, hearted, _key(comment_id)))

    def comment(self, comment_id: str) -> SiteComment | None:
        """The comment, also when it is deleted."""
        row = self._one(_SELECT + "id = ?", _key(comment_id))
        return _comment(row) if row else None

    def listing(self, since_us: int, after_id: int, limit: int) -> list[SiteComment]:
        """Live comments behind the position (`since_us`, `after_id`), oldest first."""
        return self._comments(
            "deleted = 0 AND (created_us, id) > (?, ?) ORDER BY created_us, id LIMIT ?",
            since_us,
            after_id,
            limit,
        )

    def thread(self, thread_id: str) -> list[SiteComment]:
        """The live comments of a thread, oldest first."""
        return self._comments(
            "(id = ? OR thread_id = ?) AND deleted = 0 ORDER BY created_us, id",
            _key(thread_id),
            _key(thread_id),
        )

    def changes(self, after_seq: int, limit: int) -> list[SiteComment]:
        """Comments written or deleted after `after_seq`, in that order."""
        return self._comments("seq > ? ORDER BY seq LIMIT ?", after_seq, limit)

    def reply_counts(self) -> dict[str, int]:
        """How many live replies the creator gave to each comment that has any."""
        rows = self._db.execute(
            "SELECT parent_id, count(*) FROM comment"
            " WHERE by_creator = 1 AND deleted = 0 AND parent_id IS NOT NULL GROUP BY parent_id"
        )
        return {str(parent): count for parent, count in rows}

    def visitor_comments(self) -> int:
        """How many live comments visitors wrote."""
        return self._number("SELECT count(*) FROM comment WHERE by_creator = 0 AND deleted = 0")

    def _comments(self, where: str, *values: int) -> list[SiteComment]:
        return [_comment(row) for row in self._db.execute(_SELECT + where, values)]

    def _one(self, sql: str, *values: int) -> tuple[object, ...] | None:
        row: tuple[object, ...] | None = self._db.execute(sql, values).fetchone()
        return row

    def _number(self, sql: str) -> int:
        row = self._db.execute(sql).fetchone()
        return int(row[0] or 0)

    def _next_us(self) -> int:
        self._last_us = max(to_us(self._clock()), self._last_us + 1)
        return self._last_us

    def _add_columns(self) -> None:
        """To the tables of a file that an older version made."""
        pictures, count = "pictures TEXT NOT NULL DEFAULT '[]'", "INTEGER NOT NULL DEFAULT 0"
        for table, column in (
            ("post", pictures),
            ("comment", pictures),
            ("comment", f"likes {count}"),
            ("comment", f"hearted {count}"),
        ):
            known = {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}
            if column.split()[0] not in known:
                self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")

    def _start_ids(self) -> None:
        for table in ("post", "comment"):
            if self._one("SELECT 1 FROM sqlite_sequence WHERE name = '" + table + "'") is None:  # noqa: S608
                self._db.execute(
                    "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, FIRST_ID - 1)
                )


def _key(digits: str) -> int:
    # 0 is no row's id; what is no number, or too long for SQLite, is an id that nothing has.
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        return 0
    return int(digits) if int(digits) < 2**63 else 0


def _comment(row: Iterable[object]) -> SiteComment:
    key, post, thread, parent, author_id, author_name, text, created, creator, deleted, seq, *shown = row
    pictures, likes, hearted = shown
    return SiteComment(
        id=str(key),
        post_id=str(post),
        thread_id=str(thread),
        parent_id=None if parent is None else str(parent),
        author_id=json.loads(str(author_id)),
        author_name=json.loads(str(author_name)),
        text=json.loads(str(text)),
        created_us=int(str(created)),
        by_creator=bool(creator),
        deleted=bool(deleted),
        seq=int(str(seq)),
        pictures=tuple(json.loads(str(pictures))),
        likes=int(str(likes)),
        hearted=bool(hearted),
    )

"""Tables of the ledger.

The ledger is the only meeting place of poller, responder, sender and reviewers; see `bot.store.states` for how a
comment moves. Times are stored as UTC and read back aware, alike on SQLite and PostgreSQL.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only for a column of type INTEGER


class State(StrEnum):
    """Where a comment is. Every comment is in exactly one; `sent`, `skipped` and `failed` are the ends."""

    NEW = "new"
    REVIEW = "review"
    READY = "ready"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"


class Utc(TypeDecorator[datetime]):
    """A moment: aware in Python, plain UTC in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; the ledger takes aware moments only")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def _key() -> Any:
    return Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))


def _ref(table: str, *, index: bool = False, unique: bool = False) -> Any:
    return Field(foreign_key=f"{table}.id", sa_type=BigId, index=index, unique=unique)


def _moment(**options: Any) -> Any:
    return Field(sa_type=Utc, **options)


def _json(default: type[list[Any]] | type[dict[str, Any]]) -> Any:
    return Field(default_factory=default, sa_type=JSON)


def _text(**options: Any) -> Any:
    return Field(sa_type=Text, **options)


class Channel(SQLModel, table=True):
    """One account on one platform."""

    __tablename__ = "channel"

    id: int | None = _key()
    name: str = Field(unique=True)
    platform: str
    options: dict[str, Any] = _json(dict)
    """The adapter's options. Secrets stand here only as references (`env:NAME`, `file:PATH`)."""
    rules: dict[str, Any] = _json(dict)
    """What this channel may do by itself; see `bot.settings.ChannelRulesSettings`."""
    account_id: str | None = None
    account_name: str | None = None
    max_reply_chars: int | None = None
    """Longest reply the platform takes; None until it was asked."""
    flat_threads: bool = False
    """Replies hang under the top comment, whichever comment they answer."""
    paused: bool = False
    created_at: datetime = _moment()
    answer_since: datetime = _moment()
    """Comments written before this are history: kept, never answered."""
    cursor: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    poll_owner: str | None = None
    next_poll_at: datetime = _moment()
    """When the next poll is due; while `poll_owner` is set, when its lease ends."""
    last_poll_at: datetime | None = _moment(default=None)
    next_send_at: datetime = _moment()
    last_error: str | None = _text(default=None)
    error_since: datetime | None = _moment(default=None)
    failures: int = 0
    """Polls that failed in a row."""


class Post(SQLModel, table=True):
    """What comments stand under."""

    __tablename__ = "post"
    __table_args__ = (UniqueConstraint("channel_id", "platform_id"),)

    id: int | None = _key()
    channel_id: int = _ref("channel")
    platform_id: str
    title: str = _text(default="")
    text: str = _text(default="")
    url: str = _text(default="")
    pictures: list[str] = _json(list)
    """Addresses of its images."""


class Comment(SQLModel, table=True):
    """One comment and where it stands."""

    __tablename__ = "comment"
    __table_args__ = (
        UniqueConstraint("channel_id", "platform_id"),
        Index("ix_comment_due", "state", "due_at"),
        Index("ix_comment_channel_due", "channel_id", "state", "due_at"),
        Index("ix_comment_thread", "channel_id", "thread_id", "created_at"),
    )

    id: int | None = _key()
    channel_id: int = _ref("channel")
    post_id: int = _ref("post")
    platform_id: str
    thread_id: str
    parent_id: str | None = None
    extra: dict[str, str] = _json(dict)
    author_id: str
    author_name: str = _text(default="")
    text: str = _text()
    url: str = _text(default="")
    pictures: list[str] = _json(list)
    """Addresses of its images."""
    translations: dict[str, str] = _json(dict)
    """The text in other languages, by `en` or `zh`, once a person has asked for it."""
    language: str = "und"
    is_own: bool = False
    created_at: datetime = _moment()
    ingested_at: datetime = _moment()
    updated_at: datetime = _moment()

    state: State = Field(sa_type=Text)
    reason: str = ""
    detail: str = _text(default="")
    version: int = 0
    """Grows with every move; a verdict names the version it was made on."""
    attempts: int = 0
    """Unclear or failed tries in the present state's work."""
    due_at: datetime = _moment()
    """When the row may be claimed; while `lease_owner` is set, when that lease ends."""
    lease_owner: str | None = None
    draft_id: int | None = Field(default=None, sa_type=BigId)
    """The draft in force. No foreign key: draft already points here."""


class Draft(SQLModel, table=True):
    """What was proposed for a comment, and everything it was proposed from."""

    __tablename__ = "draft"

    id: int | None = _key()
    comment_id: int = _ref("comment", index=True)
    created_at: datetime = _moment()
    text: str = _text(default="")
    candidates: list[str] = _json(list)
    """Best first; `text` is the first."""
    ranking: list[dict[str, Any]] = _json(list)
    """Why they stand in that order, one entry a candidate: see `bot.choosing`."""
    language: str = "und"
    intent: str = ""
    passages: list[dict[str, Any]] = _json(list)
    """As the generator saw them, in its order: source, title, heading, page, text, quote, score, support."""
    citations: list[int] = _json(list)
    """Which of `passages` the text rests on."""
    support: float = 0.0
    prompt_hash: str = ""
    generator: str = ""
    model: str = ""
    voice: str | None = None
    findings: list[dict[str, Any]] = _json(list)
    """What the checks found wrong: code, message."""
    steps: list[dict[str, Any]] = _json(list)
    """The tools that were called: tool, arguments, result, failed."""
    pictures: list[dict[str, Any]] = _json(list)
    """The images of comment and post: address, of, seen (whether the model was shown it)."""
    decision: str = ""
    reason: str = ""
    detail: str = _text(default="")
    seconds: float = 0.0


class Reply(SQLModel, table=True):
    """The one reply a comment may get: the order to send it, then the proof that it went out."""

    __tablename__ = "reply"
    __table_args__ = (
        Index("ix_reply_channel_attempted", "channel_id", "attempted_at"),
        UniqueConstraint("channel_id", "platform_id"),
    )

    id: int | None = _key()
    comment_id: int = _ref("comment", unique=True)
    channel_id: int = _ref("channel")
    draft_id: int | None = Field(default=None, sa_type=BigId)
    text: str = _text()
    key: str = Field(unique=True)
    approved_by: str
    ordered_at: datetime = _moment()
    first_attempt_at: datetime | None = _moment(default=None)
    attempted_at: datetime | None = _moment(default=None)
    sent_at: datetime | None = _moment(default=None)
    earlier_texts: list[str] = _json(list)
    """Texts that were tried before a person changed it; one of them may have arrived."""
    platform_id: str | None = None


class Verdict(SQLModel, table=True):
    """What a person decided about a draft."""

    __tablename__ = "verdict"

    id: int | None = _key()
    comment_id: int = _ref("comment", index=True)
    draft_id: int | None = Field(default=None, sa_type=BigId)
    kind: str
    text: str = _text(default="")
    reason: str = _text(default="")
    by: str
    at: datetime = _moment()


class VoiceStatus(StrEnum):
    """`candidate`: may be tried. `canary`: answers a share of the comments. `live`: answers the others.
    `retired`: answers nothing."""

    CANDIDATE = "candidate"
    CANARY = "canary"
    LIVE = "live"
    RETIRED = "retired"


class Voice(SQLModel, table=True):
    """One version of the LoRA weights. Its name and its folder are never used again for other weights."""

    __tablename__ = "voice"

    id: int | None = _key()
    name: str = Field(unique=True)
    channel_id: int | None = Field(default=None, foreign_key="channel.id", sa_type=BigId)
    """The channel whose comments it answers; None: every channel that has no voice of its own."""
    path: str = _text()
    """The folder of the weights, relative to `data_dir`; nobody writes there again. Empty: the files were removed."""
    digest: str
    """SHA-256 of the weights and their configuration, in hexadecimal."""
    base_model: str = ""
    """What the weights were trained on, as their configuration names it."""
    rank: int = 0
    parent: str | None = None
    """Name of the voice that the training began with."""
    data_hash: str = ""
    """Hash of the data that it was trained on."""
    metrics: dict[str, Any] = _json(dict)
    note: str = _text(default="")
    status: VoiceStatus = Field(sa_type=Text)
    share: float = 0.0
    """Of a canary: the part of the comments that it answers, 0 to 1."""
    created_at: datetime = _moment()
    status_at: datetime = _moment()
    """When `status` last changed."""


class VoiceEvent(SQLModel, table=True):
    """One change of one voice. The rows, in order, are the history that `rollback` goes back in."""

    __tablename__ = "voice_event"

    id: int | None = _key()
    voice_id: int = _ref("voice", index=True)
    at: datetime = _moment()
    actor: str
    act: str
    """What was done: `load`, `promote`, `rollback`, `retire`, `return` (of a canary, by itself) or `remove`."""
    from_status: str
    to_status: str
    detail: str = _text(default="")


class Event(SQLModel, table=True):
    """One move of one comment. The rows of a comment, in order, are its whole history."""

    __tablename__ = "event"

    id: int | None = _key()
    comment_id: int = _ref("comment", index=True)
    at: datetime = _moment()
    actor: str
    from_state: str
    to_state: str
    reason: str = ""
    detail: str = _text(default="")

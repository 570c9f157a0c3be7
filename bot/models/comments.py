"""Channels, comments and what becomes of them; see `bot.store.states` for how a comment moves."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from bot.models.base import BigId, json_of, long_text, moment, primary_key, refers_to


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


class Channel(SQLModel, table=True):
    """One account on one platform."""

    __tablename__ = "channel"

    id: int | None = primary_key()
    name: str = Field(unique=True)
    platform: str
    options: dict[str, Any] = json_of(dict)
    """The adapter's options. Secrets stand here only as references (`env:NAME`, `file:PATH`, `vault:`)."""
    rules: dict[str, Any] = json_of(dict)
    """What this channel may do by itself; see `bot.settings.ChannelRulesSettings`."""
    account_id: str | None = None
    account_name: str | None = None
    can: dict[str, bool] = json_of(dict)
    """What the platform lets the account do; see `adapters.base.Account`."""
    connected_at: datetime | None = moment(default=None)
    """When a person connected the account last; None where nobody logged in."""
    to_connect: bool = False
    """The platform takes its credentials no more, so that a person must connect the account again."""
    auth_owner: str | None = None
    """Who is getting new tokens, which some platforms hand out once."""
    auth_until: datetime | None = moment(default=None)
    """When that turn ends, whatever became of its owner."""
    max_reply_chars: int | None = None
    """Longest reply the platform takes; None until it was asked."""
    flat_threads: bool = False
    """Replies hang under the top comment, whichever comment they answer."""
    paused: bool = False
    shadow: bool = False
    """Everything is drafted and decided, nothing is sent."""
    created_at: datetime = moment()
    answer_since: datetime = moment()
    """Comments written before this are history: kept, never answered."""
    cursor: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    poll_owner: str | None = None
    next_poll_at: datetime = moment()
    """When the next poll is due; while `poll_owner` is set, when its lease ends."""
    last_poll_at: datetime | None = moment(default=None)
    next_send_at: datetime = moment()
    last_error: str | None = long_text(default=None)
    error_since: datetime | None = moment(default=None)
    failures: int = 0
    """Polls that failed in a row."""
    quota: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    """The platform's budget for a day, as of `adapters.base.Quota`; None where it counts no units."""
    reply_gap_s: float = 0.0
    """Seconds that the platform wants between two replies."""
    refusals: int = 0
    """Replies that the platform refused in a row."""
    unseen: int = 0
    """Replies in a row that were not to be seen some time after they were sent."""


class Post(SQLModel, table=True):
    """What comments stand under."""

    __tablename__ = "post"
    __table_args__ = (UniqueConstraint("channel_id", "platform_id"),)

    id: int | None = primary_key()
    channel_id: int = refers_to("channel")
    platform_id: str
    title: str = long_text(default="")
    text: str = long_text(default="")
    url: str = long_text(default="")
    pictures: list[str] = json_of(list)
    """Addresses of its images."""


class Comment(SQLModel, table=True):
    """One comment and where it stands."""

    __tablename__ = "comment"
    __table_args__ = (
        UniqueConstraint("channel_id", "platform_id"),
        Index("ix_comment_due", "state", "due_at"),
        Index("ix_comment_channel_due", "channel_id", "state", "due_at"),
        Index("ix_comment_thread", "channel_id", "thread_id", "created_at"),
        Index("ix_comment_queue", "state", "updated_at"),
        Index("ix_comment_ingested", "ingested_at"),
        Index("ix_comment_turn", "channel_id", "state", "turn", "created_at", "id"),
    )

    id: int | None = primary_key()
    channel_id: int = refers_to("channel")
    post_id: int = refers_to("post")
    platform_id: str
    thread_id: str
    parent_id: str | None = None
    extra: dict[str, str] = json_of(dict)
    author_id: str
    author_name: str = long_text(default="")
    text: str = long_text()
    url: str = long_text(default="")
    pictures: list[str] = json_of(list)
    """Addresses of its images."""
    translations: dict[str, str] = json_of(dict)
    """The text in other languages, by `en` or `zh`, once a person has asked for it."""
    language: str = "und"
    similar: int = 1
    """How many waiting comments ask the same, this one included."""
    hint: str = long_text(default="")
    """What a reviewer said when asking for another draft; empty where nobody did."""
    is_own: bool = False
    likes: int | None = None
    """How many people liked it when it was read last; None where the platform does not say."""
    created_at: datetime = moment()
    ingested_at: datetime = moment()
    updated_at: datetime = moment()

    state: State = Field(sa_type=Text)
    reason: str = ""
    detail: str = long_text(default="")
    version: int = 0
    """Grows with every move; a verdict names the version it was made on."""
    attempts: int = 0
    """Unclear or failed tries in the present state's work."""
    due_at: datetime = moment()
    """When the row may be claimed; while `lease_owner` is set, when that lease ends."""
    lease_owner: str | None = None
    turn: int = Field(default=0, sa_type=BigId)
    """Whose reply goes out first, the smallest number first; see `bot.planning.turn`."""
    draft_id: int | None = Field(default=None, sa_type=BigId)
    """The draft in force. No foreign key: draft already points here."""


class Draft(SQLModel, table=True):
    """What was proposed for a comment, and everything it was proposed from."""

    __tablename__ = "draft"

    id: int | None = primary_key()
    comment_id: int = refers_to("comment", index=True)
    created_at: datetime = moment()
    text: str = long_text(default="")
    candidates: list[str] = json_of(list)
    """Best first; `text` is the first."""
    ranking: list[dict[str, Any]] = json_of(list)
    """Why they stand in that order, one entry a candidate: see `bot.choosing`."""
    language: str = "und"
    intent: str = ""
    hint: str = long_text(default="")
    """The reviewer's hint that it was written after."""
    passages: list[dict[str, Any]] = json_of(list)
    """As the generator saw them, in its order: source, title, heading, page, text, quote, score, support."""
    citations: list[int] = json_of(list)
    """Which of `passages` the text rests on."""
    support: float = 0.0
    prompt_hash: str = ""
    generator: str = ""
    model: str = ""
    voice: str | None = None
    findings: list[dict[str, Any]] = json_of(list)
    """What the checks found wrong: code, message."""
    steps: list[dict[str, Any]] = json_of(list)
    """The tools that were called: tool, arguments, result, failed."""
    pictures: list[dict[str, Any]] = json_of(list)
    """The images of comment and post: address, of, seen (whether the model was shown it)."""
    decision: str = ""
    reason: str = ""
    detail: str = long_text(default="")
    seconds: float = 0.0


class Reply(SQLModel, table=True):
    """The one reply a comment may get: the order to send it, then the proof that it went out."""

    __tablename__ = "reply"
    __table_args__ = (
        Index("ix_reply_channel_attempted", "channel_id", "attempted_at"),
        Index("ix_reply_sent", "sent_at"),
        UniqueConstraint("channel_id", "platform_id"),
    )

    id: int | None = primary_key()
    comment_id: int = refers_to("comment", unique=True)
    channel_id: int = refers_to("channel")
    draft_id: int | None = Field(default=None, sa_type=BigId)
    text: str = long_text()
    """As it goes out, its label included."""
    label: str = long_text(default="")
    """What the channel's rules put at the end of `text`; nobody wrote it, and nothing is to learn it."""
    key: str = Field(unique=True)
    approved_by: str
    ordered_at: datetime = moment()
    first_attempt_at: datetime | None = moment(default=None)
    attempted_at: datetime | None = moment(default=None)
    sent_at: datetime | None = moment(default=None)
    earlier_texts: list[str] = json_of(list)
    """Texts that were tried before a person changed it; one of them may have arrived."""
    platform_id: str | None = None
    looks: int = 0
    """How often the platform was asked, after it was sent, how it was taken."""


class Verdict(SQLModel, table=True):
    """What a person decided about a draft, and what was on the screen then."""

    __tablename__ = "verdict"
    __table_args__ = (Index("ix_verdict_at", "at"), Index("ix_verdict_key", "by", "key", unique=True))

    id: int | None = primary_key()
    comment_id: int = refers_to("comment", index=True)
    draft_id: int | None = Field(default=None, sa_type=BigId)
    kind: str
    """`approve`, `edit`, `reject`, or `skip`, which says nothing about the draft."""
    text: str = long_text(default="")
    """What is to be sent; empty where nothing is."""
    reason: str = long_text(default="")
    by: str
    at: datetime = moment()
    candidates: list[str] = json_of(list)
    """What the person could choose from, in the order shown."""
    chosen: int | None = None
    """Which of `candidates`, from 0, was approved or edited; None where the text was written anew."""
    took_s: float | None = None
    """Seconds from showing the comment to the verdict; None where nobody measured."""
    prompt_hash: str = ""
    voice: str | None = None
    version: int = 0
    """The comment's version that it was made on."""
    via: str = ""
    """`page`, `api` or `terminal`."""
    key: str | None = None
    """The asker's idempotency key: the same key by the same person is the same verdict."""
    undone_at: datetime | None = moment(default=None)
    """When the person took it back; it teaches nothing then."""


class Signal(SQLModel, table=True):
    """What a platform shows of how a reply of ours was taken. Weak, and kept apart from verdicts."""

    __tablename__ = "signal"
    __table_args__ = (UniqueConstraint("comment_id", "kind"),)

    id: int | None = primary_key()
    comment_id: int = refers_to("comment")
    """The comment that our reply answers."""
    kind: str
    """`likes`, `heart`, `follow_up` or `removed`."""
    value: int = 1
    """How many, as last seen."""
    first_at: datetime = moment()
    last_at: datetime = moment()


class Event(SQLModel, table=True):
    """One move of one comment. The rows of a comment, in order, are its whole history."""

    __tablename__ = "event"

    id: int | None = primary_key()
    comment_id: int = refers_to("comment", index=True)
    at: datetime = moment()
    actor: str
    from_state: str
    to_state: str
    reason: str = ""
    detail: str = long_text(default="")

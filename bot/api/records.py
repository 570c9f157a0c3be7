"""Comments, drafts and verdicts as they are told: no account, no option of a channel, no inner state of a loop."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from bot.api.types import Told
from bot.models import Comment, Draft, Event, Signal, State, Verdict
from bot.store.cases import Case, Item

VerdictKind = Literal["approve", "edit", "reject", "skip"]


class PostTold(Told):
    """What a comment stands under."""

    id: int
    platform_id: str
    title: str
    text: str
    url: str


class DraftTold(Told):
    """What was proposed for a comment, and what it was proposed from."""

    id: int
    comment_id: int
    created_at: datetime
    text: str
    candidates: list[str] = Field(description="Best first; `text` is the first.")
    ranking: list[dict[str, Any]]
    language: str
    intent: str
    hint: str = Field(description="The reviewer's hint that it was written after.")
    passages: list[dict[str, Any]]
    citations: list[int] = Field(description="Which of `passages` the text rests on, from 0.")
    support: float
    findings: list[dict[str, Any]] = Field(description="What the checks found wrong.")
    steps: list[dict[str, Any]] = Field(description="The tools that were called.")
    prompt_hash: str
    generator: str
    model: str
    voice: str | None
    decision: str
    reason: str
    detail: str
    seconds: float


class VerdictTold(Told):
    """What a person decided, and what was on the screen then."""

    id: int
    comment_id: int
    draft_id: int | None
    kind: VerdictKind
    text: str = Field(description="What is to be sent; empty where nothing is.")
    reason: str
    by: str
    at: datetime
    candidates: list[str]
    chosen: int | None = Field(
        description="Which of `candidates`, from 0; null where the text was written anew."
    )
    took_s: float | None
    voice: str | None
    version: int = Field(description="The comment's version that it was made on.")
    via: str
    undone_at: datetime | None


class ReplyTold(Told):
    """The one reply that a comment may get."""

    text: str
    approved_by: str
    ordered_at: datetime
    sent_at: datetime | None
    platform_id: str | None


class Said(Told):
    """One comment of a thread."""

    id: int
    platform_id: str
    parent_id: str | None
    author_name: str
    is_own: bool
    text: str
    created_at: datetime


class Moved(Told):
    """One move of a comment."""

    at: datetime
    actor: str
    from_state: str
    to_state: str
    reason: str
    detail: str


class SignalTold(Told):
    """What the platform shows of how the reply was taken."""

    kind: str
    value: int
    first_at: datetime
    last_at: datetime


class CommentTold(Told):
    """A comment, where it stands, and the draft in force."""

    id: int
    channel: str
    platform: str
    post: PostTold
    platform_id: str
    thread_id: str
    parent_id: str | None
    author_name: str
    text: str
    url: str
    pictures: list[str]
    language: str
    similar: int = Field(description="How many waiting comments ask the same, this one included.")
    created_at: datetime
    ingested_at: datetime
    updated_at: datetime
    state: State
    reason: str
    detail: str
    version: int = Field(description="Grows with every move; give it with a verdict.")
    draft: DraftTold | None
    reply: ReplyTold | None


class CommentWhole(CommentTold):
    """A comment with everything that is known about it."""

    thread: list[Said] = Field(description="Oldest first, at most 200.")
    drafts: list[DraftTold]
    verdicts: list[VerdictTold]
    history: list[Moved]
    signals: list[SignalTold]
    held_by: str | None = Field(description="Who has it on the screen.")


def comment_told(item: Item) -> CommentTold:
    return CommentTold.model_validate(_about(item))


def whole(case: Case, now: datetime) -> CommentWhole:
    held = case.hold is not None and case.hold.until > now
    return CommentWhole.model_validate(
        {
            **_about(case.item),
            "thread": _all(Said, case.thread),
            "drafts": _all(DraftTold, case.drafts),
            "verdicts": _all(VerdictTold, case.verdicts),
            "history": _all(Moved, case.history),
            "signals": _all(SignalTold, case.signals),
            "held_by": case.hold.by if case.hold is not None and held else None,
        }
    )


def _about(item: Item) -> dict[str, Any]:
    comment = item.comment
    rest = {"channel", "platform", "post", "draft", "reply"}
    return {
        **{name: getattr(comment, name) for name in CommentTold.model_fields.keys() - rest},
        "channel": item.channel.name,
        "platform": item.channel.platform,
        "post": item.post,
        "draft": item.draft,
        "reply": item.reply,
    }


def _all(
    kind: type[Told],
    rows: Sequence[Comment] | Sequence[Draft] | Sequence[Verdict] | Sequence[Event] | Sequence[Signal],
) -> list[Told]:
    return [kind.model_validate(row) for row in rows]

"""Comments and feedback as JSON Lines, page by page, so that a ledger of any size fits into little memory.

Comments are the owner's own record, as they are. Feedback is made to be given on: what tells who a commenter is, is
masked in it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlmodel import Session

from bot.feedback_rows import mask_of
from bot.masking import Mask
from bot.models import Channel, Comment, Draft, Post, Verdict
from bot.persona import Persona
from bot.store import cases, feedback
from bot.store.cases import Item
from bot.store.feedback import Judged
from bot.store.ledger import Ledger

What = Literal["comments", "feedback"]

PAGE = 500


def rows(
    ledger: Ledger,
    *,
    what: What,
    persona_of: Callable[[Channel], Persona],
    channel: str | None = None,
    since: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """One dictionary a comment written at `since` or later, or, for `feedback`, one a verdict given then; in the
    order of the comments' numbers.

    Holds no account, option or secret of a channel. Raises LedgerError.
    """
    if what == "feedback":
        return _feedback(ledger, persona_of, channel=channel, since=since)
    return _comments(ledger, channel=channel, since=since)


def _comments(ledger: Ledger, *, channel: str | None, since: datetime | None) -> Iterator[dict[str, Any]]:
    after = 0
    while page := ledger.read(_page, after=after, channel=channel, since=since):
        yield from (comment_row(*one) for one in page)
        after = page[-1][0].comment.id or 0


def _feedback(
    ledger: Ledger,
    persona_of: Callable[[Channel], Persona],
    *,
    channel: str | None,
    since: datetime | None,
) -> Iterator[dict[str, Any]]:
    after = 0
    while page := ledger.read(feedback.judged, after=after, limit=PAGE, channel=channel, since=since):
        for judged in page:
            mask = mask_of(judged, persona_of(judged.channel))
            given = (one for one in judged.verdicts if since is None or one.at >= since)
            yield from (feedback_row(judged, verdict, mask) for verdict in given)
        after = page[-1].comment.id or 0


def _page(
    session: Session, *, after: int, channel: str | None, since: datetime | None
) -> list[tuple[Item, list[Draft], list[Verdict]]]:
    items = cases.following(session, after=after, limit=PAGE, channel=channel, since=since)
    ids = [item.comment.id or 0 for item in items]
    drafts: dict[int, list[Draft]] = defaultdict(list)
    for draft in cases.drafts_of(session, ids):
        drafts[draft.comment_id].append(draft)
    verdicts: dict[int, list[Verdict]] = defaultdict(list)
    for verdict in cases.verdicts_of(session, ids):
        verdicts[verdict.comment_id].append(verdict)
    return [(item, drafts[number], verdicts[number]) for item, number in zip(items, ids, strict=True)]


def comment_row(item: Item, drafts: Sequence[Draft], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    comment, reply = item.comment, item.reply
    return {
        **_about(comment, item.channel, item.post),
        "state": comment.state,
        "reason": comment.reason,
        "detail": comment.detail,
        "updated_at": comment.updated_at,
        "drafts": [_draft(draft) for draft in drafts],
        "reply": reply
        and reply.model_dump(include={"text", "approved_by", "ordered_at", "sent_at", "platform_id"}),
        "verdicts": [_verdict(verdict) for verdict in verdicts],
    }


def feedback_row(judged: Judged, verdict: Verdict, mask: Mask) -> dict[str, Any]:
    """A verdict with the draft that it is about; `draft` is None where a person answered without one."""
    draft = judged.drafts.get(verdict.draft_id or 0)
    about = _about(judged.comment, judged.channel, judged.post)
    hidden = {"text": mask.apply(about["text"]), "author_name": mask.name(about["author_name"])}
    return {
        **about,
        **hidden,
        "verdict": mask.apply_all(_verdict(verdict)),
        "draft": None if draft is None else mask.apply_all(_draft(draft)) | {"passages": draft.passages},
    }


def _about(comment: Comment, channel: Channel, post: Post) -> dict[str, Any]:
    names = {
        "id",
        "platform_id",
        "thread_id",
        "parent_id",
        "author_name",
        "text",
        "url",
        "language",
        "created_at",
    }
    return {
        **comment.model_dump(include=names),
        "channel": channel.name,
        "platform": channel.platform,
        "post": post.model_dump(include={"platform_id", "title", "text", "url"}),
    }


def _draft(draft: Draft) -> dict[str, Any]:
    return draft.model_dump(exclude={"comment_id"})


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return verdict.model_dump(exclude={"id", "comment_id"})

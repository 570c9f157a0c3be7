"""Comments and feedback as JSON Lines, page by page, so that a ledger of any size fits into little memory."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlmodel import Session

from bot.models import Draft, Verdict
from bot.store import cases
from bot.store.cases import Item
from bot.store.ledger import Ledger

What = Literal["comments", "feedback"]

PAGE = 500


def rows(
    ledger: Ledger, *, what: What, channel: str | None = None, since: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """One dictionary a comment, or, for `feedback`, one a verdict; in the order of the comments' numbers.

    Holds no account, option or secret of a channel. Raises LedgerError.
    """
    after = 0
    while True:
        page = ledger.read(_page, after=after, channel=channel, since=since)
        for item, drafts, verdicts in page:
            if what == "comments":
                yield comment_row(item, drafts, verdicts)
            else:
                yield from (feedback_row(item, drafts, verdict) for verdict in verdicts)
        if len(page) < PAGE:
            return
        after = page[-1][0].comment.id or 0


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
        **_about(item),
        "state": comment.state,
        "reason": comment.reason,
        "detail": comment.detail,
        "updated_at": comment.updated_at,
        "drafts": [_draft(draft) for draft in drafts],
        "reply": reply
        and reply.model_dump(include={"text", "approved_by", "ordered_at", "sent_at", "platform_id"}),
        "verdicts": [_verdict(verdict) for verdict in verdicts],
    }


def feedback_row(item: Item, drafts: Sequence[Draft], verdict: Verdict) -> dict[str, Any]:
    """A verdict with the draft that it is about; `draft` is None where a person answered without one."""
    judged = next((draft for draft in drafts if draft.id == verdict.draft_id), None)
    return {
        **_about(item),
        "verdict": _verdict(verdict),
        "draft": _draft(judged) if judged is not None else None,
    }


def _about(item: Item) -> dict[str, Any]:
    comment = item.comment
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
        "channel": item.channel.name,
        "platform": item.channel.platform,
        "post": item.post.model_dump(include={"platform_id", "title", "text", "url"}),
    }


def _draft(draft: Draft) -> dict[str, Any]:
    return draft.model_dump(exclude={"comment_id"})


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return verdict.model_dump(exclude={"id", "comment_id"})

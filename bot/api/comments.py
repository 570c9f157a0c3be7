"""Comments: what waits, what was answered, and one with everything that is known about it."""

from collections.abc import Sequence
from typing import Final

from pydantic import Field
from sqlmodel import Session

from adapters.base import Clock
from bot.api import cursors
from bot.api.operations import Call, Operation
from bot.api.records import CommentTold, CommentWhole, DraftTold, comment_told, whole
from bot.api.types import Given, Id, Moment, Name, Paged, PageOf, Words
from bot.models import Comment, State
from bot.store import cases, decided, queue
from bot.store.cases import Case, NoSuchComment
from bot.store.ledger import Ledger
from bot.store.queue import Filters, Place, Sort
from bot.web.problems import Problem

_MOST_SIMILAR: Final = 2**31 - 1


class CommentsPage(PageOf):
    """Comments."""

    items: list[CommentTold]


class DraftsPage(PageOf):
    """Drafts of one comment, oldest first."""

    items: list[DraftTold]


class CommentPath(Given):
    """Which comment."""

    comment_id: Id


class CommentsQuery(Paged):
    """Which comments, in which order."""

    state: list[State] = Field(default_factory=list, description="Repeat it for several; none: all.")
    channel: Name | None = Field(default=None, description="A channel's name.")
    post: Id | None = Field(default=None, description="A post's id.")
    language: Name | None = Field(default=None, description="en, zh, another code, or und.")
    intent: Name | None = None
    reason: Name | None = None
    search: Words = Field(
        default="",
        max_length=500,
        description="Words that must all stand in comment, author, post title or draft; #12 is comment 12.",
    )
    since: Moment | None = Field(default=None, description="In its state since then or later.")
    until: Moment | None = Field(default=None, description="In its state since before then.")
    sort: Sort = Field(default="oldest", description="value: what most people ask first.")


class CommentsApi:
    """Handlers."""

    def __init__(self, *, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        return [
            Operation("GET", "/comments", self.list_comments),
            Operation("GET", "/comments/{comment_id}", self.get_comment),
            Operation("GET", "/comments/{comment_id}/drafts", self.list_drafts),
        ]

    async def list_comments(self, call: Call, query: CommentsQuery) -> CommentsPage:
        """Comments of other people, by how long they have been in their state.

        A comment that moves while its list is read goes to its new place, and may be met again there.
        """
        filters = Filters(
            states=tuple(query.state) or tuple(State),
            channel=query.channel,
            post=query.post,
            language=query.language,
            intent=query.intent,
            reason=query.reason,
            since=query.since,
            until=query.until,
            search=query.search,
        )
        kind = f"comments.{query.sort}"
        after = _place(query.cursor, kind)
        page = await self._ledger.aread(queue.queue, filters, sort=query.sort, after=after, limit=query.limit)
        rows = [comment_told(item) for item in page.items]
        return CommentsPage(items=rows, next=_written(page.after, kind))

    async def get_comment(self, call: Call, path: CommentPath) -> CommentWhole:
        """One comment with its thread, drafts, verdicts and history."""
        return whole(await self._ledger.aread(_case, path.comment_id), self._clock())

    async def list_drafts(self, call: Call, path: CommentPath, query: Paged) -> DraftsPage:
        """The drafts of one comment."""
        after = cursors.after_id(query.cursor, "drafts")
        await self._ledger.aread(_exists, path.comment_id)
        found = await self._ledger.aread(decided.drafts, path.comment_id, after=after, limit=query.limit + 1)
        rows = [DraftTold.model_validate(draft) for draft in found[: query.limit]]
        return DraftsPage(items=rows, next=cursors.next_of(rows, len(found) > query.limit, "drafts"))


def not_there(comment_id: int) -> Problem:
    return Problem(404, "gone", f"there is no comment {comment_id}; see /api/v1/comments")


def _exists(session: Session, comment_id: int) -> None:
    if session.get(Comment, comment_id) is None:
        raise not_there(comment_id)


def _case(session: Session, comment_id: int) -> Case:
    try:
        return cases.case(session, comment_id)
    except NoSuchComment as error:
        raise not_there(comment_id) from error


def _place(cursor: str | None, kind: str) -> Place | None:
    found = cursors.read(cursor, kind, int, int, int)
    if found is None:
        return None
    similar, moment, number = found
    return Place(min(similar, _MOST_SIMILAR), cursors.moment_of(moment), number)


def _written(place: Place | None, kind: str) -> str | None:
    if place is None:
        return None
    return cursors.written(kind, (place.similar, cursors.micros(place.updated_at), place.comment_id))

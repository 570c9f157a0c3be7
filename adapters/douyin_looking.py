"""Looks one comment up: whether it is still there, and what stands in its thread. Douyin has no call for that."""

from datetime import timedelta
from typing import Final

from adapters.base import Comment, CommentRef
from adapters.douyin_api import MAX_PAGE, DouyinApi
from adapters.douyin_errors import RefusedCall
from adapters.douyin_rows import Row, parse_comment, reached
from adapters.errors import TargetGone, Transient
from adapters.http import Answer

LONGEST_THREAD: Final = 100
"""Pages; a longer thread is not answered in."""
LONGEST_LOOK: Final = 10
"""Pages of newer comments to pass by; behind them a comment is taken to be there."""
SECOND: Final = timedelta(seconds=1)


class Looking:
    """Raises AdapterError."""

    def __init__(self, api: DouyinApi, me: str) -> None:
        self._api = api
        self._me = me

    async def require(self, target: CommentRef) -> None:
        """Raises TargetGone where a top comment is no longer listed; an answer is looked for in its `thread`."""
        if target.comment_id == target.thread_id and not await self._is_listed(target):
            raise TargetGone(f"douyin: comment {target.comment_id} is gone")

    async def thread(self, target: CommentRef) -> tuple[list[Comment], Answer]:
        """Every reply in the target's thread, and the first answer. Raises TargetGone where it lacks the target."""
        replies, first = await self._replies(target)
        if target.comment_id not in {target.thread_id, *(reply.ref.comment_id for reply in replies)}:
            raise TargetGone(f"douyin: comment {target.comment_id} is gone")
        return replies, first

    async def _is_listed(self, target: CommentRef) -> bool:
        floor, at = (target.created_at - SECOND).timestamp(), 0
        for _ in range(LONGEST_LOOK):
            listed = (await self._api.comments(target.post_id, at=at, count=MAX_PAGE)).listed
            if any(
                isinstance(row, dict) and row.get("comment_id") == target.comment_id for row in listed.rows
            ):
                return True
            if reached(listed.rows, floor) or not listed.more:
                return False
            at = listed.at
        return True

    async def _replies(self, target: CommentRef) -> tuple[list[Comment], Answer]:
        found: list[Comment] = []
        at, first = 0, None
        for _ in range(LONGEST_THREAD):
            try:
                page = await self._api.replies(target.post_id, target.thread_id, at=at, count=MAX_PAGE)
            except RefusedCall as error:
                # The same call about the video succeeds: then it is the comment that is refused.
                await self._api.comments(target.post_id, at=0, count=1)
                raise TargetGone(f"douyin: comment {target.thread_id} is gone") from error
            first = first or page.answer
            found += [self._parse(target, row) for row in page.listed.rows]
            if not page.listed.more:
                return found, first
            if page.listed.at == at:
                break
            at = page.listed.at
        raise Transient("douyin: the thread cannot be read to its end", ambiguous=False)

    def _parse(self, target: CommentRef, row: object) -> Comment:
        try:
            return parse_comment(Row(target.post_id, target.thread_id, row), me=self._me)
        except ValueError as exc:
            # The unreadable row may be our reply: saying "none" could answer twice.
            raise Transient("douyin: a comment of the thread cannot be read", ambiguous=False) from exc

"""Comments that are brought in: by a program, from a file, from the clipboard. They take the way that polls take."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, cast

from sqlmodel import Session

from adapters.base import Comment, Post
from adapters.inbox import InboxAdapter
from adapters.inbox_options import PLATFORM, InboxOptions
from adapters.inbox_rows import Row
from adapters.inbox_tables import BadRow
from adapters.registry import check_options
from bot.models import Channel, State
from bot.reasons import Reason
from bot.store import channels
from bot.store.inbox import Known, known, posts_as_known
from bot.store.ledger import Ledger
from bot.store.polling import CLOCKS_APART, ingest

AT_ONCE: Final = 1_000
"""Rows in one transaction: an import of thousands lets others write in between."""
Status = Literal["new", "known", "refused"]


class NotAnInbox(ValueError):
    """The channel is one of a platform that is polled."""


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one row, or would."""

    place: int
    status: Status
    row: Row
    comment_id: int | None = None
    """In the ledger; None where it is not there."""
    state: State | None = None
    reason: str = ""
    why: BadRow | None = None

    @property
    def platform_id(self) -> str | None:
        return self.row.comment.ref.comment_id if self.row.comment is not None else None


def options_of(channel: Channel) -> InboxOptions:
    """Secrets stand in them as references. Raises NotAnInbox, and BadOptions where an adapter of ours has changed."""
    if channel.platform != PLATFORM:
        raise NotAnInbox(
            f"{channel.name} is a channel of {channel.platform}, which is polled; an import needs one of "
            f"{PLATFORM}: rejoinder channels add NAME --platform {PLATFORM}"
        )
    factory: Any = InboxAdapter  # no class object fits a protocol with a ClassVar
    return cast(InboxOptions, check_options(PLATFORM, factory, channel.options))


async def take_in(ledger: Ledger, channel_id: int, rows: Sequence[Row], *, now: datetime) -> list[Told]:
    """Bring the rows in, each comment once; what is told is in the order of `rows`. Raises LedgerError."""
    told: list[Told] = []
    for start in range(0, len(rows), AT_ONCE):
        told += await ledger.awrite(take_in_some, channel_id, rows[start : start + AT_ONCE], now=now)
    return told


def take_in_some(session: Session, channel_id: int, rows: Sequence[Row], *, now: datetime) -> list[Told]:
    """The same in one transaction."""
    sorted_out, first = _sorted_out(rows)
    channel = channels.with_id(session, channel_id)
    if channel is None:
        raise NotAnInbox(f"channel {channel_id} is gone")
    posts = posts_as_known(session, channel_id, (post for _, post in first.values()))
    comments = [comment for comment, _ in first.values()]
    fresh = ingest(session, channel, comments, posts, now=now, thread_depth=False)
    held = known(session, channel_id, first)
    return [_with_ledger(one, held, fresh) for one in sorted_out]


def foretell(session: Session, channel_id: int, rows: Sequence[Row]) -> list[Told]:
    """What `take_in` would tell; nothing is changed."""
    channel = channels.with_id(session, channel_id)
    sorted_out, first = _sorted_out(rows)
    held = known(session, channel_id, first)
    fresh = first.keys() - held.keys()
    told = [_with_ledger(one, held, fresh) for one in sorted_out]
    return [_history(one, channel) if channel is not None else one for one in told]


def _history(told: Told, channel: Channel) -> Told:
    comment = told.row.comment
    if told.status != "new" or comment is None:
        return told
    if comment.is_own:
        return replace(told, state=State.SKIPPED, reason=Reason.OWN_COMMENT)
    if comment.ref.created_at < channel.answer_since - CLOCKS_APART:
        return replace(told, state=State.SKIPPED, reason=Reason.BEFORE_BASELINE)
    return replace(told, state=State.NEW)


def _sorted_out(rows: Sequence[Row]) -> tuple[list[Told], dict[str, tuple[Comment, Post]]]:
    """Each row as it stands, and the first row of every comment. Of two rows with one id the second says nothing new,
    or it is refused: which of them is right is not known.
    """
    told: list[Told] = []
    first: dict[str, tuple[Comment, Post]] = {}
    places: dict[str, int] = {}
    for row in rows:
        if row.comment is None or row.post is None:
            told.append(Told(row.place, "refused", row, why=row.why))
            continue
        comment_id = row.comment.ref.comment_id
        before = first.setdefault(comment_id, (row.comment, row.post))[0]
        if before.text != row.comment.text:
            told.append(Told(row.place, "refused", row, why=_twice(places[comment_id])))
            continue
        status: Status = "known" if comment_id in places else "new"
        places.setdefault(comment_id, row.place)
        told.append(Told(row.place, status, row))
    return told, first


def _twice(place: int) -> BadRow:
    return BadRow(f"it has the id of row {place} and another text", f"编号与第 {place} 行相同，但内容不同")


def _with_ledger(told: Told, held: dict[str, Known], fresh: set[str]) -> Told:
    if told.status == "refused" or told.platform_id is None:
        return told
    status = told.status if told.platform_id in fresh else "known"
    found = held.get(told.platform_id)
    if found is None:
        return replace(told, status=status)
    return replace(told, status=status, comment_id=found.id, state=found.state, reason=found.reason)

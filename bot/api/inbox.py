"""The inbox: programs bring comments in, and take replies out to where no platform's own API can send them."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from sqlmodel import Session

from adapters.base import Clock
from adapters.inbox_options import InboxOptions
from adapters.inbox_rows import read_rows, reading_of
from adapters.inbox_tables import BadRow
from adapters.registry import BadOptions
from bot import outbox
from bot.access.visitor import Visitor
from bot.api.operations import Call, Operation
from bot.api.types import Given, Id, Name, Told, Words
from bot.inbox import NotAnInbox, Status, options_of, take_in
from bot.inbox import Told as RowOutcome
from bot.models import Channel, Role, State
from bot.outbox import Failed, Leased, LeaseEnded, NoSuchReply, NotHandedOut, NotSent, Outcome, Sent
from bot.store import channels
from bot.store.channels import NoSuchChannel
from bot.store.ledger import Ledger
from bot.web.problems import Problem

MOST_ROWS: Final = 500
MOST_BYTES: Final = 2 * 1024 * 1024
_LINE: Final = 2_000


class InboxPath(Given):
    """Which channel."""

    channel: Name


class ReplyPath(Given):
    """Which reply of which channel."""

    channel: Name
    reply_id: Id


class Batch(Given):
    """Comments as a program has them."""

    comments: list[Any] = Field(
        min_length=1,
        max_length=MOST_ROWS,
        description="Objects with the members that the channel's preset and mapping know: text, author_name, "
        "created_at, comment_id, post_id or post_url …",
    )
    post: Annotated[Words, Field(max_length=_LINE)] = Field(
        default="", description="Address, id or title of the post of those that name none."
    )


class RowTold(Told):
    """What became of one comment of a batch."""

    row: int = Field(
        description="Its place in the batch, from 1; the answers within a comment share its place."
    )
    status: Status
    id: str | None = Field(
        description="The platform's id, or the one made for it; null where it was refused."
    )
    comment: int | None = Field(description="Its number here; see /comments/{comment_id}.")
    state: State | None
    reason: str
    error: str | None = Field(description="One line: why it was refused.")


class BatchTold(Told):
    """What became of a batch, row by row."""

    new: int
    known: int
    refused: int
    rows: list[RowTold]


class OutboxQuery(Given):
    """How many replies."""

    limit: int = Field(default=10, ge=1, le=outbox.MOST)


class ReplyTold(Told):
    """A reply to bring out, to one comment, once."""

    id: int = Field(description="Acknowledge with it.")
    lease: str = Field(description="Acknowledge with it, too.")
    lease_ends_at: datetime = Field(
        description="Bring it out and acknowledge before; after that a person is asked and nothing may be sent."
    )
    key: str = Field(description="The same for every try at this reply.")
    text: str
    comment: int
    comment_id: str = Field(description="The platform's id, or the one made for it.")
    comment_text: str
    author_name: str
    url: str = Field(description="Where the comment can be read; empty where that is not known.")
    post_id: str
    post_title: str


class OutboxTold(Told):
    """Replies that are yours until their leases end."""

    items: list[ReplyTold]


class AckSent(Given):
    """The reply stands on the platform."""

    outcome: Literal["sent"]
    lease: Name
    id: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = Field(
        default=None, description="The platform's id of the reply."
    )


class AckFailed(Given):
    """The platform does not take it; a person is shown why."""

    outcome: Literal["failed"]
    lease: Name
    reason: Annotated[Words, Field(max_length=_LINE)] = ""


class AckNotSent(Given):
    """Nothing went out, and the reply may be handed out again."""

    outcome: Literal["not_sent"]
    lease: Name
    retry_after_s: float = Field(default=60.0, ge=0, le=86_400)


Ack = Annotated[AckSent | AckFailed | AckNotSent, Field(discriminator="outcome")]


class AckTold(Told):
    """Where the comment is now."""

    state: State


class InboxApi:
    """Handlers. `on_new` is called when comments were brought in; in `shadow` nothing is handed out."""

    def __init__(self, *, ledger: Ledger, clock: Clock, on_new: Callable[[], None], shadow: bool) -> None:
        self._ledger = ledger
        self._clock = clock
        self._on_new = on_new
        self._shadow = shadow

    def operations(self) -> Sequence[Operation]:
        one = "/inbox/{channel}"
        return [
            Operation("POST", f"{one}/comments", self.bring_comments, Role.REVIEWER, most_bytes=MOST_BYTES),
            Operation("GET", f"{one}/outbox", self.take_replies, Role.REVIEWER),
            Operation("POST", f"{one}/outbox/{{reply_id}}/ack", self.acknowledge_reply, Role.REVIEWER),
        ]

    async def bring_comments(self, call: Call, path: InboxPath, body: Batch) -> BatchTold:
        """Bring comments in, each once however often it is given; every row is answered by itself."""
        channel, options = await self._ledger.aread(_inbox, path.channel)
        now = self._clock()
        try:
            rows = read_rows(body.comments, reading_of(options, now, body.post))
        except BadRow as error:
            raise Problem(422, "too_many", str(error), field="comments") from error
        told = await take_in(self._ledger, channel.id or 0, rows, now=now)
        if any(one.status == "new" for one in told):
            self._on_new()
        count = [one.status for one in told].count
        return BatchTold(
            new=count("new"), known=count("known"), refused=count("refused"), rows=[_row(one) for one in told]
        )

    async def take_replies(self, call: Call, path: InboxPath, query: OutboxQuery) -> OutboxTold:
        """Take replies that are ready, and bring each out before its lease ends. Nobody else is given them."""
        if call.visitor.via != "api":
            # Another web site can have a browser ask this, and each asking takes replies.
            raise Problem(
                403, "token_only", "this hands out replies; ask with a token: 'rejoinder people token'"
            )
        channel, _ = await self._ledger.aread(_inbox, path.channel)
        if self._shadow:
            return OutboxTold(items=[])
        try:
            leased = await self._ledger.awrite(
                outbox.lease,
                channel.id or 0,
                delivery="outbox",
                who=call.visitor.name,
                now=self._clock(),
                limit=query.limit,
            )
        except NotHandedOut as error:
            raise Problem(409, "delivery", str(error)) from error
        return OutboxTold(items=[_reply(one) for one in leased])

    async def acknowledge_reply(self, call: Call, path: ReplyPath, body: Ack) -> AckTold:
        """What came of a reply that was taken; given again, it is answered again."""
        channel, _ = await self._ledger.aread(_inbox, path.channel)
        state = await self._ledger.awrite(
            _acknowledge, channel, path, body, who=call.visitor, now=self._clock()
        )
        return AckTold(state=state)


def _inbox(session: Session, name: str) -> tuple[Channel, InboxOptions]:
    try:
        channel = channels.named(session, name)
        return channel, options_of(channel)
    except NoSuchChannel as error:
        raise Problem(404, "not_found", str(error)) from error
    except (NotAnInbox, BadOptions) as error:
        raise Problem(409, "not_an_inbox", str(error)) from error


def _acknowledge(
    session: Session,
    channel: Channel,
    path: ReplyPath,
    body: AckSent | AckFailed | AckNotSent,
    *,
    who: Visitor,
    now: datetime,
) -> State:
    try:
        return outbox.acknowledge(
            session, channel, path.reply_id, lease=body.lease, outcome=_outcome(body), who=who.name, now=now
        )
    except NoSuchReply as error:
        raise Problem(404, "not_found", str(error)) from error
    except LeaseEnded as error:
        raise Problem(409, "lease", str(error)) from error
    except NotHandedOut as error:
        raise Problem(409, "reply_id", str(error), field="id") from error


def _outcome(body: AckSent | AckFailed | AckNotSent) -> Outcome:
    if isinstance(body, AckSent):
        return Sent(body.id)
    if isinstance(body, AckFailed):
        return Failed(body.reason)
    return NotSent(timedelta(seconds=body.retry_after_s))


def _row(told: RowOutcome) -> RowTold:
    return RowTold(
        row=told.place,
        status=told.status,
        id=told.platform_id if told.status != "refused" else None,
        comment=told.comment_id,
        state=told.state,
        reason=told.reason,
        error=str(told.why) if told.why is not None else None,
    )


def _reply(leased: Leased) -> ReplyTold:
    reply, comment, post = leased.waiting.reply, leased.waiting.comment, leased.waiting.post
    return ReplyTold(
        id=reply.id or 0,
        lease=leased.lease,
        lease_ends_at=leased.ends_at,
        key=reply.key,
        text=reply.text,
        comment=comment.id or 0,
        comment_id=comment.platform_id,
        comment_text=comment.text,
        author_name=comment.author_name,
        url=comment.url or post.url,
        post_id=post.platform_id,
        post_title=post.title,
    )

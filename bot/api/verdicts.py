"""Verdicts: made once however often they are asked for, on what was seen, and taken back."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from adapters.base import Clock
from adapters.text import clean
from bot.api import cursors
from bot.api.comments import CommentPath, not_there
from bot.api.operations import Call, Operation
from bot.api.records import CommentTold, VerdictKind, VerdictTold, comment_told
from bot.api.types import Given, Moment, Name, Paged, PageOf, Words
from bot.models import Role, Verdict
from bot.review import Act, Wish, decide
from bot.store import cases, decided
from bot.store.deciding import MOST_CHARS, Sign, VerdictRefused
from bot.store.ledger import Ledger
from bot.web.problems import Problem

_LARGEST_VERSION: Final = 2**31 - 1
_STATUS: Final = {"gone": 404, "empty": 422, "long": 422}
"""Of a refusal; all others are conflicts."""

Text = Annotated[Words, Field(min_length=1, max_length=MOST_CHARS)]
Version = Annotated[int, Field(ge=0, le=_LARGEST_VERSION)]


class Seen(Given):
    """What was on the screen."""

    version: Version | None = Field(
        default=None, description="The comment's version; where it has changed since, nothing is done (409)."
    )
    over_hold: bool = Field(default=False, description="Although somebody else has it on the screen.")


class Decision(Seen):
    """What every verdict may tell."""

    took_s: float | None = Field(
        default=None, ge=0, le=86_400, description="Seconds from showing to deciding."
    )


class Approve(Decision):
    """Send a candidate as it stands."""

    kind: Literal["approve"]
    candidate: int = Field(default=0, ge=0, le=100, description="Which of the draft's candidates, from 0.")


class Edit(Decision):
    """Send this text; also answers what was skipped or has failed."""

    kind: Literal["edit"]
    text: Text
    candidate: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None, description="Which of the draft's candidates it was made from, from 0."
    )


class Reject(Decision):
    """The draft is wrong: send nothing."""

    kind: Literal["reject"]
    reason: Annotated[Words, Field(max_length=MOST_CHARS)] = ""


class Skip(Decision):
    """Leave the comment unanswered; says nothing about the draft."""

    kind: Literal["skip"]


NewVerdict = Annotated[Approve | Edit | Reject | Skip, Field(discriminator="kind")]


class Redraft(Seen):
    """How another draft is to be written."""

    hint: Annotated[Words, Field(max_length=MOST_CHARS)] = ""


class Key(Given):
    """Headers of a verdict."""

    idempotency_key: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")] | None = (
        Field(
            default=None,
            alias="Idempotency-Key",
            description="The asker's own name for this verdict: given again, it is answered again and not made again.",
        )
    )


class VerdictsPage(PageOf):
    """Verdicts, oldest first."""

    items: list[VerdictTold]


class VerdictsQuery(Paged):
    """Which verdicts."""

    channel: Name | None = Field(default=None, description="A channel's name.")
    kind: VerdictKind | None = None
    by: Name | None = None
    since: Moment | None = Field(default=None, description="Made then or later.")
    until: Moment | None = Field(default=None, description="Made before then.")


class VerdictsApi:
    """Handlers; a reply that is approved waits `undo_s` seconds."""

    def __init__(self, *, ledger: Ledger, clock: Clock, undo_s: float) -> None:
        self._ledger = ledger
        self._clock = clock
        self._undo_s = undo_s

    def operations(self) -> Sequence[Operation]:
        one = "/comments/{comment_id}"
        return [
            Operation("GET", "/verdicts", self.list_verdicts),
            Operation("POST", f"{one}/verdicts", self.decide_comment, Role.REVIEWER, 201),
            Operation("POST", f"{one}/undo", self.undo_verdict, Role.REVIEWER),
            Operation("POST", f"{one}/redraft", self.redraft_comment, Role.REVIEWER),
            Operation("POST", f"{one}/retry", self.retry_comment, Role.REVIEWER),
            Operation("POST", f"{one}/confirm-sent", self.confirm_sent, Role.REVIEWER),
        ]

    async def list_verdicts(self, call: Call, query: VerdictsQuery) -> VerdictsPage:
        """What people decided."""
        wanted = query.model_dump(include={"channel", "kind", "by", "since", "until"})
        after = cursors.after_id(query.cursor, "verdicts")
        found = await self._ledger.aread(decided.verdicts, after=after, limit=query.limit + 1, **wanted)
        rows = [VerdictTold.model_validate(verdict) for verdict in found[: query.limit]]
        return VerdictsPage(items=rows, next=cursors.next_of(rows, len(found) > query.limit, "verdicts"))

    async def decide_comment(
        self, call: Call, path: CommentPath, headers: Key, body: NewVerdict
    ) -> VerdictTold:
        """Approve, edit, reject or skip; an approved reply goes out after the time in which it can be taken back."""
        sign = _sign(call, body, key=headers.idempotency_key, took_s=body.took_s)
        made = await self._decided(_wish(path.comment_id, body), sign)
        if made is None or not _is_of(made, body):
            raise Problem(
                409,
                "key",
                f"this Idempotency-Key was used for another verdict on comment {path.comment_id}; take a new one",
            )
        return VerdictTold.model_validate(made)

    async def undo_verdict(self, call: Call, path: CommentPath, body: Seen) -> CommentTold:
        """Take back the last verdict, while its reply has not begun to go out."""
        return await self._acted(call, path, "undo", body)

    async def redraft_comment(self, call: Call, path: CommentPath, body: Redraft) -> CommentTold:
        """Have another draft written, after a hint; it comes back for review."""
        return await self._acted(call, path, "redraft", body, body.hint)

    async def retry_comment(self, call: Call, path: CommentPath, body: Seen) -> CommentTold:
        """Try again what has failed."""
        return await self._acted(call, path, "retry", body)

    async def confirm_sent(self, call: Call, path: CommentPath, body: Seen) -> CommentTold:
        """A person saw the reply on the platform, or posted it there."""
        return await self._acted(call, path, "confirm_sent", body)

    async def _acted(
        self, call: Call, path: CommentPath, act: Act, seen: Seen, text: str = ""
    ) -> CommentTold:
        await self._decided(Wish(act, path.comment_id, text), _sign(call, seen))
        case = await self._ledger.aread(cases.case, path.comment_id)
        return comment_told(case.item)

    async def _decided(self, wish: Wish, sign: Sign) -> Verdict | None:
        try:
            return await decide(self._ledger, wish, sign, now=self._clock(), undo_s=self._undo_s)
        except VerdictRefused as error:
            raise _problem(error, wish) from error


def _sign(call: Call, seen: Seen, **more: Any) -> Sign:
    who = call.visitor
    return Sign(who.name, via=who.via, version=seen.version, over_hold=seen.over_hold, **more)


def _wish(comment_id: int, body: Approve | Edit | Reject | Skip) -> Wish:
    if isinstance(body, Edit):
        return Wish("edit", comment_id, body.text, body.candidate)
    if isinstance(body, Reject):
        return Wish("reject", comment_id, body.reason)
    return Wish(body.kind, comment_id, candidate=body.candidate if isinstance(body, Approve) else None)


def _is_of(made: Verdict, body: Approve | Edit | Reject | Skip) -> bool:
    """Whether `made`, perhaps long ago with the same key, is what `body` asks for."""
    if body.version not in (None, made.version):
        return False
    if isinstance(body, Edit):
        return made.text == clean(body.text).strip()
    if isinstance(body, Reject):
        return made.reason == clean(body.reason)
    return made.chosen == body.candidate if isinstance(body, Approve) else True


def _problem(error: VerdictRefused, wish: Wish) -> Problem:
    if error.why == "gone":
        return not_there(wish.comment_id)
    more = {"version": error.version} if error.version is not None else {}
    return Problem(_STATUS.get(error.why, 409), error.why, str(error), **more)

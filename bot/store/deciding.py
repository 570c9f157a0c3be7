"""The steps that every verdict is made of; see `bot.store.verdicts`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from bot.access.visitor import Via
from bot.manners import label_chars, label_for, unlabelled
from bot.models import Channel, Comment, Draft, Hold, Reply, State, Verdict
from bot.reasons import Reason
from bot.store import shadow
from bot.store.cases import NoSuchComment
from bot.store.drafting import Order, order_replies
from bot.store.states import MOVES, Move, move

Why = Literal["gone", "state", "stale", "held", "empty", "long", "no_draft", "too_late", "key"]
MOST_CHARS = 10_000
"""Of a text, a reason or a hint, where the platform sets no limit of its own."""


class VerdictRefused(ValueError):
    """Nothing was changed; the message says why, and `why` says it to programs."""

    def __init__(self, message: str, why: Why = "state", version: int | None = None) -> None:
        super().__init__(message)
        self.why: Why = why
        self.version = version
        """The comment's present version, where it is known."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Who decides, on what was seen."""

    by: str
    via: Via = "terminal"
    version: int | None = None
    """The comment's version that was on the screen; None: whatever it is."""
    key: str | None = None
    """The asker's own name for this verdict: given again, it is not made again."""
    took_s: float | None = None
    over_hold: bool = False
    """Decide although somebody else has the comment on the screen."""


def begin(
    session: Session, comment_id: int, sign: Sign, states: tuple[State, ...], now: datetime
) -> tuple[Comment, Verdict | None]:
    """The comment, locked, and the verdict that this very asking has made before."""
    comment = session.exec(select(Comment).where(Comment.id == comment_id).with_for_update()).first()
    before = _made_before(session, comment_id, sign)
    if comment is None:
        raise VerdictRefused(str(NoSuchComment(comment_id)), "gone")
    if before is not None:
        return comment, before
    if comment.state not in states or comment.is_own:
        wanted = " or ".join(states)
        raise VerdictRefused(
            f"comment {comment_id} is {comment.state} ({comment.reason or 'no reason'}); "
            f"this needs one that is {wanted}",
            "state",
            comment.version,
        )
    if sign.version is not None and sign.version != comment.version:
        raise VerdictRefused(
            f"comment {comment_id} has changed since you opened it; look at it again",
            "stale",
            comment.version,
        )
    hold = session.get(Hold, comment_id)
    if hold is not None and hold.by != sign.by and hold.until > now and not sign.over_hold:
        raise VerdictRefused(
            f"{hold.by} has comment {comment_id} open; take it over, or go on with another",
            "held",
            comment.version,
        )
    return comment, None


def _made_before(session: Session, comment_id: int, sign: Sign) -> Verdict | None:
    if sign.key is None:
        return None
    made = session.exec(select(Verdict).where(Verdict.by == sign.by, Verdict.key == sign.key)).first()
    if made is not None and made.comment_id != comment_id:
        raise VerdictRefused(
            f"the key {sign.key!r} was used for comment {made.comment_id}; take a new one for each verdict",
            "key",
        )
    return made


def same(before: Verdict, *kinds: str) -> Verdict:
    """`before` itself. Raises VerdictRefused where it is of none of these kinds."""
    if before.kind not in kinds:
        raise VerdictRefused(
            f"the key {before.key!r} was used for a verdict of the kind {before.kind}; take a new one", "key"
        )
    return before


def order(
    session: Session,
    comment: Comment,
    text: str,
    *,
    kind: Literal["approve", "edit"],
    chosen: int | None,
    sign: Sign,
    now: datetime,
    undo_s: float,
) -> Verdict:
    """Write the verdict down and order its reply; in shadow nothing is ordered. Raises VerdictRefused."""
    channel = session.get_one(Channel, comment.channel_id)
    text = unlabelled(text, channel.rules.get("label", {}).values())
    longest = room(channel, text)
    if len(text) > longest:
        raise VerdictRefused(
            f"the reply has {len(text)} characters, {channel.name} takes {longest}"
            f"{' beside its label' if label_for(channel.rules.get('label', {}), text) else ''}; shorten it",
            "long",
            comment.version,
        )
    verdict = record(session, comment, sign=sign, now=now, kind=kind, text=text, chosen=chosen)
    target, reason = shadow.approved(channel, Reason.APPROVED if kind == "approve" else Reason.EDITED)
    if target is State.READY:
        judged = draft(session, comment)
        asks = judged is not None and judged.intent == "question"
        wish = Order(comment, comment.draft_id, text, question=asks)
        order_replies(session, [wish], approved_by=sign.by, now=now)
    if target != comment.state:
        due_at = now + timedelta(seconds=undo_s)
        go(session, comment, target, reason, "", sign=sign, now=now, due_at=due_at)
    return verdict


def room(channel: Channel, text: str | None = None) -> int:
    """How many characters a person may write: in a reply like `text`, or whatever its label will be. Pure."""
    longest = MOST_CHARS if channel.max_reply_chars is None else channel.max_reply_chars
    labels = channel.rules.get("label", {})
    return longest - label_chars(list(labels.values()) if text is None else [label_for(labels, text)])


def record(
    session: Session,
    comment: Comment,
    *,
    sign: Sign,
    now: datetime,
    kind: str,
    text: str = "",
    reason: str = "",
    chosen: int | None = None,
) -> Verdict:
    """Write down what was decided, with what was on the screen. Raises VerdictRefused."""
    judged = draft(session, comment)
    verdict = Verdict(
        comment_id=comment.id or 0,
        draft_id=comment.draft_id,
        kind=kind,
        text=text,
        reason=reason,
        by=sign.by,
        at=now,
        candidates=candidates(judged),
        chosen=chosen,
        took_s=sign.took_s,
        prompt_hash=judged.prompt_hash if judged is not None else "",
        voice=judged.voice if judged is not None else None,
        version=comment.version,
        via=sign.via,
        key=sign.key,
    )
    session.add(verdict)
    try:
        session.flush()
    except IntegrityError as error:
        raise VerdictRefused(
            f"the key {sign.key!r} was used for another comment; take a new one for each verdict", "key"
        ) from error
    return verdict


def draft(session: Session, comment: Comment) -> Draft | None:
    """The one in force."""
    return session.get(Draft, comment.draft_id) if comment.draft_id is not None else None


def candidates(shown: Draft | None) -> list[str]:
    """What a person may choose from, in the order shown."""
    if shown is None:
        return []
    return list(shown.candidates) or ([shown.text] if shown.text else [])


def ordered(session: Session, comment_id: int) -> Reply | None:
    """The reply that the comment is to get, or has got."""
    return session.exec(select(Reply).where(Reply.comment_id == comment_id)).first()


def short(text: str, what: str) -> str:
    """`text` itself. Raises VerdictRefused where it is too long."""
    if len(text) > MOST_CHARS:
        raise VerdictRefused(
            f"{what} has {len(text)} characters; {MOST_CHARS} are the most, shorten it", "long"
        )
    return text


def go(
    session: Session,
    comment: Comment,
    target: State,
    reason: str,
    detail: str,
    *,
    sign: Sign,
    now: datetime,
    due_at: datetime | None = None,
    since: datetime | None = None,
) -> None:
    """Move the comment, and let go of it. Raises VerdictRefused."""
    source = State(comment.state)
    if target not in MOVES[source]:
        raise VerdictRefused(
            f"comment {comment.id} is {source} and cannot become {target} again; nothing was changed",
            "too_late",
            comment.version,
        )
    wish = Move(
        comment.id or 0, source, target, reason, detail, due_at=due_at, version=comment.version, since=since
    )
    if not move(session, [wish], now=now, actor=sign.by):
        raise VerdictRefused(
            f"comment {comment.id} was changed by someone else just now; look at it again",
            "stale",
            comment.version,
        )
    hold = session.get(Hold, comment.id)
    if hold is not None and hold.by == sign.by:
        session.delete(hold)

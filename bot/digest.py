"""What people asked in a span of time. Pure: the ledger's rows in, numbers and groups out.

Every number here is counted; a model may only give names and a summary, see `bot.summary`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from bot.models import State
from bot.plain import excerpt
from bot.reasons import Reason
from bot.store.digest import Asked, BusyPost, Span
from bot.unanswered import Topic, topics

TOPICS, IN_VAIN, EXAMPLES = 12, 8, 3
NAME_CHARS = 120

QUIET: Final = frozenset(
    {Reason.EMPTY, Reason.EMOJI_ONLY, Reason.SPAM, Reason.INJECTION, Reason.NOTHING_TO_ANSWER}
)
"""Comments in a state for one of these reasons ask nothing."""
ANSWERED: Final = frozenset({State.READY, State.SENDING, State.UNKNOWN, State.SENT})
"""A reply is there, or on its way."""

PART: Final[Mapping[State, str]] = {
    State.SENT: "sent",
    State.REVIEW: "review",
    State.SKIPPED: "skipped",
    State.FAILED: "failed",
}
"""How the states are told; all others are told as `waiting`."""
PARTS: Final = ("review", "sent", "skipped", "failed", "waiting")


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that was asked about."""

    name: str
    """Its most typical question, or what a model called it."""
    comments: int
    parts: Mapping[str, int]
    """How many of them are in each of `PARTS`."""
    examples: tuple[Asked, ...]
    """Up to `EXAMPLES`, each in other words, the most typical first."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What was asked from `since` to before `until`."""

    since: datetime
    until: datetime
    channel: str | None
    """None: every channel."""
    comments: int
    parts: Mapping[str, int]
    """How many of them are in each of `PARTS`; they add up."""
    subjects: tuple[Subject, ...]
    """What was asked most, up to `TOPICS`."""
    more_subjects: int
    asked_nothing: int
    """Comments without a question: empty, emoji, advertising, thanks."""
    not_grouped: int
    """Older comments that are counted above, but were too many to be put into groups."""
    in_vain: tuple[Subject, ...]
    """Asked, not in the documents, and not answered; up to `IN_VAIN`."""
    posts: tuple[BusyPost, ...]
    summary: tuple[str, ...] = ()
    """Sentences by a model; none where there is no model."""


def digest(found: Span, *, since: datetime, until: datetime, channel: str | None = None) -> Digest:
    """The digest of what the ledger holds of that span."""
    asking = [one for one in found.comments if one.reason not in QUIET]
    groups = topics(asking)
    missing = topics(one for one in asking if one.in_vain and one.state not in ANSWERED)
    total = sum(found.by_state.values())
    return Digest(
        since=since,
        until=until,
        channel=channel,
        comments=total,
        parts=_parts(found.by_state),
        subjects=tuple(map(_subject, groups[:TOPICS])),
        more_subjects=max(0, len(groups) - TOPICS),
        asked_nothing=len(found.comments) - len(asking),
        not_grouped=total - len(found.comments),
        in_vain=tuple(map(_subject, missing[:IN_VAIN])),
        posts=found.posts,
    )


def link(url: str) -> str:
    """`url` when it is an address that a reader may follow, else an empty string: http or https, no password."""
    try:
        parts = urlsplit(url.strip())
        ok = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return ""
    return url.strip() if ok and not any(c.isspace() or c in '<>"\\' for c in url.strip()) else ""


def _subject(topic: Topic[Asked]) -> Subject:
    states = Counter(one.state for one in topic.comments)
    return Subject(
        excerpt(topic.example, NAME_CHARS),
        topic.count,
        _parts(states),
        _examples(topic.example, topic.comments),
    )


def _examples(typical: str, comments: Iterable[Asked]) -> tuple[Asked, ...]:
    """The newest comment of each wording, the typical one's first, then the wordings that were used last."""
    newest = {one.text.strip(): one for one in comments}
    first = newest.pop(typical.strip())
    others = sorted(newest.values(), key=lambda one: (one.at, one.id), reverse=True)
    return (first, *others[: EXAMPLES - 1])


def _parts(states: Mapping[State, int]) -> dict[str, int]:
    counted = dict.fromkeys(PARTS, 0)
    for state, number in states.items():
        counted[PART.get(state, "waiting")] += number
    return counted

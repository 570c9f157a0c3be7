"""What a reader of the queue asks for, as it stands in the address."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, get_args
from urllib.parse import urlencode

from bot.models import State
from bot.store.queue import Filters, Place, Sort
from bot.web.forms import row_number
from bot.web.problems import Problem

STATES: Final = (State.REVIEW, State.READY, State.UNKNOWN, State.FAILED, State.SKIPPED, State.SENT, State.NEW)
"""In the order of the page."""
AGES: Final[Mapping[str, tuple[timedelta | None, timedelta | None]]] = {
    "hour": (timedelta(hours=1), None),
    "day": (timedelta(days=1), None),
    "over_day": (None, timedelta(days=1)),
    "over_week": (None, timedelta(days=7)),
}
"""In its state for at most, and for more than so long."""
SEARCH_CHARS: Final = 200
_MAX_LABEL: Final = 300
_MOST_SIMILAR: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """Filters and order, each as the address has it; what filters nothing is empty."""

    state: State = State.REVIEW
    channel: str = ""
    post: int | None = None
    language: str = ""
    intent: str = ""
    reason: str = ""
    age: str = ""
    search: str = ""
    sort: Sort = "value"

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Asked":
        """What makes no sense filters nothing: an old address still opens."""
        state, sort, post = query.get("state", ""), query.get("sort", ""), query.get("post", "")
        named = {
            name: query.get(name, "")[:_MAX_LABEL] for name in ("channel", "language", "intent", "reason")
        }
        age = query.get("age", "")
        return cls(
            state=State(state) if state in set(STATES) else State.REVIEW,
            post=row_number(post),
            age=age if age in AGES else "",
            search=" ".join(query.get("q", "")[:SEARCH_CHARS].split()),
            sort=next((one for one in get_args(Sort) if one == sort), "value"),
            **named,
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything but state and order is asked for."""
        return self != Asked(state=self.state, sort=self.sort)

    def fields(self) -> dict[str, str]:
        """What is not as it is by itself, as the fields of an address."""
        given = {
            "state": self.state.value if self.state is not State.REVIEW else "",
            "channel": self.channel,
            "post": str(self.post) if self.post is not None else "",
            "language": self.language,
            "intent": self.intent,
            "reason": self.reason,
            "age": self.age,
            "q": self.search,
            "sort": self.sort if self.sort != "value" else "",
        }
        return {name: value for name, value in given.items() if value}

    def link(self, path: str, **more: object) -> str:
        """`path` with these filters, and `more` beside them."""
        query = urlencode(self.fields() | {name: str(value) for name, value in more.items()})
        return f"{path}?{query}" if query else path

    def filters(self, now: datetime, free_for: str | None = None) -> Filters:
        """`free_for`: without what others than this person have open."""
        newest, oldest = AGES.get(self.age, (None, None))
        return Filters(
            states=(self.state,),
            channel=self.channel or None,
            post=self.post,
            language=self.language or None,
            intent=self.intent or None,
            reason=self.reason or None,
            since=now - newest if newest is not None else None,
            until=now - oldest if oldest is not None else None,
            search=self.search,
            free_for=free_for,
            now=now,
        )

    def since(self, moment: datetime, now: datetime) -> Filters:
        """The same, of what came at `moment` or later."""
        asked = self.filters(now)
        return replace(asked, since=max(moment, asked.since) if asked.since is not None else moment)


def moment_of(given: str) -> datetime:
    """Raises Problem."""
    try:
        moment = datetime.fromisoformat(given)
        if moment.tzinfo is None:
            raise Problem(400, "moment", "this address names a time without its zone; reload the page")
        return moment.astimezone(UTC)  # which has no room for a few moments of other zones
    except (ValueError, OverflowError) as error:
        raise Problem(400, "moment", "this address is incomplete; reload the page") from error


def mark_of(place: Place | None) -> str:
    """`place` as a word for an address; empty for none."""
    return f"{place.similar}~{place.updated_at.isoformat()}~{place.comment_id}" if place is not None else ""


def place_of(mark: str) -> Place | None:
    """Raises Problem."""
    if not mark:
        return None
    similar, _, rest = mark.partition("~")
    moment, _, comment_id = rest.rpartition("~")
    found = row_number(comment_id)
    if found is None or row_number(similar) is None:
        raise Problem(400, "place", "this address is incomplete; go back to the queue")
    return Place(min(int(similar), _MOST_SIMILAR), moment_of(moment), found)

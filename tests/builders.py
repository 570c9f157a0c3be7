"""Short ways to make what the tests talk about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from adapters.base import Comment, CommentPage, CommentRef, Post
from bot.models import Channel, Draft, State
from bot.store import channels, drafting, polling, sending
from bot.store.ledger import Ledger

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)


@dataclass
class FakeClock:
    """A clock that moves only when told to."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def comment(number: int, text: str = "How long do I roast?", **changes: object) -> Comment:
    """Comment `c<number>`, one second after the one before."""
    values: dict[str, object] = {
        "parent_id": None,
        "author_id": "fan",
        "author_name": "Fan",
        "is_own": False,
        "created_at": START + timedelta(seconds=number),
        "thread_id": f"c{number}",
    } | changes
    ref = CommentRef("p1", str(values.pop("thread_id")), f"c{number}", values.pop("created_at"))  # type: ignore[arg-type]
    return Comment(ref=ref, text=text, **values)  # type: ignore[arg-type]


def page(comments: Sequence[Comment], cursor: int = 1, *, complete: bool = True) -> CommentPage:
    return CommentPage(tuple(comments), (Post("p1", "Roasting at home"),), {"at": cursor}, complete)


@dataclass
class Desk:
    """A ledger with one channel, and the steps of the pipeline as single calls."""

    ledger: Ledger
    clock: FakeClock = field(default_factory=FakeClock)
    owner: str = "me"

    def __post_init__(self) -> None:
        self.channel = self.add_channel("demo")

    @property
    def channel_id(self) -> int:
        return self.channel.id or 0

    def add_channel(self, name: str) -> Channel:
        return self.ledger.write(
            channels.add,
            name=name,
            platform="sandbox",
            options={},
            rules={},
            now=self.clock(),
            answer_since=START,
        )

    def ingest(self, *comments: Comment, thread_depth: bool = False) -> polling.Ingested | None:
        self.clock.forward(1)
        [claimed] = self.ledger.write(
            polling.claim_channels,
            owner=self.owner,
            now=self.clock(),
            lease=LEASE,
            only=frozenset({self.channel_id}),
        )
        return self.ledger.write(
            polling.save_page,
            channel=self.channel,
            page=page(comments),
            owner=claimed.poll_owner or "",
            now=self.clock(),
            next_poll_at=self.clock(),
            thread_depth=thread_depth,
        )

    def claim(self, owner: str | None = None, limit: int = 100) -> list[drafting.Work]:
        return self.ledger.write(
            drafting.claim_new, owner=owner or self.owner, now=self.clock(), lease=LEASE, limit=limit
        )

    def decide(
        self,
        work: drafting.Work,
        target: State = State.READY,
        text: str = "Ten minutes.",
        intent: str = "",
        **more: object,
    ) -> bool:
        draft = Draft(comment_id=work.comment.id or 0, created_at=self.clock(), text=text, intent=intent)
        outcome = drafting.Outcome(work.comment.id or 0, target, "because", draft=draft, **more)  # type: ignore[arg-type]
        return bool(self.ledger.write(drafting.save_outcomes, [outcome], owner=self.owner, now=self.clock()))

    def ready(self, *numbers: int) -> None:
        """Comments `numbers`, drafted and ready to go out."""
        self.ingest(*(comment(number) for number in numbers))
        for work in self.claim():
            assert self.decide(work)

    def claim_ready(self, owner: str | None = None, **limits: object) -> list[sending.Job]:
        options: dict[str, object] = {"limit": 100, "gap": timedelta(0), "max_per_hour": None} | limits
        return self.ledger.write(
            sending.claim_ready,
            channel_id=self.channel_id,
            owner=owner or self.owner,
            now=self.clock(),
            lease=LEASE,
            **options,  # type: ignore[arg-type]
        )

    def intend(self, jobs: list[sending.Job], owner: str | None = None) -> list[sending.Job]:
        return self.ledger.write(
            sending.write_intents, jobs, owner=owner or self.owner, now=self.clock(), lease=LEASE
        )

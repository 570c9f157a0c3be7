"""The seam between Rejoinder and a platform: frozen records, and the protocol that every adapter meets.

Raw dictionaries stop at an adapter's `parse_comment`. Retries, limits, logging and storage live outside the
adapter; it fetches, sends, and translates errors (see `adapters.errors`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import aiohttp
from pydantic import BaseModel

Clock = Callable[[], datetime]
"""Returns the present moment, time-zone aware."""

Cursor = Mapping[str, Any]
"""How far polling has come: JSON that only the adapter that made it can read."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform allows and guarantees; the service decides by these, never by a platform's name."""

    max_reply_chars: int
    """Longest reply, in characters."""
    reply_depth: Literal["thread", "any"]
    """`thread`: replies hang flat under the top comment (YouTube). `any`: under the comment they answer."""
    idempotent_reply: bool
    """The platform itself refuses or merges a second reply with the same key."""
    can_find_own: bool
    """`find_own_replies` works. Where it is False, an unclear send goes to a person."""
    settle_s: float
    """Seconds after a call broke off until its effect, if any, is certain to be visible."""
    min_reply_gap_s: float
    """Seconds to keep between two replies."""
    min_poll_s: float
    """Seconds to keep between two polls."""
    writes: Literal["auto", "assist"] = "auto"
    """`assist`: no call of the platform takes a reply; a person or another program brings it out."""
    quota: "Quota | None" = None
    """What calls cost, where the platform gives a budget for the day."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A platform's budget for a day, in its own units. An adapter that has one is `Metered`."""

    units: int
    """A day."""
    reply_units: int
    """What one reply costs."""
    poll_units: int
    """What one request of a poll, or a look into a thread, costs."""
    zone: str
    """Whose midnight begins a new day, such as America/Los_Angeles."""
    resets_at: time = time(0, 0)
    """When it does there."""
    shared_by: str = ""
    """The same text for all channels that spend the same budget, such as a hash of the app's id; empty: the channel
    has it for itself. It holds no secret."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are on the platform. `id` is what marks our own comments."""

    id: str
    name: str
    can: Mapping[str, bool] = field(default_factory=dict)
    """What the platform lets the account do, such as `read`, `reply`, `hide`; without what it does not say."""


@dataclass(frozen=True, slots=True)
class Post:
    """What the comments stand under: a video, an article, a picture."""

    id: str
    title: str
    text: str = ""
    url: str = ""
    pictures: tuple[str, ...] = ()
    """Addresses of its images, the first ones first."""


@dataclass(frozen=True, slots=True)
class CommentRef:
    """All an adapter needs to find a comment again and to answer it."""

    post_id: str
    thread_id: str
    """Id of the top comment of the thread; equals `comment_id` for a top comment."""
    comment_id: str
    created_at: datetime
    extra: Mapping[str, str] = field(default_factory=dict)
    """What else the platform needs to answer (Bluesky's uri and cid)."""


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment, ours or anyone's, as the platform showed it at `poll` time. `text` is plain text."""

    ref: CommentRef
    parent_id: str | None
    """The comment that this one answers; None for a top comment."""
    author_id: str
    author_name: str
    text: str
    is_own: bool
    """Written by our account. Own comments are returned, not dropped: they show what is already answered."""
    url: str = ""
    pictures: tuple[str, ...] = ()
    """Addresses of its images, the first ones first."""
    likes: int | None = None
    """How many people like it; None where the platform does not say."""
    hearted: bool | None = None
    """The creator has marked it; None where the platform does not say."""


@dataclass(frozen=True, slots=True)
class CommentPage:
    """What one `poll` brought. Comments run from oldest to newest, `posts` holds every post they name."""

    comments: tuple[Comment, ...]
    posts: tuple[Post, ...]
    cursor: Cursor
    """Save it in the transaction that saves the comments. It never moves past what was not read whole."""
    complete: bool
    """False when the budget ended before the news did: poll again at once."""
    malformed: int = 0
    """Rows of the platform's answer that could not be read (no id, no time). Each one was logged."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that one `poll` may use."""

    requests: int = 20
    comments: int = 500


@dataclass(frozen=True, slots=True)
class ReplyRef:
    """A reply of ours as it stands on the platform."""

    id: str
    parent_id: str
    text: str
    created_at: datetime
    likes: int | None = None
    """As of a `Comment`, and `hearted` too."""
    hearted: bool | None = None


@dataclass(frozen=True, slots=True)
class Hook:
    """What a platform's call to us says."""

    answer: Mapping[str, Any] | None = None
    """What the platform wants to hear back, as JSON; None: nothing but that it arrived."""
    poll: bool = False
    """Something is new: poll at once. Polling alone brings comments, so that a forged or lost call does no harm."""


class Vault(Protocol):
    """Where one account's tokens outlive the process: encrypted in the service, see `MemoryVault` for tests."""

    async def load(self) -> Mapping[str, str]:
        """The tokens by name as they were saved last, by whichever process; empty before that."""
        ...

    async def save(self, tokens: Mapping[str, str]) -> None:
        """Keep these, and forget the others. Call it before a new token is used: some are handed out once."""
        ...


class MemoryVault:
    """Forgets with the process."""

    def __init__(self, tokens: Mapping[str, str] | None = None) -> None:
        self._tokens = dict(tokens or {})

    async def load(self) -> Mapping[str, str]:
        return dict(self._tokens)

    async def save(self, tokens: Mapping[str, str]) -> None:
        self._tokens = dict(tokens)


class PlatformAdapter(Protocol):
    """One account on one platform.

    Every method raises only `adapters.errors.AdapterError`, and is safe to call from several tasks at once.
    """

    capabilities: Capabilities

    async def open(self) -> Account:
        """Log in and say who we are. Call once, before anything else."""
        ...

    async def refresh_auth(self) -> None:
        """Get a new access token. Raises ReauthRequired when only a person can, Unsupported when there is none."""
        ...

    async def baseline(self, since: datetime) -> Cursor:
        """The cursor from which `poll` returns every comment written at `since` or later, and few others."""
        ...

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        """The comments after `cursor`, overlapping a little with what was read before."""
        ...

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        """Answer `target`. `key` is the same for every attempt at the same reply."""
        ...

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        """Our account's replies written at `since` or later: to `target`, or, where `reply_depth` is `thread`,
        anywhere in its thread. Raises TargetGone when the comment is no longer there."""
        ...

    async def aclose(self) -> None:
        """Let go of everything. Safe to call twice."""
        ...


@runtime_checkable
class Metered(Protocol):
    """An adapter of a platform with a `Quota`."""

    def take_units(self) -> int:
        """Units used since this was called last, those of failed calls included."""
        ...


@runtime_checkable
class Moderates(Protocol):
    """An adapter that can hide a visitor's comment from the public."""

    async def hide(self, target: CommentRef) -> None:
        """Raises what `reply` does; hiding twice is no error."""
        ...


@runtime_checkable
class Hooked(Protocol):
    """An adapter of a platform that calls us when something happens."""

    def read_hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        """What a call says, once its signature over the raw `body` and its age are proven. Raises Permanent."""
        ...


class AdapterFactory(Protocol):
    """What a registered adapter class offers, so that a channel can be checked before it is built."""

    Options: ClassVar[type[BaseModel]]
    """The channel's options, secrets left out of its `repr` (pydantic.SecretStr). Unknown keys are refused."""

    def __call__(
        self, options: Any, *, http: aiohttp.ClientSession, clock: Clock, vault: Vault
    ) -> PlatformAdapter:
        """Build the adapter; no I/O happens before `open`. `options` is an instance of `Options`."""
        ...

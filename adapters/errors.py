"""What can go wrong on a platform, in terms the service can act on.

    AdapterError
    ├── AuthExpired         refresh once, then repeat
    ├── ReauthRequired      a person must connect the account again
    ├── RateLimited         wait `retry_after`
    ├── QuotaExhausted      wait until `resets_at`
    ├── Transient           repeat later; `ambiguous` when the call may have taken effect
    ├── AlreadyReplied      counts as success
    ├── TargetGone          the comment (or its post) is no longer there
    ├── RejectedContent     the platform refuses this text
    ├── AccountRestricted   stop the account and tell a person
    ├── Permanent           repeating the call will not help
    └── Unsupported         the platform has no such call

An adapter translates every error of its HTTP client and of its platform into one of these, `from` the original.
Messages name what was called, what came back and what to do; they never hold a token.
"""

from datetime import datetime


class AdapterError(Exception):
    """Base of everything an adapter raises."""


class AuthExpired(AdapterError):
    """The access token is no longer accepted; `refresh_auth` may get a new one."""


class ReauthRequired(AdapterError):
    """Nothing short of a person connecting the account again helps."""


class RateLimited(AdapterError):
    """Too many calls.

    `retry_after` is in seconds; the refused call took no effect.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QuotaExhausted(AdapterError):
    """The platform's budget is used up until `resets_at` (aware); the refused call took no effect."""

    def __init__(self, message: str, *, resets_at: datetime) -> None:
        super().__init__(message)
        self.resets_at = resets_at


class Transient(AdapterError):
    """Worth repeating later.

    `ambiguous` is True when the call may have taken effect all the same: a time-out, a broken connection after
    the request left, a 5xx, or an answer that cannot be read.
    """

    def __init__(self, message: str, *, ambiguous: bool) -> None:
        super().__init__(message)
        self.ambiguous = ambiguous


class AlreadyReplied(AdapterError):
    """The platform already holds this reply; `reply_id` where it says which."""

    def __init__(self, message: str, *, reply_id: str | None = None) -> None:
        super().__init__(message)
        self.reply_id = reply_id


class TargetGone(AdapterError):
    """The comment or its post was deleted or hidden."""


class RejectedContent(AdapterError):
    """The platform refuses this text (too long, a banned word, held for its own review)."""


class AccountRestricted(AdapterError):
    """The platform blocks the account; go on and it may be lost."""


class Permanent(AdapterError):
    """The call is wrong in a way that repeating it does not change."""


class Unsupported(AdapterError):
    """The platform offers no such call."""

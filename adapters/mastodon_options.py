"""Options of a Mastodon channel."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.http import BaseUrl


class MastodonOptions(BaseModel):
    """Which server our account is on, and how we speak there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl
    """The account's own server, such as https://mastodon.social."""
    access_token: SecretStr | None = None
    """Made under Preferences, Development; None where the vault holds it."""
    visibility: Literal["same", "unlisted"] = "same"
    """`same`: a reply is as visible as its comment. `unlisted`: a public comment's reply stays out of timelines."""
    max_chars: int | None = Field(default=None, ge=1)
    """Longest status; None: what the server says, or 500 where it says nothing."""
    url_chars: int = Field(default=23, ge=1)
    """What an address counts as, where the server does not say."""
    overlap_s: float = Field(default=60.0, ge=0)
    """For how long a notification may still appear before one that was read already."""
    settle_s: float = Field(default=5.0, ge=0)
    reply_gap_s: float = Field(default=2.0, ge=0)
    min_poll_s: float = Field(default=30.0, ge=0)
    timeout_s: float = Field(default=20.0, gt=0)

"""Options of a Bluesky channel."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.http import BaseUrl


class BlueskyOptions(BaseModel):
    """Who we are on the AT Protocol, and how patient we are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    identifier: str = Field(min_length=1, max_length=253)
    """Handle or DID of the account."""
    app_password: SecretStr | None = None
    """Made under Settings, Privacy and security, App passwords; None where the vault holds it."""
    base_url: BaseUrl = "https://bsky.social"
    """The account's own server (PDS), or the one that stands before it."""
    site_url: BaseUrl = "https://bsky.app"
    """The site that shows posts, for links."""
    overlap_s: float = Field(default=900.0, ge=0)
    """How far before what was read last a poll reads again: commenters' clocks decide about the order."""
    settle_s: float = Field(default=30.0, ge=0)
    """How long the network takes to show a new reply."""
    reply_gap_s: float = Field(default=5.0, ge=0)
    min_poll_s: float = Field(default=30.0, ge=0)
    max_graphemes: int = Field(default=300, ge=1)
    max_bytes: int = Field(default=3000, ge=1)
    timeout_s: float = Field(default=20.0, gt=0)

"""Options of a WordPress channel."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.http import BaseUrl


class WordPressOptions(BaseModel):
    """Who we are on a WordPress site, and what we read there. Lengths of time are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl
    """The site, with its path where it has one: https://example.org/blog."""
    username: str = Field(min_length=1, pattern="^[^:]+$")
    application_password: SecretStr = Field(min_length=1)
    """Made by WordPress under Users, Profile, Application Passwords; not the password of the log-in."""
    api: str = Field(default="/wp-json", pattern=r"^(/[\w./-]*\w|\?rest_route=)$")
    """Where the REST API is below the site; `?rest_route=` for a site without permalinks."""
    posts: tuple[int, ...] = ()
    """Ids of the posts and pages whose comments are read; none: all."""
    max_reply_bytes: int = Field(default=65_525, gt=0)
    """The longest comment that the site's database takes, in bytes of UTF-8."""
    flood_s: float = Field(default=15.0, ge=0)
    """How long the site refuses a second comment of an account that may not moderate."""
    reply_gap_s: float = Field(default=16.0, ge=0)
    """0 is enough for an account that may moderate."""
    settle_s: float = Field(default=30.0, ge=0)
    """PHP works on after a caller has gone, for 30 s by default."""
    min_poll_s: float = Field(default=15.0, ge=0)
    overlap_s: float = Field(default=60.0, ge=2)
    """How far each poll reads back: a comment gets its time before a spam check that may take seconds."""
    late_s: float = Field(default=259_200.0, ge=0)
    """How long a comment may wait for the moderator and still be seen."""
    full_read_s: float = Field(default=3600.0, ge=0)
    """How often all of the last `late_s` is read again."""
    timeout_s: float = Field(default=20.0, gt=0)

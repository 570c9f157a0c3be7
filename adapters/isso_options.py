"""Options of an Isso channel."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from adapters.http import BaseUrl
from adapters.isso_rows import DEFAULT_SALT, author_hash


def _as_post(value: Any) -> Any:
    return {"uri": value} if isinstance(value, str) else value


class IssoPost(BaseModel):
    """A page of the site that has a comment thread. In the options, a bare string stands for its `uri`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str = Field(min_length=1)
    title: str = ""
    text: str = ""


class IssoOptions(BaseModel):
    """Who we are on an Isso server, and what we read there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl
    author: str = Field(min_length=1)
    email: str = Field(min_length=3, max_length=254, pattern="^[^@\\s]+@[^@\\s]+$")
    posts: tuple[Annotated[IssoPost, BeforeValidator(_as_post)], ...] = ()
    discover: bool = False
    """Also read every post that `/latest` names; the server needs `latest-enabled`."""
    site_url: BaseUrl | None = None
    """The site that shows the comments, for links."""
    author_hash: str | None = Field(default=None, pattern="^[0-9a-f]+$")
    hash_salt: str = DEFAULT_SALT
    hash_algorithm: str = "pbkdf2"
    moderated: bool = False
    """The server holds new comments back, ours too, so that an unclear send cannot be looked up."""
    reply_gap_s: float = Field(default=31.0, ge=0)
    """Isso's guard allows two posts a minute by default; 0 where it is off."""
    settle_s: float = Field(default=10.0, ge=0)
    min_poll_s: float = Field(default=15.0, ge=0)
    full_read_s: float = Field(default=300.0, ge=0)
    late_s: float = Field(default=259_200.0, ge=0)
    """How long a comment may wait for the moderator and still be seen."""
    timeout_s: float = Field(default=20.0, gt=0)

    @model_validator(mode="after")
    def _check(self) -> "IssoOptions":
        if not self.posts and not self.discover:
            raise ValueError("posts: name at least one uri, or set discover")
        try:
            author_hash(self.email, salt=self.hash_salt, algorithm=self.hash_algorithm)
        except (ValueError, OverflowError, TypeError) as exc:
            raise ValueError("hash_algorithm: not one that Isso has") from exc
        return self

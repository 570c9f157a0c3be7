"""Options of a Douyin channel. What the platform's pages do not say is an option, with a careful default."""

from hashlib import sha256
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from adapters.http import BaseUrl, PrivateUrl


def _as_item(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


class DouyinItem(BaseModel):
    """A video (作品) whose comments are read. In the options, a bare string stands for its `id`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=255)
    """The item_id of the open platform, such as @8hxd…w==, as it is: not URL-encoded."""
    title: str = ""
    text: str = ""
    url: str = ""


DEVICE: Final = ("ip", "device_brand", "device_platform", "device_type", "os_version", "shark_channel")
"""What newer pages require of a call: the device of the person who runs the account, not the server's."""


class DouyinOptions(BaseModel):
    """An account, the application that acts for it, and how it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_key: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    """Proves the platform's calls to us; without it none is accepted."""
    open_id: str = Field(min_length=1, max_length=255)
    """The account, as the application knows it. It marks our own comments."""
    name: str = ""
    access_token: SecretStr | None = None
    refresh_token: SecretStr | None = None
    """As handed out when the account was connected; later ones are kept in the vault."""
    renew_left_days: float = Field(default=7.0, gt=0, lt=30)
    """Renew the refresh token with less than this left: later makes the five renewals last longer, and earlier bears a
    longer stop of the service."""
    items: tuple[Annotated[DouyinItem, BeforeValidator(_as_item)], ...] = Field(min_length=1)
    learn_items: bool = True
    """Also read what the platform's calls to us name."""
    ip: str = ""
    """This and the next five: see `DEVICE`; what is empty is not sent."""
    device_brand: str = ""
    device_platform: str = ""
    device_type: str = ""
    os_version: str = ""
    shark_channel: str = "open_api"
    base_url: BaseUrl = "https://open.douyin.com"
    token_url: PrivateUrl | None = None
    """Where tokens are renewed; as `base_url` where it is not set."""
    timeout_s: float = Field(default=20.0, gt=0)
    max_reply_chars: int = Field(default=100, ge=1)
    answer_under: Literal["comment", "thread"] = "comment"
    """Which id a reply to an answer names: that of the answer, or that of the top comment of its thread."""
    gone_codes: tuple[int, ...] = ()
    """Error codes that mean that a comment or its video is no longer there."""
    rejected_codes: tuple[int, ...] = ()
    """Error codes that mean that the platform refuses the text."""
    can_find_own: bool = True
    """False: a reply under review may take longer than `settle_s`, so that an unclear send goes to a person."""
    settle_s: float = Field(default=1800.0, ge=0)
    """How long the platform's review of a reply takes at most."""
    reply_gap_s: float = Field(default=10.0, ge=0)
    daily_calls: int = Field(default=5000, ge=1)
    """Calls a day with the scope item.comment; the console shows it."""
    read_share: float = Field(default=0.7, gt=0, le=1)
    """How much of them reading plans with; the others are for replies."""
    min_poll_s: float = Field(default=120.0, ge=0)
    quiet_s: float = Field(default=86_400.0, gt=0)
    """A video with nothing new for longer is read less often, in proportion."""
    longest_s: float = Field(default=21_600.0, gt=0)
    """The longest that a quiet video waits, unless the quota makes all wait."""
    overlap_s: float = Field(default=600.0, ge=0)
    late_s: float = Field(default=259_200.0, ge=0)
    """How long the platform's review may hold a comment back that is still seen."""
    full_read_s: float = Field(default=86_400.0, ge=0)
    """How often the newest `depth` comments of a video are all read, for what came late and old threads."""
    depth: int = Field(default=100, ge=1)
    often_wait_s: float = Field(default=60.0, ge=0)
    """The pause after "too frequent"."""
    risk_wait_s: float = Field(default=3600.0, ge=0)
    """The pause after "risk": going on would endanger the account."""
    hook_age_s: float = Field(default=86_400.0, gt=0)
    unsigned_challenge: bool = False
    """Answer the call that tries our address even where it bears no signature."""

    @model_validator(mode="after")
    def _check(self) -> "DouyinOptions":
        ids = [item.id for item in self.items]
        if len(set(ids)) != len(ids):
            raise ValueError("items: one is named twice")
        if self.access_token is not None and self.refresh_token is None:
            raise ValueError("refresh_token: missing; the access token alone ends after 15 days")
        return self

    @property
    def budget_name(self) -> str:
        """What all accounts of one application share, without telling which it is."""
        return sha256(self.client_key.encode()).hexdigest()[:16]

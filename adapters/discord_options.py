"""Options of a Discord channel."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from adapters.http import BaseUrl


def _check_token(value: SecretStr) -> SecretStr:
    token = value.get_secret_value()
    if token.lower().startswith("bot "):
        raise ValueError("must be the token alone, without the word Bot before it")
    if not (token.isascii() and token.isprintable()) or " " in token or len(token) < 20:
        raise ValueError("must be a bot's token as the Developer Portal shows it")
    return value


def _listed(value: Any) -> Any:
    given = [value] if isinstance(value, str | int) else value
    return (
        [str(one) if isinstance(one, int) else one for one in given]
        if isinstance(given, list | tuple)
        else given
    )


Snowflake = Annotated[str, Field(pattern="^[0-9]{1,20}$")]
Snowflakes = Annotated[tuple[Snowflake, ...], BeforeValidator(_listed)]


class DiscordOptions(BaseModel):
    """Which bot we are, and the channels in which it reads and answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: Annotated[SecretStr, AfterValidator(_check_token)]
    channels: Snowflakes = Field(min_length=1)
    """Ids of text, announcement or forum channels, or of single threads."""
    threads: bool = True
    """Also read the public threads of these channels. Those of a forum are always read."""
    own_ids: Snowflakes = ()
    """Ids of people who speak for the creator: where they have answered, we do not."""
    base_url: BaseUrl = "https://discord.com/api/v10"
    site_url: BaseUrl = "https://discord.com"
    """Where people see the messages, for links."""
    user_agent: str = Field(default="DiscordBot (rejoinder, 1)", pattern="^DiscordBot [ -~]+$")
    max_chars: int = Field(default=2000, ge=1)
    """Longest reply, in characters."""
    overlap_s: float = Field(default=5.0, ge=0)
    """How much later than its time a message may appear."""
    look_pages: int = Field(default=50, ge=1)
    """Pages of 100 messages that are read at most to look for a reply of ours."""
    settle_s: float = Field(default=10.0, ge=0)
    reply_gap_s: float = Field(default=2.0, ge=0)
    min_poll_s: float = Field(default=5.0, ge=0)
    timeout_s: float = Field(default=20.0, gt=0)

"""Options of a Telegram channel."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from adapters.http import BaseUrl

MIN_SECRET: Final = 16


def _check_token(value: SecretStr) -> SecretStr:
    number, _, secret = value.get_secret_value().partition(":")
    plain = secret.replace("-", "").replace("_", "")
    if not (number.isascii() and number.isdigit() and plain.isascii() and plain.isalnum()):
        raise ValueError("must be a bot's token as @BotFather gives it, NUMBER:LETTERS")
    if len(secret) < MIN_SECRET:
        raise ValueError("is too short for a bot's token; copy all of it from @BotFather")
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


Ids = Annotated[tuple[int, ...], BeforeValidator(_listed)]


class TelegramOptions(BaseModel):
    """Which bot we are, and the groups in which it reads and answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: Annotated[SecretStr, AfterValidator(_check_token)]
    groups: Ids = Field(min_length=1)
    """Numbers of the discussion groups, such as -1001234567890. Telegram hands a bot's news out once, so that all
    groups of one bot belong to one channel."""
    general: bool = False
    """Also read what is said in a group outside the comments of a post."""
    own_ids: Ids = ()
    """Numbers of people who speak for the creator: where they have answered, we do not."""
    base_url: BaseUrl = "https://api.telegram.org"
    max_chars: int = Field(default=4096, ge=1)
    """Longest reply, in UTF-16 code units."""
    settle_s: float = Field(default=10.0, ge=0)
    reply_gap_s: float = Field(default=3.0, ge=0)
    """Telegram lets a bot write about 20 messages a minute in a group."""
    min_poll_s: float = Field(default=2.0, ge=0)
    timeout_s: float = Field(default=20.0, gt=0)

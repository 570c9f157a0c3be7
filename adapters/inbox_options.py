"""Options of an inbox channel."""

from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from adapters.http import BaseUrl
from adapters.inbox_presets import FIELDS, Preset

PLATFORM: Final = "inbox"


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError) as exc:
        raise ValueError("is no time zone; write one such as Asia/Shanghai") from exc
    return value


class InboxOptions(BaseModel):
    """What is known of an account whose comments are brought in, and how its replies get out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: Preset = "none"
    """Whose names for columns and members are known."""
    mapping: tuple[str, ...] = ()
    """More of them, each as FIELD=NAME, tried before the preset's."""
    account: str = Field(min_length=1, max_length=100)
    """Our name on the platform: comments that carry it are ours."""
    account_id: str = Field(default="", max_length=255)
    """Our id there. With it, a visitor who goes by our name is not taken for us."""
    delivery: Literal["person", "outbox", "webhook"] = "person"
    webhook_url: BaseUrl | None = None
    webhook_secret: SecretStr | None = None
    dedupes: bool = False
    """The webhook's receiver answers 409 to a key that it has had, so that asking again is safe."""
    max_reply_chars: int = Field(default=300, ge=1, le=10_000)
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Shanghai"
    """Of times that name none."""
    lease_s: float = Field(default=600.0, ge=10, le=86_400)
    """How long whoever took a reply has to say what came of it."""
    reply_gap_s: float = Field(default=0.0, ge=0)
    timeout_s: float = Field(default=20.0, gt=0)
    """Of a call of the webhook."""

    @model_validator(mode="after")
    def _check(self) -> "InboxOptions":
        self.named()
        if self.delivery == "webhook":
            secret = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
            if self.webhook_url is None or not secret:
                raise ValueError("webhook_url, webhook_secret: delivery by webhook needs both")
        return self

    def named(self) -> dict[str, tuple[str, ...]]:
        """`mapping` by field. Raises ValueError."""
        found: dict[str, tuple[str, ...]] = {}
        for text in self.mapping:
            field, equals, name = (part.strip() for part in text.partition("="))
            if not equals or not name or field not in FIELDS:
                raise ValueError(
                    f"mapping: write FIELD=NAME, where FIELD is one of {', '.join(sorted(FIELDS))}"
                )
            found[field] = (*found.get(field, ()), name)
        return found

    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

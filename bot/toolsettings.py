"""Settings of the tools: one `[[tools]]` each, with its kind, its name and what it is good for."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from bot.sections import Section, SecretReference
from bot.tools.schema import schema_problem
from bot.tools.spans import checked_span

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

Span = Annotated[str, AfterValidator(checked_span)]
"""Opening hours of one day, such as 09:00-18:00; 22:00-02:00 ends on the next day."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise ValueError(
            f"{name!r} is no time zone; write one such as Asia/Shanghai or Europe/Berlin"
        ) from error
    return name


class _Tool(Section):
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    """As the model calls it: small letters, digits and _."""
    description: dict[Literal["en", "zh"], Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        min_length=1
    )
    """What it is good for and when to call it, in English, Chinese, or both; the model reads it."""


class TableSettings(_Tool):
    """Rows of a CSV file, such as a price list or a stock table."""

    kind: Literal["table"]
    file: Path
    """CSV with a line of headings; read again when it has changed."""
    columns: list[str] = []
    """The columns that replies may tell; empty: all of them."""


class CalculatorSettings(_Tool):
    """Exact arithmetic with numbers that stand in the comment, the passages, or results of other tools."""

    kind: Literal["calculator"]


class HoursSettings(_Tool):
    """Weekly opening hours with exceptions."""

    kind: Literal["hours"]
    time_zone: Annotated[str, AfterValidator(_zone)]
    week: dict[Day, list[Span]]
    """A day that is left out is closed."""
    special: dict[date, list[Span]] = {}
    """Days with other hours than their weekday; [] is closed."""


class WebHookSettings(_Tool):
    """An address of the owner's that answers questions by POST with JSON."""

    kind: Literal["web_hook"]
    url: str = Field(pattern=r"^https?://[^/\s@]+(/\S*)?$")
    parameters: dict[str, Any] = {"type": "object", "properties": {}}
    """JSON Schema of what is sent; see `bot.tools.schema` for what may stand in it."""
    reads_only: bool = False
    """The owner's word that a call changes nothing. Without it the model is never offered the hook: whoever writes
    a comment can lead the model to call it."""
    timeout_s: float = Field(default=5.0, gt=0, le=60)
    header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]{1,60}$")
    secret: SecretReference = ""
    """What `header` holds, such as env:HOOK_TOKEN; empty: no such header."""

    @model_validator(mode="after")
    def _schema_is_known(self) -> "WebHookSettings":
        if found := schema_problem(self.parameters):
            raise ValueError(found)
        return self


ToolSettings = Annotated[
    TableSettings | CalculatorSettings | HoursSettings | WebHookSettings, Field(discriminator="kind")
]

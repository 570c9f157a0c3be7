"""Settings of the tools: one `[[tools]]` each, with its kind, its name and what it is good for."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from bot.references import SecretReference
from bot.schema import schema_problem
from bot.section import Section

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
DAY = 24 * 60


def checked_span(text: str) -> str:
    """`text` itself. Raises ValueError when it is no span."""
    parse_span(text)
    return text


def parse_span(text: str) -> tuple[int, int]:
    """Start and end in minutes after midnight; an end of the next day is over 1440. Raises ValueError."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no opening time; write it as 09:00-18:00")
    start = int(match[1]) * 60 + int(match[2])
    end = DAY if match[3] is None else int(match[3]) * 60 + int(match[4])
    if end == start:
        raise ValueError(f"{text!r} begins when it ends; write 00:00-24:00 for the whole day")
    return start, end if end > start else end + DAY


Span = Annotated[str, AfterValidator(checked_span)]
"""Opening hours of one day, such as 09:00-18:00; 22:00-02:00 ends on the next day."""


def checked_zone(name: str) -> str:
    """`name` itself. Raises ValueError when there is no such time zone."""
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
    time_zone: Annotated[str, AfterValidator(checked_zone)]
    week: dict[Day, list[Span]]
    """A day that is left out is closed."""
    special: dict[date, list[Span]] = {}
    """Days with other hours than their weekday; [] is closed."""


class WebHookSettings(_Tool):
    """An address of the owner's that answers questions by POST with JSON."""

    kind: Literal["web_hook"]
    url: str = Field(pattern=r"^https?://[^/\s@]+(/\S*)?$")
    parameters: dict[str, Any] = {"type": "object", "properties": {}}
    """JSON Schema of what is sent; see `bot.schema` for what may stand in it."""
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

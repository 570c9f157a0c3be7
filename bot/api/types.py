"""What parameters, bodies and answers are made of. The OpenAPI document is generated from these."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

MOST_ROWS: Final = 200
_LARGEST_ID: Final = 2**63 - 1


def _spelled_out(value: Any) -> Any:
    # pydantic also reads numbers as moments; the document promises none.
    if isinstance(value, str) and "T" not in value.upper():
        raise ValueError("write a date with time and zone: 2026-03-01T18:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the years 1 to 9999") from error


Id = Annotated[int, Field(ge=1, le=_LARGEST_ID)]
# PostgreSQL keeps no NUL.
Words = Annotated[str, Field(pattern=r"^[^\x00]*$")]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Moment = Annotated[AwareDatetime, BeforeValidator(_spelled_out), AfterValidator(_in_utc)]


class Given(BaseModel):
    """What a program sends; what is not named here is refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Told(BaseModel):
    """What is answered."""

    model_config = ConfigDict(from_attributes=True)


class Paged(Given):
    """Which page of a list."""

    limit: int = Field(default=50, ge=1, le=MOST_ROWS)
    cursor: str | None = Field(default=None, max_length=500, description="`next` of the page before.")


class PageOf(Told):
    """One page of a list; its members are in `items`."""

    next: str | None = Field(description="What `cursor` is to be for the next page; null at the end.")


class ProblemTold(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    code: str = Field(description="One word for programs.")
    detail: str = Field(description="One line: what happened, to what, and what to do now.")
    field: str | None = Field(default=None, description="The parameter or member that is wrong.")
    version: int | None = Field(
        default=None, description="The comment's present version, with a refused verdict."
    )

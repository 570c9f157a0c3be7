"""What every table is made of. Times are stored as UTC and read back aware, alike on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, Integer, Text, TypeDecorator
from sqlmodel import Field

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only for a column of type INTEGER


class Utc(TypeDecorator[datetime]):
    """A moment: aware in Python, plain UTC in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; the ledger takes aware moments only")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def primary_key() -> Any:
    return Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))


def refers_to(table: str, *, index: bool = False, unique: bool = False) -> Any:
    return Field(foreign_key=f"{table}.id", sa_type=BigId, index=index, unique=unique)


def moment(**options: Any) -> Any:
    return Field(sa_type=Utc, **options)


def json_of(default: type[list[Any]] | type[dict[str, Any]]) -> Any:
    return Field(default_factory=default, sa_type=JSON)


def long_text(**options: Any) -> Any:
    return Field(sa_type=Text, **options)

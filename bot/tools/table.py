"""A CSV file of the owner's, such as a price list: the rows that fit a value, read again when the file changes."""

import asyncio
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bot.schema import Schema
from bot.tools.base import ToolError, shortened
from bot.triage import fold
from knowledge.records import LoadError
from knowledge.textfiles import decode

MAX_ROWS, MAX_FILE_ROWS, MAX_COLUMNS, MAX_CELL_CHARS = 10, 20_000, 40, 200
MAX_BYTES = 5_000_000
_ALIKE = 0.6
"""Least likeness (0 to 1) of a cell to what was asked for."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the file holds: headings, and rows of as many cells each."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    stamp: tuple[int, int]
    """Time of the last change in nanoseconds, and size in bytes."""


class Table:
    """The tool; see `bot.tools.base.Tool`."""

    grounds = True

    def __init__(self, name: str, description: str, *, file: Path, columns: Sequence[str] = ()) -> None:
        self.name, self.description = name, description
        self._file, self._shown = file, tuple(columns)
        self._sheet: Sheet | None = None

    @property
    def schema(self) -> Schema:
        """The columns can be named once the file was read."""
        column: dict[str, Any] = {"type": "string", "description": "Column to look in; left out: any"}
        if self._sheet is not None:
            column["enum"] = list(self._sheet.columns)
        value = {
            "type": "string",
            "description": "What to look up, such as a product's name",
            "maxLength": 100,
        }
        return {"type": "object", "properties": {"value": value, "column": column}, "required": ["value"]}

    async def call(self, arguments: Mapping[str, Any]) -> str:
        sheet = await asyncio.to_thread(self.load)
        found = await asyncio.to_thread(look_up, sheet, str(arguments["value"]), arguments.get("column"))
        return "\n".join(told(sheet.columns, row) for row in found)

    def load(self) -> Sheet:
        """What the file holds now. Raises ToolError."""
        try:
            state = self._file.stat()
            stamp = (state.st_mtime_ns, state.st_size)
            if self._sheet is None or self._sheet.stamp != stamp:
                self._sheet = self._read(stamp)
        except OSError as error:
            raise ToolError(f"{self._file} cannot be read: {error.strerror}; put the table there") from error
        return self._sheet

    def _read(self, stamp: tuple[int, int]) -> Sheet:
        if stamp[1] > MAX_BYTES:
            raise ToolError(f"{self._file} is larger than {MAX_BYTES / 1e6:g} MB; give a smaller table")
        try:
            columns, rows = parse(decode(str(self._file), self._file.read_bytes()))
        except (LoadError, ValueError) as error:
            raise ToolError(f"{self._file} is no table: {error}") from error
        unknown = [name for name in self._shown if name not in columns]
        if unknown:
            raise ToolError(f"{self._file} has no column {unknown[0]!r}; it has: {', '.join(columns)}")
        kept = [columns.index(name) for name in self._shown or columns]
        return Sheet(
            tuple(columns[index] for index in kept),
            tuple(tuple(row[index] for index in kept) for row in rows),
            stamp,
        )


def parse(text: str) -> tuple[list[str], list[list[str]]]:
    """Headings, and rows filled up to as many cells. Raises ValueError with one line."""
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        lines = [row for row in _limited(reader) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error
    if not lines:
        raise ValueError("it is empty; the first line must hold the headings")
    columns = [cell.strip()[:MAX_CELL_CHARS] for cell in lines[0]]
    if not all(columns) or len(set(columns)) < len(columns) or len(columns) > MAX_COLUMNS:
        raise ValueError(f"the first line must hold 1 to {MAX_COLUMNS} headings, each with its own name")
    return columns, [[*(row + [""] * len(columns))[: len(columns)]] for row in lines[1:]]


def _limited(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    for number, row in enumerate(reader):
        if number > MAX_FILE_ROWS:
            raise ValueError(f"it has more than {MAX_FILE_ROWS} rows; give a smaller table")
        yield row


def look_up(sheet: Sheet, value: str, column: str | None = None) -> list[tuple[str, ...]]:
    """At most ten rows: those with a cell equal to `value`, else those that hold it, else the ones most like it."""
    wanted = fold(value).strip()
    at = range(len(sheet.columns)) if column is None else [sheet.columns.index(column)]
    cells = [[fold(row[index]).strip() for index in at] for row in sheet.rows]
    if not wanted:
        return []
    equal = [number for number, row in enumerate(cells) if wanted in row]
    holding = equal or [
        number for number, row in enumerate(cells) if any(_holds(cell, wanted) for cell in row)
    ]
    chosen = holding or _alike(cells, wanted)
    return [sheet.rows[number] for number in chosen[:MAX_ROWS]]


def _holds(cell: str, wanted: str) -> bool:
    """One is in the other: people ask for "a large latte" and for "latte"; a single letter says nothing."""
    shorter = min(cell, wanted, key=len)
    return (
        (len(shorter) > 1 or not shorter.isascii()) and bool(shorter) and (wanted in cell or cell in wanted)
    )


def _alike(cells: Sequence[Sequence[str]], wanted: str) -> list[int]:
    known: dict[str, list[int]] = {}
    for number, row in enumerate(cells):
        for cell in row:
            known.setdefault(cell, []).append(number)
    close = get_close_matches(wanted, known, n=MAX_ROWS, cutoff=_ALIKE)
    return list(dict.fromkeys(number for cell in close for number in known[cell]))


def told(columns: Sequence[str], row: Sequence[str]) -> str:
    """One row as a line, each cell with its heading; empty cells are left out."""
    pairs = zip(columns, row, strict=True)
    return "; ".join(
        f"{name}: {shortened(' '.join(cell.split()), MAX_CELL_CHARS)}" for name, cell in pairs if cell.strip()
    )

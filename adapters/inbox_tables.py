"""Files and pasted text as rows, whatever their encoding and form: CSV, tab-separated, JSON, JSON Lines.

Nothing is evaluated: a cell that a spreadsheet would run as a formula is its characters. What cannot be read is a
`BadRow` in its place, so that the other rows are not lost; only a file that makes no sense as a whole is refused.
"""

import codecs
import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from typing import Any, Final

from charset_normalizer import from_bytes

MOST_BYTES: Final = 20 * 1024 * 1024
MOST_ROWS: Final = 20_000
MOST_COLUMNS: Final = 500
MOST_CELL: Final = 100_000  # characters
_HEADER_WITHIN: Final = 10
"""Exports put a title and a date above the header."""
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_USUAL: Final = ("utf-8", "gb18030", "utf-16-le", "utf-16-be", "big5hkscs")
_SAMPLE: Final = 16_384  # bytes: enough to tell an encoding
_DEPTH: Final = 5

Knows = Callable[[str], bool]
"""Whether a column of this name can hold a comment's text."""


class BadRow(ValueError):
    """A row, or a file, that cannot be read; one line, in English and in Chinese."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(english)
        self.chinese = chinese

    def line(self, language: str) -> str:
        return self.chinese if language == "zh" else str(self)


@dataclass(frozen=True, slots=True)
class Table:
    """What a file holds."""

    rows: tuple[tuple[int, object], ...]
    """Each with the line that it begins on (in JSON: its place, from 1); a `BadRow` where it cannot be read."""
    columns: tuple[str, ...] = ()
    """Of the header; empty for JSON."""


def read_table(data: bytes | str, knows: Knows) -> Table:
    """Raises BadRow where the whole makes no sense. Takes time linear in the length of `data`."""
    if len(data) > MOST_BYTES:
        most = MOST_BYTES // 1_048_576
        raise BadRow(
            f"it is larger than {most} MB; split it and import the parts", f"超过 {most} MB；请拆分后分别导入"
        )
    text, whole = (data, True) if isinstance(data, str) else _decoded(data, knows)
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise BadRow("it is empty", "内容为空")
    table = _json(text, knows) if text.lstrip()[0] in "[{" else _cells(text, knows)
    if not whole:
        table = Table(tuple((place, _undamaged(row)) for place, row in table.rows), table.columns)
    if not table.rows:
        raise BadRow("it holds a header and no rows", "只有表头，没有数据行")
    return table


# --- characters ---


def _decoded(data: bytes, knows: Knows) -> tuple[str, bool]:
    """The text, and whether all of it could be read: the encoding is the one in which the names make sense."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace"), _fits(data, encoding)
    for encoding in _likely(data):
        if _fits(data, encoding) and _makes_sense(text := data.decode(encoding), knows):
            return text, True
    # Lines of several encodings in one file: those that fit are read, the others are told.
    for encoding in _USUAL:
        if _makes_sense(text := data.decode(encoding, "replace"), knows):
            return text, False
    return data.decode("utf-8", "replace"), False


def _likely(data: bytes) -> Iterator[str]:
    yield from _USUAL
    guess = from_bytes(data[:_SAMPLE]).best()
    if guess is not None:
        yield guess.encoding


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def _makes_sense(text: str, knows: Knows) -> bool:
    head = text[:MOST_CELL].lstrip("\ufeff \r\n\t")
    if head[:1] in ("[", "{"):
        # The names of JSON's members are plain letters in every encoding but those of two bytes.
        return "\0" not in head
    return _header(head, knows) is not None


def _undamaged(row: object) -> object:
    if "\ufffd" not in str(row):
        return row
    return BadRow(
        "its characters are in another encoding than the rest; save the file as UTF-8",
        "该行编码与其余部分不同；请将文件存为 UTF-8",
    )


# --- cells ---


@dataclass(frozen=True, slots=True)
class _Header:
    mark: str
    above: int
    """Records above it."""
    names: tuple[str, ...]


def _cells(text: str, knows: Knows) -> Table:
    header = _header(text[: MOST_CELL * 4], knows)
    if header is None:
        raise BadRow(
            "no line names the columns; the first line must, with one for the comments, such as text or 评论内容",
            "没有找到表头；首行需写明列名，且至少有一列是评论内容",
        )
    records = islice(_records(text, header.mark), header.above + 1, None)
    return Table(bounded(_as_rows(records, header.names)), header.names)


def _header(head: str, knows: Knows) -> _Header | None:
    """The first record that names a column of texts, by the first mark that parts such a name from others."""
    for mark in ("\t", ",", ";", "|"):
        for above, (_, record) in enumerate(islice(_records(head, mark), _HEADER_WITHIN)):
            if isinstance(record, BadRow) or (len(record) < 2 and mark != ","):
                continue
            if any(knows(name) for name in record[:MOST_COLUMNS]):
                return _Header(mark, above, _few(record))
    return None


def _few(names: Sequence[str]) -> tuple[str, ...]:
    if len(names) > MOST_COLUMNS:
        raise BadRow(
            f"it has {len(names)} columns, {MOST_COLUMNS} are the most; leave out what is no comment's",
            f"有 {len(names)} 列，最多 {MOST_COLUMNS} 列；请删去无关的列",
        )
    return tuple(name.strip().strip("\ufeff") for name in names)


def _records(text: str, mark: str) -> Iterator[tuple[int, list[str] | BadRow]]:
    """Each record with the line that it begins on."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=mark, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "limit" in str(error):
                yield (
                    line,
                    BadRow(
                        "a cell of it has more than 131,072 characters, or a quote is not closed; "
                        "what follows was not read",
                        "有单元格超过 131,072 个字符，或引号未闭合；其后的内容未读取",
                    ),
                )
                return
            yield (
                line,
                BadRow(
                    "its quotes don't close; write a quote within quotes twice",
                    "引号不成对；引号内的引号需写两次",
                ),
            )


def _as_rows(
    records: Iterable[tuple[int, list[str] | BadRow]], names: tuple[str, ...]
) -> Iterator[tuple[int, object]]:
    for line, record in records:
        if isinstance(record, BadRow):
            yield line, record
        elif any(cell.strip() for cell in record[len(names) :]):
            # To read on would cut a text at a comma that belongs to it.
            yield (
                line,
                BadRow(
                    f"it has {len(record)} cells under {len(names)} columns; put quotes around texts with commas",
                    f"有 {len(record)} 个单元格，而表头只有 {len(names)} 列；含逗号的文本需加引号",
                ),
            )
        elif any(cell.strip() for cell in record):
            yield line, {name: cell for name, cell in zip(names, record, strict=False) if cell.strip()}


def bounded(rows: Iterable[tuple[int, object]]) -> tuple[tuple[int, object], ...]:
    """Raises BadRow where there are too many."""
    found = tuple(islice(rows, MOST_ROWS + 1))
    if len(found) > MOST_ROWS:
        raise BadRow(
            f"it holds more than {MOST_ROWS} rows; split it and import the parts",
            f"超过 {MOST_ROWS} 行；请拆分后分别导入",
        )
    return found


# --- JSON ---


def _json(text: str, knows: Knows) -> Table:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        if len(lines) < 2 or isinstance(_one(lines[0][1]), BadRow):
            raise BadRow(
                f"it is no JSON ({error.args[0] if error.args else 'too deep'})"[:200], "不是有效的 JSON"
            ) from error
        return Table(bounded((number, _one(line)) for number, line in lines))
    rows = _list_in(value, knows)
    if rows is None:
        raise BadRow(
            "no list of comments is in it; give a list of objects, each with a text",
            "其中没有评论列表；请提供对象列表，每个对象含评论内容",
        )
    return Table(bounded(enumerate(rows, 1)))


def _one(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return BadRow("it is no JSON", "不是有效的 JSON")


def _list_in(value: Any, knows: Knows) -> Sequence[object] | None:
    """The first list of comments, the outermost ones first."""
    level = [value]
    for _ in range(_DEPTH):
        for one in level:
            if isinstance(one, list) and (one is value or any(_is_comment(row, knows) for row in one[:100])):
                return one
        level = [
            inner for one in level if isinstance(one, dict) for inner in islice(one.values(), MOST_COLUMNS)
        ]
    # An answer's own message is no comment; only where there is no list the object itself may be one.
    return [value] if _is_comment(value, knows) else None


def _is_comment(row: object, knows: Knows) -> bool:
    return isinstance(row, dict) and any(knows(name) for name in islice(row, MOST_COLUMNS))

"""Tables and lists of records (CSV, TSV, JSON lines): questions with their answers, or rows of facts."""

import csv
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from knowledge.records import Loaded, LoadError, Section, table_lines


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_QUESTIONS = _words("question questions q query prompt instruction input 问题 問題 问 問 提问 用户")
_ANSWERS = _words("answer answers a response reply completion output 答案 答 回答 回复 回覆 答复 标准答案")
_TITLES = _words("title name heading topic 标题 標題 名称")
_TEXTS = _words("text content body passage 内容 內容 正文 文本")
_DELIMITERS = ",;\t|，"
_SAMPLE_LINES = 50
MAX_BROKEN = 100
"""Broken rows from which on the file is not worth guessing at."""
_MOST_LINES = 500
"""Lines of one cell: more, and its quotation mark is one that nobody closed."""
_SHOWN = 10

Row = tuple[int, list[str]]
"""Number of its first line, from 1, and its cells."""


@dataclass(slots=True)
class _Found:
    """What the rows give; `broken` are numbers of lines."""

    sections: list[Section] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    incomplete: list[int] = field(default_factory=list)


def load_table(source: str, text: str, title: str) -> Loaded:
    """CSV in any dialect: a row a question with its answer where two columns are named so, else a row of facts.

    Two columns without names are pairs when the first one asks. Raises LoadError when most of it is broken.
    """
    found = _Found()
    rows = list(_rows(source, text, found))
    columns = _pair_columns([row for _, row in rows[:_SAMPLE_LINES]])
    if columns is None:
        facts = table_lines(row for _, row in rows)
        found.sections.append(Section((), (facts,) if facts else ()))
    else:
        first, question, answer = columns
        for line, row in rows[first:]:
            cells = [*row, *[""] * (max(question, answer) + 1 - len(row))]
            _add_pair(found, line, cells[question], cells[answer])
    return Loaded(
        title,
        tuple(found.sections),
        notes=_notes(found, "a quotation mark without its fellow, or too long a cell"),
    )


def _rows(source: str, text: str, found: _Found) -> Iterator[Row]:
    """All rows that are not blank. After a broken one, reading goes on at the line behind its first."""
    lines = text.split("\n")
    delimiter = _delimiter(lines[:_SAMPLE_LINES])
    at: int | None = 0
    while at is not None:
        broken = yield from _rows_from(lines, at, delimiter)
        if broken is not None:
            found.broken.append(broken + 1)
            _give_up_on_many(source, found)
        at = None if broken is None else broken + 1


def _rows_from(lines: Sequence[str], at: int, delimiter: str) -> Generator[Row, None, int | None]:
    """Rows from line `at` on; returns the first line of one that is broken, or None at the end."""
    reader = csv.reader((line + "\n" for line in islice(lines, at, None)), delimiter=delimiter, strict=True)
    first = at
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return None
        except csv.Error:
            return first
        end = at + reader.line_num
        if end - first > _MOST_LINES:
            return first
        if any(cell.strip() for cell in row):
            yield first + 1, row
        first = end


def _delimiter(lines: Sequence[str]) -> str:
    """The mark of which most lines have as many as the first; a comma where there is none."""
    counts = {one: [line.count(one) for line in lines if line.strip()] for one in _DELIMITERS}
    return max(_DELIMITERS, key=lambda one: sum(count == counts[one][0] > 0 for count in counts[one]))


def _pair_columns(rows: Sequence[Sequence[str]]) -> tuple[int, int, int] | None:
    """The first row of pairs, and the columns of question and answer; None where the rows are no pairs."""
    if not rows:
        return None
    names = [cell.strip().lower() for cell in rows[0]]
    question = next((at for at, name in enumerate(names) if name in _QUESTIONS), None)
    answer = next((at for at, name in enumerate(names) if name in _ANSWERS), None)
    if question is not None and answer is not None:
        return 1, question, answer
    asking = sum(row[0].strip().endswith(("?", "？")) for row in rows)
    if all(len(row) == 2 for row in rows) and asking * 2 > len(rows):
        return 0, 0, 1
    return None


def load_json_lines(source: str, text: str, title: str) -> Loaded:
    """One record a line: a question with its answer, a text with its title, or facts by name.

    Raises LoadError when most lines are broken.
    """
    found = _Found()
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        record = _record(line)
        if record is None:
            found.broken.append(number)
            _give_up_on_many(source, found)
        else:
            _add_record(found, number, record)
    return Loaded(title, tuple(found.sections), notes=_notes(found, "no JSON object"))


def _record(line: str) -> dict[str, str] | None:
    """What the line says in words and numbers; None for anything but a JSON object."""
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict):
        return None
    plain = ((str(name).strip(), value) for name, value in read.items())
    return {name: str(value) for name, value in plain if isinstance(value, str | int | float) and value != ""}


def _add_record(found: _Found, line: int, record: Mapping[str, str]) -> None:
    if _has(record, _QUESTIONS) and _has(record, _ANSWERS):
        _add_pair(found, line, _value(record, _QUESTIONS), _value(record, _ANSWERS))
    elif _has(record, _TEXTS):
        heading = _value(record, _TITLES)
        found.sections.append(Section((heading,) if heading else (), (_value(record, _TEXTS),)))
    elif _has(record, _QUESTIONS) or not record:
        found.incomplete.append(line)
    else:
        found.sections.append(Section((), ("; ".join(f"{name}: {value}" for name, value in record.items()),)))


def _has(record: Mapping[str, str], names: frozenset[str]) -> bool:
    return any(name.lower() in names for name in record)


def _value(record: Mapping[str, str], names: frozenset[str]) -> str:
    return next((value.strip() for name, value in record.items() if name.lower() in names), "")


def _add_pair(found: _Found, line: int, question: str, answer: str) -> None:
    question, answer = question.strip(), answer.strip()
    if question and answer:
        found.sections.append(Section((), (question, answer), answer=answer))
    else:
        found.incomplete.append(line)


def _give_up_on_many(source: str, found: _Found) -> None:
    if len(found.broken) > MAX_BROKEN:
        raise LoadError(
            source,
            f"has more than {MAX_BROKEN} broken rows, the first in line {found.broken[0]}; check its format",
        )


def _notes(found: _Found, broken: str) -> tuple[str, ...]:
    told = (
        (found.broken, f"{broken}; mend it and ingest again"),
        (found.incomplete, "no question or no answer, left out; fill it in and ingest again"),
    )
    return tuple(f"line {_shown(lines)}: {what}" for lines, what in told if lines)


def _shown(lines: Sequence[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:_SHOWN])
    return f"{shown} and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else shown

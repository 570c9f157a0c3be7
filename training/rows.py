"""Rows on the disk: JSON Lines in TRL's conversational columns, as `export feedback --format trl` writes them.

    supervised   prompt, completion
    pairs        prompt, chosen, rejected

`prompt` is a list of chat messages; the replies are lists of one assistant message. The other columns say where a row
comes from (`bot.feedback_rows`), what it counts (`weight`), and stand in `extra`.
"""

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.prompt import Message
from training.errors import BadData

_OWNERS = ("thread", "comment")
"""Columns that say whose rows belong together, the first that there is."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a reply is written to."""

    messages: tuple[Message, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Of the columns of the row: `language`, `channel`, `comment`, `thread`, `at`, `kind`, ..."""


@dataclass(frozen=True, slots=True)
class Supervised:
    """A reply that a person stood behind."""

    prompt: Prompt
    completion: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Pair:
    """Two replies to one prompt, of which a person preferred the first."""

    prompt: Prompt
    chosen: str
    rejected: str
    weight: float = 1.0


def threads_of(prompts: Sequence[Prompt]) -> list[Hashable]:
    """By which rows of one talk are no independent evidence: the thread, else the comment, else each by itself."""
    return [
        next(((name, one.extra[name]) for name in _OWNERS if name in one.extra), number)
        for number, one in enumerate(prompts)
    ]


def read_supervised(file: Path) -> list[Supervised]:
    """Raises BadData, OSError."""
    return [
        Supervised(_prompt(row), _said(row, "completion", file), float(row.get("weight", 1.0)))
        for row in _rows(file)
    ]


def read_pairs(file: Path) -> list[Pair]:
    """Raises BadData, OSError."""
    return [
        Pair(
            _prompt(row),
            _said(row, "chosen", file),
            _said(row, "rejected", file),
            float(row.get("weight", 1.0)),
        )
        for row in _rows(file)
    ]


def read_prompts(file: Path) -> list[Prompt]:
    """Of rows of any kind. Raises BadData, OSError."""
    return [_prompt(row) for row in _rows(file)]


def as_columns(row: Supervised | Pair) -> dict[str, Any]:
    """One line of the file."""
    texts = (
        {"completion": row.completion}
        if isinstance(row, Supervised)
        else {"chosen": row.chosen, "rejected": row.rejected}
    )
    said = {name: [{"role": "assistant", "content": text}] for name, text in texts.items()}
    return {**row.prompt.extra, "prompt": list(row.prompt.messages), **said, "weight": row.weight}


def write_rows(file: Path, rows: Iterable[Supervised | Pair]) -> None:
    """Raises OSError."""
    with file.open("w", encoding="utf-8", newline="\n") as opened:
        for row in rows:
            opened.write(json.dumps(as_columns(row), sort_keys=True, separators=(",", ":")) + "\n")


def _rows(file: Path) -> Iterable[dict[str, Any]]:
    with file.open("rb") as opened:
        for number, line in enumerate(opened, start=1):
            try:
                row = _speakable(json.loads(line))
                if not _is_row(row):
                    raise ValueError("another shape")
            except (ValueError, RecursionError) as error:
                raise BadData(
                    f"{file}, line {number} is no row with a prompt; write the data again with "
                    "'rejoinder export feedback --format trl'"
                ) from error
            yield row


def _speakable(row: Any) -> Any:
    """Without lone surrogates, which JSON holds and no tokenizer takes."""
    written = json.dumps(row, ensure_ascii=False)
    try:
        written.encode("utf-8")
    except UnicodeEncodeError:
        return json.loads(written.encode("utf-8", "replace"))
    return row


def _is_row(row: Any) -> bool:
    """The columns whose shape a file that somebody wrote by hand is likely to miss."""
    return (
        isinstance(row, dict)
        and isinstance(row.get("prompt"), list)
        and bool(row["prompt"])
        and all(isinstance(one, dict) and isinstance(one.get("role"), str) for one in row["prompt"])
        and isinstance(row.get("weight", 1.0), int | float)
        and all(isinstance(row.get(name), str | int | None) for name in _OWNERS)
    )


_TEXTS = ("prompt", "completion", "chosen", "rejected", "weight")
_OWNERS = ("thread", "comment")


def _prompt(row: Mapping[str, Any]) -> Prompt:
    return Prompt(tuple(row["prompt"]), {name: value for name, value in row.items() if name not in _TEXTS})


def _said(row: Mapping[str, Any], column: str, file: Path) -> str:
    try:
        found = row[column][0]["content"]
    except (LookupError, TypeError):
        found = None
    if not isinstance(found, str):
        raise BadData(f"{file}: a row has no {column}; write the data again")
    return found

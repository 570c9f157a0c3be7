"""A small data set that ships: an invented creator's documents, posts and comments, half English, half Chinese."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

CREATOR = "pebble-roast"
"""Author name of the creator's own comments."""


@dataclass(frozen=True, slots=True)
class SamplePost:
    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class SampleComment:
    """One comment and what should become of it where questions are opened for sending."""

    id: str
    post: str
    """Id of its post."""
    author: str
    text: str
    reply_to: str | None
    """Id of the comment that it answers."""
    expect: Literal["send", "review", "skip"]

    @property
    def is_own(self) -> bool:
        """Written by the creator."""
        return self.author == CREATOR


def posts() -> tuple[SamplePost, ...]:
    return tuple(SamplePost(**row) for row in _rows("posts.jsonl"))


def comments() -> tuple[SampleComment, ...]:
    """Oldest first: an answer comes after what it answers."""
    return tuple(SampleComment(**{"reply_to": None, **row}) for row in _rows("comments.jsonl"))


def copy_documents(folder: Path) -> list[Path]:
    """Write the documents into `folder`, which is made if need be; files that are there already stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for document in sorted(files(__name__).joinpath("docs").iterdir(), key=lambda entry: entry.name):
        target = folder / document.name
        if not target.exists():
            target.write_bytes(document.read_bytes())
        written.append(target)
    return written


def _rows(name: str) -> Iterator[dict[str, Any]]:
    for line in files(__name__).joinpath(name).read_text(encoding="utf-8").splitlines():
        yield json.loads(line)

"""Records and protocols of the knowledge package."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Document:
    """One file or web page as it was ingested."""

    id: int
    source: str
    """Absolute path or address."""
    title: str
    language: str
    """`en`, `zh`, another ISO 639-1 code, or `und`."""
    passages: int
    """How many passages it was split into."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved piece of a document, with its source."""

    id: int
    document_id: int
    source: str
    title: str
    """The document's title."""
    heading: str
    """The headings above the passage, joined by ` › `; empty where there are none."""
    page: int | None
    """Page of a PDF, from 1; None elsewhere."""
    position: int
    """Number of the passage within its document, from 0."""
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A passage as the answer to one query."""

    passage: Passage
    score: float
    """Rank score in this result; comparable within one result only."""
    support: float
    """How far the passage covers what the query asks, from 0 (not at all) to 1 (all of it)."""
    quote: str
    """The one or two neighbouring sentences of the passage that answer best, word for word."""


class Retriever(Protocol):
    """Finds passages. Safe to call from several threads."""

    def retrieve(
        self, query: str, top_k: int = 4, scope: frozenset[str] | None = None
    ) -> list[ScoredPassage]:
        """The `top_k` best passages, best first; fewer when fewer share anything with the query.

        `scope` limits the search to documents under one of these sources (a path, a folder or an address prefix).
        """
        ...

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
    tags: frozenset[str] = frozenset()
    """What its owner filed it under; channels and posts can be limited to tags."""
    address: str = ""
    """Where a reader finds it: the canonical address of a web page; empty for files."""
    date: str = ""
    """When it was published, as `2026-03-01`; empty where nothing says."""
    read_at: str = ""
    """When its source was last read, as `2026-03-01T08:30:00Z`; empty for what an older version read."""
    notes: tuple[str, ...] = ()
    """What of the source could not be read, and the cure, one line each."""


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
    time: str = ""
    """Where a recording says it, as `12:34` or `1:02:03`; empty elsewhere."""
    answer: str = ""
    """Set where the passage is a question with its answer: the answer, to be given word for word."""
    tags: frozenset[str] = frozenset()
    """The document's tags."""


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A passage as the answer to one query."""

    passage: Passage
    score: float
    """Rank score in this result; comparable within one result only."""
    support: float
    """Calibrated probability, from 0 to 1, that the passage answers the query."""
    quote: str
    """The one or two neighbouring sentences of the passage that answer best, word for word; of a passage with an
    `answer`, that."""
    matched: tuple[str, ...] = ()
    """Words of the query that were found in the passage, as the passage writes them; for showing."""


class Retriever(Protocol):
    """Finds passages. Safe to call from several threads."""

    def retrieve(
        self, query: str, top_k: int = 4, scope: frozenset[str] | None = None, context: str = ""
    ) -> list[ScoredPassage]:
        """The `top_k` best passages, best first; fewer when fewer have anything to do with the query.

        `scope` limits the search to documents that carry at least one of these tags; None searches them all.
        `context` is what the query stands under (a post's title and text): it helps a short question to be
        understood, and is never itself what is asked.
        """
        ...

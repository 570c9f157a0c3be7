"""Tags: what documents are filed under, and what channels and posts are limited to."""

from collections.abc import Iterable

MAX_CHARS = 60


def checked_tag(tag: str) -> str:
    """`tag` in its one spelling: without blanks around it, in lower case.

    Raises ValueError when it is empty, longer than `MAX_CHARS`, or holds what cannot be printed.
    """
    spelt = tag.strip().casefold()
    if not 1 <= len(spelt) <= MAX_CHARS or not spelt.isprintable():
        raise ValueError(f"{tag[:80]!r} is no tag; use 1 to {MAX_CHARS} printable characters")
    return spelt


def as_scope(tags: Iterable[str]) -> frozenset[str] | None:
    """What `Retriever.retrieve` takes as its scope: None, which is everything, where there is no tag."""
    return frozenset(tags) or None

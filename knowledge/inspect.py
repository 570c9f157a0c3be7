"""Looks a library through for what its owner should mend: doubles, near-empty files, sources that have changed."""

import hashlib
import heapq
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from knowledge import analysis
from knowledge.base import Document, Passage
from knowledge.ingest import Library
from knowledge.sources import canonical, is_address
from knowledge.splitter import width
from knowledge.store import Fingerprint

NEAR_EMPTY = 40.0
"""A document with less text than this (see `splitter.width`) answers nothing; often its text is in pictures."""
ALIKE = 0.8
"""Share of their three-term runs that two passages have in common when they say the same."""
_LEAST_RUNS = 8
"""Shorter passages are alike by chance."""
_SKETCH = 4


@dataclass(frozen=True, slots=True)
class Repetition:
    """Documents that hold the same passages, but for a few words."""

    sources: tuple[str, ...]
    passages: int
    example: str
    """The first of these passages."""


@dataclass(slots=True)
class Health:
    """What was found; lists hold sources."""

    same_content: list[tuple[str, ...]] = field(default_factory=list)
    """Files and pages that are equal byte for byte."""
    same_address: list[tuple[str, ...]] = field(default_factory=list)
    """Pages that give the same canonical address."""
    repetitions: list[Repetition] = field(default_factory=list)
    """Documents that are equal byte for byte count as one here."""
    near_empty: list[str] = field(default_factory=list)
    unspoken: dict[str, int] = field(default_factory=dict)
    """Passages in each language that the embedder does not speak: those are found by their words alone."""
    unembedded: bool = False
    """Whether the vectors lag behind the documents, or were never made."""
    vanished: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    """Read by another version or with other settings; the next ingest reads them again."""


def examine(library: Library, speaks: Callable[[str], bool] | None = None) -> Health:
    """Look the whole library through; `speaks` says which languages the embedder speaks, None without one.

    Reads files whose time has changed; asks no web address. Raises LibraryError.
    """
    documents, known = library.documents(), library.fingerprints()
    health = Health(same_content=groups({source: mark.digest for source, mark in known.items()}))
    health.same_address = groups({document.source: document.address for document in documents})
    doubles = {source for group in health.same_content for source in group[1:]}
    texts: list[Passage] = []
    languages: Counter[str] = Counter()
    for document in documents:
        passages = library.passages(document.source)
        languages.update(passage.language for passage in passages)
        if sum(width(passage.text) for passage in passages) < NEAR_EMPTY:
            health.near_empty.append(document.source)
        if document.source not in doubles:
            texts.extend(passages)
    health.repetitions = repetitions(texts)
    if speaks is not None:
        health.unspoken = {code: number for code, number in sorted(languages.items()) if not speaks(code)}
    health.unembedded = not library.all_embedded()
    _compare_with_disk(health, known, library.made_by)
    return health


def _compare_with_disk(health: Health, known: Mapping[str, Fingerprint], made_by: str) -> None:
    lists = {"vanished": health.vanished, "changed": health.changed}
    for source, mark in sorted(known.items()):
        state = freshness(source, mark)
        if state != "same":
            lists[state].append(source)
        elif mark.made_by != made_by:
            health.outdated.append(source)


def freshness(source: str, known: Fingerprint) -> Literal["same", "changed", "vanished"]:
    """Whether a file is still what was read; a web address counts as the same, as nobody asks it."""
    if is_address(source):
        return "same"
    try:
        stat = Path(source).stat()
        if (stat.st_size, stat.st_mtime_ns) == (known.size, known.modified_ns):
            return "same"
        with open(source, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "vanished"
    except OSError:
        return "changed"  # the next ingest says what is wrong with it
    return "same" if digest == known.digest else "changed"


def groups(keys: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Sources with the same key, where several have it; an empty key is nobody's."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for source, key in sorted(keys.items()):
        if key:
            found[key].append(source)
    return [tuple(group) for group in found.values() if len(group) > 1]


def matching(documents: Iterable[Document], given: str) -> list[Document]:
    """The documents that a person means by `given`: a source, a folder, or the end of a path."""
    if not given.strip():
        return []  # an empty variable of a shell is no name for the folder that it runs in
    known = list(documents)
    whole = canonical(given)
    return (
        [document for document in known if document.source == whole]
        or [document for document in known if document.source.startswith(whole.rstrip("/") + "/")]
        or [document for document in known if document.source.endswith("/" + given.strip("/"))]
    )


def repetitions(passages: Iterable[Passage]) -> list[Repetition]:
    """Passages that several documents have in common, those of the same documents together, most first."""
    by_sources: defaultdict[tuple[str, ...], list[Passage]] = defaultdict(list)
    for cluster in _clusters(passages):
        sources = tuple(sorted({passage.source for passage in cluster}))
        if len(sources) > 1:
            by_sources[sources].append(cluster[0])
    found = [Repetition(sources, len(first), first[0].text) for sources, first in by_sources.items()]
    return sorted(found, key=lambda one: (-one.passages, one.sources))


def _clusters(passages: Iterable[Passage]) -> list[list[Passage]]:
    """Passages that are alike; each is compared with the first of every cluster that shares a mark with it.

    The marks are the smallest hashes of the passage's runs (min-wise hashing, Broder 1997): passages with a share of
    0.8 in common share one of four in all but 0.2 % of cases.
    """
    clusters: list[list[Passage]] = []
    marked: defaultdict[int, list[int]] = defaultdict(list)
    for passage in passages:
        runs = _runs(passage.text)
        if len(runs) < _LEAST_RUNS:
            continue
        marks = heapq.nsmallest(_SKETCH, runs)
        near = sorted({number for mark in marks for number in marked[mark]})
        alike = next((one for one in near if _jaccard(runs, _runs(clusters[one][0].text)) >= ALIKE), None)
        if alike is not None:
            clusters[alike].append(passage)
            continue
        for mark in marks:
            marked[mark].append(len(clusters))
        clusters.append([passage])
    return clusters


@lru_cache(maxsize=1000)
def _runs(text: str) -> frozenset[int]:
    """Hashes of each three terms in a row."""
    terms = analysis.terms(text)
    return frozenset(zlib.crc32(" ".join(run).encode()) for run in _triples(terms))


def _triples(terms: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return zip(terms, terms[1:], terms[2:], strict=False)


def _jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)

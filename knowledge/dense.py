"""The dense index: embeds passages and their sentences once, and finds passages by the direction of a query.

What is embedded stands in a `VectorCache`, which follows the store by generations as the sparse index does; the
`VectorIndex` is made from the cache, and can be lost.
"""

import hashlib
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from knowledge.base import Passage
from knowledge.embedder import Embedder, ModelError
from knowledge.language import UNKNOWN, detect
from knowledge.splitter import sentences
from knowledge.store import Store
from knowledge.vector_cache import Entry, Origin, VectorCache
from knowledge.vectors import IndexFactory, VectorIndex, Vectors

FORMAT = 1
"""Another number when other texts are embedded for the same passage."""
Progress = Callable[[int, int], None]
"""Called with how many passages are done and how many there are."""

_PROBE = "A short text by which one embedding model can be told from another."
_SAME_MODEL = 0.99
"""Cosine of the probe's vectors; another machine or number format moves it by less than 0.001."""
_SIGNATURE = 16
"""Components of the probe's vector."""
_CACHED_QUERIES = 256
_EMBED_PASSAGES = 64
"""Passages embedded at a time: what Ctrl-C can cost."""
_INDEX_DOCUMENTS = 400
"""Documents that are handed to the vector index at a time."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """Cosines of a query with one passage."""

    passage: float
    sentences: tuple[float, ...]
    """One for each of `splitter.sentence_spans(passage.text)`, in order; 0 where the model does not speak it."""
    pairs: tuple[float, ...] = ()
    """One for each two neighbouring sentences: of the direction between theirs."""


class DenseIndex:
    """Safe to search from several threads; writing is for the one process that holds the library's lock."""

    def __init__(self, folder: Path, embedder: Embedder, make_index: IndexFactory) -> None:
        """Opens what the embedder made in a subfolder of `folder`. The model itself is not loaded yet.

        Raises LibraryError when the files cannot be used.
        """
        self._embedder, self._make_index = embedder, make_index
        self._folder = folder / _folder_name(embedder.name)
        self._lock = threading.RLock()
        self._cache = VectorCache(self._folder / "vectors.sqlite")
        self._index: VectorIndex | None = None
        self._identity = self._verified = ""
        self._encoded = lru_cache(_CACHED_QUERIES)(self._encode)
        self.refresh()

    @property
    def embedder(self) -> str:
        """Name of the model."""
        return self._embedder.name

    @property
    def generation(self) -> int:
        """The store's generation that this index reflects."""
        if self._index is None:
            return self._cache.generation()
        return self._index.generation

    @property
    def size(self) -> int:
        """How many passages can be found."""
        return 0 if self._index is None else self._index.size

    @property
    def signature(self) -> tuple[float, ...]:
        """The beginning of a known text's vector, by which a model is known under any name; empty before the first."""
        origin = self._cache.origin()
        return () if origin is None else _signature(origin.probe)

    def speaks(self, language: str) -> bool:
        """Whether the model speaks `language`; text without letters is for every model."""
        languages = self._embedder.languages
        return languages is None or language == UNKNOWN or language in languages

    def refresh(self) -> None:
        """See what another process has embedded. While a thread of this one is at it, things stay as they are."""
        # Embedding takes as long as it takes, and queries must not wait for it.
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._open_index()
            if self._index is not None:
                self._index.refresh()
                if not self._index.shared:
                    self._follow_cache(self._index)
        finally:
            self._lock.release()

    def _open_index(self) -> None:
        """Open the index that belongs to the vectors, in the place of one that belonged to former ones."""
        origin = self._cache.origin()
        if origin is None or origin.identity == self._identity:
            return
        if self._index is not None:
            self._index.close()
        # Queries that were encoded for the former vectors may not even have as many dimensions.
        self._encoded.cache_clear()
        self._index = self._make_index(self._folder, origin.dimension, origin.identity)
        self._identity = origin.identity

    def _follow_cache(self, index: VectorIndex) -> None:
        target = self._cache.generation()
        if index.generation > target:
            index.clear()
        if index.generation == target:
            return
        changed = self._cache.changed_since(index.generation)
        dimension = self._dimension()
        for start in range(0, len(changed), _INDEX_DOCUMENTS):
            documents = changed[start : start + _INDEX_DOCUMENTS]
            index.replace(frozenset(documents), self._cache.rows_of(documents, dimension))
        index.commit(target)

    def _dimension(self) -> int:
        origin = self._cache.origin()
        return 0 if origin is None else origin.dimension

    def catch_up(self, store: Store, progress: Progress | None = None) -> int:
        """Bring the index in step with `store`; returns how many documents were looked at anew.

        Only what was never embedded is embedded; what is done when this is interrupted stays done. Raises ModelError
        when the model fails, LibraryError when a file cannot be written.
        """
        with self._lock:
            target = store.generation()
            if self._cache.generation() > target:
                self._cache.forget_entries(uuid.uuid4().hex)
            changed = store.changed_since(self._cache.generation())
            if changed and not self._same_model():
                self._start_over()
                changed = store.changed_since(0)
            self._embed_missing(store, changed, progress)
            if self._cache.generation() != target:
                self._cache.put(changed, self._entries(store, changed), target)
            self._publish()
            return len(changed)

    def _publish(self) -> None:
        self._open_index()
        if self._index is None:
            return
        self._index.refresh()
        self._follow_cache(self._index)
        self._index.save()

    def check_model(self) -> None:
        """Forget every vector if another model made them. Raises ModelError when the model fails."""
        with self._lock:
            if self._cache.origin() is not None and not self._same_model():
                self._start_over()

    def reset(self) -> None:
        """Forget every vector: the next `catch_up` embeds everything anew."""
        with self._lock:
            self._start_over()

    def _start_over(self) -> None:
        if self._index is not None:
            self._index.clear()
        probe = self._probe()
        self._cache.start_over(Origin(uuid.uuid4().hex, probe.shape[1], probe))
        self._encoded.cache_clear()
        self._open_index()
        self._verified = self._identity

    def _same_model(self) -> bool:
        """Whether the embedder is the one that made the vectors which are there."""
        origin = self._cache.origin()
        if origin is None:
            return False
        if self._verified != origin.identity:
            probe = self._probe()
            if probe.shape != origin.probe.shape or float(probe[0] @ origin.probe[0]) < _SAME_MODEL:
                return False
            self._verified = origin.identity
        return True

    def _probe(self) -> Vectors:
        return self._embedder.embed([_PROBE])

    def _spoken(self, store: Store, documents: Sequence[int]) -> Iterator[Passage]:
        for document in documents:
            yield from (found for found in store.passages_of(document) if self.speaks(found.language))

    def _entries(self, store: Store, documents: Sequence[int]) -> Iterator[Entry]:
        for passage in self._spoken(store, documents):
            yield passage.id, passage.document_id, _digest(self._texts(passage))

    def _embed_missing(self, store: Store, documents: Sequence[int], progress: Progress | None) -> None:
        total = sum(1 for _ in self._spoken(store, documents)) if progress is not None else 0
        done = 0
        for passages in _in_parts(self._spoken(store, documents), _EMBED_PASSAGES):
            texts = {_digest(texts): texts for texts in map(self._texts, passages)}
            missing = self._cache.missing(texts)
            if missing:
                self._cache.add(self._embedded({digest: texts[digest] for digest in sorted(missing)}))
            done += len(passages)
            if progress is not None:
                progress(done, total)

    def _embedded(self, texts: dict[bytes, tuple[str, ...]]) -> dict[bytes, Vectors]:
        """For each passage the rows of its texts; zeros for texts that are empty."""
        distinct = list(dict.fromkeys(text for parts in texts.values() for text in parts if text))
        vectors = self._embedder.embed(distinct)
        rows = np.concatenate([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
        where = {text: row for row, text in enumerate(distinct)} | {"": len(distinct)}
        return {digest: rows[[where[text] for text in parts]] for digest, parts in texts.items()}

    def _texts(self, passage: Passage) -> tuple[str, ...]:
        """The passage under its title and headings, then each sentence; what the model does not speak is empty."""
        heads = [head for head in (passage.title, passage.heading) if head and self._understands(head)]
        parts = [
            part if part.isascii() or self._understands(part) else "" for part in sentences(passage.text)
        ]
        text = passage.text if all(parts) else " ".join(filter(None, parts))
        return embedded_text(heads, text), *parts

    def _understands(self, text: str) -> bool:
        return self._embedder.languages is None or self.speaks(_detect(text))

    def encode(self, query: str) -> Vectors:
        """(1, dimension), kept for when the query comes again; only for a query in a language that it `speaks`.

        Raises ModelError when the model fails, or is not the one that the passages were embedded with.
        """
        return self._encoded(query)

    def _encode(self, query: str) -> Vectors:
        if self._cache.origin() is not None and not self._same_model():
            raise ModelError(
                f"the vectors in {self._folder} were made by another model that was called {self._embedder.name!r} "
                "too; embed again with `rejoinder knowledge reindex`, or bring that model back"
            )
        row = self._embedder.embed([query], query=True)
        row.setflags(write=False)
        return row

    def search(
        self, vector: Vectors, limit: int, documents: frozenset[int] | None = None
    ) -> list[tuple[int, float]]:
        """Passage numbers with their cosine, best first; `documents` limits the search."""
        index = self._index
        return [] if index is None else index.search(vector, limit, documents)

    def similarities(self, vector: Vectors, passages: Sequence[int]) -> dict[int, Similarity]:
        """For each passage, all its cosines with `vector`; those that are not embedded are left out."""
        cosines = self._cache.cosines(vector, passages)
        return {
            number: Similarity(single[0], tuple(single[1:]), tuple(double[1:]))
            for number, (single, double) in cosines.items()
        }

    def prune(self) -> int:
        """Drop the vectors of passages that are gone, once they outnumber the others; returns how many."""
        return self._cache.prune()

    def close(self) -> None:
        """Let go of the files; the embedder stays open."""
        with self._lock:
            if self._index is not None:
                self._index.close()
            self._cache.close()


_detect = lru_cache(4096)(detect)  # a title stands above every passage of its document


def signature_of(embedder: Embedder) -> tuple[float, ...]:
    """What `DenseIndex.signature` is for this embedder. Raises ModelError."""
    return _signature(embedder.embed([_PROBE]))


def _signature(probe: Vectors) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in probe[0][:_SIGNATURE])


def embedded_text(heads: Sequence[str], text: str) -> str:
    """What is embedded for a passage: a vector of the text alone misses what only its title and headings name."""
    return ". ".join(filter(None, [*heads, text]))


def _digest(texts: Sequence[str]) -> bytes:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).digest()[:16]


def _folder_name(embedder: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9]+", "-", embedder).strip("-")[-40:]
    return f"dense-{FORMAT}.{plain}-{hashlib.sha256(embedder.encode()).hexdigest()[:8]}"


def _in_parts(passages: Iterator[Passage], count: int) -> Iterator[list[Passage]]:
    part: list[Passage] = []
    for passage in passages:
        part.append(passage)
        if len(part) == count:
            yield part
            part = []
    if part:
        yield part

"""An embedder that embeds each text once, however many libraries are built of the same documents."""

import threading
from collections.abc import Sequence
from time import perf_counter

import numpy as np

from knowledge.embedder import Embedder, EmbedProgress
from knowledge.vectors import Vectors


class Remembering:
    """A `knowledge.embedder.Embedder` in front of another, for evaluation; it keeps every vector in memory."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[tuple[bool, str], Vectors] = {}
        self._lock = threading.Lock()
        self.seconds = 0.0
        """Spent in the embedder itself."""

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def languages(self) -> frozenset[str] | None:
        return self._embedder.languages

    @property
    def dimension(self) -> int:
        return self._embedder.dimension

    def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: EmbedProgress | None = None
    ) -> Vectors:
        """See `knowledge.embedder.Embedder`."""
        with self._lock:
            missing = [text for text in dict.fromkeys(texts) if (query, text) not in self._known]
            if missing:
                started = perf_counter()
                rows = self._embedder.embed(missing, query=query, progress=progress)
                self.seconds += perf_counter() - started
                self._known.update(((query, text), row) for text, row in zip(missing, rows, strict=True))
            return np.array([self._known[query, text] for text in texts], np.float32)

    def close(self) -> None:
        self._embedder.close()

"""A small embedder for tests: it passes the contract of the real ones, and texts that share words are near."""

import zlib
from collections.abc import Sequence

import numpy as np

from knowledge.embedder import EmbedProgress
from knowledge.vectors import Vectors


class WordEmbedder:
    """Adds up a fixed random direction for each word. `seed` makes it another model."""

    def __init__(
        self,
        name: str = "words",
        *,
        dimension: int = 32,
        seed: int = 0,
        languages: frozenset[str] | None = frozenset({"en"}),
    ) -> None:
        self.name, self.dimension, self.languages = name, dimension, languages
        self._seed = seed
        self.embedded: list[str] = []
        """Every text that was ever asked for."""

    def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: EmbedProgress | None = None
    ) -> Vectors:
        self.embedded += texts
        rows = np.empty((len(texts), self.dimension), np.float32)
        for index, text in enumerate(texts):
            rows[index] = sum(map(self._direction, ["", *text.lower().replace(".", " ").split()]))
            rows[index] /= np.linalg.norm(rows[index])
            if progress is not None:
                progress(index + 1, len(texts))
        return rows

    def _direction(self, word: str) -> Vectors:
        generator = np.random.default_rng([self._seed, zlib.crc32(word.encode())])
        return generator.normal(size=self.dimension).astype(np.float32)

    def close(self) -> None:
        self.embedded.clear()

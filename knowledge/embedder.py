"""The protocol of embedders, and what is known about the languages of well-known models."""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from knowledge.store import LibraryError
from knowledge.vectors import Vectors

EmbedProgress = Callable[[int, int], None]
"""Called with how many texts are done and how many there are."""

_ENGLISH_ONLY = re.compile(
    r"(?:^|[/_.])(?:all-(?:minilm|mpnet|distilroberta|roberta)"
    r"|multi-qa-|msmarco-(?!.*multilingual)|gtr-t5-|sentence-t5-"
    r"|paraphrase-(?!multilingual)"
    r"|e5-(?:small|base|large)(?:-unsupervised|-v2)?$"
    r"|gte-(?:tiny|small|base|large)$"
    r"|nomic-embed-text-v1|snowflake-arctic-embed-(?:xs|s|m|l)$)"
    r"|-en(?:-v[\d.]+)?$|-english\b",
    re.IGNORECASE,
)
_CHINESE_ONLY = re.compile(r"-zh(?:-v[\d.]+)?$|-chinese\b|^(?:.*/)?(?:text2vec|m3e)-", re.IGNORECASE)


class ModelError(LibraryError):
    """A model cannot be loaded, cannot be reached, or answers nonsense; the message says what to do."""


class Embedder(Protocol):
    """Turns texts into vectors. Safe to call from several threads. Nothing is loaded before it is needed."""

    @property
    def name(self) -> str:
        """Recorded with the vectors: another name means another index."""
        ...

    @property
    def languages(self) -> frozenset[str] | None:
        """ISO 639-1 codes that the model speaks; None where it speaks all."""
        ...

    @property
    def dimension(self) -> int:
        """Length of its vectors. Loads or asks the model; raises ModelError."""
        ...

    def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: EmbedProgress | None = None
    ) -> Vectors:
        """One row for each text; `query` says that the texts look for passages. Raises ModelError."""
        ...

    def close(self) -> None:
        """Let go of the model or the connection."""
        ...


def known_languages(model: str) -> frozenset[str] | None:
    """What a model with this name is known to speak; None where nothing limits it."""
    if _ENGLISH_ONLY.search(model):
        return frozenset({"en"})
    return frozenset({"zh"}) if _CHINESE_ONLY.search(model) else None

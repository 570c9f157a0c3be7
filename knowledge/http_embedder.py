"""Embeddings from any OpenAI-compatible server, so that many processes need not each hold a model."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from knowledge.embedder import EmbedProgress, known_languages
from knowledge.endpoint import Endpoint, RequestRefused
from knowledge.vectors import Vectors

BATCH = 64
QUERY_DEADLINE_S = 10.0
"""A query has somebody waiting for it, documents have not."""
_PROBE = "dimension"


class HttpEmbedder:
    """A `knowledge.embedder.Embedder` over /v1/embeddings, such as vLLM's pooling runner serves."""

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        languages: frozenset[str] | None = None,
        query_prefix: str = "",
        passage_prefix: str = "",
        batch: int = BATCH,
        deadline_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`languages` is what the model speaks; None takes what its name says. Prefixes are put before each text,
        for models that were trained with them. A request is repeated for up to `deadline_s` seconds, one for a query
        for at most `QUERY_DEADLINE_S`. Raises ModelError when `base_url` is no HTTP address.
        """
        self._endpoint = Endpoint(
            base_url, setting="embedder", api_key=api_key, deadline_s=deadline_s, sleep=sleep
        )
        self._model, self._batch = model, batch
        self._languages = languages if languages is not None else known_languages(model)
        self._prefixes = {True: query_prefix, False: passage_prefix}
        self._deadlines = {True: min(deadline_s, QUERY_DEADLINE_S), False: deadline_s}
        self._lock = threading.Lock()
        self._dimension: int | None = None
        # vLLM refuses texts longer than the model's window unless it is told to cut them.
        self._extra: dict[str, object] = {"truncate_prompt_tokens": -1}

    @property
    def name(self) -> str:
        return self._model

    @property
    def languages(self) -> frozenset[str] | None:
        return self._languages

    @property
    def dimension(self) -> int:
        if self._dimension is None:
            self._ask([_PROBE], self._deadlines[True])
        assert self._dimension is not None  # noqa: S101 - set by the answer
        return self._dimension

    def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: EmbedProgress | None = None
    ) -> Vectors:
        """See `knowledge.embedder.Embedder`."""
        prefixed = [self._prefixes[query] + text for text in texts]
        parts = []
        for start in range(0, len(prefixed), self._batch):
            parts.append(self._ask(prefixed[start : start + self._batch], self._deadlines[query]))
            if progress is not None:
                progress(min(start + self._batch, len(prefixed)), len(prefixed))
        return np.concatenate(parts) if parts else np.empty((0, self.dimension), np.float32)

    def _ask(self, texts: Sequence[str], deadline_s: float) -> Vectors:
        body = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        try:
            answer = self._endpoint.post("/embeddings", body | self._extra, deadline_s=deadline_s)
        except RequestRefused:
            if not self._extra:
                raise
            # A server that knows no such field; if it had another reason, it will say so again.
            answer = self._endpoint.post("/embeddings", body, deadline_s=deadline_s)
            self._extra = {}
        return self._checked(answer, len(texts))

    def _checked(self, answer: dict[str, Any], count: int) -> Vectors:
        try:
            data = sorted(answer["data"], key=lambda item: int(item["index"]))
            rows = np.asarray([item["embedding"] for item in data], np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise self._endpoint.nonsense("no list of embeddings") from error
        if rows.ndim != 2 or len(rows) != count or [item["index"] for item in data] != list(range(count)):
            raise self._endpoint.nonsense(f"{len(rows)} embeddings for {count} texts")
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not (np.isfinite(rows).all() and (lengths > 0).all()):
            raise self._endpoint.nonsense("an embedding that is no direction")
        self._settle_dimension(rows.shape[1])
        return (rows / lengths).astype(np.float32)

    def _settle_dimension(self, dimension: int) -> None:
        with self._lock:
            if self._dimension not in (None, dimension):
                raise self._endpoint.nonsense(f"{dimension} dimensions, {self._dimension} before")
            self._dimension = dimension

    def close(self) -> None:
        self._endpoint.close()

"""Cross-encoders: models that read the question and a passage together, and so judge better than vectors can."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from knowledge.embedder import ModelError
from knowledge.endpoint import Endpoint
from knowledge.local_model import load_model

_SLACK = 1e-3
"""How far beyond 0 and 1 rounding may carry a probability."""


class Reranker(Protocol):
    """Safe to call from several threads. Nothing is loaded before it is needed."""

    def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """For each text the probability, from 0 to 1, that it answers `query`. Raises ModelError."""
        ...

    def close(self) -> None:
        """Let go of the model or the connection."""
        ...


class LocalReranker:
    """A CrossEncoder of sentence-transformers in this process."""

    def __init__(self, model: str, *, device: str = "cpu", download: bool = False) -> None:
        """`model` is a folder or a name on the Hugging Face hub, which `download` allows to be fetched."""
        self._model, self._device, self._download = model, device, download
        self._lock = threading.Lock()
        self._loaded: Any = None

    def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """See `Reranker`."""
        if not texts:
            return []
        with self._lock:
            model = self._cross_encoder()
            from torch.nn import Sigmoid  # noqa: PLC0415 - only in the extra

            # Some models are configured to give raw scores.
            scores = model.predict(
                [(query, text) for text in texts], activation_fn=Sigmoid(), show_progress_bar=False
            )
        return [float(score) for score in scores]

    def _cross_encoder(self) -> Any:
        if self._loaded is None:
            model = load_model("CrossEncoder", self._model, self._device, self._download)
            if model.num_labels != 1:
                raise ModelError(
                    f"the model {self._model} tells {model.num_labels} classes apart and ranks nothing; "
                    "choose a cross-encoder with a single score, such as one trained on MS MARCO"
                )
            self._loaded = model
        return self._loaded

    def close(self) -> None:
        with self._lock:
            self._loaded = None


class HttpReranker:
    """A cross-encoder behind vLLM's /score (`vllm serve MODEL --runner pooling --convert classify`)."""

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        deadline_s: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Raises ModelError when `base_url` is no HTTP address."""
        self._endpoint = Endpoint(
            base_url, setting="reranker", api_key=api_key, deadline_s=deadline_s, sleep=sleep
        )
        self._model = model

    def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """See `Reranker`."""
        if not texts:
            return []
        body = {"model": self._model, "text_1": query, "text_2": list(texts), "truncate_prompt_tokens": -1}
        return self._checked(self._endpoint.post("/score", body), len(texts))

    def _checked(self, answer: dict[str, Any], count: int) -> list[float]:
        try:
            scores = {int(item["index"]): float(item["score"]) for item in answer["data"]}
        except (KeyError, TypeError, ValueError) as error:
            raise self._endpoint.nonsense("no list of scores") from error
        if sorted(scores) != list(range(count)):
            raise self._endpoint.nonsense(f"{len(scores)} scores for {count} texts")
        if not all(-_SLACK <= score <= 1 + _SLACK for score in scores.values()):
            raise self._endpoint.nonsense("scores that are no probabilities; serve a cross-encoder")
        return [min(1.0, max(0.0, scores[index])) for index in range(count)]

    def close(self) -> None:
        self._endpoint.close()

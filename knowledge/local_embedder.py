"""Embeddings computed in this process by sentence-transformers."""

import hashlib
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from knowledge.embedder import EmbedProgress, ModelError, known_languages
from knowledge.local_model import load_model
from knowledge.vectors import Vectors

BATCH = 32
_CHUNK = 512
"""Texts between two reports of progress."""
_CARD_LANGUAGE = re.compile(r"\A---\n(?:.*\n)*?language:[ \t]*['\"]?([a-z]{2})['\"]?[ \t]*\n", re.MULTILINE)


class LocalEmbedder:
    """A `knowledge.embedder.Embedder`. The model is loaded when it is first used."""

    def __init__(
        self,
        model: str,
        *,
        device: str = "cpu",
        languages: frozenset[str] | None = None,
        query_prefix: str = "",
        passage_prefix: str = "",
        download: bool = False,
        batch: int = BATCH,
    ) -> None:
        """`model` is a folder or a name on the Hugging Face hub, which `download` allows to be fetched.

        `languages` is what the model speaks; None takes what its card or its name says. Prefixes are put before each
        text, for models that were trained with them and do not say so in their configuration.
        """
        self._model, self._device, self._download, self._batch = model, device, download, batch
        self._folder = Path(model) if Path(model).is_dir() else None
        self._languages = languages if languages is not None else _languages(model, self._folder)
        self._prefixes = {True: query_prefix, False: passage_prefix}
        self._name = model if self._folder is None else _folder_name(self._folder)
        # One text at a time: a tokenizer of the tokenizers library breaks when two threads use it.
        self._lock = threading.Lock()
        self._loaded: Any = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def languages(self) -> frozenset[str] | None:
        return self._languages

    @property
    def dimension(self) -> int:
        with self._lock:
            return int(self._transformer().get_embedding_dimension())

    def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: EmbedProgress | None = None
    ) -> Vectors:
        """See `knowledge.embedder.Embedder`."""
        # Texts of like length share a batch, which is then hardly padded.
        order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
        rows = np.empty((len(texts), self.dimension), np.float32)
        for start in range(0, len(order), _CHUNK):
            part = order[start : start + _CHUNK]
            rows[part] = self._encode([self._prefixes[query] + texts[index] for index in part], query)
            if progress is not None:
                progress(start + len(part), len(order))
        if not np.isfinite(rows).all():
            raise ModelError(
                f"the model {self._model} gives vectors that are no numbers; choose another model"
            )
        return rows

    def _encode(self, texts: list[str], query: bool) -> Vectors:
        with self._lock:
            model = self._transformer()
            encode = model.encode_query if query else model.encode_document
            rows: Vectors = encode(
                texts, batch_size=self._batch, normalize_embeddings=True, show_progress_bar=False
            )
        return rows

    def _transformer(self) -> Any:
        if self._loaded is None:
            self._loaded = load_model("SentenceTransformer", self._model, self._device, self._download)
        return self._loaded

    def close(self) -> None:
        with self._lock:
            self._loaded = None


def _languages(model: str, folder: Path | None) -> frozenset[str] | None:
    """What the model's card says where it names one language, else what its name says."""
    card = folder / "README.md" if folder is not None else None
    if card is not None and card.is_file():
        found = _CARD_LANGUAGE.match(card.read_text("utf-8", "replace")[:4000])
        if found:
            return frozenset({found[1]})
    return known_languages(model)


def _folder_name(folder: Path) -> str:
    """The same wherever the folder lies, another for other weights as far as a look at the files can tell."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix == ".json" and file.is_file():
            digest.update(file.read_bytes())
        elif file.suffix in {".safetensors", ".bin"}:
            digest.update(f"{file.name} {file.stat().st_size}".encode())
    return f"{folder.resolve().name}-{digest.hexdigest()[:8]}"

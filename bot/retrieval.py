"""Builds what finds passages by meaning, from the settings. Loads no model: the parts do that when they are needed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.settings import KnowledgeSettings, SettingsError, resolve

if TYPE_CHECKING:
    from knowledge.dense import DenseIndex
    from knowledge.embedder import Embedder
    from knowledge.reranker import Reranker
    from knowledge.vectors import IndexFactory, VectorIndex


def make_embedder(settings: KnowledgeSettings) -> "Embedder | None":
    """None where the settings name none. Raises ModelError, SettingsError."""
    if not settings.embedder:
        return None
    languages = frozenset(settings.embedder_languages) or None
    if not settings.embedder_url:
        with _needing("embedder", "dense"):
            from knowledge.local_embedder import LocalEmbedder  # noqa: PLC0415

        return LocalEmbedder(settings.embedder, languages=languages)
    with _needing("embedder_url", "dense"):
        from knowledge.http_embedder import HttpEmbedder  # noqa: PLC0415

    key = resolve(settings.embedder_key)
    return HttpEmbedder(settings.embedder_url, settings.embedder, api_key=key or None, languages=languages)


def make_dense(settings: KnowledgeSettings, embedder: "Embedder") -> "Callable[[Path], DenseIndex]":
    """What opens the dense index in a library's folder. Raises SettingsError."""
    with _needing("embedder", "dense"):
        from knowledge.dense import DenseIndex  # noqa: PLC0415

    factory = _index_factory(settings)
    return lambda folder: DenseIndex(folder, embedder, factory)


def _index_factory(settings: KnowledgeSettings) -> "IndexFactory":
    if settings.vector_index == "faiss":
        with _needing("embedder", "dense"):
            from knowledge.faiss_index import FaissIndex  # noqa: PLC0415

        return FaissIndex
    with _needing("vector_index", "milvus"):
        from knowledge.milvus_index import MilvusIndex  # noqa: PLC0415

    uri, token = settings.milvus_uri, resolve(settings.milvus_token)

    def opened(_: Path, dimension: int, identity: str) -> "VectorIndex":
        return MilvusIndex(uri, dimension, identity, token=token)

    return opened


def make_reranker(settings: KnowledgeSettings) -> "Reranker | None":
    """None where the settings name none. Raises ModelError."""
    if not settings.reranker:
        return None
    # Its HTTP client takes a second to import.
    from knowledge.reranker import HttpReranker, LocalReranker  # noqa: PLC0415

    if settings.reranker_url:
        return HttpReranker(settings.reranker_url, settings.reranker)
    return LocalReranker(settings.reranker)


@contextmanager
def _needing(setting: str, extra: str) -> Iterator[None]:
    """Turns a package that is not there into what to install. Raises SettingsError."""
    try:
        yield
    except ImportError as error:
        raise SettingsError(
            f"knowledge.{setting} needs {error.name}, which is not installed; get it: pip install 'rejoinder[{extra}]'"
        ) from error

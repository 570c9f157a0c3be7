"""Vectors in Milvus: a file with milvus-lite, a server or a cluster, all by the same client."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from pymilvus import DataType, MilvusClient, MilvusException

from knowledge.store import LibraryError
from knowledge.vectors import Rows, Vectors

_BATCH = 1_000
"""Rows in a request; a server takes 64 MB by default."""
_MOST = 16_384
"""Milvus gives no more results than this."""
_MARKER = 0
"""No passage has this number. Its row says in the field `document` which generation the others reflect: negative,
so that a filter keeps it out of every search."""


class MilvusIndex:
    """A `knowledge.vectors.VectorIndex` that all processes share.

    milvus-lite's file is for one process at a time. A collection that belongs to another identity is left alone.
    """

    shared = True

    def __init__(
        self, uri: str, dimension: int, identity: str, *, token: str = "", timeout_s: float = 30.0
    ) -> None:
        """`uri` is the path of a file that ends in `.db`, or a server's address; `token` is its `user:password` or key.

        Raises LibraryError when it cannot be opened.
        """
        self._uri, self._dimension = uri, dimension
        self._timeout_s = timeout_s
        self._collection = f"rejoinder_{identity}"
        # They log each error with its traceback before they raise it.
        for name in ("pymilvus", "milvus_lite"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with self._translated():
            self._client = MilvusClient(uri, token=token, timeout=timeout_s)
            self._open()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (MilvusException, OSError, ConnectionError) as error:
            said = " ".join(str(error).split())[:200]
            raise LibraryError(
                f"Milvus at {self._uri} cannot be used ({said}); check that it runs and that its address and token "
                "are right; a file is for one process at a time"
            ) from error

    def _open(self) -> None:
        if not self._client.has_collection(self._collection):
            self._create()
        self._client.load_collection(self._collection)
        self.refresh()

    def _create(self) -> None:
        schema = self._client.create_schema(auto_id=False)
        schema.add_field("passage", DataType.INT64, is_primary=True)
        schema.add_field("document", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self._dimension)
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type="AUTOINDEX", metric_type="IP")
        self._client.create_collection(
            self._collection, schema=schema, index_params=index, consistency_level="Session"
        )

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def size(self) -> int:
        with self._translated():
            counted = self._client.query(
                self._collection, filter="document >= 0", output_fields=["count(*)"], timeout=self._timeout_s
            )
        return int(counted[0]["count(*)"])

    def replace(self, documents: frozenset[int], rows: Rows) -> None:
        """See `knowledge.vectors.VectorIndex`."""
        rows.check(documents, self._dimension)
        if not documents:
            return
        records = [
            {"passage": passage, "document": document, "vector": vector}
            for passage, document, vector in zip(
                rows.passages.tolist(), rows.documents.tolist(), rows.vectors, strict=True
            )
        ]
        with self._translated():
            self._client.delete(
                self._collection, filter=f"document in {sorted(documents)}", timeout=self._timeout_s
            )
            for start in range(0, len(records), _BATCH):
                self._client.upsert(
                    self._collection, records[start : start + _BATCH], timeout=self._timeout_s
                )

    def commit(self, generation: int) -> None:
        """See `knowledge.vectors.VectorIndex`. Written after the rows: a kill in between has them written again."""
        vector = np.zeros(self._dimension, np.float32)
        vector[0] = 1
        marker = {"passage": _MARKER, "document": -generation - 1, "vector": vector}
        with self._translated():
            self._client.upsert(self._collection, [marker], timeout=self._timeout_s)
        self._generation = generation

    def save(self) -> None:
        """See `knowledge.vectors.VectorIndex`. Milvus keeps what it is given; sealing it makes it quick to load."""
        with self._translated():
            self._client.flush(self._collection, timeout=self._timeout_s)

    def refresh(self) -> None:
        """See `knowledge.vectors.VectorIndex`."""
        with self._translated():
            found = self._client.query(
                self._collection,
                filter=f"passage == {_MARKER}",
                output_fields=["document"],
                timeout=self._timeout_s,
            )
        self._generation = -int(found[0]["document"]) - 1 if found else 0

    def search(
        self, vector: Vectors, limit: int, documents: frozenset[int] | None = None
    ) -> list[tuple[int, float]]:
        """See `knowledge.vectors.VectorIndex`."""
        if limit < 1 or documents == frozenset():
            return []
        wanted = "document >= 0" if documents is None else f"document in {sorted(documents)}"
        with self._translated():
            found: Any = self._client.search(
                self._collection,
                data=[np.asarray(vector, np.float32).reshape(-1)],
                filter=wanted,
                limit=min(limit, _MOST),
                output_fields=["passage"],
                timeout=self._timeout_s,
            )
        return [(int(hit["passage"]), float(hit["distance"])) for hit in found[0]]

    def clear(self) -> None:
        """See `knowledge.vectors.VectorIndex`."""
        with self._translated():
            self._client.drop_collection(self._collection)
            self._open()

    def close(self) -> None:
        self._client.close()

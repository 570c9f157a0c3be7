"""Vectors in memory, searched by faiss: exactly while they are few, by inverted lists of bytes when they are many.

A vector's number in faiss is its document's number above its passage's: what belongs to a document can be told from
the numbers alone, and nothing has to be kept beside the file.
"""

import math
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from knowledge import faiss_file
from knowledge.vectors import Numbers, Rows, Vectors

FLAT_LIMIT = 200_000
"""Above this many vectors they are held as inverted lists; below half of it they are exact again."""
SAVE_AT_LEAST, SAVE_SHARE = 2_000, 20
"""The file is written when this many vectors have changed and they are one in `SAVE_SHARE` of all."""
RETRAIN = 8
"""The lists are cut anew when the index has grown by this factor; not sooner, since each time costs precision."""
_LISTED = 4
"""How many vectors at least are looked at for one that is wanted."""
_SCOPES = 16
_PASSAGE_BITS = 32
_PASSAGE = (1 << _PASSAGE_BITS) - 1
_BLOCK = 16_384
_TRAINING_ROWS = 40
"""Vectors a list is trained on; faiss asks for 39 and uses up to 256, at six times the cost."""
_TRAINING_ROUNDS = 8


class FaissIndex:
    """A `knowledge.vectors.VectorIndex` in one file, of which each process has a copy in memory."""

    shared = False

    def __init__(
        self,
        folder: Path,
        dimension: int,
        identity: str,
        *,
        flat_limit: int = FLAT_LIMIT,
        save_at_least: int = SAVE_AT_LEAST,
    ) -> None:
        """Opens the file in `folder`; one that is missing, cut short or foreign starts empty."""
        self._path = folder / "vectors.faiss"
        self._dimension, self._identity = dimension, identity
        self._flat_limit, self._save_at_least = flat_limit, save_at_least
        self._lock = threading.RLock()
        self._start_empty()
        self.refresh()

    def _start_empty(self) -> None:
        self._hold(self._flat(), np.empty(0, np.int64), 0)

    def _hold(self, index: Any, ids: Numbers, generation: int) -> None:
        self._index, self._ids, self._generation = index, ids, generation
        self._unsaved = 0
        self._trained_on = index.ntotal
        self._scopes: OrderedDict[frozenset[int], tuple[Any, int]] = OrderedDict()

    def _flat(self) -> Any:
        return faiss.IndexIDMap2(faiss.IndexFlatIP(self._dimension))

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def size(self) -> int:
        return len(self._ids)

    @property
    def exact(self) -> bool:
        """Whether vectors are held as they came, and all of them compared."""
        return not isinstance(self._index, faiss.IndexIVF)

    def replace(self, documents: frozenset[int], rows: Rows) -> None:
        """See `knowledge.vectors.VectorIndex`."""
        rows.check(documents, self._dimension)
        with self._lock:
            faiss.omp_set_num_threads(len(os.sched_getaffinity(0)))
            self._remove(documents)
            self._add((rows.documents << _PASSAGE_BITS) | rows.passages, rows.vectors)
            self._scopes.clear()
            self._fit()

    def _remove(self, documents: frozenset[int]) -> None:
        gone = self._belongs(documents)
        if gone.any():
            self._index.remove_ids(faiss.IDSelectorBatch(self._ids[gone]))
            self._ids = self._ids[~gone]
            self._unsaved += int(gone.sum())

    def _belongs(self, documents: frozenset[int]) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        wanted = np.fromiter(documents, np.int64, len(documents))
        return np.isin(self._ids >> _PASSAGE_BITS, wanted)

    def _add(self, ids: Numbers, vectors: Vectors) -> None:
        for start in range(0, len(ids), _BLOCK):
            part = slice(start, start + _BLOCK)
            self._index.add_with_ids(np.ascontiguousarray(vectors[part], np.float32), ids[part])
        self._ids = np.concatenate([self._ids, ids])
        self._unsaved += len(ids)

    def _fit(self) -> None:
        """Change between exact and lists, or cut the lists anew, when the size has left what it was made for."""
        size = self.size
        if self.exact and size > self._flat_limit:
            self._move(_lists(self._index, self._dimension, size))
        elif not self.exact and size < self._flat_limit // 2:
            self._move(self._flat())
        elif not self.exact and size > RETRAIN * self._trained_on:
            self._move(_lists(self._index, self._dimension, size))

    def _move(self, target: Any) -> None:
        for ids, vectors in _blocks(self._index):
            target.add_with_ids(vectors, ids)
        self._index = target
        self._trained_on = target.ntotal
        self._unsaved = target.ntotal

    def commit(self, generation: int) -> None:
        """See `knowledge.vectors.VectorIndex`."""
        self._generation = generation

    def search(
        self, vector: Vectors, limit: int, documents: frozenset[int] | None = None
    ) -> list[tuple[int, float]]:
        """See `knowledge.vectors.VectorIndex`."""
        with self._lock:
            limit = min(limit, self.size)
            if limit < 1 or documents == frozenset():
                return []
            row = np.ascontiguousarray(vector, np.float32).reshape(1, -1)
            # One query gains nothing from more threads, and loses ten times over where another core is busy.
            faiss.omp_set_num_threads(1)
            cosines, ids = self._index.search(row, limit, params=self._parameters(limit, documents))
        return [
            (int(number) & _PASSAGE, float(cosine))
            for number, cosine in zip(ids[0], cosines[0], strict=True)
            if number >= 0
        ]

    def _parameters(self, limit: int, documents: frozenset[int] | None) -> Any:
        selector, count = (None, self.size) if documents is None else self._selector(documents)
        if self.exact:
            return faiss.SearchParameters(sel=selector)
        lists = self._index.nlist
        # The narrower the scope, the more lists may have to be opened to meet it at all, or `limit` of it.
        wanted = max(_probes(lists) * self.size, _LISTED * limit * lists) // max(1, count) + 1
        return faiss.SearchParametersIVF(sel=selector, nprobe=min(lists, wanted))

    def _selector(self, documents: frozenset[int]) -> tuple[Any, int]:
        if documents not in self._scopes:
            ids = self._ids[self._belongs(documents)]
            self._scopes[documents] = faiss.IDSelectorBatch(ids), len(ids)
        self._scopes.move_to_end(documents)
        if len(self._scopes) > _SCOPES:
            self._scopes.popitem(last=False)
        return self._scopes[documents]

    def save(self) -> None:
        """See `knowledge.vectors.VectorIndex`. After a kill at any moment the file is the old one or the new one."""
        if self._unsaved < max(self._save_at_least, self.size // SAVE_SHARE):
            return
        with self._lock:
            faiss_file.write(self._path, self._index, self._stamp())
            self._unsaved = 0

    def _stamp(self) -> faiss_file.Stamp:
        return faiss_file.Stamp(self._identity, self._dimension, self._generation, self._trained_on)

    def refresh(self) -> None:
        """Take over what another process has saved, where that is newer."""
        with self._lock:
            stamp = faiss_file.stamp(self._path)
            if stamp is None or not self._newer(stamp):
                return
            # The old one goes first: two of them may not fit into memory.
            self._start_empty()
            found = faiss_file.read(self._path)
            if found is not None and self._newer(found[1]):
                self._hold(found[0], _all_ids(found[0]), found[1].generation)
                self._trained_on = found[1].trained_on

    def _newer(self, stamp: faiss_file.Stamp) -> bool:
        ours = (stamp.identity, stamp.dimension) == (self._identity, self._dimension)
        return ours and stamp.generation > self._generation

    def clear(self) -> None:
        """See `knowledge.vectors.VectorIndex`."""
        with self._lock:
            self._start_empty()
            self._path.unlink(missing_ok=True)

    def close(self) -> None:
        with self._lock:
            self._start_empty()


def _lists(source: Any, dimension: int, size: int) -> Any:
    """Inverted lists of vectors in a byte for each number, trained on a part of `source`."""
    count = list_count(size)
    coarse = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFScalarQuantizer(
        coarse, dimension, count, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.niter, index.cp.max_points_per_centroid = _TRAINING_ROUNDS, _TRAINING_ROWS
    share = min(1.0, count * _TRAINING_ROWS / size)
    random = np.random.default_rng(0)
    sample = [vectors[random.random(len(vectors)) < share] for _, vectors in _blocks(source)]
    index.train(np.concatenate(sample))
    return index


def list_count(size: int) -> int:
    """How many lists `size` vectors are spread over."""
    return max(1, round(4 * math.sqrt(size)))


def _probes(lists: int) -> int:
    """How many of the lists are opened for a search."""
    return max(8, lists // 16)


def _blocks(index: Any) -> Iterator[tuple[Numbers, Vectors]]:
    """All that `index` holds, in parts."""
    if not isinstance(index, faiss.IndexIVF):
        ids = faiss.vector_to_array(index.id_map)
        for start in range(0, len(ids), _BLOCK):
            part = ids[start : start + _BLOCK]
            yield part, index.index.reconstruct_n(start, len(part))
        return
    for number in range(index.nlist):
        size = index.invlists.list_size(number)
        if size:
            # Both have a name because a pointer does not keep its array alive.
            vectors, lists = np.empty((size, index.d), np.float32), np.full(size, number, np.int64)
            codes = index.invlists.get_codes(number)
            index.decode_vectors(size, codes, faiss.swig_ptr(lists), faiss.swig_ptr(vectors))
            yield _list_ids(index, number, size), vectors


def _list_ids(index: Any, number: int, size: int) -> Numbers:
    ids: Numbers = faiss.rev_swig_ptr(index.invlists.get_ids(number), size).copy()
    return ids


def _all_ids(index: Any) -> Numbers:
    if not isinstance(index, faiss.IndexIVF):
        ids: Numbers = faiss.vector_to_array(index.id_map)
        return ids
    sizes = [index.invlists.list_size(number) for number in range(index.nlist)]
    parts = [_list_ids(index, number, size) for number, size in enumerate(sizes) if size]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)

"""The faiss index: when it changes its form, what its file holds, and when that is written."""

import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from knowledge.store import LibraryError
from tests.conftest import require_module

np = require_module("numpy")
require_module("faiss")

from knowledge.faiss_index import FaissIndex, list_count  # noqa: E402
from knowledge.vectors import Rows  # noqa: E402

if TYPE_CHECKING:
    from knowledge.vectors import Vectors

DIMENSION = 8


def clustered(count: int, seed: int = 0) -> "Vectors":
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(20, DIMENSION))
    rows = centres[random.integers(20, size=count)] + 0.3 * random.normal(size=(count, DIMENSION))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


def add(index: FaissIndex, first: int, vectors: "Vectors") -> None:
    """Each vector a document of its own, numbered like its passage."""
    numbers = np.arange(first, first + len(vectors))
    index.replace(frozenset(numbers.tolist()), Rows(numbers, numbers, vectors))


def remove(index: FaissIndex, first: int, last: int) -> None:
    nothing = np.empty(0, np.int64)
    index.replace(frozenset(range(first, last)), Rows(nothing, nothing, np.empty((0, DIMENSION), np.float32)))


def test_it_is_exact_until_the_limit_and_again_below_half_of_it(tmp_path: Path) -> None:
    index, vectors = FaissIndex(tmp_path, DIMENSION, "one", flat_limit=400), clustered(401)
    add(index, 1, vectors[:400])
    assert index.exact
    add(index, 401, vectors[400:])
    assert not index.exact
    remove(index, 1, 201)
    assert (index.size, index.exact) == (201, False)
    remove(index, 201, 203)
    assert (index.size, index.exact) == (199, True)
    assert index.search(vectors[250], 1)[0][0] == 251
    assert {number for number, _ in index.search(vectors[0], 400)} == set(range(203, 402))


def test_lists_are_cut_anew_as_it_grows_and_nothing_is_lost(tmp_path: Path) -> None:
    index, vectors = FaissIndex(tmp_path, DIMENSION, "one", flat_limit=100), clustered(2000)
    for start in range(0, 2000, 100):
        add(index, start + 1, vectors[start : start + 100])
    assert index._index.nlist > 2 * list_count(200)
    assert {number for number, _ in index.search(vectors[0], 2000)} == set(range(1, 2001))


def test_lists_find_nearly_all_that_exact_search_finds(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    exact = FaissIndex(tmp_path, DIMENSION, "one")
    lists = FaissIndex(tmp_path / "lists", DIMENSION, "one", flat_limit=1000)
    for index in (exact, lists):
        add(index, 1, clustered(5000))
    shared = 0
    for query in clustered(50, seed=1):
        expected = {number for number, _ in exact.search(query, 10)}
        shared += len(expected & {number for number, _ in lists.search(query, 10)})
    assert shared / 500 >= 0.9


def test_the_file_is_written_only_when_enough_has_changed(tmp_path: Path) -> None:
    index, file = FaissIndex(tmp_path, DIMENSION, "one", save_at_least=10), tmp_path / "vectors.faiss"
    add(index, 1, clustered(9))
    index.save()
    assert not file.exists()
    add(index, 10, clustered(991))
    index.commit(1)
    index.save()
    written = file.stat().st_mtime_ns
    add(index, 2000, clustered(49))
    index.save()
    assert file.stat().st_mtime_ns == written
    add(index, 3000, clustered(10))
    index.commit(2)
    index.save()
    assert FaissIndex(tmp_path, DIMENSION, "one").size == 1059


def test_a_file_of_another_dimension_or_identity_is_foreign(tmp_path: Path) -> None:
    index = FaissIndex(tmp_path, DIMENSION, "one", save_at_least=1)
    add(index, 1, clustered(5))
    index.commit(1)
    index.save()
    assert FaissIndex(tmp_path, DIMENSION, "one").size == 5
    assert FaissIndex(tmp_path, DIMENSION, "two").size == 0
    assert FaissIndex(tmp_path, 2 * DIMENSION, "one").size == 0


def test_a_full_disk_is_told_of_and_leaves_the_former_file(tmp_path: Path) -> None:
    index = FaissIndex(tmp_path, DIMENSION, "one", save_at_least=1)
    add(index, 1, clustered(5))
    index.commit(1)
    index.save()
    add(index, 6, clustered(5000))
    index.commit(2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(LibraryError, match=r"cannot be written.*disk has space"):
            index.save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [file.name for file in tmp_path.iterdir()] == ["vectors.faiss"]
    assert FaissIndex(tmp_path, DIMENSION, "one").generation == 1
    index.save()
    assert FaissIndex(tmp_path, DIMENSION, "one").size == 5005


def test_closing_lets_go_of_the_vectors(tmp_path: Path) -> None:
    index = FaissIndex(tmp_path, DIMENSION, "one")
    add(index, 1, clustered(5))
    index.close()
    assert index.search(clustered(1), 1) == []

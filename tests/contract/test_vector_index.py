"""What every vector index must do, on faiss in both of its forms and on Milvus's file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from knowledge.vectors import VectorIndex
from tests.conftest import require_module

np = require_module("numpy")
faiss = require_module("faiss")
if TYPE_CHECKING:
    from knowledge.vectors import Rows, Vectors

DIMENSION = 16
Opener = Callable[..., VectorIndex]


def _faiss(folder: Path, **options: int) -> Opener:
    from knowledge.faiss_index import FaissIndex

    def opened(dimension: int = DIMENSION, identity: str = "one") -> VectorIndex:
        return FaissIndex(folder, dimension, identity, save_at_least=1, **options)

    return opened


def _milvus(folder: Path) -> Opener:
    require_module("milvus_lite")
    from knowledge.milvus_index import MilvusIndex

    def opened(dimension: int = DIMENSION, identity: str = "one") -> VectorIndex:
        return MilvusIndex(str(folder / "milvus.db"), dimension, identity)

    return opened


@pytest.fixture(params=["exact", "lists", "milvus"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    if request.param == "milvus":
        return _milvus(tmp_path)
    return _faiss(tmp_path) if request.param == "exact" else _faiss(tmp_path, flat_limit=50)


@pytest.fixture
def index(opener: Opener) -> Iterator[VectorIndex]:
    opened = opener()
    yield opened
    opened.close()


def directions(count: int, seed: int = 0) -> "Vectors":
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def rows(vectors: "Vectors", first: int = 1, per_document: int = 5) -> "Rows":
    """Passages numbered from `first`; document 1 has the first five, and so on."""
    from knowledge.vectors import Rows

    passages = np.arange(first, first + len(vectors))
    return Rows(passages, (passages - 1) // per_document + 1, vectors)


def fill(index: VectorIndex, vectors: "Vectors", generation: int = 1) -> None:
    held = rows(vectors)
    index.replace(frozenset(held.documents.tolist()), held)
    index.commit(generation)


def numbers(found: list[tuple[int, float]]) -> list[int]:
    return [number for number, _ in found]


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    assert (index.size, index.generation) == (0, 0)
    assert index.search(directions(1), 3) == []


def test_each_vector_finds_itself_first_with_its_cosine(index: VectorIndex) -> None:
    vectors = directions(100)
    fill(index, vectors)
    assert index.size == 100
    for number in (1, 37, 100):
        found = index.search(vectors[number - 1], 3)
        assert found[0][0] == number
        assert found[0][1] == pytest.approx(1.0, abs=0.01)
        assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)


def test_cosines_are_those_of_the_vectors(index: VectorIndex) -> None:
    vectors, query = directions(100), directions(1, seed=1)
    fill(index, vectors)
    found = dict(index.search(query, 5))
    for number, cosine in found.items():
        assert cosine == pytest.approx(float(vectors[number - 1] @ query[0]), abs=0.02)


def test_no_more_is_found_than_there_is(index: VectorIndex) -> None:
    fill(index, directions(3))
    assert sorted(numbers(index.search(directions(1), 10))) == [1, 2, 3]
    assert index.search(directions(1), 0) == []


@pytest.mark.parametrize("scope", [{1}, {2, 19}, set(range(1, 15)), {99}, set()])
def test_a_search_within_documents_finds_all_that_belongs_to_them(
    index: VectorIndex, scope: set[int]
) -> None:
    fill(index, directions(100))
    expected = [number for number in range(1, 101) if (number - 1) // 5 + 1 in scope]
    assert sorted(numbers(index.search(directions(1, seed=2), 100, frozenset(scope)))) == expected


def test_a_replaced_document_has_only_its_new_vectors(index: VectorIndex) -> None:
    vectors, new = directions(100), directions(2, seed=3)
    fill(index, vectors)
    from knowledge.vectors import Rows

    index.replace(frozenset({2}), Rows(np.array([501, 502]), np.array([2, 2]), new))
    assert index.size == 97
    assert numbers(index.search(new[1], 1)) == [502]
    assert sorted(numbers(index.search(new[0], 10, frozenset({2})))) == [501, 502]
    assert numbers(index.search(vectors[5], 1)) != [6]


def test_the_same_rows_again_change_nothing(index: VectorIndex) -> None:
    fill(index, directions(100))
    fill(index, directions(100))
    assert index.size == 100
    found = numbers(index.search(directions(1), 100, frozenset(range(1, 21))))
    assert sorted(found) == list(range(1, 101))


def test_a_removed_document_is_not_found(index: VectorIndex) -> None:
    vectors = directions(100)
    fill(index, vectors)
    index.replace(frozenset({1, 20, 77}), rows(vectors[:0]))
    assert index.size == 90
    assert not set(numbers(index.search(vectors[0], 100))) & {1, 2, 3, 4, 5, 96, 97, 98, 99, 100}


def test_numbers_may_be_large(index: VectorIndex) -> None:
    from knowledge.vectors import Rows

    large = 2**31 - 1
    index.replace(frozenset({large}), Rows(np.array([large]), np.array([large]), directions(1)))
    assert numbers(index.search(directions(1), 1, frozenset({large}))) == [large]


def test_vectors_of_another_dimension_are_refused(index: VectorIndex) -> None:
    from knowledge.vectors import Rows

    with pytest.raises(ValueError, match="16 dimensions"):
        index.replace(frozenset({1}), Rows(np.array([1]), np.array([1]), np.ones((1, 8), np.float32)))
    assert index.size == 0


def test_rows_of_a_document_that_is_not_named_are_refused(index: VectorIndex) -> None:
    with pytest.raises(ValueError, match="belong"):
        index.replace(frozenset({9}), rows(directions(1)))
    assert index.size == 0


def test_what_was_saved_is_there_when_opened_again(opener: Opener) -> None:
    vectors = directions(100)
    first = opener()
    fill(first, vectors, generation=7)
    first.save()
    first.close()
    again = opener()
    assert (again.size, again.generation) == (100, 7)
    assert numbers(again.search(vectors[41], 1)) == [42]
    assert sorted(numbers(again.search(vectors[0], 9, frozenset({3})))) == [11, 12, 13, 14, 15]
    again.replace(frozenset({1}), rows(vectors[:0]))
    assert again.size == 95
    again.close()


def test_another_that_is_open_sees_what_was_saved(opener: Opener) -> None:
    writer, reader = opener(), opener()
    fill(writer, directions(100), generation=3)
    writer.save()
    reader.refresh()
    assert (reader.size, reader.generation) == (100, 3)
    assert numbers(reader.search(directions(100)[9], 1)) == [10]
    reader.close()
    writer.close()


def test_an_index_of_another_identity_starts_empty(opener: Opener) -> None:
    first = opener()
    fill(first, directions(100))
    first.save()
    first.close()
    other = opener(identity="two")
    assert (other.size, other.generation) == (0, 0)
    other.close()


def test_a_cleared_index_is_empty_and_stays_so(opener: Opener) -> None:
    index = opener()
    fill(index, directions(100))
    index.save()
    index.clear()
    assert (index.size, index.generation, index.search(directions(1), 1)) == (0, 0, [])
    index.close()
    again = opener()
    assert (again.size, again.generation) == (0, 0)
    again.close()

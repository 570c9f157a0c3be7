"""The dense index beside a real store: what is embedded, when, by whom, and what a kill costs."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from knowledge.embedder import ModelError
from knowledge.splitter import sentences
from knowledge.store import Fingerprint, LibraryError, NewDocument, NewPassage, Store
from tests.conftest import require_module

np = require_module("numpy")
require_module("faiss")

from knowledge.dense import DenseIndex  # noqa: E402
from knowledge.faiss_index import FaissIndex  # noqa: E402
from tests.embedders import WordEmbedder  # noqa: E402

if TYPE_CHECKING:
    from knowledge.vectors import VectorIndex

ROAST = "Roast the coffee slowly. It cracks at two hundred degrees."
HONEY = "Bees make honey. They dance."


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "library.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture
def dense(tmp_path: Path, embedder: WordEmbedder) -> Iterator[DenseIndex]:
    opened = DenseIndex(tmp_path, embedder, saving)
    yield opened
    opened.close()


def saving(folder: Path, dimension: int, identity: str) -> "VectorIndex":
    """An index that writes its file at every change."""
    return FaissIndex(folder, dimension, identity, save_at_least=1)


def put(store: Store, source: str, *texts: str, title: str = "Notes", language: str = "en") -> int:
    passages = [NewPassage("", None, text, language) for text in texts]
    return store.put([NewDocument(source, title, language, Fingerprint(0, 0, "", ""), passages)])[0]


def best(dense: DenseIndex, store: Store, query: str, documents: frozenset[int] | None = None) -> list[str]:
    found = dense.search(dense.encode(query), 10, documents)
    passages = store.passages(number for number, _ in found)
    return [passages[number].text for number, _ in found]


def test_what_was_ingested_is_found_by_what_it_is_about(dense: DenseIndex, store: Store) -> None:
    put(store, "a", ROAST, HONEY)
    assert dense.catch_up(store) == 1
    assert (dense.generation, dense.size) == (store.generation(), 2)
    assert best(dense, store, "do bees make honey") == [HONEY, ROAST]


def test_similarities_hold_the_passage_and_each_of_its_sentences(
    dense: DenseIndex, store: Store, embedder: WordEmbedder
) -> None:
    put(store, "a", ROAST, HONEY)
    dense.catch_up(store)
    vector = dense.encode("bees make honey")
    (honey,) = [passage for passage in store.passages_of(1) if passage.text == HONEY]
    similarity = dense.similarities(vector, [honey.id])[honey.id]
    expected = embedder.embed([f"Notes. {HONEY}", *sentences(HONEY)]) @ vector[0]
    assert [similarity.passage, *similarity.sentences] == pytest.approx(expected.tolist(), abs=0.01)
    assert dict(dense.search(vector, 1))[honey.id] == pytest.approx(similarity.passage, abs=1e-4)


def test_passages_that_are_unknown_have_no_similarity(dense: DenseIndex, store: Store) -> None:
    put(store, "a", ROAST)
    dense.catch_up(store)
    assert list(dense.similarities(dense.encode("roast"), [99, 1])) == [1]
    assert dense.similarities(dense.encode("roast"), []) == {}


def test_only_what_changed_is_embedded_again(dense: DenseIndex, store: Store, embedder: WordEmbedder) -> None:
    put(store, "a", ROAST, HONEY)
    put(store, "b", "Milk is white.")
    dense.catch_up(store)
    embedder.embedded.clear()
    put(store, "a", ROAST, "Wasps make paper.")
    assert dense.catch_up(store) == 1
    assert embedder.embedded == ["Notes. Wasps make paper.", "Wasps make paper."]
    assert sorted(best(dense, store, "who makes honey")) == ["Milk is white.", ROAST, "Wasps make paper."]


def test_a_document_that_comes_back_is_not_embedded_again(
    dense: DenseIndex, store: Store, embedder: WordEmbedder
) -> None:
    put(store, "a", ROAST)
    dense.catch_up(store)
    store.remove("a")
    dense.catch_up(store)
    assert (dense.size, dense.search(dense.encode("roast"), 5)) == (0, [])
    embedder.embedded.clear()
    put(store, "elsewhere", ROAST)
    dense.catch_up(store)
    assert embedder.embedded == []
    assert best(dense, store, "roast") == [ROAST]


def test_the_same_passage_in_two_documents_is_embedded_once(
    dense: DenseIndex, store: Store, embedder: WordEmbedder
) -> None:
    put(store, "a", ROAST)
    put(store, "b", ROAST)
    dense.catch_up(store)
    assert embedder.embedded.count(f"Notes. {ROAST}") == 1
    assert best(dense, store, "roast") == [ROAST, ROAST]


def test_a_search_can_be_limited_to_documents(dense: DenseIndex, store: Store) -> None:
    put(store, "a", ROAST)
    second = put(store, "b", HONEY)
    dense.catch_up(store)
    assert best(dense, store, "roast coffee", frozenset({second})) == [HONEY]
    assert best(dense, store, "roast coffee", frozenset()) == []


def test_a_language_that_the_model_does_not_speak_never_reaches_it(
    dense: DenseIndex, store: Store, embedder: WordEmbedder
) -> None:
    put(store, "zh", "蜜蜂酿蜜。", language="zh")
    put(store, "mixed", "Bees make honey. 蜜蜂酿蜜。 They dance.", title="蜜蜂")
    dense.catch_up(store)
    assert "Bees make honey. They dance." in embedder.embedded
    assert not [text for text in embedder.embedded if "蜂" in text]
    assert dense.size == 1
    (passage,) = store.passages_of(2)
    similarity = dense.similarities(dense.encode("they dance"), [passage.id])[passage.id]
    assert similarity.sentences[1] == 0
    assert similarity.sentences[2] == pytest.approx(1, abs=0.01)
    assert [dense.speaks(language) for language in ("en", "zh", "und")] == [True, False, True]


def test_a_library_in_no_language_of_the_model_is_in_step_and_empty(
    dense: DenseIndex, store: Store, embedder: WordEmbedder
) -> None:
    put(store, "zh", "蜜蜂酿蜜。", language="zh")
    dense.catch_up(store)
    assert (dense.generation, dense.size) == (store.generation(), 0)
    assert dense.search(dense.encode("bees"), 5) == []


def test_a_model_of_all_languages_gets_everything(tmp_path: Path, store: Store) -> None:
    dense = DenseIndex(tmp_path, WordEmbedder(languages=None), FaissIndex)
    put(store, "zh", "蜜蜂酿蜜。", language="zh")
    dense.catch_up(store)
    assert dense.speaks("zh")
    assert dense.size == 1
    dense.close()


def test_the_same_query_is_encoded_once(dense: DenseIndex, embedder: WordEmbedder) -> None:
    assert dense.encode("roast") is dense.encode("roast")
    assert embedder.embedded == ["roast"]


def test_progress_counts_passages(dense: DenseIndex, store: Store) -> None:
    put(store, "a", *[f"Sentence number {number}." for number in range(100)])
    put(store, "b", HONEY)
    seen: list[tuple[int, int]] = []
    dense.catch_up(store, lambda *step: seen.append(step))
    assert seen == [(64, 101), (101, 101)]


def test_queries_do_not_wait_for_documents_that_are_being_embedded(dense: DenseIndex, store: Store) -> None:
    put(store, "a", ROAST)
    dense.catch_up(store)
    put(store, "b", HONEY)
    found: list[list[str]] = []

    def ask() -> None:
        dense.refresh()
        found.append(best(dense, store, "honey"))

    with ThreadPoolExecutor(1) as pool:
        dense.catch_up(store, lambda *_: pool.submit(ask).result(timeout=10))
    assert found == [[ROAST]]
    assert best(dense, store, "honey")[0] == HONEY


def test_what_was_embedded_stays_when_the_model_fails(
    dense: DenseIndex, store: Store, embedder: WordEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "a", *[f"Sentence number {number}." for number in range(100)])

    def fails_at_the_second_part(done: int, total: int) -> None:
        raise ModelError("the server is gone")

    with pytest.raises(ModelError):
        dense.catch_up(store, fails_at_the_second_part)
    assert (dense.generation, dense.size) == (0, 0)
    embedder.embedded.clear()
    dense.catch_up(store)
    assert len(embedder.embedded) == 2 * 36
    assert dense.size == 100


def test_another_process_follows_without_the_store(tmp_path: Path, dense: DenseIndex, store: Store) -> None:
    reader = DenseIndex(tmp_path, WordEmbedder(), saving)
    for step, text in enumerate((ROAST, HONEY, "Milk is white."), 1):
        put(store, f"source {step}", text)
        dense.catch_up(store)
        reader.refresh()
        assert (reader.generation, reader.size) == (store.generation(), step)
        assert best(reader, store, text)[0] == text
    store.remove("source 1")
    dense.catch_up(store)
    reader.refresh()
    assert ROAST not in best(reader, store, "roast coffee")
    reader.close()


@pytest.mark.parametrize("opened", [saving, FaissIndex])
def test_it_is_the_same_when_opened_again(tmp_path: Path, store: Store, opened: Any) -> None:
    first = DenseIndex(tmp_path, WordEmbedder(), opened)
    put(store, "a", ROAST, HONEY)
    first.catch_up(store)
    found = first.search(first.encode("honey"), 5)
    first.close()
    again = DenseIndex(tmp_path, WordEmbedder(), opened)
    assert again.generation == store.generation()
    assert again.search(again.encode("honey"), 5) == found
    again.close()


@pytest.mark.parametrize("harm", ["cut short", "changed", "emptied", "removed", "of another"])
def test_a_vector_file_that_is_not_as_it_was_written_is_made_again(
    tmp_path: Path, dense: DenseIndex, store: Store, embedder: WordEmbedder, harm: str
) -> None:
    put(store, "a", *[f"Sentence number {number}." for number in range(100)])
    dense.catch_up(store)
    found = dense.search(dense.encode("sentence 7"), 5)
    (file,) = tmp_path.rglob("vectors.faiss")
    data = bytearray(file.read_bytes())
    data[2000] ^= 1
    harmed = {
        "cut short": data[:3000],
        "changed": data,
        "emptied": b"",
        "removed": b"",
        "of another": b"x" * 9999,
    }
    file.write_bytes(harmed[harm])
    if harm == "removed":
        file.unlink()
    embedder.embedded.clear()
    again = DenseIndex(tmp_path, embedder, saving)
    assert again.search(again.encode("sentence 7"), 5) == found
    assert [text for text in embedder.embedded if text.startswith("Sentence")] == []
    again.close()


def test_vectors_of_another_library_are_not_taken_for_its_own(
    tmp_path: Path, dense: DenseIndex, store: Store, embedder: WordEmbedder
) -> None:
    put(store, "a", ROAST)
    put(store, "b", HONEY)
    dense.catch_up(store)
    reader = DenseIndex(tmp_path, embedder, saving)
    other = Store(tmp_path / "other.sqlite")
    put(other, "c", "Milk is white.")
    dense.catch_up(other)
    reader.refresh()
    for index in (dense, reader):
        assert (index.generation, index.size) == (1, 1)
        assert best(index, other, "roast") == ["Milk is white."]
    other.close()
    reader.close()


def test_another_embedder_has_vectors_of_its_own(tmp_path: Path, dense: DenseIndex, store: Store) -> None:
    put(store, "a", ROAST)
    dense.catch_up(store)
    other = DenseIndex(tmp_path, WordEmbedder("others", dimension=8), FaissIndex)
    assert (other.generation, other.size) == (0, 0)
    other.catch_up(store)
    assert other.encode("roast").shape == (1, 8)
    assert best(other, store, "roast") == best(dense, store, "roast") == [ROAST]
    other.close()


@pytest.mark.parametrize("changed", [{"seed": 1}, {"dimension": 8}])
def test_another_model_of_the_same_name_is_refused_for_queries_and_embeds_everything_anew(
    tmp_path: Path, dense: DenseIndex, store: Store, changed: dict[str, int]
) -> None:
    put(store, "a", ROAST)
    dense.catch_up(store)
    other = DenseIndex(tmp_path, WordEmbedder(**changed), saving)
    with pytest.raises(ModelError, match=r"another model.*rejoinder knowledge reindex"):
        other.encode("roast")
    put(store, "b", HONEY)
    assert other.catch_up(store) == 2
    assert best(other, store, "honey")[0] == HONEY
    dense.refresh()
    with pytest.raises(ModelError, match="another model"):
        dense.encode("honey")
    other.close()


def test_reset_embeds_everything_anew(dense: DenseIndex, store: Store, embedder: WordEmbedder) -> None:
    put(store, "a", ROAST)
    dense.catch_up(store)
    dense.reset()
    assert (dense.generation, dense.size) == (0, 0)
    embedder.embedded.clear()
    dense.catch_up(store)
    assert f"Notes. {ROAST}" in embedder.embedded
    assert best(dense, store, "roast") == [ROAST]


def test_vectors_that_nothing_needs_go_once_they_are_the_most(
    dense: DenseIndex, store: Store, embedder: WordEmbedder
) -> None:
    put(store, "a", ROAST)
    for text in ("One.", "Two.", "Three."):
        put(store, "b", text)
        dense.catch_up(store)
    assert dense.prune() == 0
    put(store, "b", "Four.")
    dense.catch_up(store)
    assert dense.prune() == 3
    put(store, "b", ROAST)
    embedder.embedded.clear()
    dense.catch_up(store)
    assert embedder.embedded == []


def test_a_cache_that_is_no_database_is_refused_with_the_cure(
    tmp_path: Path, dense: DenseIndex, embedder: WordEmbedder
) -> None:
    (file,) = tmp_path.rglob("vectors.sqlite")
    copy = tmp_path / "copy"
    shutil.copytree(file.parent, copy / file.parent.name)
    (copy / file.parent.name / "vectors.sqlite-wal").unlink(missing_ok=True)
    (copy / file.parent.name / "vectors.sqlite").write_bytes(b"no database " * 1000)
    with pytest.raises(LibraryError, match="remove its folder"):
        DenseIndex(copy, embedder, saving)


def test_it_works_on_milvus(tmp_path: Path, store: Store, embedder: WordEmbedder) -> None:
    require_module("milvus_lite")
    from knowledge.milvus_index import MilvusIndex

    def opened(folder: Path, dimension: int, identity: str) -> "VectorIndex":
        return MilvusIndex(str(tmp_path / "milvus.db"), dimension, identity)

    dense = DenseIndex(tmp_path, embedder, opened)
    reader = DenseIndex(tmp_path, embedder, opened)
    put(store, "a", ROAST)
    put(store, "b", HONEY)
    dense.catch_up(store)
    store.remove("a")
    dense.catch_up(store)
    reader.refresh()
    for index in (dense, reader):
        assert (index.generation, best(index, store, "roast")) == (3, [HONEY])
        index.close()


KILLED = """
import os, signal, sys
from pathlib import Path
import faiss
from knowledge import faiss_file
from knowledge.dense import DenseIndex
from knowledge.faiss_index import FaissIndex
from knowledge.store import Store
from tests.embedders import WordEmbedder

folder, moment = Path(sys.argv[1]), sys.argv[2]
faiss_file._BLOCK = 1000

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

class Dying(faiss.PyCallbackIOWriter):
    def __init__(self, write, size):
        self.left = 5
        super().__init__(lambda block: self.write(write, block), size)
    def write(self, write, block):
        self.left -= 1
        return write(block) if self.left else die()

if moment == "block":
    faiss.PyCallbackIOWriter = Dying
elif moment == "embed":
    WordEmbedder.embed = die
elif moment == "commit":
    FaissIndex.commit = die
elif moment == "sync":
    os.fsync = die
elif moment == "rename":
    Path.replace = die
elif moment == "renamed":
    faiss_file._sync_folder = die
dense = DenseIndex(folder, WordEmbedder(), lambda *given: FaissIndex(*given, save_at_least=1))
dense.catch_up(Store(folder / "library.sqlite"))
"""


@pytest.mark.parametrize("moment", ["embed", "commit", "block", "sync", "rename", "renamed"])
def test_a_kill_at_any_moment_loses_nothing_and_leaves_nothing_wrong(
    tmp_path: Path, dense: DenseIndex, store: Store, embedder: WordEmbedder, moment: str
) -> None:
    put(store, "a", *[f"Sentence number {number}." for number in range(100)])
    dense.catch_up(store)
    put(store, "a", *[f"Phrase number {number}." for number in range(100)])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), moment], check=False, cwd=Path.cwd()
    )
    assert killed.returncode == -signal.SIGKILL
    embedder.embedded.clear()
    again = DenseIndex(tmp_path, embedder, saving)
    assert again.size == 100
    again.catch_up(store)
    assert (again.generation, again.size) == (store.generation(), 100)
    assert best(again, store, "phrase number 42")[0] == "Phrase number 42."
    assert ("Phrase number 42." in embedder.embedded) == (moment == "embed")
    put(store, "b", HONEY)
    again.catch_up(store)
    assert not list(tmp_path.rglob("*.new"))
    again.close()

"""The retriever with an embedder and a reranker: what they change, and what happens when they fail."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from knowledge.base import ScoredPassage
from knowledge.embedder import EmbedProgress, ModelError
from knowledge.ingest import Library
from knowledge.records import Loaded, Section
from knowledge.store import LibraryError
from knowledge.vectors import Vectors
from tests.conftest import require_module

require_module("faiss")

from knowledge.dense import DenseIndex  # noqa: E402
from knowledge.faiss_index import FaissIndex  # noqa: E402
from tests.embedders import WordEmbedder  # noqa: E402

DOCUMENTS = {
    "tea": "Green tea is steeped for two minutes. The water should not boil.",
    "coffee": "Roast the coffee slowly. It cracks at two hundred degrees.",
    "茶": "绿茶要泡两分钟。水不要烧开。",
}


class Meaning(WordEmbedder):
    """Knows that a `cuppa` is tea, which no word of the documents says; can be made to fail."""

    broken = False

    def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: EmbedProgress | None = None
    ) -> Vectors:
        if self.broken:
            raise ModelError("the embedder does not answer; start it")
        self.embedded += texts
        own = [text.replace("cuppa", "tea") for text in texts]
        return WordEmbedder(self.name, dimension=self.dimension).embed(own, query=query, progress=progress)


class Backwards:
    """A reranker that likes the passage best which was found last."""

    def __init__(self) -> None:
        self.broken = False

    def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        if self.broken:
            raise ModelError("the reranker does not answer; start it")
        return [index / len(texts) for index in range(len(texts))]

    def close(self) -> None:
        self.broken = False


def filled(path: Path, embedder: WordEmbedder, reranker: Backwards | None = None) -> Library:
    library = Library(path, dense=lambda folder: DenseIndex(folder, embedder, FaissIndex), reranker=reranker)
    loaded = [(name, Loaded(name, (Section((), (text,)),))) for name, text in DOCUMENTS.items()]
    library.add_loaded(loaded, tags=frozenset({"drinks"}))
    return library


@pytest.fixture
def embedder() -> Meaning:
    return Meaning()


@pytest.fixture
def ask(tmp_path: Path, embedder: Meaning) -> Iterator[Callable[..., list[ScoredPassage]]]:
    library = filled(tmp_path, embedder)
    yield library.retriever().retrieve
    library.close()


def sources(found: Sequence[ScoredPassage]) -> list[str]:
    return [scored.passage.source for scored in found]


def test_a_passage_without_a_word_of_the_question_is_found_by_its_meaning(
    ask: Callable[..., list[ScoredPassage]],
) -> None:
    assert sources(ask("cuppa"))[0] == "tea"


def test_a_question_that_the_embedder_does_not_speak_never_reaches_it(
    ask: Callable[..., list[ScoredPassage]], embedder: Meaning
) -> None:
    embedder.embedded.clear()
    assert sources(ask("绿茶泡多久？"))[0] == "茶"
    assert embedder.embedded == []


def test_chinese_passages_are_not_embedded_by_an_english_model(
    ask: Callable[..., list[ScoredPassage]], embedder: Meaning
) -> None:
    assert not any("茶" in text for text in embedder.embedded)


def test_while_the_embedder_fails_words_alone_are_searched_and_it_is_logged_once(
    ask: Callable[..., list[ScoredPassage]], embedder: Meaning
) -> None:
    embedder.broken = True
    with capture_logs() as logs:
        assert sources(ask("is green tea steeped long"))[0] == "tea"
        assert sources(ask("how hot is the coffee roast"))[0] == "coffee"
        embedder.broken = False
        ask("does the water boil")
    assert [entry["event"] for entry in logs] == [
        "embedder failed; searching by words alone",
        "embedder recovered",
    ]


def test_tags_limit_what_is_found_by_meaning_too(ask: Callable[..., list[ScoredPassage]]) -> None:
    assert ask("cuppa", scope=frozenset({"food"})) == []
    assert ask("cuppa", scope=frozenset({"drinks"}))


def test_a_reranker_has_the_last_word_while_it_works(tmp_path: Path, embedder: Meaning) -> None:
    reranker = Backwards()
    library = filled(tmp_path, embedder, reranker)
    retriever = library.retriever()
    turned = sources(retriever.retrieve("steep the green tea"))
    reranker.broken = True
    with capture_logs() as logs:
        plain = sources(retriever.retrieve("steep the green tea"))
    assert turned == plain[::-1]
    assert plain[0] == "tea"
    assert [entry["event"] for entry in logs] == ["reranker failed; its ranking is left out"]
    library.close()


def test_another_process_sees_what_was_embedded_after_it_had_looked(
    tmp_path: Path, embedder: Meaning
) -> None:
    reader = Library(tmp_path, dense=lambda folder: DenseIndex(folder, Meaning(), FaissIndex))
    retriever = reader.retriever()
    assert retriever.retrieve("cuppa") == []
    writer = filled(tmp_path, embedder)
    assert sources(retriever.retrieve("cuppa"))[0] == "tea"
    reader.close()
    writer.close()


def test_vectors_that_cannot_be_searched_are_done_without(tmp_path: Path, embedder: Meaning) -> None:
    library = Library(tmp_path, dense=lambda folder: DenseIndex(folder, embedder, Unreachable))
    library.add_loaded([("tea", Loaded("tea", (Section((), (DOCUMENTS["tea"],)),)))])
    retriever = library.retriever()
    with capture_logs() as logs:
        assert sources(retriever.retrieve("how long is green tea steeped")) == ["tea"]
        library.tag("tea", frozenset({"drinks"}))
        assert sources(retriever.retrieve("does the water boil")) == ["tea"]
    assert [line["log_level"] for line in logs] == ["warning"]
    library.close()


def test_vectors_that_another_splitter_was_used_for_leave_the_words_to_judge(
    tmp_path: Path, embedder: Meaning, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = filled(tmp_path, embedder)
    monkeypatch.setattr("knowledge.passages.sentence_spans", lambda text: [(0, len(text))])
    assert sources(library.retriever().retrieve("how long is green tea steeped"))[0] == "tea"
    library.close()


def test_a_query_that_is_kept_is_not_compared_with_the_vectors_of_another_model(tmp_path: Path) -> None:
    library = filled(tmp_path, WordEmbedder())
    retriever = library.retriever()
    assert retriever.judge("green tea", 1)[0].fit.cosines is not None
    other = filled(tmp_path, WordEmbedder(dimension=8))
    [found] = retriever.judge("green tea", 1)
    assert (found.fit.found.passage.source, found.fit.cosines) == ("tea", None)
    other.close()
    library.close()


def test_reindexing_embeds_anew_what_another_model_of_the_same_name_had_embedded(tmp_path: Path) -> None:
    filled(tmp_path, WordEmbedder()).close()
    embedder = WordEmbedder(seed=1)
    library = Library(tmp_path, dense=lambda folder: DenseIndex(folder, embedder, FaissIndex))
    assert library.retriever().judge("green tea", 1)[0].fit.cosines is None
    library.reindex()
    assert library.retriever().judge("green tea", 1)[0].fit.cosines is not None
    library.close()


class Unreachable(FaissIndex):
    """Stands for a server that went away after everything was handed to it."""

    def search(self, *_: object) -> list[tuple[int, float]]:
        raise LibraryError("the server cannot be reached; start it")

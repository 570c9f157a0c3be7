"""What the library's owner is told to mend."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from knowledge.base import Document, Passage
from knowledge.ingest import Library
from knowledge.inspect import examine, matching, repetitions

LONG = (
    "Our beans are roasted every Monday morning in small batches of two kilos, rest for four days in open bins, "
    "and leave the house on Friday with the last post, so that they reach you early in the week."
)
LONG_ZH = (
    "我们的咖啡豆每周一早上小批量烘焙，每锅两公斤，静置四天后在周五寄出，通常下周初就能收到，请尽快饮用。"
)


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    opened = Library(tmp_path / "library")
    yield opened
    opened.close()


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs"


def passage(number: int, source: str, text: str) -> Passage:
    return Passage(number, number, source, "T", "", None, 0, text, "en")


async def test_files_with_the_same_content_are_named_together(library: Library, docs: Path) -> None:
    for name in ("a.md", "b.md", "c.md"):
        (docs / name).write_text(LONG if name < "c" else LONG_ZH, encoding="utf-8")
    await library.ingest([str(docs)])
    health = examine(library)
    assert health.same_content == [(str(docs / "a.md"), str(docs / "b.md"))]
    # They are told once, not passage by passage again.
    assert health.repetitions == []


@pytest.mark.parametrize(("text", "changed"), [(LONG, LONG.replace("four", "five")), (LONG_ZH, LONG_ZH[:-3])])
def test_passages_that_differ_in_a_word_are_repetitions(text: str, changed: str) -> None:
    [found] = repetitions(
        [passage(1, "a", text), passage(2, "b", "Something else. " * 3), passage(3, "c", changed)]
    )
    assert (found.sources, found.passages, found.example) == (("a", "c"), 1, text)


def test_repetitions_of_the_same_documents_are_counted_together_most_first() -> None:
    other, third = (" ".join(f"{word}{n}" for n in range(20)) for word in ("w", "v"))
    texts = [("a", LONG), ("a", other), ("b", LONG), ("b", other), ("b", third), ("c", third)]
    found = repetitions(passage(number, *one) for number, one in enumerate(texts))
    assert [(one.sources, one.passages) for one in found] == [(("a", "b"), 2), (("b", "c"), 1)]


def test_what_one_document_repeats_or_short_passages_share_is_no_repetition() -> None:
    assert repetitions([passage(1, "a", LONG), passage(2, "a", LONG)]) == []
    assert (
        repetitions([passage(1, "a", "Thanks for watching!"), passage(2, "b", "Thanks for watching!")]) == []
    )


async def test_sources_that_vanished_or_changed_are_named(library: Library, docs: Path) -> None:
    for name in ("gone.md", "changed.md", "touched.md"):
        (docs / name).write_text(f"{name} {LONG}")
    await library.ingest([str(docs)])
    (docs / "gone.md").unlink()
    (docs / "changed.md").write_text("Now it says something else, which is longer than a line.")
    os.utime(docs / "touched.md", ns=(1, 1))
    health = examine(library)
    assert (health.vanished, health.changed) == ([str(docs / "gone.md")], [str(docs / "changed.md")])
    assert health.outdated == []


async def test_documents_of_other_settings_and_near_empty_ones_are_named(tmp_path: Path, docs: Path) -> None:
    (docs / "a.md").write_text(LONG)
    (docs / "b.md").write_text("Soon.")
    for size in (200, 400):
        library = Library(tmp_path / "library", passage_size=size)
        if size == 200:
            await library.ingest([str(docs)])
        health = examine(library)
        library.close()
    assert health.outdated == [str(docs / "a.md"), str(docs / "b.md")]
    assert health.near_empty == [str(docs / "b.md")]


async def test_languages_that_the_embedder_does_not_speak_are_counted(library: Library, docs: Path) -> None:
    (docs / "a.md").write_text(f"{LONG}\n\n{LONG_ZH}", encoding="utf-8")
    await library.ingest([str(docs)])
    assert examine(library, frozenset({"en"}).__contains__).unspoken == {"zh": 1}
    assert examine(library).unspoken == {}


def test_a_document_is_meant_by_its_source_its_folder_or_the_end_of_its_path() -> None:
    known = [
        Document(n, source, "T", "en", 1) for n, source in enumerate(("/d/x/a.md", "/d/y/a.md", "/d/y/b.md"))
    ]
    assert [one.id for one in matching(known, "/d/x/a.md")] == [0]
    assert [one.id for one in matching(known, "/d/y/")] == [1, 2]
    assert [one.id for one in matching(known, "a.md")] == [0, 1]
    assert matching(known, "d.md") == matching(known, "") == []


async def test_a_rebuilt_index_finds_what_it_found_before(library: Library, docs: Path) -> None:
    (docs / "a.md").write_text(LONG)
    (docs / "b.md").write_text(LONG_ZH, encoding="utf-8")
    await library.ingest([str(docs)])
    retriever, seen = library.retriever(), []
    before = retriever.retrieve("When are the beans roasted?")
    assert library.reindex(lambda source, done, total: seen.append((Path(source).name, done, total))) == 2
    assert seen == [("a.md", 1, 2), ("b.md", 2, 2)]
    assert retriever.retrieve("When are the beans roasted?") == before
    assert before
    assert library.remove(str(docs / "a.md"))
    assert library.reindex() == 1
    assert retriever.retrieve("When are the beans roasted?") == []


@pytest.mark.parametrize("given", ["", " "])
def test_nothing_is_meant_by_an_empty_name(
    given: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    known = Document(1, str(tmp_path / "a.txt"), "", "en", 1)
    assert matching([known], given) == []
    assert matching([known], ".") == [known]

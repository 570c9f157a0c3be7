"""`rejoinder eval` on small datasets, through the real library."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.cli import main
from knowledge import calibration
from knowledge.evaluate import evaluate_answers, evaluate_retrieval
from knowledge.evaluate_data import Dataset, read_dataset, read_datasets
from knowledge.ingest import Library
from knowledge.lock import WriterLock
from knowledge.records import Loaded, LoadError, Section
from knowledge.store import LibraryError
from tests.bench.small import write_small


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_small(tmp_path / "data")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


def english(data: Path) -> Dataset:
    return read_dataset(data / "squad2-en")


def test_what_is_measured_is_what_the_library_finds(data: Path) -> None:
    report = evaluate_retrieval([english(data)])
    found = report.datasets["squad2-en"]
    assert (report.documents, report.passages) == (8, 8)
    assert (found.questions, found.r1, found.r10) == (8, 1.0, 1.0)
    assert report.queries_per_s > 0
    assert report.build_s > 0
    # A question in words that are nowhere finds nothing, and counts as not found.
    lost = replace(
        english(data), questions=tuple(replace(row, text="zyx") for row in english(data).questions)
    )
    assert evaluate_retrieval([lost]).datasets["squad2-en"].r10 == 0.0


def test_several_folders_are_one_corpus_with_figures_for_each(data: Path) -> None:
    report = evaluate_retrieval(read_datasets([data / "squad2-en", data / "cmrc2018-zh"]))
    assert report.documents == 14
    assert list(report.datasets) == ["squad2-en", "cmrc2018-zh", "all"]
    assert report.datasets["all"].questions == sum(
        report.datasets[name].questions for name in ("squad2-en", "cmrc2018-zh")
    )


def test_a_document_that_was_left_out_lends_its_questions_no_support(data: Path) -> None:
    report = evaluate_answers([english(data)], seeds=4)
    quotes, found = report.quotes["squad2-en"], report.in_documents["squad2-en"]
    assert quotes.questions == 8
    assert quotes.quote1 <= quotes.quote2
    assert quotes.quote2 == quotes.found2 == 1.0
    assert found.auc > 0.9
    assert report.seeds == 4
    assert set(report.adversarial) == {"squad2-en"}
    assert evaluate_answers([english(data)], seeds=0).in_documents == {}


def test_the_quoting_is_also_judged_apart_from_the_finding(data: Path) -> None:
    first, *others = english(data).questions
    asked = replace(english(data), questions=(replace(first, text="zyx"), *others))
    quotes = evaluate_answers([asked], seeds=0).quotes["squad2-en"]
    assert (quotes.quote2, quotes.found2) == (7 / 8, 1.0)


def test_documents_that_were_read_elsewhere_become_searchable_and_replace_each_other(tmp_path: Path) -> None:
    library = Library(tmp_path / "library")
    sections = (Section(("Prices",), ("A bag costs 12 dollars.",)),)
    library.add_loaded([("a", Loaded("Shop", sections)), ("b", Loaded("Other", sections))])
    assert {hit.passage.source for hit in library.retriever().retrieve("bag dollars")} == {"a", "b"}
    sections = (Section(("Prices",), ("A bag costs 14 dollars.",)),)
    library.add_loaded([("a", Loaded("Shop", sections))], tags=frozenset({"shop"}))
    (best,) = library.retriever().retrieve("bag dollars", scope=frozenset({"shop"}))
    assert best.passage.text == "A bag costs 14 dollars."
    library.close()


def test_documents_before_one_that_cannot_be_read_are_kept_and_found(tmp_path: Path) -> None:
    library = Library(tmp_path / "library")

    def documents() -> Iterator[tuple[str, Loaded]]:
        yield "a", Loaded("Shop", (Section((), ("A bag costs 12 dollars.",)),))
        raise LoadError("b", "is damaged")

    with pytest.raises(LoadError):
        library.add_loaded(documents())
    assert [hit.passage.source for hit in library.retriever().retrieve("bag dollars")] == ["a"]
    library.close()


def test_documents_are_not_added_while_another_process_writes(tmp_path: Path) -> None:
    library = Library(tmp_path / "library", lock_wait_s=0)
    with WriterLock(tmp_path / "library" / "writer.lock").held(0) as got:
        assert got
        with pytest.raises(LibraryError, match="another process"):
            library.add_loaded([("a", Loaded("Shop", ()))])
    library.close()


def test_the_figures_are_printed_as_a_table_and_as_json(run: Any, data: Path) -> None:
    code, out, _ = run("eval", "retrieval", data / "squad2-en")
    assert code == 0
    assert "squad2-en  8          1.000" in out
    assert "8 documents, 8 passages" in out
    code, out, _ = run(
        "eval", "retrieval", data / "squad2-en", data / "cmrc2018-zh", "--json", "--limit", "3"
    )
    report = json.loads(out)
    assert report["datasets"]["all"]["questions"] == 6
    assert {"r1", "r3", "r10", "mrr10", "ndcg10"} < set(report["datasets"]["squad2-en"])
    assert {"queries_per_s", "build_s", "memory_mb", "mode"} < set(report)


def test_the_answers_are_printed_in_english_and_chinese(run: Any, data: Path) -> None:
    code, out, _ = run("eval", "answers", data / "squad2-en", "--seeds", "1")
    assert code == 0
    assert re.search(r"squad2-en +8( +[01]\.\d{3}){4}", out)
    assert "Questions of documents that are there" in out
    assert "that only look answerable" in out
    code, out, _ = run("--lang", "zh", "eval", "answers", data / "cmrc2018-zh", "--seeds", "1")
    assert "一句，找到" in out
    assert "貌似可回答" not in out  # that dataset has no such questions
    code, out, _ = run("eval", "answers", data / "squad2-en", "--seeds", "1", "--json")
    report = json.loads(out)
    assert set(report["in_documents"]["squad2-en"]) == {"auc", "at_1pct", "at_5pct"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mode", "clever"], "--mode 'clever' is not known; use sparse, dense or both"),
        (["--mode", "dense"], "use mode sparse"),
        (["--mode", "sparse", "--embedder", "some-model"], "without an embedder"),
        (["--embedder-url", "http://127.0.0.1:1/v1"], "needs --embedder"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_bad_options_are_bad_usage(run: Any, data: Path, options: list[str], message: str) -> None:
    code, out, err = run("eval", "retrieval", data / "squad2-en", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_bad_row_is_bad_usage_in_one_line(run: Any, data: Path) -> None:
    with (data / "squad2-en" / "queries.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "new", "text": 7}\n')
    code, out, err = run("eval", "answers", data / "squad2-en")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "queries.jsonl, line 10: text: " in err
    code, _, err = run("eval", "retrieval", data / "nowhere")
    assert code == 2
    assert "nowhere/corpus.jsonl cannot be read" in err


def towns(folder: Path) -> Path:
    """A dataset of 60 towns with two questions each: enough to learn from."""
    folder.mkdir()
    things, places = ["bakery", "library", "station"], ["harbour", "market", "bridge", "church"]
    corpus, queries = [], []
    for number in range(60):
        town, thing, place = (
            f"Town{chr(97 + number % 26)}{chr(97 + number // 26)}ville",
            things[number % 3],
            places[number % 4],
        )
        text = f"{town} has a {thing} beside the {place}. It opened in {1900 + number}."
        corpus.append({"id": f"t{number}", "title": town, "text": text})
        for part, asked in enumerate(
            (f"where is the {thing} of {town}?", f"when did the {thing} in {town} open?")
        ):
            queries.append(
                {"id": f"q{number}-{part}", "text": asked, "doc_id": f"t{number}", "answers": [place]}
            )
    for name, rows in (("corpus", corpus), ("queries", queries)):
        lines = [json.dumps({"answerable": True, **row} if name == "queries" else row) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_a_calibration_is_learned_kept_and_used(tmp_path: Path, run: Any) -> None:
    code, out, err = run("eval", "calibrate", towns(tmp_path / "towns"), "--json")
    assert (code, err) == (0, "")
    figures = json.loads(out)
    assert (figures["language"], figures["mode"]) == ("en", "sparse")
    assert figures["auc"] > 0.9
    kept = calibration.load(tmp_path / "data" / "knowledge")
    assert kept.support("en") != calibration.shipped().support("en")
    assert kept.support("zh") == calibration.shipped().support("zh")


def test_too_few_questions_teach_nothing_and_change_nothing(tmp_path: Path, data: Path, run: Any) -> None:
    code, _, err = run("eval", "calibrate", data / "squad2-en")
    assert code == 2
    assert "too small to learn from" in err
    assert not (tmp_path / "data" / "knowledge" / calibration.FILE).exists()

"""Reading test data, and the figures, against values worked out by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.evaluate import left_out
from knowledge.evaluate_data import (
    CorpusRow,
    Dataset,
    DatasetError,
    QueryRow,
    read_dataset,
    read_datasets,
    to_loaded,
)
from knowledge.evaluate_figures import (
    Ranking,
    auc,
    contains,
    coverage,
    rank_of,
    ranking,
    separation,
    threshold,
)
from knowledge.evaluate_run import drawn_questions

SCORES = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=30)

DOCUMENT = {"id": "d1", "title": "Roasting", "text": "First crack starts at 196 °C."}
QUESTION = {
    "id": "q1",
    "text": "When is first crack?",
    "doc_id": "d1",
    "answers": ["196 °C"],
    "answerable": True,
}


def write(folder: Path, corpus: list[Any], queries: list[Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in (("corpus", corpus), ("queries", queries)):
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), "utf-8")
    return folder


def test_ranking_is_what_the_formulas_say() -> None:
    assert ranking([1, 3, None, 11]) == Ranking(
        questions=4,
        r1=1 / 4,
        r3=2 / 4,
        r10=2 / 4,
        mrr10=(1 + 1 / 3) / 4,
        ndcg10=(1 + 0.5) / 4,  # 1 / log2(1 + 3) = 1 / 2
    )


def test_no_questions_rank_as_nothing() -> None:
    assert ranking([]) == Ranking(0, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_several_passages_of_one_document_take_one_place() -> None:
    assert rank_of("b", ["a", "a", "a", "b", "a"]) == 2
    assert rank_of("c", ["a", "b"]) is None


def test_auc_counts_pairs_and_half_of_the_ties() -> None:
    # 0.9 beats both, 0.5 beats 0.1 and ties with 0.5, 0.2 beats 0.1 alone: 2 + 1.5 + 1 of 6 pairs.
    assert auc([0.9, 0.5, 0.2], [0.5, 0.1]) == pytest.approx(4.5 / 6)
    assert auc([], [0.1]) == 0.5


def test_coverage_lets_pass_no_more_than_the_share_that_may_be_wrong() -> None:
    unanswered = [index / 100 for index in range(100)]  # 0.00 to 0.99
    assert threshold(unanswered, 0.01) == 0.98  # one of the hundred is above: 0.99
    assert threshold(unanswered, 0.05) == 0.94
    assert coverage([0.985, 0.98, 0.5, 1.0], unanswered, 0.01) == 2 / 4
    assert coverage([0.2, 0.1], [], 0.01) == 1.0


def test_a_score_that_all_share_separates_nothing() -> None:
    found = separation([0.5] * 10, [0.5] * 10)
    assert (found.auc, found.at_1pct, found.at_5pct) == (0.5, 0.0, 0.0)


@given(SCORES, SCORES, st.sampled_from([0.0, 0.01, 0.05, 0.5, 1.0]))
def test_the_threshold_holds_its_promise_and_is_the_lowest_that_does(
    answered: list[float], unanswered: list[float], wrongly: float
) -> None:
    least = threshold(unanswered, wrongly)
    assert sum(score > least for score in unanswered) <= wrongly * len(unanswered)
    assert wrongly == 1 or sum(score >= least for score in unanswered) > wrongly * len(unanswered)
    assert 0 <= coverage(answered, unanswered, wrongly) <= 1


@given(SCORES, SCORES)
def test_auc_is_turned_round_when_the_sides_are(one: list[float], other: list[float]) -> None:
    assert auc(one, other) + auc(other, one) == pytest.approx(1)


@pytest.mark.parametrize(
    ("quote", "answers", "found"),
    [
        ("It costs 49  dollars.", ("49 Dollars",), True),
        ("价格是２９９元。", ("299元",), True),
        ("It costs 49 dollars.", ("50", "51"), False),
        ("Anything", ("", " "), False),
        ("Anything", (), False),
    ],
)
def test_an_answer_is_looked_for_without_case_width_and_blanks(
    quote: str, answers: tuple[str, ...], found: bool
) -> None:
    assert contains(quote, answers) is found


def test_a_folder_is_read(tmp_path: Path) -> None:
    found = read_dataset(
        write(tmp_path / "mine", [DOCUMENT], [QUESTION, {"id": "q2", "text": "Who?", "answerable": False}])
    )
    assert found == Dataset(
        "mine",
        (CorpusRow("d1", "Roasting", "First crack starts at 196 °C."),),
        (
            QueryRow("q1", "When is first crack?", "d1", ("196 °C",), True),
            QueryRow("q2", "Who?", None, (), False),
        ),
    )


def test_blank_lines_a_byte_order_mark_and_fields_of_others_are_no_harm(tmp_path: Path) -> None:
    folder = write(tmp_path, [{**DOCUMENT, "url": "x"}, "", " "], [QUESTION])
    path = folder / "corpus.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_dataset(folder).documents) == 1


BAD = {
    "not JSON": (["{"], [QUESTION], "corpus.jsonl, line 1: Invalid JSON"),
    "not an object": ([DOCUMENT, "7"], [QUESTION], "corpus.jsonl, line 2: "),
    "a field is missing": (
        [{"id": "d1", "text": "x"}],
        [QUESTION],
        "corpus.jsonl, line 1: title: Field required",
    ),
    "an id is a number": ([{**DOCUMENT, "id": 1}], [QUESTION], "corpus.jsonl, line 1: id: "),
    "an id comes twice": ([DOCUMENT, "", DOCUMENT], [QUESTION], "corpus.jsonl, line 3: id 'd1' was used"),
    "a text is empty": ([{**DOCUMENT, "text": " "}], [QUESTION], "corpus.jsonl, line 1: text is empty"),
    "answers are no list": (
        [DOCUMENT],
        [{**QUESTION, "answers": "196"}],
        "queries.jsonl, line 1: answers: ",
    ),
    "answerable is no bool": (
        [DOCUMENT],
        [{**QUESTION, "answerable": "no"}],
        "queries.jsonl, line 1: answerable: ",
    ),
    "the document is unknown": (
        [DOCUMENT],
        [QUESTION, {**QUESTION, "id": "q2", "doc_id": "d9"}],
        "queries.jsonl, line 2: doc_id 'd9' is not in corpus.jsonl",
    ),
    "the document is not named": (
        [DOCUMENT],
        [{"id": "q1", "text": "x"}],
        "queries.jsonl, line 1: doc_id None is not in corpus.jsonl",
    ),
    "a file is empty": ([], [QUESTION], "corpus.jsonl is empty"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rows_are_refused_in_one_line_with_file_and_line(tmp_path: Path, name: str) -> None:
    corpus, queries, message = BAD[name]
    with pytest.raises(DatasetError) as refused:
        read_dataset(write(tmp_path, corpus, queries))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, [DOCUMENT], [QUESTION])
    (folder / "corpus.jsonl").write_bytes(json.dumps(DOCUMENT, ensure_ascii=False).encode("utf-16"))
    with pytest.raises(DatasetError, match=r"corpus\.jsonl, line 1: "):
        read_dataset(folder)


def test_folders_whose_figures_would_be_confused_are_refused(tmp_path: Path) -> None:
    for parent in ("a", "b"):
        (tmp_path / parent).mkdir()
        write(tmp_path / parent / "same", [DOCUMENT], [QUESTION])
    with pytest.raises(DatasetError, match="two folders are called same"):
        read_datasets([tmp_path / "a" / "same", tmp_path / "b" / "same"])
    whole = write(tmp_path / "all", [DOCUMENT], [QUESTION])
    assert [dataset.name for dataset in read_datasets([whole])] == ["all"]
    with pytest.raises(DatasetError, match="rename it"):
        read_datasets([whole, tmp_path / "a" / "same"])


def test_a_title_is_read_as_that_of_a_file_and_a_text_as_its_paragraphs() -> None:
    loaded = to_loaded(CorpusRow("d", "French_and_Indian_War", "One thing.\n\nAnother thing."))
    assert loaded.title == "French and Indian War"
    assert [section.paragraphs for section in loaded.sections] == [("One thing.", "Another thing.")]


def dataset(titles: list[str]) -> Dataset:
    rows = tuple(CorpusRow(f"d{index}", title, "x") for index, title in enumerate(titles))
    questions = tuple(QueryRow(f"q{row.id}", "x", row.id) for row in rows)
    return Dataset("mine", rows, questions)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=40), st.integers(0, 99))
def test_about_half_is_left_out_by_whole_titles(titles: list[str], seed: int) -> None:
    data = dataset(titles)
    gone = left_out(data, seed)
    assert gone == left_out(data, seed)
    assert len(gone) * 2 >= len(titles)
    largest = max(titles.count(title) for title in titles)
    assert len(gone) < len(titles) / 2 + largest
    for row in data.documents:
        mates = [other for other in data.documents if other.title == row.title]
        assert len({data.source(mate.id) in gone for mate in mates}) == 1


def test_another_seed_leaves_out_others() -> None:
    data = dataset(list("abcdefghijkl"))
    assert len({left_out(data, seed) for seed in range(5)}) > 1


def test_a_limit_draws_the_same_questions_from_everywhere_in_each_dataset() -> None:
    data = dataset([str(index) for index in range(200)])
    drawn = [row.id for _, row in drawn_questions([data], 20, answerable=True)]
    assert drawn == [row.id for _, row in drawn_questions([data], 20, answerable=True)]
    assert len(drawn) == 20
    order = [row.id for row in data.questions]
    assert drawn == sorted(drawn, key=order.index)
    assert drawn[0] in order[:60]
    assert drawn[-1] in order[140:]
    with pytest.raises(DatasetError, match="none of the questions is answerable"):
        drawn_questions([Dataset("none", data.documents, ())], None, answerable=True)

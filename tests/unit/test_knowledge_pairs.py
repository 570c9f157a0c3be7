"""Questions with their answers, in tables, JSON lines and FAQs."""

import pytest

from knowledge.passaging import to_passages
from tests.unit.loading import answers, paragraphs, read, refusal

PAIRS = [("How much?", "It costs 49, really."), ("多少钱？", "299元。")]


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".csv", 'question,answer\nHow much?,"It costs 49, really."\n多少钱？,299元。\n'),
        (".csv", "﻿ID;Q;A\n1;How much?;It costs 49, really.\n2;多少钱？;299元。\n"),
        (".csv", '问题,答案\nHow much?,"It costs 49, really."\n多少钱？,299元。\n'),
        (".tsv", "How much?\tIt costs 49, really.\n多少钱？\t299元。\n"),
        (
            ".jsonl",
            '{"prompt": "How much?", "response": "It costs 49, really."}\n{"问": "多少钱？", "答": "299元。"}\n',
        ),
        (".txt", "Q: How much?\nA: It costs 49, really.\n\n问：多少钱？\n答：299元。\n"),
        (".txt", "Q1. How much? A: It costs 49, really.\n问题：多少钱？答：299元。\n"),
        (
            ".md",
            "# FAQ\n**Q:** How *much*?\n**A:** It costs **49**, really.\n\n**Q: 多少钱？**\n\nA: 299元。\n",
        ),
        (".md", "# Shop FAQ\n## How much?\nIt costs 49, really.\n## 多少钱？\n299元。\n"),
        (".md", "# 商店\n## 常见问题\n### How much?\nIt costs 49, really.\n### 多少钱？\n299元。\n"),
    ],
)
def test_questions_and_answers_in_any_form(suffix: str, text: str) -> None:
    loaded = read(text, suffix)
    assert answers(loaded) == PAIRS
    assert loaded.notes == ()


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
def test_a_table_in_another_encoding(encoding: str) -> None:
    assert answers(read("问题,答案\n多少钱？,这个是299元。\n".encode(encoding), ".csv")) == [
        ("多少钱？", "这个是299元。")
    ]


def test_an_answer_is_one_passage_word_for_word_however_long() -> None:
    answer = "First line.\nSecond line. " + "It goes on. " * 300
    loaded = read(f'question,answer\nWhy?,"{answer}"\n', ".csv")
    (passage,) = to_passages(loaded, 500, 0)
    assert passage.answer == answer.strip()


def test_any_other_table_gives_rows_that_can_be_understood_by_themselves() -> None:
    assert paragraphs(read("Bean;Time\nKenya;9\nJava;8\n", ".csv")) == [
        "Bean: Kenya; Time: 9\nBean: Java; Time: 8"
    ]


def test_broken_rows_are_told_with_their_line_and_the_others_are_kept() -> None:
    loaded = read('q,a\nHow?,So.\nWhy?,"unclosed\nWhere?,Here.\nWhen?,\n', ".csv")
    assert answers(loaded) == [("How?", "So."), ("Where?", "Here.")]
    assert [note.split(":")[0] for note in loaded.notes] == ["line 3", "line 5"]


def test_a_cell_of_ten_megabytes_is_told_and_costs_nothing_else() -> None:
    loaded = read("q,a\nHow?,So.\nBig?," + "x" * 10_000_000 + "\nWhy?,Thus.\n", ".csv")
    assert answers(loaded) == [("How?", "So."), ("Why?", "Thus.")]
    assert loaded.notes[0].startswith("line 3: ")


def test_a_table_of_nothing_but_broken_rows_is_refused() -> None:
    assert "more than 100 broken rows, the first in line 2" in refusal("q,a\n" + '"x\n' * 1000, ".csv")


def test_json_lines_hold_texts_facts_and_what_cannot_be_read() -> None:
    deep = "[" * 100_000
    loaded = read(
        f'{{"title": "T", "text": "Body."}}\n{deep}\n{{"x": 1, "y": [2]}}\nnope\n{{"q": "?"}}', ".jsonl"
    )
    assert [(one.headings, one.paragraphs) for one in loaded.sections] == [
        (("T",), ("Body.",)),
        ((), ("x: 1",)),
    ]
    assert [note.split(":")[0] for note in loaded.notes] == ["line 2, 4", "line 5"]


def test_half_a_character_becomes_a_question_mark() -> None:
    assert answers(read('{"q": "How?", "a": "So \\ud800."}', ".jsonl")) == [("How?", "So ?.")]


def test_what_stands_around_the_pairs_is_kept_and_a_closing_line_is_no_answer() -> None:
    loaded = read("Our shop\n\nQ: How?\nA: So.\nReally.\n\nQ: Where?\nA: Here.\n\nWrite to us.", ".txt")
    assert loaded.title == "Our shop"
    assert answers(loaded) == [("How?", "So.\nReally."), ("Where?", "Here.")]
    assert loaded.sections[0].paragraphs == ("Write to us.",)


def test_answers_of_several_blocks_go_on_to_the_next_question() -> None:
    loaded = read("## Shop\nQ: How?\nA: So.\n\nAnd so.\n\nQ: Where?\nA: Here.\n\nAnd there.", ".md")
    assert answers(loaded) == [("How?", "So.\n\nAnd so."), ("Where?", "Here.\n\nAnd there.")]
    assert {(loaded.title, section.headings) for section in loaded.sections} == {("Shop", ())}


def test_one_question_in_a_text_makes_it_no_faq_nor_does_a_heading_that_asks() -> None:
    assert answers(read("We talked.\n\nQ: How?\nA: So.\n\nThen we left.", ".txt")) == []
    assert answers(read("# Essay\n## Why roast?\nBecause.\n", ".md")) == []


def test_a_question_without_an_answer_stays_text() -> None:
    loaded = read("Q: A?\nA: B.\n\nQ: C?\nA: D.\n\nQ: Open?", ".txt")
    assert answers(loaded) == [("A?", "B."), ("C?", "D.")]
    assert paragraphs(loaded)[-1] == "Open?"


def test_the_heading_above_a_faq_is_its_title_without_its_marks() -> None:
    loaded = read("# Shop *help*\n\nQ: One?\nA: 1.\n\nQ: Two?\nA: 2.\n", ".md")
    assert loaded.title == "Shop help"
    assert [section.headings for section in loaded.sections] == [(), ()]

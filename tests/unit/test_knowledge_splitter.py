"""Sentences, and passages made of them."""

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.splitter import sentences, split, width

SENTENCES = [
    ("One. Two! Three?", ["One.", "Two!", "Three?"]),
    ("Dr. Smith paid 3.5 dollars, e.g. for coffee. Then he left!", None),
    ("See Fig. 3 for it. J. K. Rowling wrote more.", ["See Fig. 3 for it.", "J. K. Rowling wrote more."]),
    ("It ended at 5 p.m. on Monday.", ["It ended at 5 p.m. on Monday."]),
    ("Beans, milk, etc. The rest follows.", ["Beans, milk, etc.", "The rest follows."]),
    ("Visit example.com or a.b/c?d=e today. Bye.", ["Visit example.com or a.b/c?d=e today.", "Bye."]),
    ('"Really?" he said. "Yes."', ['"Really?" he said.', '"Yes."']),
    ("1. First step. 2. Second step.", ["1. First step.", "2. Second step."]),
    ("Wait... what? So be it... Then go.", ["Wait... what?", "So be it...", "Then go."]),
    ("lower case works too. it really does.", ["lower case works too.", "it really does."]),
    ("价格是3.5元。包邮！真的吗？", ["价格是3.5元。", "包邮！", "真的吗？"]),
    ("他说：“你好！”，然后走了。再见。", ["他说：“你好！”，然后走了。", "再见。"]),
    ("“走吧。”我说。", ["“走吧。”", "我说。"]),
    ("是的……好吧；走吧", ["是的……", "好吧；", "走吧"]),
    ("真的吗？！太好了！！！", ["真的吗？！", "太好了！！！"]),
    ("v1.0已发布！Use vLLM.然后呢", ["v1.0已发布！", "Use vLLM.", "然后呢"]),
    ("first item\nsecond item", ["first item", "second item"]),
    ("   \n ", []),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_sentences_of_an_example(text: str, expected: list[str] | None) -> None:
    if expected is None:
        expected = ["Dr. Smith paid 3.5 dollars, e.g. for coffee.", "Then he left!"]
    assert sentences(text) == expected


def _letters(text: str) -> str:
    return "".join(text.split())


TEXT = st.text(alphabet=st.sampled_from("ab Zé0.,!?…。！？；“”\n 中文字的"), max_size=300)


@settings(deadline=None)
@given(TEXT)
def test_sentences_lose_nothing_and_keep_the_order(text: str) -> None:
    assert _letters("".join(sentences(text))) == _letters(text)


@settings(deadline=None)
@given(TEXT, st.integers(1, 60))
def test_passages_without_overlap_lose_nothing_and_keep_the_order(text: str, size: int) -> None:
    assert _letters("".join(split(text, size))) == _letters(text)


@settings(deadline=None)
@given(TEXT, st.integers(3, 60), st.integers(0, 59))
def test_a_passage_is_word_for_word_within_size_and_never_a_part_of_its_neighbour(
    text: str, size: int, overlap: int
) -> None:
    passages = split(text, size, min(overlap, size - 1))
    start = -1
    for passage in passages:
        assert width(passage) <= size
        start = text.find(passage, start + 1)
        assert start >= 0


def test_whole_sentences_are_packed_up_to_the_size() -> None:
    assert split("Aaa bbb. Ccc ddd. Eee fff.", 18) == ["Aaa bbb. Ccc ddd.", "Eee fff."]


def test_neighbours_share_whole_sentences_up_to_the_overlap() -> None:
    assert split("Aaa bbb. Ccc ddd. Eee fff.", 18, 9) == ["Aaa bbb. Ccc ddd.", "Ccc ddd. Eee fff."]


def test_an_overlap_that_leaves_no_room_for_news_is_dropped() -> None:
    assert split("Aa bb. Ccc ddd eee fff gg.", 20, 10) == ["Aa bb.", "Ccc ddd eee fff gg."]


def test_a_chinese_character_counts_more_than_a_latin_one() -> None:
    text = "一二三四五。" * 4
    assert [len(passage) for passage in split(text, 20)] == [12, 12]


def test_an_over_long_sentence_is_cut_at_a_comma_or_blank_else_anywhere() -> None:
    assert split("这是一个很长的句子，没有句号，但是有逗号", 20) == [
        "这是一个很长的句子，",
        "没有句号，但是有逗号",
    ]
    assert split("one two three four five", 10) == ["one two", "three four", "five"]
    assert split("x" * 20, 8) == ["x" * 8, "x" * 8, "x" * 4]


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (10, 10), (10, -1)])
def test_impossible_sizes_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        split("text", size, overlap)


def test_megabytes_without_any_end_are_split_in_linear_time() -> None:
    assert len(split("字" * 200_000, 500)) == 642
    assert len(split("a. " * 60_000, 500)) > 300
    started = process_time()
    for text in ("x" * 2_000_000, "word " * 400_000, "字" * 2_000_000, "... " * 500_000):
        assert split(text, 500, 100)
    assert process_time() - started < 60  # the square of these would take days


def _prose(language: str) -> str:
    """A paragraph of 400 sentences of many lengths, each like no other."""
    if language == "zh":
        return "".join(f"第{number}句" + "话" * (number % 37) + "说完。" for number in range(400))
    return " ".join(
        f"Sentence {number} " + "says more " * (number % 11) + "and ends." for number in range(400)
    )


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("size", "overlap"), [(500, 0), (256, 25), (4 * 256, 4 * 25)])
def test_passages_of_the_usual_sizes_are_whole_sentences_and_well_filled(
    language: str, size: int, overlap: int
) -> None:
    """500 characters without overlap, and 256 with 25, taken as characters or as tokens of four."""
    text = _prose(language)
    passages = split(text, size, overlap)
    whole = set(sentences(text))
    assert all(set(sentences(passage)) <= whole for passage in passages)
    assert all(width(passage) <= size for passage in passages)
    assert sum(width(passage) for passage in passages) / len(passages) > size * 0.7


@settings(deadline=None)
@given(TEXT, st.integers(3, 60), st.integers(0, 59))
def test_with_overlap_nothing_is_lost_and_neighbours_share_no_more_than_was_asked(
    text: str, size: int, overlap: int
) -> None:
    overlap = min(overlap, size - 1)
    covered, at = 0, -1
    for passage in split(text, size, overlap):
        rest = len(text) - len(text[covered:].lstrip())
        # A text that repeats itself holds a passage at several places; the last that leaves no gap covers most.
        start = max(place for place in range(at + 1, rest + 1) if text.startswith(passage, place))
        assert width(text[start:covered]) <= overlap
        covered, at = start + len(passage), start
    assert not text[covered:].strip()


def test_a_long_run_of_blanks_makes_no_passage() -> None:
    assert split("a" + " " * 50 + "b", size=10) == ["a", "b"]

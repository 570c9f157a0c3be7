"""Words that are marked in a text."""

from hypothesis import given
from hypothesis import strategies as st

from bot.marking import marked


def test_words_are_marked_alone_and_as_they_are_written() -> None:
    assert marked("Roast, then roasting ROAST", ["roast"]) == [
        ("Roast", True),
        (", then roasting ", False),
        ("ROAST", True),
    ]


def test_chinese_words_have_no_border() -> None:
    assert marked("咖啡烘焙十分钟", ["烘焙"]) == [("咖啡", False), ("烘焙", True), ("十分钟", False)]


def test_of_two_words_that_begin_alike_the_longer_is_marked() -> None:
    assert marked("烘焙师", ["烘焙", "烘焙师"]) == [("烘焙师", True)]


def test_without_words_nothing_is_marked() -> None:
    assert (marked("text", []), marked("", ["a"])) == ([("text", False)], [])


@given(st.text(max_size=60), st.lists(st.text(max_size=5), max_size=5))
def test_the_pieces_are_the_text_whatever_the_words(text: str, words: list[str]) -> None:
    assert "".join(piece for piece, _ in marked(text, words)) == text

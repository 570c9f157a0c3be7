"""Which words of a passage bear a sentence of the reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.highlight import Piece, align, pieces

GUIDE = "You should be roasting for about 12 minutes. Cool the beans at once. Light roasts taste of fruit."
STORAGE = "烘焙时间为12分钟。之后完全冷却再装袋。"


def borne(reply: str, *passages: str) -> list[list[tuple[int, list[str]]]]:
    """For each sentence of `reply`: number of the passage, and its words."""
    return [
        [
            (place.passage, [passages[place.passage][slice(*span)] for span in place.words])
            for place in one.places
        ]
        for one in align(reply, passages)
    ]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Roast for 12 minutes.", [[(0, ["roasting", "12", "minutes"])]]),
        ("Beans cool quickly.", [[(0, ["Cool", "beans"])]]),
        ("烘焙12分钟。", [[(1, ["烘焙", "12", "分钟"])]]),
        ("要完全冷却再装袋。", [[(1, ["完全冷却再装袋"])]]),
        ("Cats sleep.", [[]]),
        ("", []),
    ],
)
def test_the_words_are_those_that_both_share_in_either_language(
    reply: str, expected: list[list[tuple[int, list[str]]]]
) -> None:
    assert borne(reply, GUIDE, STORAGE) == expected


def test_a_sentence_may_rest_on_several_places() -> None:
    places = borne("Light roasts of 12 minutes taste of fruit, and beans that cool are best.", GUIDE)[0]
    assert len(places) == 3


def test_the_place_that_shares_most_comes_first() -> None:
    (found,) = align("Roast light beans for 12 minutes.", ["Light is good.", GUIDE])
    assert found.places[0].passage == 1


def test_a_word_is_not_marked_inside_another() -> None:
    assert borne("Art for 12 cents.", "Start with 12 or 120 pieces of art, 12cm.")[0] == [(0, ["12", "art"])]


@given(
    st.text(max_size=40),
    st.lists(
        st.tuples(st.tuples(st.integers(0, 50), st.integers(0, 50)), st.sampled_from("abc")), max_size=6
    ),
)
def test_the_pieces_together_are_the_text(text: str, marks: list[tuple[tuple[int, int], str]]) -> None:
    assert "".join(piece.text for piece in pieces(text, marks)) == text


def test_pieces_know_every_mark_that_they_lie_in() -> None:
    assert pieces("abcd", [((0, 3), "x"), ((1, 2), "y")]) == [
        Piece("a", ("x",)),
        Piece("b", ("x", "y")),
        Piece("c", ("x",)),
        Piece("d"),
    ]


@given(st.text(max_size=200), st.text(max_size=200))
def test_every_span_lies_in_its_text(reply: str, passage: str) -> None:
    for one in align(reply, [passage]):
        for place in one.places:
            assert all(place.span[0] <= start < end <= place.span[1] for start, end in place.words)


@pytest.mark.parametrize(
    ("reply", "passage"),
    [("Yes, we ship to Canada.", "Canada won the game."), ("咖啡有益健康长寿。", "咖啡每袋250克。")],
)
def test_a_word_in_common_bears_no_sentence(reply: str, passage: str) -> None:
    assert borne(reply, passage) == [[]]

"""What is left out of documents."""

from knowledge.boilerplate import without_boilerplate
from knowledge.records import Loaded, Section


def document(*paragraphs: str, answer: str = "") -> Loaded:
    return Loaded("t", (Section((), paragraphs, answer=answer),))


def kept(loaded: Loaded, *phrases: str) -> list[str]:
    cleaned = without_boilerplate(loaded, phrases)
    return [paragraph for section in cleaned.sections for paragraph in section.paragraphs]


def test_a_paragraph_with_an_unwanted_phrase_goes_whatever_its_case_and_blanks() -> None:
    loaded = document("5 Min  Read", "Roast slowly.", "Member-only story")
    assert kept(loaded, " min read", "member-only STORY") == ["Roast slowly."]


def test_of_a_list_or_a_long_paragraph_only_the_sentence_goes() -> None:
    long = "Roast slowly. " * 30 + "Please subscribe! " + "Then grind."
    assert kept(document("one\nsubscribe\ntwo", long), "subscribe") == [
        "one\ntwo",
        "Roast slowly. " * 30 + "Then grind.",
    ]


def test_an_answer_is_never_left_out() -> None:
    loaded = document("How?", "Subscribe.", answer="Subscribe.")
    assert kept(loaded, "subscribe") == ["How?", "Subscribe."]


def test_what_stands_in_most_sections_is_told_once() -> None:
    sections = tuple(Section((f"h{n}",), (f"Text {n}.", "Subscribe to my channel!")) for n in range(6))
    assert kept(Loaded("t", sections)).count("Subscribe to my channel!") == 1
    assert kept(Loaded("t", sections[:4])).count("Subscribe to my channel!") == 4


def test_what_stands_in_few_of_many_sections_stays() -> None:
    sections = tuple(
        Section((f"h{n}",), (f"Text {n}.", *(["Free shipping."] * (n % 3 == 0)))) for n in range(18)
    )
    assert kept(Loaded("t", sections)).count("Free shipping.") == 6


def test_a_document_of_which_nothing_is_left_says_so() -> None:
    cleaned = without_boilerplate(document("Subscribe!"), ["subscribe"])
    assert (cleaned.sections, len(cleaned.notes)) == ((), 1)

"""Features of a passage for a question, the quote, and slips of the finger."""

import pytest

from knowledge import analysis
from knowledge.base import Passage
from knowledge.passages import analyse
from knowledge.question import parse
from knowledge.quoting import best_sentences
from knowledge.ranking import Cosines, Features, Fit, ask, fit, inverse_frequency, probability, weigh
from knowledge.spelling import corrected, doubtful, is_slip, nearest

TEXT = "The Kestrel K2 weighs 240 grams. It was released in 2021. Firmware updates come every spring."


def passage(text: str = TEXT, title: str = "Cameras", heading: str = "Kestrel") -> Passage:
    return Passage(1, 1, "d.md", title, heading, None, 0, text, "en")


def fitted(question: str, found: Passage | None = None, cosines: Cosines | None = None) -> Fit:
    return fit(analyse(found or passage()), ask(parse(question), {}, 200), 0.0, cosines)


def test_a_passage_that_holds_the_whole_question_covers_it() -> None:
    features = fitted("how many grams does the Kestrel K2 weigh?").features
    assert features.cover == pytest.approx(1)
    assert features.exact_missing == features.figure_missing == features.model_missing == 0
    assert features.wrong_kind == 0


def test_the_neighbouring_product_is_missing_by_its_name() -> None:
    features = fitted("how many grams does the Kestrel K3 weigh?").features
    assert features.model_missing == 1
    assert features.exact_missing > 0


def test_a_year_is_a_figure_but_no_name_of_a_product() -> None:
    features = fitted("was the Kestrel K2 released in 2019?").features
    assert (features.figure_missing, features.model_missing) == (0.5, 0)


def test_a_question_for_a_figure_needs_one_in_the_quote() -> None:
    without = passage("The Kestrel comes in black. Ask us about colours.")
    assert fitted("how much does the Kestrel cost", without).features.wrong_kind == 1
    assert fitted("which colours has the Kestrel", without).features.wrong_kind == 0
    assert fitted("猎鹰相机多少钱", passage("猎鹰相机有黑色的。", "相机", "猎鹰")).features.wrong_kind == 1
    assert (
        fitted("猎鹰相机多少钱", passage("猎鹰相机的价格是两百元。", "相机", "猎鹰")).features.wrong_kind == 0
    )


def test_other_forms_of_a_word_count_in_part() -> None:
    held = passage("They defended the town.", "", "")
    features = fitted("town defense", held).features
    assert features.held < features.cover < 1


@pytest.mark.parametrize("word", ["def", "defend1", "防御工事"])
def test_short_words_figures_and_chinese_have_no_kin(word: str) -> None:
    assert analyse(passage("defended defenders def 防御")).kin(word) == {}


def test_neighbouring_words_count_where_they_are_neighbours() -> None:
    together, apart = passage("green tea is here.", "", ""), passage("tea is here, green.", "", "")
    assert fitted("green tea", together).features.adjacent > fitted("green tea", apart).features.adjacent


def test_a_rare_term_weighs_more_than_a_common_one() -> None:
    assert inverse_frequency(1, 1000) > inverse_frequency(500, 1000) > inverse_frequency(1000, 1000) > 0


def test_the_more_evidence_the_nearer_to_one() -> None:
    little = fitted("spring?").features.evidence
    much = fitted("firmware updates come every spring for the Kestrel").features.evidence
    assert 0 < little < much < 1


def test_cosines_choose_the_sentence_where_words_do_not() -> None:
    cosines = Cosines(0.5, (0.1, 0.9, 0.2), (0.4, 0.5))
    found = fitted("launch date?", cosines=cosines)
    assert found.quote() == "It was released in 2021."
    assert (found.features.cosine, found.features.cosine_sentence) == (0.5, 0.9)


@pytest.mark.parametrize(
    ("single", "double", "count", "chosen"),
    [
        ([0.2, 0.9, 0.1], [0.9, 0.9], None, (1, 1)),
        ([0.5, 0.4, 0.1], [0.9, 0.4], None, (0, 1)),
        ([0.2, 0.9, 0.1], [0.9, 0.95], 2, (1, 2)),
        ([0.7], [], 2, (0, 0)),
        ([0.5, 0.4, 0.1], [0.9, 0.4], 1, (0, 0)),
        ([0.0, 0.0], [0.0], None, (0, 0)),
    ],
)
def test_a_second_sentence_is_quoted_when_it_adds_enough(
    single: list[float], double: list[float], count: int | None, chosen: tuple[int, int]
) -> None:
    assert best_sentences(single, double, count=count) == chosen


def test_weights_name_features_and_a_bias() -> None:
    features = Features(**dict.fromkeys(Features._fields, 0.0))._replace(cover=0.5)
    assert weigh(features, {"cover": 2.0, "bias": 1.0}) == 2.0
    assert probability(features, {"cover": 2.0, "bias": -1.0}) == 0.5
    assert probability(features, {"bias": -5000.0}) < 1e-300


@pytest.mark.parametrize(
    ("one", "other", "slip"),
    [
        ("roasting", "rosting", True),
        ("rosting", "roasting", True),
        ("roasting", "raosting", True),
        ("roasting", "roaszing", True),
        ("roasting", "roastign", True),
        ("roasting", "roasting", False),
        ("roasting", "boasting", False),
        ("roasting", "rostign", False),
        ("roast", "roasted", False),
        ("", "", False),
    ],
)
def test_a_slip_is_one_letter_more_less_other_or_swapped(one: str, other: str, slip: bool) -> None:
    assert is_slip(one, other) is slip


def test_a_slip_is_put_right_in_the_text_and_in_the_terms() -> None:
    question = parse("how do I get my refnud for the kettle?")
    [wrong] = [term for term in doubtful(question) if term.startswith("refn")]
    meant = nearest(wrong, [analysis.terms("A refund takes a week"), analysis.terms("refunds")])
    mended = corrected(question, wrong, meant, "refund")
    assert meant == "refund"
    assert mended.text == "how do I get my refund for the kettle?"
    assert "refund" in mended.content
    assert wrong not in mended.terms


def test_names_figures_and_everyday_words_are_no_slips() -> None:
    assert doubtful(parse("does anyone use the X100V with video for 2019?")) == []
    assert nearest("refund", [["kettle"], ["tea"]]) == ""


def test_words_are_found_as_the_text_writes_them() -> None:
    wanted = {"roast", "196", "入门", "套装"}
    assert analysis.words_matching("Roasting starts at 196; 入門套裝的價格", wanted) == (
        "Roasting",
        "196",
        "入門套裝",
    )


def test_a_short_question_is_read_in_its_context_but_asks_no_more() -> None:
    question = parse("what about the second one?", "Two espresso grinders compared")
    assert "espresso" in question.terms
    assert "espresso" not in question.content
    long = parse("which grinder grinds finer beans for turkish coffee?", "Two espresso grinders compared")
    assert "espresso" not in long.terms

"""The learned weights: how they are learned, kept and chosen."""

import json
import math
import random
from pathlib import Path

import pytest

from knowledge import calibration
from knowledge.evaluate_data import CorpusRow, Dataset, QueryRow
from knowledge.evaluate_run import library_maker
from knowledge.learning import SUPPORT_WORDS, learn_ranking, learn_support, ranking_examples, support_examples
from knowledge.logistic import fit_line, sigmoid
from knowledge.ranking import Features
from knowledge.store import LibraryError


def test_the_line_that_made_the_labels_is_found_again() -> None:
    drawn = random.Random(1)
    rows = [(drawn.gauss(0, 1), drawn.gauss(0, 5)) for _ in range(4000)]
    labels = [drawn.random() < sigmoid(2 * a - 0.3 * b + 0.5) for a, b in rows]
    line = fit_line(rows, labels)
    assert line.weights == pytest.approx((2, -0.3), rel=0.15)
    assert line.bias == pytest.approx(0.5, abs=0.15)


def test_a_larger_penalty_makes_smaller_weights() -> None:
    rows, labels = [(float(n),) for n in range(20)], [n > 9 for n in range(20)]
    small, large = fit_line(rows, labels, penalty=1), fit_line(rows, labels, penalty=100)
    assert 0 < large.weights[0] < small.weights[0] < math.inf


def test_a_feature_that_never_varies_does_no_harm() -> None:
    line = fit_line([(1.0, 0.0), (0.0, 0.0)] * 5, [True, False] * 5)
    assert line.weights[0] > 0
    assert line.weights[1] == pytest.approx(0)


@pytest.mark.parametrize("labels", [[], [True, True]])
def test_one_kind_of_example_teaches_nothing(labels: list[bool]) -> None:
    with pytest.raises(ValueError, match="right and wrong"):
        fit_line([(1.0,)] * len(labels), labels)


def test_any_number_has_a_sigmoid() -> None:
    assert sigmoid(0) == 0.5
    assert sigmoid(-1e6) < 1e-300
    assert sigmoid(1e6) == 1.0


def test_every_shipped_weight_is_of_a_feature() -> None:
    shipped = calibration.shipped()
    known = {*Features._fields, "bias"}
    for part in (shipped.words, *shipped.embedders):
        for weights in (part["ranking"], *part["support"].values()):
            assert set(weights) <= known
    assert {"en", "zh"} <= set(shipped.words["support"])


def test_only_the_embedder_that_was_learned_with_has_its_cosines_counted() -> None:
    shipped = calibration.shipped()
    [known] = shipped.embedders
    own = shipped.support("en", known["signature"])
    assert "cosine" in own
    assert "cosine" not in shipped.support("en", [0.5] * len(known["signature"]))
    assert "cosine" not in shipped.support("en")
    assert shipped.support("fr") == shipped.support("en")
    assert shipped.support("zh", known["signature"]) == shipped.support("zh")


def test_a_library_may_hold_its_own_calibration(tmp_path: Path) -> None:
    assert calibration.load(tmp_path) == calibration.shipped()
    own = {"words": {"ranking": {"bm25": 1}, "support": {"en": {"bias": 0}}}, "embedders": []}
    (tmp_path / calibration.FILE).write_text(json.dumps(own))
    loaded = calibration.load(tmp_path)
    assert loaded.support("zh") == {"bias": 0}
    assert loaded.ranking(dense=True) == calibration.shipped().ranking(dense=True)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"words": {}}',
        '{"words": {"ranking": {"bm25": "x"}, "support": {"en": {}}}, "embedders": []}',
        '{"words": {"ranking": {}, "support": {"en": {"bias": NaN}}}, "embedders": []}',
        '{"words": {"ranking": {}, "support": {"en": {"bias": -Infinity}}}, "embedders": []}',
        '{"words": {"ranking": {}, "support": {"en": {"bias": 1' + "0" * 400 + '}}}, "embedders": []}',
        '{"words": {"ranking": {}, "support": []}, "embedders": []}',
        '{"words": {"ranking": {}, "support": {"en": {}}}, "embedders": [{"ranking": {}, "support": {}}]}',
        "[" * 100_000,
    ],
)
def test_a_broken_calibration_is_refused_with_the_cure(tmp_path: Path, content: str) -> None:
    (tmp_path / calibration.FILE).write_text(content)
    with pytest.raises(LibraryError, match="remove it to use the shipped calibration"):
        calibration.load(tmp_path)


THINGS = ["kettle", "grinder", "scale", "roaster", "filter", "teapot"]
FACTS = {"colour": "is painted {}", "weight": "weighs {} grams", "origin": "comes from {}"}
VALUES = {
    "colour": ["red", "blue", "green"],
    "weight": ["310", "450", "720"],
    "origin": ["Kenya", "Peru", "Japan"],
}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    documents, questions = [], []
    for number, thing in enumerate(THINGS):
        told = [f"The {thing} {FACTS[fact].format(VALUES[fact][number % 3])}." for fact in FACTS]
        documents.append(CorpusRow(thing, thing.title(), " ".join(told)))
        questions += [QueryRow(f"{thing}-{fact}", f"what {fact} has the {thing}?", thing) for fact in FACTS]
    return Dataset("things", tuple(documents), tuple(questions))


def test_what_is_learned_ranks_and_judges_as_it_was_taught(dataset: Dataset) -> None:
    make = library_maker("sparse", None)
    ranking = learn_ranking(ranking_examples(dataset, make), ["bm25", "cover"])
    assert ranking["bm25"] + ranking["cover"] > 0
    examples = support_examples(dataset, make)
    support = learn_support(examples, SUPPORT_WORDS)
    right = [one for one in examples if one.results and one.results[0][1]]
    wrong = [one for one in examples if one.results and not one.results[0][1]]
    assert right
    assert wrong
    assert support["model_missing"] < 0
    assert {one.group for one in examples} == {thing.title() for thing in THINGS}

"""What comments take for granted, and whether the documents bear it out."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import samples
from bot.checks import CheckFacts, Code, check
from bot.checks.premise import holds, premises
from bot.policy import ChannelRules, DraftFacts, Thresholds, decide
from bot.reasons import Reason
from knowledge.base import Retriever
from knowledge.ingest import Library

PAYLOAD = Path(__file__).parent.parent / "payloads" / "premises.json"
SOURCES = (
    "The course costs $59. We do not ship to Brazil. Store beans in a bag, never in the fridge. 课程没有证书。",
)


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("Since it is free, where do I sign up?", ["it is free"]),
        ("Now that you ship to Japan, how long does it take?", ["you ship to Japan"]),
        ("Why did you stop selling beans?", ["you stop selling beans"]),
        ("Why don’t you ship to Brazil?", ["not you ship to Brazil"]),
        ("I heard that it costs 9.50, is that so?", ["it costs 9.50"]),
        ("Since 2019 I have roasted at home. How hot?", []),
        ("Since I live in Japan, can I pay in yen?", []),
        ("Because my roaster is old, it stalls.", []),
        ("How long do I roast the beans?", []),
        ("既然是免费的，在哪报名？", ["是免费的"]),
        ("为什么不再卖生豆了？", ["不再卖生豆了"]),
        ("听说可以寄日本，要多久？", ["可以寄日本"]),
        ("因为我住在日本，可以用日元吗？", []),
        ("它变化为什么形状？", []),
        ("豆子烘多久？", []),
        ("老师说的水洗豆在哪买？", []),
        ("Considering the price, is it worth it?", []),
    ],
)
def test_what_is_taken_for_granted_is_heard(comment: str, expected: list[str]) -> None:
    assert premises(comment) == expected


@pytest.mark.parametrize(
    ("premise", "stated"),
    [
        ("the course costs $59", True),
        ("the course costs $49", False),
        ("the course is free", False),
        ("it is free", False),
        ("you do not ship to Brazil", True),
        ("you ship to Brazil", False),
        ("beans are stored in the fridge", False),
        ("you stopped the course", False),
        ("it is", True),
        ("课程没有证书", True),
        ("说课程没有证书吗", True),
        ("课程有证书", False),
    ],
)
def test_a_premise_holds_where_a_source_states_it(premise: str, stated: bool) -> None:
    assert holds(premise, SOURCES) is stated


def test_without_sources_no_premise_holds() -> None:
    assert not holds("the course is free", ())


def test_a_false_premise_leads_to_a_person_whatever_the_reply_says() -> None:
    facts = CheckFacts("Since it is free, where do I sign up?", "en", SOURCES, 300)
    [found] = check("The course costs $59.", facts)
    assert (found.code, found.span, found.text) == (Code.FALSE_PREMISE, (0, 0), "it is free")
    decision = decide(
        DraftFacts(True, 0.9, "question", (found,)), Thresholds(), ChannelRules(frozenset({"question"}))
    )
    assert (decision.action, decision.reason, decision.detail) == (
        "review",
        Reason.FALSE_PREMISE,
        "it is free",
    )


def rows(half: str) -> list[dict[str, Any]]:
    return [row for row in json.loads(PAYLOAD.read_text(encoding="utf-8")) if row["half"] == half]


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    folder = tmp_path_factory.mktemp("library")
    library = Library(folder / "library")
    asyncio.run(library.ingest([str(path) for path in samples.copy_documents(folder / "docs")]))
    yield library.retriever()
    library.close()


@pytest.mark.parametrize("half", ["tune", "report"])
def test_most_false_premises_are_found_and_few_true_ones_are_doubted(retriever: Retriever, half: str) -> None:
    judged = [
        (row["holds"], all(holds(one, _sources(retriever, row["text"])) for one in premises(row["text"])))
        for row in rows(half)
    ]
    assert len(judged) == 60
    assert judged.count((False, True)) <= 4
    assert judged.count((True, False)) <= 4


def _sources(retriever: Retriever, comment: str) -> tuple[str, ...]:
    return tuple(scored.passage.text for scored in retriever.retrieve(comment, 4))

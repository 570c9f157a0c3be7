"""What the status page says of the documents."""

import pytest

from bot.generator import GeneratorHealth
from bot.settings import Language
from bot.store.stats import Counts
from bot.web.glance import Glance
from bot.web.view import page_context
from knowledge.ingest import Stats


def documents(found: Stats, language: Language) -> str:
    glance = Glance(Counts({}, {}), [], [], found, GeneratorHealth(True, ""), "extractive")
    return str(page_context(glance, {}, language, with_texts=False)["documents"])


@pytest.mark.parametrize(
    ("language", "words", "meaning"),
    [
        ("en", "2 documents, 7 passages", " · 5 found by meaning (minilm)"),
        ("zh", "2 份资料，7 个段落", " · 5 个可按语义检索（minilm）"),
    ],
)
def test_passages_that_can_be_found_by_meaning_are_counted_where_there_is_an_embedder(
    language: Language, words: str, meaning: str
) -> None:
    assert documents(Stats(2, 7, {}, {}, 0), language) == words
    assert documents(Stats(2, 7, {}, {}, 0, "minilm", 5), language) == words + meaning

"""A sentence is shown as borne by a passage only where the passage says it."""

import pytest

from bot.models import Draft
from bot.web.review_evidence import supported

SAID = "Roast for 12 minutes. Don't put the beans in the freezer. 不要把豆子放进冰箱保存。烘焙时间为12分钟。"


def shown(text: str, **more: object) -> dict[str, bool]:
    """Whether the sentence `text` is told to be borne, and to be bare."""
    draft = Draft(
        comment_id=1, text=text, candidates=[text], passages=[{"source": "a", "text": SAID}], **more
    )
    told = supported(draft, [text], "en")
    (sentence,) = told["candidates"][0]["sentences"]
    marked = any(piece["names"] for piece in told["passages"][0]["pieces"])
    assert marked == sentence["borne"]
    return {"borne": sentence["borne"], "bare": sentence["bare"]}


@pytest.mark.parametrize(
    "text",
    [
        "Roast for 20 minutes.",
        "Put the beans in the freezer.",
        "烘焙时间为20分钟。",
        "可以把豆子放进冰箱保存。",
        "Roast the beans for 12 minutes and visit www.evil.example.",
    ],
)
def test_words_in_common_do_not_bear_what_the_documents_do_not_say(text: str) -> None:
    assert shown(text) == {"borne": False, "bare": True}


@pytest.mark.parametrize("text", ["Roast for 12 minutes.", "烘焙时间为12分钟。"])
def test_what_the_documents_say_is_borne(text: str) -> None:
    assert shown(text) == {"borne": True, "bare": False}


@pytest.mark.parametrize("text", ["Thanks for asking about the beans!", "I don't know about the freezer."])
def test_what_states_nothing_needs_no_document(text: str) -> None:
    assert shown(text) == {"borne": False, "bare": False}


def test_what_the_checks_once_found_unsupported_is_not_borne() -> None:
    finding = {"code": "unsupported", "message": "", "span": [0, 5], "text": "Roast"}
    assert shown("Roast for 12 minutes.", findings=[finding]) == {"borne": False, "bare": True}

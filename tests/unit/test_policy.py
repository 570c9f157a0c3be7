"""What becomes of a draft, and the words for every reason."""

import pytest

from bot.checks import Code, Finding
from bot.generator import Completion, ToolStep
from bot.policy import (
    ChannelRules,
    CommentFacts,
    DraftFacts,
    Thresholds,
    decide,
    draft_support,
    triage,
)
from bot.reasons import Reason, explain
from knowledge.base import Passage, ScoredPassage

OPEN = ChannelRules(send_intents=frozenset({"question"}))
GOOD = DraftFacts(answered=True, support=0.9, intent="question")
LANGUAGE = Finding(Code.LANGUAGE, (0, 3), "en, zh")
NUMBER = Finding(Code.NUMBER, (0, 3), "500")


def test_a_supported_answer_to_an_opened_intent_is_sent() -> None:
    assert decide(GOOD, Thresholds(), OPEN).action == "send"


def test_a_new_channel_sends_nothing() -> None:
    for intent in ("question", "praise", "complaint", "request", "other"):
        decision = decide(DraftFacts(True, 1.0, intent), Thresholds(), ChannelRules())
        assert (decision.action, decision.reason, decision.detail) == ("review", Reason.NOT_OPENED, intent)


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (DraftFacts(False, 0.9, "question"), Reason.NOT_IN_DOCUMENTS),
        (DraftFacts(True, 0.59, "question"), Reason.NOT_IN_DOCUMENTS),
        (DraftFacts(True, 0.9, "question", (NUMBER,)), Reason.CHECKS),
        (DraftFacts(True, 0.9, "question", (LANGUAGE,)), Reason.LANGUAGE),
        (DraftFacts(True, 0.9, "question", (LANGUAGE, NUMBER)), Reason.CHECKS),
        (DraftFacts(True, 0.9, "complaint"), Reason.NOT_OPENED),
        (DraftFacts(False, 0.9, "complaint", (NUMBER,)), Reason.NOT_IN_DOCUMENTS),
    ],
)
def test_every_doubt_ends_with_a_person(draft: DraftFacts, reason: Reason) -> None:
    decision = decide(draft, Thresholds(), OPEN)
    assert (decision.action, decision.reason) == ("review", reason)


def test_the_detail_names_each_code_once() -> None:
    draft = DraftFacts(True, 0.9, "question", (NUMBER, LANGUAGE, NUMBER))
    assert decide(draft, Thresholds(), OPEN).detail == "number, language"


def test_support_at_the_threshold_is_enough() -> None:
    assert decide(DraftFacts(True, 0.7, "question"), Thresholds(0.7), OPEN).action == "send"


def test_a_channels_own_threshold_of_zero_asks_for_none() -> None:
    rules = ChannelRules(send_intents=OPEN.send_intents, min_support=0)
    assert decide(DraftFacts(True, 0.0, "question"), Thresholds(), rules).action == "send"


def test_support_comes_from_the_cited_passages_only() -> None:
    passage = Passage(1, 1, "a.md", "A", "", None, 0, "text", "en")
    passages = [ScoredPassage(passage, 1.0, support, "text") for support in (0.9, 0.4)]
    cites_second = Completion("x", True, (1,), "m", None, "h")
    cites_none = Completion("x", True, (), "m", None, "h")
    assert draft_support(cites_second, passages) == 0.4
    assert draft_support(cites_none, passages) == 0.0


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained_in_both_languages(reason: Reason) -> None:
    english, chinese = explain(reason, "en"), explain(reason, "zh")
    assert english.isascii()
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese)
    assert explain(reason, "fr") == english
    assert explain(reason, "zh-TW") == chinese


def test_no_two_reasons_share_an_explanation() -> None:
    for language in ("en", "zh"):
        assert len({explain(reason, language) for reason in Reason}) == len(Reason)


FOUND = ToolStep("prices", "{}", "Latte: $12", grounds=True)
FAILED = ToolStep("stock", "{}", "status 500", failed=True)
NOTHING = ToolStep("prices", "{}", "")
TOOLS_OPEN = ChannelRules(frozenset({"question"}), send_tools=True)


@pytest.mark.parametrize(
    ("draft", "rules", "action", "reason"),
    [
        (DraftFacts(True, 0.0, "question", steps=(FOUND,)), TOOLS_OPEN, "send", Reason.GROUNDED),
        (
            DraftFacts(True, 0.0, "question", steps=(FOUND,)),
            ChannelRules(frozenset({"question"})),
            "review",
            Reason.TOOLS_NOT_OPENED,
        ),
        (DraftFacts(True, 0.0, "complaint", steps=(FOUND,)), TOOLS_OPEN, "review", Reason.NOT_OPENED),
        (DraftFacts(False, 0.0, "question", steps=(FOUND,)), TOOLS_OPEN, "review", Reason.NOT_IN_DOCUMENTS),
        (DraftFacts(True, 0.0, "question", steps=(NOTHING,)), TOOLS_OPEN, "review", Reason.NOT_IN_DOCUMENTS),
        (DraftFacts(True, 0.9, "question", steps=(NOTHING,)), TOOLS_OPEN, "send", Reason.GROUNDED),
        (DraftFacts(True, 0.9, "question", steps=(FOUND, FAILED)), TOOLS_OPEN, "review", Reason.TOOL_FAILED),
        (DraftFacts(True, 0.9, "question", unseen=("cannot see",)), TOOLS_OPEN, "review", Reason.PICTURES),
    ],
)
def test_tools_and_pictures_decide_with_the_rest(
    draft: DraftFacts, rules: ChannelRules, action: str, reason: Reason
) -> None:
    decision = decide(draft, Thresholds(), rules)
    assert (decision.action, decision.reason) == (action, reason)


@pytest.mark.parametrize("text", ["", "😂", "Great video!"])
def test_a_picture_may_be_the_question_where_the_text_asks_none(text: str) -> None:
    shown = triage(CommentFacts(text, "en", has_pictures=True))
    assert shown is not None
    assert (shown.action, shown.reason) == ("review", Reason.PICTURES)
    plain = triage(CommentFacts(text, "en"))
    assert plain is not None
    assert plain.action == "skip"

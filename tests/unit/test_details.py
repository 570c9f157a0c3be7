"""The details of decisions, in the reader's language."""

import pytest

from bot.checks import Code
from bot.checks.findings import label, message_in
from bot.details import explain_detail, explain_look
from bot.reasons import Reason


@pytest.mark.parametrize(
    ("reason", "detail", "chinese"),
    [
        (Reason.GROUNDED, "support 0.97, tools: stock, prices", "支持度 0.97，工具：stock, prices"),
        (Reason.NOT_IN_DOCUMENTS, "support 0.12, needed 0.60", "支持度 0.12，需要 0.60"),
        (Reason.CHECKS, "number, price", "数字、价格"),
        (Reason.NOT_OPENED, "complaint", "投诉"),
        (Reason.SPAM, "3 links", "3 个链接"),
        (Reason.SPAM, "vip repeated 4 times", "“vip”重复 4 次"),
        (Reason.PICTURES, "the model cannot see", "模型看不了图片"),
        (Reason.PICTURES, Reason.EMPTY, "评论没有可见内容"),
        (Reason.FALSE_PREMISE, "since it is free", "since it is free"),
        (Reason.TOOL_FAILED, "shop: did not answer within 5 s", "shop: did not answer within 5 s"),
        (Reason.CHECKS, "of_another_version", "of_another_version"),
        ("of_another_version", "support 0.97", "support 0.97"),
        (Reason.GROUNDED, "", ""),
    ],
)
def test_what_the_program_said_is_told_in_chinese_and_what_others_said_as_it_is(
    reason: str, detail: str, chinese: str
) -> None:
    assert explain_detail(reason, detail, "zh") == chinese


@pytest.mark.parametrize(
    "detail", ["support 0.97", "support 0.12, needed 0.60", "number, price", "complaint", "3 links"]
)
@pytest.mark.parametrize(
    "reason", [Reason.GROUNDED, Reason.NOT_IN_DOCUMENTS, Reason.CHECKS, Reason.NOT_OPENED, Reason.SPAM]
)
def test_english_details_stay_as_they_are_kept(reason: Reason, detail: str) -> None:
    assert explain_detail(reason, detail, "en") == detail


def test_every_code_has_a_word_in_both_languages() -> None:
    assert all(label(code, "zh") != label(code, "en") for code in Code)
    assert label(Code.FALSE_PREMISE, "en") == "false premise"


def test_a_finding_of_an_older_version_is_told_in_the_words_that_it_has() -> None:
    assert message_in({"code": "number", "message": "a number: 17"}, "zh") == "a number: 17"


def test_pictures_beyond_the_limit_are_told_with_it() -> None:
    assert explain_look("only 4 images are looked at", "zh") == "最多查看 4 张图片"

"""The details of decisions, findings and pictures in the reader's language. They are kept in English."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from bot.checks.findings import label
from bot.reasons import Reason, explain

_PATTERNS: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    Reason.GROUNDED: ((r"^support (\d\.\d\d)", r"支持度 \1"), (r", tools: ", "，工具：")),
    Reason.NOT_IN_DOCUMENTS: ((r"^support (\d\.\d\d), needed (\d\.\d\d)$", r"支持度 \1，需要 \2"),),
    Reason.SPAM: (
        (r"^(\d+) links$", r"\1 个链接"),
        (r"^link with (.*)$", r"链接，并有 \1"),
        (r"^(.*) repeated (\d+) times$", r"“\1”重复 \2 次"),
        (r"^(.*) repeated$", r"“\1”重复"),
    ),
    Reason.PICTURES: (
        (r"^the model cannot see$", "模型看不了图片"),
        (r"^not asked for$", "按设置不查看"),
        (r"^the answer was written beforehand$", "回答是预先写好的"),
        (r"^only (\d+) images are looked at$", r"最多查看 \1 张图片"),
    ),
}
INTENTS: Final[Mapping[str, tuple[str, str]]] = {
    "question": ("question", "提问"),
    "praise": ("praise", "称赞"),
    "complaint": ("complaint", "投诉"),
    "request": ("request", "请求"),
    "other": ("other", "其他"),
}


def explain_detail(reason: str, detail: str, language: str = "en") -> str:
    """`detail` of a decision for `reason`; what a lower layer or another version told is shown as it is."""
    chinese = language.lower().startswith("zh")
    if reason == Reason.PICTURES and detail in set(Reason):
        return explain(detail, language)
    if reason in (Reason.CHECKS, Reason.LANGUAGE):
        return ("、" if chinese else ", ").join(label(code, language) for code in detail.split(", "))
    if reason == Reason.NOT_OPENED and detail in INTENTS:
        return INTENTS[detail][chinese]
    for pattern, words in _PATTERNS.get(reason, ()) if chinese else ():
        detail = re.sub(pattern, words, detail)
    return detail


def explain_look(why: str, language: str = "en") -> str:
    """Why a picture was not looked at."""
    return explain_detail(Reason.PICTURES, why, language)

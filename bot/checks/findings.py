"""What a check can find, and what it looks at."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.persona import reply_language


class Code(StrEnum):
    """What a check can find."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    SENTENCES = "sentences"
    LANGUAGE = "language"
    NUMBER = "number"
    PRICE = "price"
    UNIT = "unit"
    DATE = "date"
    LINK = "link"
    EMAIL = "email"
    MENTION = "mention"
    ADDRESS = "address"
    NAME = "name"
    UNSUPPORTED = "unsupported"
    NEGATED = "negated"
    FALSE_PREMISE = "false_premise"
    LEAK = "leak"
    REFUSAL = "refusal"
    PROMISE = "promise"
    ECHO = "echo"
    BANNED = "banned"
    REPEATED = "repeated"


_MESSAGES = {
    Code.EMPTY: ("the reply has no words", "回复里没有文字"),
    Code.TOO_LONG: ("the reply is too long: {text}", "回复太长：{text}"),
    Code.SENTENCES: ("the reply has more sentences than the persona allows: {text}", "回复句数超过人设上限：{text}"),
    Code.LANGUAGE: ("the reply is not in the comment's language: {text}", "回复与评论的语言不同：{text}"),
    Code.NUMBER: ("the documents don't hold this number: {text}", "资料里没有这个数字：{text}"),
    Code.PRICE: ("the documents don't hold this price: {text}", "资料里没有这个价格：{text}"),
    Code.UNIT: ("the documents hold this number with another unit: {text}", "资料里这个数字的单位不同：{text}"),
    Code.DATE: ("the documents don't hold this date or time: {text}", "资料里没有这个日期或时间：{text}"),
    Code.LINK: ("the documents don't hold this link: {text}", "资料里没有这个链接：{text}"),
    Code.EMAIL: ("the documents don't hold this e-mail address: {text}", "资料里没有这个邮箱：{text}"),
    Code.MENTION: ("the documents don't name this account: {text}", "资料里没有提到这个账号：{text}"),
    Code.ADDRESS: (
        "the documents don't hold this address, phone number or contact: {text}",
        "资料里没有这个地址、电话或联系方式：{text}",
    ),
    Code.NAME: ("the documents don't hold this name: {text}", "资料里没有这个名称：{text}"),
    Code.UNSUPPORTED: ("the documents don't say this: {text}", "资料里没有这个说法：{text}"),
    Code.NEGATED: ("the documents say the opposite: {text}", "资料里的说法相反：{text}"),
    Code.FALSE_PREMISE: (
        "the comment takes for granted what the documents don't say: {text}",
        "评论默认了资料里没有的前提：{text}",
    ),
    Code.LEAK: ("the reply shows instructions of the prompt: {text}", "回复泄露了提示词内容：{text}"),
    Code.REFUSAL: ("the reply refuses instead of answering: {text}", "回复是拒绝，而不是回答：{text}"),
    Code.PROMISE: ("the reply promises what the documents don't: {text}", "回复作了资料里没有的承诺：{text}"),
    Code.ECHO: ("the reply repeats the comment: {text}", "回复照抄了评论：{text}"),
    Code.BANNED: ("the reply holds a banned word: {text}", "回复里有禁用词：{text}"),
    Code.REPEATED: ("the reply says the same thing twice: {text}", "回复内容重复：{text}"),
}  # fmt: skip

_CHINESE_LABELS = {
    Code.EMPTY: "空回复", Code.TOO_LONG: "过长", Code.SENTENCES: "句数", Code.LANGUAGE: "语言", Code.NUMBER: "数字",
    Code.PRICE: "价格", Code.UNIT: "单位", Code.DATE: "日期", Code.LINK: "链接", Code.EMAIL: "邮箱",
    Code.MENTION: "账号", Code.ADDRESS: "地址", Code.NAME: "名称", Code.UNSUPPORTED: "无依据", Code.NEGATED: "相反",
    Code.FALSE_PREMISE: "错误前提", Code.LEAK: "泄露提示词", Code.REFUSAL: "拒答", Code.PROMISE: "承诺",
    Code.ECHO: "照抄", Code.BANNED: "禁用词", Code.REPEATED: "重复",
}  # fmt: skip

MAX_TEXT = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a reply."""

    code: Code
    span: tuple[int, int]
    """Where in the reply, in characters: start and end. What is wrong with the comment has (0, 0)."""
    text: str
    """What was found there, or a measure of it; at most `MAX_TEXT` characters."""

    def message(self, language: str = "en") -> str:
        """One line for a person, in English or Chinese."""
        return _MESSAGES[self.code][reply_language(language) == "zh"].format(text=self.text)

    def entry(self) -> dict[str, object]:
        """What the ledger keeps of it."""
        return {
            "code": self.code.value,
            "message": self.message("en"),
            "message_zh": self.message("zh"),
            "span": list(self.span),
            "text": self.text,
        }


def label(code: str, language: str = "en") -> str:
    """A `Code` in a word or two; one of another version is shown as it is."""
    if code not in set(Code):
        return code
    return _CHINESE_LABELS[Code(code)] if reply_language(language) == "zh" else code.replace("_", " ")


def message_in(entry: Mapping[str, Any], language: str) -> str:
    """Of what the ledger keeps of a finding. Rows of an older version have English only."""
    return str(entry.get("message_zh" if language == "zh" else "message") or entry["message"])


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """What a reply is checked against."""

    comment: str
    language: str
    """Language of the comment."""
    sources: tuple[str, ...]
    """Everything that facts may come from: the passages' texts (the cited ones first), the post, what tools said, the
    persona's own fixed texts."""
    max_chars: int
    fixed: tuple[str, ...] = ()
    """Greeting and signature as they stand in the reply; they are not checked for language, repetition or facts."""
    instructions: str = ""
    """The prompt's system text; a reply must not show it."""
    banned: tuple[str, ...] = ()
    max_sentences: int | None = None
    """Most sentences besides the fixed texts; None: any number."""


Check = Callable[[str, CheckFacts], Iterable[Finding]]


def at(code: Code, match: re.Match[str]) -> Finding:
    return Finding(code, match.span(), match[0].strip()[:MAX_TEXT])


def masked(reply: str, fixed: tuple[str, ...]) -> str:
    """`reply` with blanks in place of the fixed texts, so that places in it stay the same."""
    for text in fixed:
        reply = reply.replace(text, " " * len(text), 1) if text else reply
    return reply

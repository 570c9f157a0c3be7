"""Every word of the status page, in English and Chinese."""

from collections.abc import Mapping
from typing import Final

from bot.models import State
from bot.settings import Language

WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "title": "Status",
        "lead": "What Rejoinder has done with the comments, and what it waits for.",
        "well": "Everything works",
        "unwell": "Needs attention",
        "comments": "Comments",
        "channels": "Channels",
        "no_channels": "No channel yet. Add one: rejoinder channels add NAME --platform PLATFORM",
        "documents": "Documents",
        "documents_line": "{documents} documents, {passages} passages",
        "vectors_line": "{vectors} found by meaning ({embedder})",
        "tags_line": "Tags: {tags}",
        "no_documents": "No documents yet, so nothing can be answered. Add some: rejoinder ingest PATH",
        "generator": "Generator",
        "extractive": "Quotes the documents' own sentences; no model is needed.",
        "voices": "Voices",
        "voice_live": "live",
        "voice_canary": "canary, {share} of the comments",
        "all_channels": "all channels",
        "verdicts": "{number} verdicts, {rate} rejected",
        "no_verdicts": "no verdicts yet",
        "voice_returned": "{name} was taken back {ago}: {why}",
        "troubles": "Troubles",
        "latest": "Latest decisions",
        "no_latest": "Nothing was decided yet.",
        "no_texts": "Comments and replies are shown only where this page is bound to a loopback address.",
        "reply": "Reply",
        "draft": "Draft",
        "active": "active",
        "paused": "paused",
        "error": "error",
        "never": "not polled yet",
        "polled": "last poll {ago}",
        "as": "as {name}",
        "failures": "{number} failures in a row",
        "seconds": "{number} s ago",
        "minutes": "{number} min ago",
        "hours": "{number} h ago",
        "days": "{number} d ago",
        "other": "中文",
        "other_code": "zh",
        "language_en": "English",
        "language_zh": "Chinese",
        "language_und": "unknown",
        "gone": "The service does not answer; what you see is old.",
        "metrics": "Metrics",
        "health": "Health",
    },
    "zh": {
        "title": "运行状态",
        "lead": "Rejoinder 处理评论的情况，以及还在等待什么。",
        "well": "一切正常",
        "unwell": "需要处理",
        "comments": "评论",
        "channels": "频道",
        "no_channels": "还没有频道。添加一个：rejoinder channels add 名称 --platform 平台",
        "documents": "资料",
        "documents_line": "{documents} 份资料，{passages} 个段落",
        "vectors_line": "{vectors} 个可按语义检索（{embedder}）",
        "tags_line": "标签：{tags}",
        "no_documents": "还没有资料，无法回答任何问题。添加资料：rejoinder ingest 路径",
        "generator": "生成器",
        "extractive": "直接引用资料原句，不需要模型。",
        "voices": "声音版本",
        "voice_live": "使用中",
        "voice_canary": "试用，回复其中 {share} 的评论",
        "all_channels": "全部频道",
        "verdicts": "{number} 次裁决，拒绝率 {rate}",
        "no_verdicts": "尚无裁决",
        "voice_returned": "{name} 已自动退回（{ago}）：{why}",
        "troubles": "问题",
        "latest": "最近的处理",
        "no_latest": "还没有处理任何评论。",
        "no_texts": "只有绑定到本机地址时，本页才显示评论和回复的内容。",
        "reply": "回复",
        "draft": "草稿",
        "active": "运行中",
        "paused": "已暂停",
        "error": "出错",
        "never": "尚未轮询",
        "polled": "上次轮询：{ago}",
        "as": "账号：{name}",
        "failures": "连续失败 {number} 次",
        "seconds": "{number} 秒前",
        "minutes": "{number} 分钟前",
        "hours": "{number} 小时前",
        "days": "{number} 天前",
        "other": "English",
        "other_code": "en",
        "language_en": "英文",
        "language_zh": "中文",
        "language_und": "未知",
        "gone": "服务没有响应，当前显示的是旧内容。",
        "metrics": "指标",
        "health": "健康检查",
    },
}

STATES: Final[Mapping[State, tuple[str, str]]] = {
    State.NEW: ("to be read", "待处理"),
    State.REVIEW: ("for a person", "待人工审核"),
    State.READY: ("ready to send", "待发送"),
    State.SENDING: ("being sent", "发送中"),
    State.UNKNOWN: ("being checked", "核实中"),
    State.SENT: ("answered", "已回复"),
    State.SKIPPED: ("skipped", "已跳过"),
    State.FAILED: ("failed", "失败"),
}
"""In the order in which the page shows them."""


def state_word(state: State, language: Language) -> str:
    return STATES[state][language == "zh"]


def choose_language(asked: str | None, accept: str, default: Language) -> Language:
    """What was asked for, else the first of the browser's languages that the page has, else `default`."""
    for tag in [asked or "", *_by_weight(accept)]:
        for language in WORDS:
            if tag.split("-")[0].lower() == language:
                return language
    return default


def _by_weight(accept: str) -> list[str]:
    wishes = []
    for entry in accept[:1000].split(","):
        tag, _, quality = entry.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        wishes.append((-weight, tag))
    return [tag for _, tag in sorted(wishes, key=lambda wish: wish[0])]

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
        "translation": "Machine translation",
        "translate": "Translate",
        "back": "Back",
        "failed": "That did not work",
        "busy": "Two requests are being worked on already; wait a moment and try again.",
        "asked": "What people asked",
        "every_channel": "all channels",
        "last_day": "Last 24 hours",
        "last_week": "7 days",
        "in_work": "in work",
        "in_short": "In short (written by the model)",
        "sum_up": "Let the model sum it up",
        "topics": "Topics",
        "in_vain": "Asked, but not in the documents",
        "busiest": "Posts with most comments",
        "open": "open",
        "more_subjects": "{number} more topics are not shown.",
        "asked_nothing": "{number} comments ask nothing.",
        "not_grouped": "{number} older comments are counted, but not put into topics.",
        "no_comments": "Nobody wrote anything in this time.",
        "try_it": "Try a reply",
        "try_lead": "Write what a commenter might write, and see what would happen. Nothing is stored or sent.",
        "question": "Comment",
        "post_title": "Title of the post (optional)",
        "with_documents": "With the documents",
        "answer": "Answer",
        "writing": "Writing …",
        "broken": "The answer broke off; try again.",
        "send": "Would be sent",
        "review": "Would wait for a person",
        "skip": "Would be skipped",
        "checks": "Checks",
        "no_findings": "Nothing found.",
        "passages": "Passages",
        "no_passages": "The documents hold nothing that fits.",
        "cited": "used",
        "support": "support {support}",
        "took": "{seconds} s",
        "question_empty": "Write a comment first.",
        "question_long": "The comment has {number} characters; this page takes {limit}.",
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
        "translation": "机器翻译",
        "translate": "翻译",
        "back": "返回",
        "failed": "没有成功",
        "busy": "已有两个请求正在处理，请稍后再试。",
        "asked": "大家问了什么",
        "every_channel": "全部频道",
        "last_day": "最近 24 小时",
        "last_week": "7 天",
        "in_work": "处理中",
        "in_short": "概要（由模型撰写）",
        "sum_up": "让模型写概要",
        "topics": "话题",
        "in_vain": "有人问、但资料里没有",
        "busiest": "评论最多的帖子",
        "open": "打开",
        "more_subjects": "另有 {number} 个话题未显示。",
        "asked_nothing": "{number} 条评论没有提问。",
        "not_grouped": "{number} 条较早的评论只计数，未归入话题。",
        "no_comments": "这段时间没有人评论。",
        "try_it": "试写回复",
        "try_lead": "写一条评论，看看会怎样处理。不保存，也不发送。",
        "question": "评论",
        "post_title": "帖子标题（可不填）",
        "with_documents": "使用资料",
        "answer": "回复",
        "writing": "正在写……",
        "broken": "回复中断了，请重试。",
        "send": "会自动发送",
        "review": "会等待人工审核",
        "skip": "会跳过",
        "checks": "检查",
        "no_findings": "没有发现问题。",
        "passages": "段落",
        "no_passages": "资料里没有相关内容。",
        "cited": "已引用",
        "support": "支持度 {support}",
        "took": "{seconds} 秒",
        "question_empty": "请先写一条评论。",
        "question_long": "评论有 {number} 个字符，本页最多 {limit} 个。",
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

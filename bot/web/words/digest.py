"""Words of the digest."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "asked": ("What people asked", "大家问了什么"),
    "last_day": ("Last 24 hours", "最近 24 小时"),
    "last_week": ("7 days", "7 天"),
    "in_work": ("in work", "处理中"),
    "in_short": ("In short (written by the model)", "概要（由模型撰写）"),
    "sum_up": ("Let the model sum it up", "让模型写概要"),
    "topics": ("Topics", "话题"),
    "in_vain": ("Asked, but not in the documents", "有人问、但资料里没有"),
    "busiest": ("Posts with most comments", "评论最多的帖子"),
    "more_subjects": ("{number} more topics are not shown.", "另有 {number} 个话题未显示。"),
    "asked_nothing": ("{number} comments ask nothing.", "{number} 条评论没有提问。"),
    "not_grouped": (
        "{number} older comments are counted, but not put into topics.",
        "{number} 条较早的评论只计数，未归入话题。",
    ),
    "no_comments": ("Nobody wrote anything in this time.", "这段时间没有人评论。"),
}

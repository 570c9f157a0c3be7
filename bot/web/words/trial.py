"""Words of the page that tries a reply."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "try_it": ("Try a reply", "试写回复"),
    "try_lead": (
        "Write what a commenter might write, and see what would happen. Nothing is stored or sent.",
        "写一条评论，看看会怎样处理。不保存，也不发送。",
    ),
    "question": ("Comment", "评论"),
    "post_title": ("Title of the post (optional)", "帖子标题（可不填）"),
    "with_documents": ("With the documents", "使用资料"),
    "answer": ("Answer", "回复"),
    "writing": ("Writing …", "正在写……"),
    "broken": ("The answer broke off; try again.", "回复中断了，请重试。"),
    "send": ("Would be sent", "会自动发送"),
    "review": ("Would wait for a person", "会等待人工审核"),
    "skip": ("Would be skipped", "会跳过"),
    "took": ("{seconds} s", "{seconds} 秒"),
    "bare": ("Without documents", "不用资料"),
    "bare_why": ("for comparison only, nobody is ever sent it", "仅供比较，不会发给任何人"),
    "bare_checks": ("What the documents don't bear out", "资料不支持的内容"),
    "question_empty": ("Write a comment first.", "请先写一条评论。"),
    "question_long": (
        "The comment has {number} characters; this page takes {limit}.",
        "评论有 {number} 个字符，本页最多 {limit} 个。",
    ),
}

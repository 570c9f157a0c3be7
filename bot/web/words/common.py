"""Words of every page: key, English, Chinese."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "other": ("中文", "English"),
    "other_code": ("zh", "en"),
    "language_en": ("English", "英文"),
    "language_zh": ("Chinese", "中文"),
    "language_und": ("unknown", "未知"),
    "back": ("Back", "返回"),
    "failed": ("That did not work", "没有成功"),
    "busy": (
        "Two requests are being worked on already; wait a moment and try again.",
        "已有两个请求正在处理，请稍后再试。",
    ),
    "translation": ("Machine translation", "机器翻译"),
    "translate": ("Translate", "翻译"),
    "seconds": ("{number} s ago", "{number} 秒前"),
    "minutes": ("{number} min ago", "{number} 分钟前"),
    "hours": ("{number} h ago", "{number} 小时前"),
    "days": ("{number} d ago", "{number} 天前"),
    "every_channel": ("all channels", "全部频道"),
    "all_channels": ("all channels", "全部频道"),
    "active": ("active", "运行中"),
    "paused": ("paused", "已暂停"),
    "error": ("error", "出错"),
    "comments": ("Comments", "评论"),
    "channels": ("Channels", "频道"),
    "documents": ("Documents", "资料"),
    "voices": ("Voices", "声音版本"),
    "reply": ("Reply", "回复"),
    "draft": ("Draft", "草稿"),
    "open": ("open", "打开"),
    "aside": (" ({text})", "（{text}）"),
    "nav_review": ("Review", "审核"),
    "nav_asked": ("Questions", "提问"),
    "nav_try": ("Try", "试写"),
    "nav_audit": ("Audit", "审计"),
    "nav_people": ("People", "成员"),
    "no_such_page": (
        "There is no page at this address; begin at the review desk.",
        "这个地址没有页面，请从审核台开始。",
    ),
    "log_out": ("Log out", "退出登录"),
    "skip_to_content": ("Skip to the content", "跳到正文"),
    "pages": ("Pages", "页面"),
}

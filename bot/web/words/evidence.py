"""Words of what a draft was made from and judged by."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "evidence": ("Evidence", "依据"),
    "voice": ("Voice: {name}", "声音版本：{name}"),
    "base_model": ("Base model: {name}", "基础模型：{name}"),
    "word_for_word": ("Your own answer, word for word", "你自己写好的回答，原样给出"),
    "tools": ("Tools", "工具"),
    "tool_failed": ("failed", "出错"),
    "tool_nothing": ("It found nothing.", "没有找到任何内容。"),
    "pictures": ("Pictures", "图片"),
    "picture_comment": ("of the comment", "评论的图片"),
    "picture_post": ("of the post", "帖子的图片"),
    "picture_seen": ("looked at", "已查看"),
    "picture_unseen": ("not looked at: {why}", "未查看：{why}"),
    "candidates": ("Candidates, best first", "候选回复，最好的在前"),
    "candidate_score": ("score {score}", "得分 {score}"),
    "candidate_agreement": ("agreement {agreement}", "一致度 {agreement}"),
    "candidate_unanswered": ("does not answer", "没有作答"),
    "passages": ("Passages", "段落"),
    "no_passages": ("The documents hold nothing that fits.", "资料里没有相关内容。"),
    "cited": ("used", "已引用"),
    "support": ("support {support}", "支持度 {support}"),
    "checks": ("Checks", "检查"),
    "no_findings": ("Nothing found.", "没有发现问题。"),
}

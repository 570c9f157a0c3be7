"""Words of the status page."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "title": ("Overview", "概览"),
    "lead": (
        "What Rejoinder has done with the comments, and what it waits for.",
        "Rejoinder 处理评论的情况，以及还在等待什么。",
    ),
    "well": ("Everything works", "一切正常"),
    "unwell": ("Needs attention", "需要处理"),
    "no_channels": (
        "No channel yet. Add one: rejoinder channels add NAME --platform PLATFORM",
        "还没有频道。添加一个：rejoinder channels add 名称 --platform 平台",
    ),
    "documents_line": ("{documents} documents, {passages} passages", "{documents} 份资料，{passages} 个段落"),
    "vectors_line": ("{vectors} found by meaning ({embedder})", "{vectors} 个可按语义检索（{embedder}）"),
    "tags_line": ("Tags: {tags}", "标签：{tags}"),
    "no_documents": (
        "No documents yet, so nothing can be answered. Add some: rejoinder ingest PATH",
        "还没有资料，无法回答任何问题。添加资料：rejoinder ingest 路径",
    ),
    "generator": ("Generator", "生成器"),
    "extractive": (
        "Quotes the documents' own sentences; no model is needed.",
        "直接引用资料原句，不需要模型。",
    ),
    "comments_wait": ("{why}; comments wait until it answers again", "{why}；评论会等到它恢复"),
    "servers": ("Model servers", "模型服务器"),
    "server_well": ("well", "正常"),
    "server_resting": ("resting after failures", "多次失败，暂停使用"),
    "server_load": ("{outstanding} of {limit} requests under way", "正在处理 {outstanding}/{limit} 个请求"),
    "server_cache": ("{rate} of the prompts came from the prefix cache", "提示词有 {rate} 来自前缀缓存"),
    "model_answers": ("The model answers.", "模型可以作答。"),
    "voice_live": ("live", "使用中"),
    "voice_canary": ("canary, {share} of the comments", "试用，回复其中 {share} 的评论"),
    "verdicts": ("{number} verdicts, {rate} rejected", "{number} 次裁决，拒绝率 {rate}"),
    "no_verdicts": ("no verdicts yet", "尚无裁决"),
    "voice_returned": ("{name} was taken back {ago}: {why}", "{name} 已自动退回（{ago}）：{why}"),
    "troubles": ("Troubles", "问题"),
    "latest": ("Latest decisions", "最近的处理"),
    "no_latest": ("Nothing was decided yet.", "还没有处理任何评论。"),
    "never": ("not polled yet", "尚未轮询"),
    "polled": ("last poll {ago}", "上次轮询：{ago}"),
    "as": ("as {name}", "账号：{name}"),
    "failures": ("{number} failures in a row", "连续失败 {number} 次"),
    "gone": ("The service does not answer; what you see is old.", "服务没有响应，当前显示的是旧内容。"),
    "metrics": ("Metrics", "指标"),
    "health": ("Health", "健康检查"),
}

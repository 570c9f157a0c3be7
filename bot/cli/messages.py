"""What the commands say, in English and Chinese. Help texts and errors stay English."""

from collections.abc import Mapping
from typing import Final

MESSAGES: Final[Mapping[str, tuple[str, str]]] = {
    "comment": ("Comment", "评论"),
    "decision": ("Decision", "决定"),
    "reason": ("Reason", "原因"),
    "reply": ("Reply", "回复"),
    "status_page": ("Status page:  {url}", "状态页面： {url}"),
    "sandbox_site": ("Sandbox site: {url}", "演示站点： {url}"),
    "demo_hint": (
        "Write a comment on the sandbox site and watch the reply arrive. Ctrl-C stops the demo.",
        "在演示站点写一条评论，看看回复如何出现。按 Ctrl-C 结束演示。",
    ),
    "no_channels": (
        "There is no channel yet, so nothing is polled. Add one: rejoinder channels add NAME --platform PLATFORM",
        "还没有频道，不会轮询任何内容。添加一个：rejoinder channels add 名称 --platform 平台",
    ),
    "stopped": ("Stopped; nothing was lost.", "已停止，没有丢失任何内容。"),
    "once_summary": (
        "{comments} comments: {sent} answered, {review} for a person, {skipped} skipped, {failed} failed; {seconds} s",
        "共 {comments} 条评论：已回复 {sent}，待人工审核 {review}，已跳过 {skipped}，失败 {failed}；用时 {seconds} 秒",
    ),
    "init_written": ("Wrote {file}.", "已写入 {file}。"),
    "ingest_interrupted": (
        "Interrupted; the documents that were finished are kept. Run it again to go on.",
        "已中断，已完成的资料会保留。再次运行即可继续。",
    ),
    "ingest_failed": ("failed: {source}: {message}", "失败：{source}：{message}"),
    "ingest_report": (
        "{added} added, {updated} updated, {unchanged} unchanged, {removed} removed, {failed} failed, "
        "{ignored} ignored",
        "新增 {added}，更新 {updated}，未变 {unchanged}，移除 {removed}，失败 {failed}，忽略 {ignored}",
    ),
    "ingest_holds": ("The library holds {passages} passages.", "资料库共有 {passages} 个段落。"),
    "ask_empty": (
        "The library is empty; add documents with 'rejoinder ingest PATH', or name some with --docs.",
        "资料库是空的。用 rejoinder ingest 路径 添加资料，或用 --docs 指定资料。",
    ),
    "ask_send": ("Would be sent: {reason}{detail}", "会自动发送：{reason}{detail}"),
    "ask_review": ("Would wait for a person: {reason}{detail}", "会等待人工审核：{reason}{detail}"),
    "ask_skip": ("Would be skipped: {reason}{detail}", "会跳过：{reason}{detail}"),
    "id": ("ID", "编号"),
    "name": ("Name", "名称"),
    "channel": ("Channel", "频道"),
    "state": ("State", "状态"),
    "draft": ("Draft", "草稿"),
    "platform": ("Platform", "平台"),
    "account": ("Account", "账号"),
    "sends": ("Sends", "自动回复"),
    "documents": ("Documents", "资料范围"),
    "all_documents": ("all", "全部"),
    "posts_apart": (" (+{number} posts)", "（另有 {number} 个帖子单独设置）"),
    "error": ("Last error", "最近错误"),
    "option": ("Option", "选项"),
    "needed": ("Needed", "是否必填"),
    "default": ("Default", "默认值"),
    "option_needed": ("yes", "必填"),
    "option_free": ("no", "可选"),
    "option_secret": ("yes, secret: env:NAME or file:PATH", "必填，密钥：env:名称 或 file:路径"),
    "option_free_secret": ("no, secret: env:NAME or file:PATH", "可选，密钥：env:名称 或 file:路径"),
    "active": ("active", "运行中"),
    "paused": ("paused", "已暂停"),
    "sends_nothing": ("nothing: all to review", "无：全部人工审核"),
    "review_none": ("Nothing waits.", "没有等待处理的评论。"),
    "review_approved": ("{id}: the draft will be sent.", "{id}：草稿将被发送。"),
    "review_edited": ("{id}: your text will be sent.", "{id}：将发送您写的内容。"),
    "review_rejected": ("{id}: the draft was rejected.", "{id}：草稿已拒绝。"),
    "review_skipped": ("{id}: stays unanswered.", "{id}：不再回复。"),
    "review_retried": ("{id}: will be tried again.", "{id}：将重试。"),
    "review_sent": ("{id}: noted as answered.", "{id}：已记为已回复。"),
    "channel_account": ("Logged in as {name} ({id}).", "已登录：{name}（{id}）。"),
    "channel_added": (
        "Added {name}. A running service picks it up by itself.",
        "已添加 {name}，运行中的服务会自动接管。",
    ),
    "channel_sends": (
        "It answers by itself: {kinds}. The rest goes to review.",
        "自动回复：{kinds}。其余进入人工审核。",
    ),
    "channel_reviews": (
        "It sends nothing by itself: every draft goes to review. "
        "Open it: rejoinder channels rules {name} --send question",
        "不会自动发送：所有草稿都进入人工审核。开放自动回复：rejoinder channels rules {name} --send question",
    ),
    "channel_paused": ("{name} is paused: no polling, no sending.", "{name} 已暂停：不轮询，也不发送。"),
    "channel_resumed": ("{name} goes on.", "{name} 已恢复。"),
    "backfill_marked": (
        "{name} will be read from there by the running service.",
        "{name} 将由运行中的服务从该时间读起。",
    ),
    "backfill_progress": ("{new} comments read", "已读取 {new} 条评论"),
    "backfill_done": (
        "{name}: {new} comments are new; the service answers them.",
        "{name}：新增 {new} 条评论，由服务回复。",
    ),
    "level_ok": ("ok", "正常"),
    "level_warning": ("warning", "注意"),
    "level_error": ("error", "错误"),
    "export_done": ("Wrote {number} lines to {file}.", "已写入 {number} 行：{file}。"),
}

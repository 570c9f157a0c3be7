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
    "eval_index": ("indexing", "建立索引"),
    "eval_ask": ("asking", "提问"),
    "eval_dataset": ("Dataset", "数据集"),
    "eval_questions": ("Questions", "问题数"),
    "eval_r1": ("R@1", "R@1"),
    "eval_r3": ("R@3", "R@3"),
    "eval_r10": ("R@10", "R@10"),
    "eval_mrr10": ("MRR@10", "MRR@10"),
    "eval_ndcg10": ("nDCG@10", "nDCG@10"),
    "eval_cost": (
        "{documents} documents, {passages} passages, indexed in {build} s; {speed} questions a second, "
        "half of them within {p50} ms; {memory} MB",
        "{documents} 份资料，{passages} 个段落，建立索引用时 {build} 秒；每秒 {speed} 个问题，"
        "半数在 {p50} 毫秒内；内存 {memory} MB",
    ),
    "eval_quotes": (
        "Questions whose quote of one or two sentences holds a right answer; found: where its document came first:",
        "一句或两句引文中含有正确答案的比例；“找到”一列只计正确资料排在首位的问题：",
    ),
    "eval_quote1": ("1 sentence", "一句"),
    "eval_quote2": ("2 sentences", "两句"),
    "eval_found1": ("1, found", "一句，找到"),
    "eval_found2": ("2, found", "两句，找到"),
    "eval_in_documents": (
        "Questions of documents that are there against those of documents left out (half of them, {seeds} times):",
        "资料在库的问题与资料被移除的问题之间的区分（随机移除一半，共 {seeds} 次）：",
    ),
    "eval_adversarial": (
        "Answerable questions against those that only look answerable:",
        "可回答的问题与貌似可回答的问题之间的区分：",
    ),
    "eval_auc": ("AUC", "AUC"),
    "eval_at_1pct": ("Answered at 1 % wrong", "误答 1% 时的回答率"),
    "eval_at_5pct": ("Answered at 5 % wrong", "误答 5% 时的回答率"),
}

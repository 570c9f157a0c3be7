"""Words of the pages about the voices."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "voices_lead": (
        "Versions of your own way of writing (LoRA weights). One is live for all channels or for one of them.",
        "你的写作风格的各个版本（LoRA 权重）。每个频道或全部频道各有一个使用中的版本。",
    ),
    "voices_no_server": (
        "No model server is set up: replies quote the documents' own sentences, and no voice answers. To add "
        'one, start vLLM, write kind = "vllm", base_url and model under [generator] in rejoinder.toml, and start '
        "Rejoinder again.",
        "还没有设置模型服务器：目前直接引用资料原句，没有声音版本参与回复。要添加服务器，请启动 vLLM，"
        '在 rejoinder.toml 的 [generator] 下写 kind = "vllm"、base_url 和 model，然后重新启动 Rejoinder。',
    ),
    "voices_here": (
        "This process only serves pages; it shows what stands in the ledger, and asks the model servers itself. "
        "Files are those on the machine {host}.",
        "本进程只提供页面：显示账本中的内容，并自行访问模型服务器。文件为机器 {host} 上的文件。",
    ),
    "voices_none": (
        "No voice yet; the base model answers. Load one: rejoinder voices load DIR --name NAME",
        "还没有声音版本，由基础模型作答。加载一个：rejoinder voices load 文件夹 --name 名称",
    ),
    "voices_all": ("All voices", "全部声音版本"),
    "voices_name": ("Name", "名称"),
    "voices_status": ("Status", "状态"),
    "voices_channel": ("Channel", "频道"),
    "voices_parent": ("Parent", "上一版本"),
    "voices_base": ("Base model", "基础模型"),
    "voices_rank": ("Rank", "秩"),
    "voices_size": ("Size", "大小"),
    "voices_megabytes": ("{number} MB", "{number} MB"),
    "voices_not_here": ("not on this machine", "不在本机"),
    "voices_data_hash": ("Data hash", "数据哈希"),
    "voices_digest": ("Weights (SHA-256)", "权重（SHA-256）"),
    "voices_made": ("Made (UTC)", "创建时间（UTC）"),
    "voices_note": ("Note", "备注"),
    "voices_verdicts": ("Verdicts", "裁决"),
    "voices_tally": (
        "{approved} approved, {edited} edited, {rejected} rejected ({rate})",
        "通过 {approved}，修改 {edited}，拒绝 {rejected}（{rate}）",
    ),
    "voices_metrics": ("Metrics", "指标"),
    "voices_metric": ("Metric", "指标"),
    "voices_value": ("Value", "数值"),
    "voices_no_metrics": ("No metrics were given when it was loaded.", "加载时没有给出指标。"),
    "voices_candidate": ("candidate", "候选"),
    "voices_retired": ("retired", "已退役"),
    "voices_removed": ("retired, files removed", "已退役，文件已删除"),
    "voices_beside": (
        "Beside the voice of the other comments, since it began",
        "与其余评论的版本对比（试用以来）",
    ),
    "voices_the_base": ("base model", "基础模型"),
    "voices_history": ("History", "历史"),
    "voices_when": ("When (UTC)", "时间（UTC）"),
    "voices_who": ("Who", "操作者"),
    "voices_what": ("What", "操作"),
    "voices_detail": ("Detail", "说明"),
    "voices_itself": ("by itself", "自动"),
    "voices_did_load": ("loaded", "加载"),
    "voices_did_promote": ("promoted", "启用"),
    "voices_did_rollback": ("rolled back", "回退"),
    "voices_did_retire": ("retired", "退役"),
    "voices_did_return": ("taken back", "自动退回"),
    "voices_did_remove": ("files removed", "文件已删除"),
    "voices_promote": ("Promote…", "启用……"),
    "voices_promote_lead": (
        "It answers from the next comment on ({scope}). The voice that is live now stays the way back.",
        "从下一条评论开始由它回复（{scope}）。当前使用中的版本保留，可以回退。",
    ),
    "voices_share": (
        "Only for a part of the comments, as a canary, such as 10% (empty: all of them)",
        "只用于一部分评论（试用），例如 10%（留空：全部）",
    ),
    "voices_promote_sure": ("Promote {name}", "启用 {name}"),
    "voices_retire": ("Retire…", "退役……"),
    "voices_retire_lead": (
        "It answers no more comments. Its files stay, and it can be promoted again.",
        "它不再回复评论。文件保留，可以再次启用。",
    ),
    "voices_retire_sure": ("Retire {name}", "让 {name} 退役"),
    "voices_back": ("Roll back…", "回退……"),
    "voices_back_lead": (
        "{name} is retired; what was live before it answers from the next comment on: {came} ({scope}).",
        "{name} 将退役；从下一条评论开始由此前使用的版本回复：{came}（{scope}）。",
    ),
    "voices_back_sure": ("Roll back from {name}", "从 {name} 回退"),
    "voices_bad_share": (
        "{share} is no part of the comments; write it as 10% or 0.1.",
        "{share} 不是有效的比例，请写成 10% 或 0.1。",
    ),
    "voices_not_at": (
        "Promoted, but not loaded everywhere yet: {why}",
        "已启用，但尚未在所有服务器上加载：{why}",
    ),
    "voices_try": ("Try side by side", "并排试写"),
    "voices_try_lead": (
        "The same question, answered by each; nothing is stored or sent.",
        "同一个问题由各个版本分别回答；不保存，也不发送。",
    ),
    "voices_first": ("One", "版本一"),
    "voices_second": ("The other", "版本二"),
    "voices_error": ("No reply could be had", "没有得到回复"),
    "voices_unknown": ("No voice is named {name}; see the list.", "没有名为 {name} 的声音版本，请查看列表。"),
    "act_promote_voice": ("promoted a voice", "启用声音版本"),
    "act_retire_voice": ("retired a voice", "让声音版本退役"),
    "act_roll_back_voice": ("rolled back a voice", "回退声音版本"),
}

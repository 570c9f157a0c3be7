"""Words of the pages about the nights."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "nights": ("Nights", "夜间学习"),
    "nights_lead": (
        "What Rejoinder learned from your verdicts, whether it got better, and why a voice was refused.",
        "Rejoinder 从你的裁决中学到了什么、有没有变好，以及为什么拒绝某个版本。",
    ),
    "nights_all": ("All nights", "全部夜间学习"),
    "nights_title": ("Night {number}", "第 {number} 次夜间学习"),
    "nights_none": ("No night yet: nothing has been learned.", "还没有进行过夜间学习。"),
    "nights_how": (
        "A night needs verdicts, the base model that your model server serves, and the extra 'train' on the "
        "machine that trains. Name the model as base under [training] in rejoinder.toml, look at what would be "
        "learned, then start one by hand or give a time as cron:",
        "夜间学习需要裁决、模型服务器所用的基础模型，并在训练的机器上安装 'train' 扩展。"
        "请在 rejoinder.toml 的 [training] 下用 base 写明模型，先看看会学到什么，"
        "再手动开始一次，或用 cron 设定时间：",
    ),
    "nights_try": ("To see it learn without a GPU:", "没有 GPU 也能看它学习："),
    "nights_next": ("The next night begins at {at} ({zone}).", "下一次夜间学习从 {at} 开始（{zone}）。"),
    "nights_by_hand": (
        "No time is set (training.cron): a night begins when somebody starts it.",
        "没有设定时间（training.cron）：由人手动开始。",
    ),
    "nights_unknown": ("There is no night {number}; see the list.", "没有第 {number} 次夜间学习，请查看列表。"),
    "nights_no_report": (
        "Night {number} has no report on this machine: it ended before its judgement, or trained elsewhere.",
        "本机没有第 {number} 次夜间学习的报告：它在评判之前就结束了，或是在别的机器上训练的。",
    ),
    "nights_when": ("Began (UTC)", "开始时间（UTC）"),
    "nights_took": ("Took", "用时"),
    "nights_so_far": ("{took} so far", "已进行 {took}"),
    "nights_whose": ("Voice of", "哪里的声音"),
    "nights_status": ("Outcome", "结果"),
    "nights_why": ("Why", "原因"),
    "nights_figures": ("Measured", "测量结果"),
    "nights_voice": ("New voice", "新版本"),
    "nights_parent": ("Began with", "起点"),
    "nights_base": ("Base model", "基础模型"),
    "nights_data_hash": ("Data hash", "数据哈希"),
    "nights_code": ("Code version", "代码版本"),
    "nights_step": ("Step", "步骤"),
    "nights_done": ("Measured there", "测得"),
    "nights_steps": ("Step by step", "逐步结果"),
    "nights_older": ("Older nights", "更早的"),
    "nights_newest": ("Newest nights", "最新的"),
    "nights_running": ("learning", "学习中"),
    "nights_promoted": ("new voice", "新版本启用"),
    "nights_refused": ("refused", "被拒绝"),
    "nights_skipped": ("skipped", "已跳过"),
    "nights_failed": ("failed", "失败"),
    "nights_says_running": (
        "It is at the step “{step}”. Nothing answers differently until the gate lets a new voice through.",
        "正在进行“{step}”。在新版本通过关卡之前，回复不会有任何变化。",
    ),
    "nights_says_promoted": ("The gate let it through: {voice}.", "通过了关卡：{voice}。"),
    "nights_says_unmade": (
        "The gate found nothing against it. No voice was made: this was a trial run.",
        "关卡没有发现问题。这是试运行，没有生成新版本。",
    ),
    "nights_says_refused": (
        "The gate refused it, so the voice before goes on answering.",
        "关卡拒绝了它，仍由原来的版本回复。",
    ),
    "nights_says_skipped": ("There was too little to learn from.", "可学习的内容太少。"),
    "nights_says_failed": (
        "It ended at the step “{step}”. What answered before goes on answering.",
        "在“{step}”这一步中止。仍由原来的版本回复。",
    ),
    "nights_step_snapshot": ("Freeze the verdicts", "冻结裁决数据"),
    "nights_step_sft": ("Imitate your replies", "模仿你的回复"),
    "nights_step_reward": ("Learn your taste", "学习你的偏好"),
    "nights_step_judge": ("A second taste, to judge by", "另一个偏好模型，用来评判"),
    "nights_step_ppo": ("Practise (PPO)", "练习（PPO）"),
    "nights_step_rloo": ("Practise (RLOO)", "练习（RLOO）"),
    "nights_step_evaluate": ("Compare with the live voice", "与使用中的版本对比"),
    "nights_step_evaluation": ("Compare with the live voice", "与使用中的版本对比"),
    "nights_step_gate": ("The gate", "关卡"),
    "nights_step_promote": ("Make it a voice", "成为新版本"),
    "nights_gate": ("The gate", "关卡"),
    "nights_guard": ("Guard", "检查项"),
    "nights_before": ("Before", "之前"),
    "nights_after": ("After", "之后"),
    "nights_change": ("Change", "变化"),
    "nights_verdict": ("Gate", "关卡"),
    "nights_passed": ("let through", "通过"),
    "nights_tripped": ("refused", "拒绝"),
    "nights_tripped_lead": ("Refused because of:", "拒绝的原因："),
    "nights_curves": ("How the practice went", "练习过程"),
    "nights_curves_lead": (
        "One point is one batch of replies; of a long night every few batches are drawn.",
        "一个点是一批回复；夜间学习较长时，每隔几批画一个点。",
    ),
    "nights_batch": ("Batch", "批次"),
    "nights_samples": ("Side by side", "并排对比"),
    "nights_samples_lead": (
        "Comments from the past that nothing was trained on, answered by both.",
        "没有用于训练的过往评论，由两者分别回复。",
    ),
    "nights_comment": ("Comment", "评论"),
    "nights_human": ("What you sent", "你发出的回复"),
    "nights_report": ("The night's whole report", "完整报告"),
    "nights_back_lead": (
        "{voice} answers comments now. If you do not like it, go back on its page, or by: {command}",
        "{voice} 正在回复评论。如果不满意，可以在它的页面回退，或运行：{command}",
    ),
    "nights_settings": ("Settings of this night", "这次的设置"),
    "nights_of_voice": ("Made by", "来源"),
    "nights_last": ("Last night", "最近一次夜间学习"),
}

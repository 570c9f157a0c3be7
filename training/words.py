"""What `rejoinder train` says to people: key: (English, Chinese)."""

from typing import Final

WORDS: Final = {
    "promoted": ("Night {id}: {voice} answers now.", "第 {id} 夜：{voice} 已开始回复。"),
    "passed": ("Night {id} passed the gate: {why}", "第 {id} 夜通过了评审：{why}"),
    "refused": ("Night {id} was refused, and nothing changes:", "第 {id} 夜未通过评审，一切照旧："),
    "skipped": ("Night {id} was skipped: {why}", "第 {id} 夜已跳过：{why}"),
    "failed": ("Night {id} failed at {step}: {why}", "第 {id} 夜在 {step} 步失败：{why}"),
    "running": ("Night {id} stopped at {step}: {why}", "第 {id} 夜停在 {step} 步：{why}"),
    "report": ("Report: {file}", "报告：{file}"),
    "runs": (
        "Night {id} runs, step {step}, since {since}.",
        "第 {id} 夜正在进行，步骤 {step}，开始于 {since}。",
    ),
    "waits": (
        "Night {id} waits at step {step}: {why} Go on with it: rejoinder train nightly",
        "第 {id} 夜停在 {step} 步：{why} 继续请运行：rejoinder train nightly",
    ),
    "none": ("There was no night yet: rejoinder train nightly", "还没有训练过：rejoinder train nightly"),
    "no_step": ("It stopped in the middle.", "中途停止。"),
    "woken": ("Awake again: {servers}", "已唤醒：{servers}"),
    "done": ("{what} is in {folder}", "{what} 已写入 {folder}"),
    "all_channels": ("all channels", "所有频道"),
    "h_night": ("night", "夜"),
    "h_began": ("began", "开始"),
    "h_channel": ("channel", "频道"),
    "h_status": ("status", "状态"),
    "h_step": ("step", "步骤"),
    "h_voice": ("voice", "声音"),
    "h_why": ("why", "原因"),
    "status_running": ("running", "进行中"),
    "status_promoted": ("promoted", "已上线"),
    "status_passed": ("passed", "已通过"),
    "status_refused": ("refused", "未通过"),
    "status_skipped": ("skipped", "已跳过"),
    "status_failed": ("failed", "失败"),
}


def say(key: str, language: str, **values: object) -> str:
    english, chinese = WORDS[key]
    return (chinese if language == "zh" else english).format(**values)

"""The nightly training: whether it can begin, and how the last one went."""

import importlib.util
from collections.abc import Iterator
from datetime import datetime

from bot.doctor.report import Finding
from bot.models import NightStatus
from bot.settings import Settings
from bot.store.nights import Listed, is_held


def night_findings(settings: Settings, last: Listed | None, now: datetime) -> Iterator[Finding]:
    """Nothing where no night was ever held, and none is planned."""
    if settings.training.cron and not settings.training.base:
        yield Finding(
            "error",
            "night",
            "training.cron is set, but not training.base; give the folder of the model that generator.model serves",
            "设置了 training.cron 但没有 training.base；请填写 generator.model 所用模型的文件夹",
        )
    if settings.training.cron and importlib.util.find_spec("torch") is None:
        yield Finding(
            "error",
            "night",
            "training.cron is set, but its packages are not installed: pip install 'rejoinder[train]'",
            "设置了 training.cron 但没有安装所需的包：pip install 'rejoinder[train]'",
        )
    if last is not None:
        yield _last(last, now)


def _last(last: Listed, now: datetime) -> Finding:
    night = last.night
    english, chinese = f"night {night.id}", f"第 {night.id} 夜"
    guards = ", ".join(str(one["guard"]) for one in night.refusals)
    if night.status == NightStatus.FAILED:
        return Finding(
            "warning", "night", f"{english} failed: {night.error}", f"{chinese}失败：{night.error}"
        )
    if night.status == NightStatus.REFUSED:
        return Finding(
            "warning",
            "night",
            f"{english} was refused ({guards}); nothing has changed, /nights has its report",
            f"{chinese}未通过评审（{guards}）；一切照旧，报告见 /nights",
        )
    if night.status == NightStatus.RUNNING and not is_held(night, now):
        why = night.error or "it broke off"
        return Finding(
            "warning",
            "night",
            f"{english} waits at step {night.step} ({why}); go on with it: rejoinder train nightly",
            f"{chinese}停在 {night.step} 步（{why}）；继续请运行：rejoinder train nightly",
        )
    if night.status == NightStatus.PASSED:
        return Finding("ok", "night", f"{english} passed: {night.error}", f"{chinese}已通过：{night.error}")
    if night.status == NightStatus.RUNNING:
        return Finding(
            "ok", "night", f"{english} runs, step {night.step}", f"{chinese}正在进行：{night.step}"
        )
    return Finding("ok", "night", f"{english} made {night.voice}", f"{chinese}产生了 {night.voice}")

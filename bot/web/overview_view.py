"""From the figures of some days to what the template prints."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from bot.digest import PARTS
from bot.models import Channel
from bot.overview import Judged, Overview, Stretch
from bot.plain import excerpt
from bot.reasons import explain
from bot.settings import Language
from bot.store.dashboard import Quota
from bot.store.unanswered import Unanswered
from bot.unanswered import Topic
from bot.web import charts
from bot.web.charts import Chart, Plot, Series, Tell
from bot.web.figures import PERIODS, Figures
from bot.web.words import WORDS

QUESTION_CHARS: Final = 120
TOPICS: Final = 8
_STACK: Final = ("sent", "review", "waiting", "skipped", "failed")
"""From the bottom of a bar to its top."""


def overview_context(
    figures: Figures,
    channels: Sequence[Channel],
    *,
    days: int,
    channel: str | None,
    language: Language,
) -> dict[str, Any]:
    """What the part about the days needs; `channel` is the one that is looked at."""
    words, seen = WORDS[language], figures.overview
    return {
        "days": days,
        "chosen": channel or "",
        "channel_names": [one.name for one in channels],
        "periods": [{"days": number, "word": words["ov_days"].format(number=number)} for number in PERIODS],
        "zone": words["ov_zone"].format(zone=_zone(seen.days[-1].start)),
        "today": _told(seen.days[-1], words),
        "whole": _told(seen.whole, words),
        "whole_title": words["ov_whole"].format(number=days),
        "charts": _charts(seen, words),
        "skipped": [
            {"word": explain(reason, language), "number": number} for reason, number in seen.whole.skipped.items()
        ],
        "voices": [_voice(name, told, words) for name, told in seen.voices.items()],
        "in_vain": [_topic(topic, words) for topic in figures.in_vain[:TOPICS]],
        "more_in_vain": max(0, len(figures.in_vain) - TOPICS),
        "quotas": [_quota(quota, words) for quota in figures.quotas],
    }  # fmt: skip


def _told(stretch: Stretch, words: Mapping[str, str]) -> list[dict[str, str]]:
    parts = {part: str(stretch.parts[part]) for part in PARTS}
    told = {"in": str(stretch.comments), **parts}
    told |= {"p50": duration(stretch.p50, words), "p95": duration(stretch.p95, words)}
    told |= {"approved": rate(stretch.judged.rate), "changed": rate(stretch.judged.change)}
    return [{"key": key, "word": words[f"ov_{key}"], "value": value} for key, value in told.items()]


def _charts(seen: Overview, words: Mapping[str, str]) -> list[Chart]:
    labels = [f"{stretch.start.astimezone():%m-%d}" for stretch in seen.days]
    parts = [Series(part, words[f"ov_{part}"], [day.parts[part] for day in seen.days]) for part in _STACK]
    waits = [
        Series("p50", words["ov_p50"], [day.p50 for day in seen.days]),
        Series("p95", words["ov_p95"], [day.p95 for day in seen.days]),
    ]
    thought = [
        Series("rate", words["ov_approved"], [day.judged.rate for day in seen.days]),
        Series("change", words["ov_changed"], [day.judged.change for day in seen.days]),
    ]
    whole = seen.whole
    told = {
        "comments": words["ov_says_comments"].format(
            number=whole.comments, sent=whole.parts["sent"], days=len(labels)
        ),
        "replies": words["ov_says_replies"].format(
            p50=duration(whole.p50, words), p95=duration(whole.p95, words)
        ),
        "verdicts": words["ov_says_verdicts"].format(
            number=whole.judged.total, rate=rate(whole.judged.rate), change=rate(whole.judged.change)
        ),
    }

    def plot(key: str, series: Sequence[Series], tell: Tell) -> Plot:
        return Plot(key, words[f"ov_chart_{key}"], told[key], labels, series, tell)

    return [
        charts.bars(plot("comments", parts, _number)),
        charts.durations(plot("replies", waits, lambda value: duration(value, words))),
        charts.shares(plot("verdicts", thought, rate)),
    ]


def _voice(name: str, told: Judged, words: Mapping[str, str]) -> dict[str, str]:
    return {
        "name": name or words["ov_no_voice"],
        "number": str(told.total),
        "rate": rate(told.rate),
        "change": rate(told.change),
    }


def _topic(topic: Topic[Unanswered], words: Mapping[str, str]) -> dict[str, Any]:
    return {
        "question": excerpt(topic.example, QUESTION_CHARS),
        "count": topic.count,
        "waiting": words["ov_topic_waiting"].format(number=topic.waiting) if topic.waiting else "",
    }


def _quota(quota: Quota, words: Mapping[str, str]) -> dict[str, str]:
    held = quota.waits_until
    return {
        "channel": quota.channel,
        "used": str(quota.used),
        "allowed": words["ov_no_limit"] if quota.allowed is None else str(quota.allowed),
        "left": words["ov_no_limit"] if quota.left is None else str(quota.left),
        "held": words["ov_held"].format(until=clock_time(held)) if held is not None else "",
    }


def clock_time(moment: datetime) -> str:
    """By the clock of this machine, with its zone."""
    local = moment.astimezone()
    return f"{local:%Y-%m-%d %H:%M} {_zone(moment)}"


def _zone(moment: datetime) -> str:
    offset = f"{moment.astimezone():%z}"
    return f"UTC{offset[:3]}:{offset[3:]}" if offset != "+0000" else "UTC"


def duration(seconds: float | None, words: Mapping[str, str]) -> str:
    """In the unit that a person would use; a dash where nothing is known."""
    if seconds is None:
        return "–"
    for unit, length in (("ov_unit_d", 86_400), ("ov_unit_h", 3600), ("ov_unit_min", 60)):
        if seconds >= length:
            return words[unit].format(number=_short(seconds / length))
    return words["ov_unit_s"].format(number=_short(seconds))


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"


def rate(value: float | None) -> str:
    """In per cent; a dash where nothing is known."""
    return "–" if value is None else f"{value:.0%}"


def _number(value: float) -> str:
    return f"{value:.0f}"

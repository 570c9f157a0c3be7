"""From the nights to what the pages print."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from bot.models import Night, NightStatus
from bot.plain import excerpt
from bot.settings import Language
from bot.store.night_case import NightCase
from bot.store.nights import Listed
from bot.web.night_files import Left
from bot.web.night_report import curve_charts, guard_rows, sample_rows, taste
from bot.web.overview_view import duration
from bot.web.voices_view import metric_rows, scope_word
from bot.web.words import WORDS

NAME_CHARS: Final = 200
DETAIL_CHARS: Final = 400
MOST_REFUSALS: Final = 20
STEPS: Final = ("snapshot", "sft", "reward", "judge", "ppo", "evaluation", "promotion")
"""In their order; the figures of a night stand under these names."""
_TAG: Final = {
    NightStatus.RUNNING: "sending",
    NightStatus.PROMOTED: "active",
    NightStatus.PASSED: "active",
    NightStatus.REFUSED: "review",
    NightStatus.FAILED: "error",
}
"""How an outcome is coloured; the word says the same."""

Words = Mapping[str, str]


def line_row(listed: Listed, language: Language, now: datetime) -> dict[str, Any]:
    words, night = WORDS[language], listed.night
    return {
        "id": night.id,
        "title": words["nights_title"].format(number=night.id),
        "began": f"{night.began_at:%Y-%m-%d %H:%M}",
        "took": _took(night, now, words),
        "scope": scope_word(listed.channel, words),
        "status": night.status,
        "status_word": words[f"nights_{night.status}"],
        "tag": _TAG.get(night.status, ""),
        "says": says(night, words),
        "why": list(_why(night, words)),
        "figures": taste(night.figures, words),
        "voice": night.voice or "",
    }


def case_context(case: NightCase, left: Left, language: Language, now: datetime) -> dict[str, Any]:
    words, night = WORDS[language], case.listed.night
    return {
        "night": line_row(case.listed, language, now),
        "running": night.status == NightStatus.RUNNING,
        "facts": _facts(night, words),
        "progress": progress(night, words),
        "steps": _steps(night, words),
        "guards": guard_rows(night.figures, night.refusals, words),
        "charts": curve_charts(left.report, words),
        "samples": sample_rows(left.report),
        "report": f"/nights/{night.id}/report" if left.has_page else "",
        "settings": metric_rows(night.settings),
        "answers": case.answers,
        "has_voice": case.voice is not None,
    }


def last_line(listed: Listed | None, language: Language) -> dict[str, Any] | None:
    """The overview's line about the last night."""
    if listed is None:
        return None
    words, night = WORDS[language], listed.night
    return {
        "id": night.id,
        "began": f"{night.began_at:%Y-%m-%d %H:%M} UTC",
        "status_word": words[f"nights_{night.status}"],
        "tag": _TAG.get(night.status, ""),
        "says": says(night, words),
        "why": next(_why(night, words), ""),
    }


def says(night: Night, words: Words) -> str:
    """What became of it, in a sentence."""
    return words[f"nights_says_{night.status}"].format(step=step_word(night.step, words))


def step_word(step: str, words: Words) -> str:
    return words.get(f"nights_step_{step}", excerpt(step, NAME_CHARS))


def _why(night: Night, words: Words) -> Iterator[str]:
    """Of a refusal each guard that tripped, else what went wrong or was missing."""
    for one in night.refusals[:MOST_REFUSALS]:
        if isinstance(one, Mapping):
            guard = str(one.get("guard", ""))
            word = words.get(f"nights_guard_{guard}", excerpt(guard, NAME_CHARS))
            yield f"{word}: {excerpt(str(one.get('detail', '')), DETAIL_CHARS)}"
    if night.error:
        yield excerpt(night.error, DETAIL_CHARS)


def _took(night: Night, now: datetime, words: Words) -> str:
    # A clock that was set back in between makes it end before it began.
    took = duration(max(((night.ended_at or now) - night.began_at).total_seconds(), 0.0), words)
    return took if night.ended_at is not None else words["nights_so_far"].format(took=took)


def _facts(night: Night, words: Words) -> list[tuple[str, str]]:
    found = [
        (words["nights_parent"], night.parent or words["voices_the_base"]),
        (words["nights_base"], excerpt(night.base_model, NAME_CHARS)),
        (words["nights_data_hash"], excerpt(night.data_hash, NAME_CHARS)),
        (words["nights_code"], excerpt(night.code_version, NAME_CHARS)),
    ]
    return [(word, value) for word, value in found if value]


def progress(night: Night, words: Words) -> dict[str, Any] | None:
    """How far a running night is: of its steps, and within the one that is being done."""
    if night.status != NightStatus.RUNNING:
        return None
    place = STEPS.index(night.step) + 1 if night.step in STEPS else 1
    return {"step": step_word(night.step, words), "place": place, "of": len(STEPS)}


def _steps(night: Night, words: Words) -> list[dict[str, Any]]:
    """What each step measured, but for the judgement, which has a table of its own."""
    return [
        {"name": step_word(step, words), "rows": metric_rows(night.figures[step])}
        for step in STEPS
        if step != "evaluation" and isinstance(night.figures.get(step), Mapping)
    ]

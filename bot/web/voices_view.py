"""From the registry of voices to what the pages print."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bot.models import Night, Voice, VoiceEvent, VoiceStatus
from bot.plain import excerpt, plain
from bot.reasons import explain
from bot.settings import Language
from bot.store.voice_case import VoiceCase, VoiceLine
from bot.store.voices import KEEPER, PROMOTABLE
from bot.voices.canary import Tally
from bot.voices.trial import BASE, Side
from bot.web.night_report import taste
from bot.web.words import WORDS

NAME_CHARS: Final = 200
DETAIL_CHARS: Final = 400
MOST_METRICS: Final = 200

Words = Mapping[str, str]


def line_row(line: VoiceLine, words: Words) -> dict[str, Any]:
    voice = line.voice
    return {
        "name": voice.name,
        "status": voice.status,
        "status_word": status_word(voice, words),
        "scope": scope_word(line.channel, words),
        "parent": voice.parent or "",
        "rank": voice.rank or "",
        "data_hash": excerpt(voice.data_hash, 12),
        "told": tally_line(line.told, words),
        "made": f"{voice.created_at:%Y-%m-%d %H:%M}",
        "note": excerpt(voice.note, NAME_CHARS),
        "metrics": taste(voice.metrics, words) or metric_rows(voice.metrics)[:3],
    }


def case_context(case: VoiceCase, size: int | None, back: Voice | None, language: Language) -> dict[str, Any]:
    """`size` in bytes, None where the files are not on this machine; `back`: what a rollback would bring."""
    words, voice, scope = WORDS[language], case.voice, scope_word(case.channel, WORDS[language])
    came = back.name if back is not None else words["voices_the_base"]
    return {
        "voice": line_row(VoiceLine(voice, case.channel, case.told), words),
        "facts": _facts(case, size, words),
        "metrics": metric_rows(voice.metrics),
        "beside": _beside(case, words),
        "night": _night(case.night, words),
        "events": [event_row(voice, event, words) for event in case.events],
        "promotable": voice.status in PROMOTABLE and bool(voice.path),
        "retirable": voice.status in (VoiceStatus.CANDIDATE, VoiceStatus.CANARY),
        "is_live": voice.status == VoiceStatus.LIVE,
        "promote_lead": words["voices_promote_lead"].format(scope=scope),
        "back_lead": words["voices_back_lead"].format(name=voice.name, came=came, scope=scope),
    }


def _facts(case: VoiceCase, size: int | None, words: Words) -> list[tuple[str, str]]:
    voice = case.voice
    megabytes = words["voices_not_here"]
    if size is not None:
        megabytes = words["voices_megabytes"].format(number=f"{size / 1e6:.1f}")
    found = [
        (words["voices_status"], status_word(voice, words)),
        (words["voices_channel"], scope_word(case.channel, words)),
        (words["voices_base"], excerpt(voice.base_model, NAME_CHARS)),
        (words["voices_rank"], str(voice.rank) if voice.rank else ""),
        (words["voices_size"], megabytes),
        (words["voices_data_hash"], excerpt(voice.data_hash, NAME_CHARS)),
        (words["voices_digest"], voice.digest),
        (words["voices_made"], f"{voice.created_at:%Y-%m-%d %H:%M}"),
        (words["voices_verdicts"], tally_line(case.told, words)),
        (words["voices_note"], excerpt(voice.note, DETAIL_CHARS)),
    ]
    return [(word, value) for word, value in found if value]


def _night(night: Night | None, words: Words) -> dict[str, Any] | None:
    """The night that made it."""
    if night is None:
        return None
    title = words["nights_title"].format(number=night.id)
    return {"id": night.id, "title": title}


def _beside(case: VoiceCase, words: Words) -> list[tuple[str, str]]:
    trial = case.trial
    if trial is None:
        return []
    live = trial.live.name if trial.live is not None else words["voices_the_base"]
    return [
        (case.voice.name, tally_line(trial.canary_tally, words)),
        (live, tally_line(trial.live_tally, words)),
    ]


def event_row(voice: Voice, event: VoiceEvent, words: Words) -> dict[str, str]:
    return {
        "name": voice.name,
        "at": f"{event.at:%Y-%m-%d %H:%M}",
        "who": words["voices_itself"] if event.actor == KEEPER else excerpt(event.actor, NAME_CHARS),
        "what": words.get(f"voices_did_{event.act}", event.act),
        "detail": excerpt(event.detail, DETAIL_CHARS),
    }


def status_word(voice: Voice, words: Words) -> str:
    if voice.status == VoiceStatus.LIVE:
        return words["voice_live"]
    if voice.status == VoiceStatus.CANARY:
        return words["voice_canary"].format(share=f"{voice.share:.1%}")
    if voice.status == VoiceStatus.RETIRED:
        return words["voices_retired" if voice.path else "voices_removed"]
    return words["voices_candidate"]


def scope_word(channel: str | None, words: Words) -> str:
    return channel if channel is not None else words["all_channels"]


def tally_line(told: Tally, words: Words) -> str:
    if not told.total:
        return words["no_verdicts"]
    given = {"approved": told.approved, "edited": told.edited, "rejected": told.rejected}
    return words["voices_tally"].format(**given, rate=f"{told.reject_rate:.0%}")


def metric_rows(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of each; of a group within the metrics, the names are joined by dots."""
    return [
        (excerpt(name, NAME_CHARS), excerpt(_shown(value), NAME_CHARS))
        for name, value in islice(_flat("", metrics), MOST_METRICS)
    ]


def _flat(above: str, metrics: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{above}{name}.", value)
        else:
            yield f"{above}{name}", value


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def side_row(name: str, side: Side, language: Language) -> dict[str, Any]:
    """What one voice made of the question."""
    words = WORDS[language]
    failed = side.decision == "error"
    return {
        "name": words["voices_the_base"] if name == BASE else name,
        "decision": side.decision,
        "word": words["voices_error" if failed else side.decision],
        "why": excerpt(side.reason, DETAIL_CHARS) if failed else explain(side.reason, language),
        "findings": list(side.findings),
        "text": plain(side.text),
        "took": words["took"].format(seconds=f"{side.seconds:.1f}"),
    }


def size_of(data_dir: Path, voices: Sequence[Voice]) -> dict[str, int]:
    """Bytes of the files of each voice that is on this machine, by its name."""
    sizes = {}
    for voice in voices:
        folder = data_dir / voice.path
        if voice.path and folder.is_dir():
            sizes[voice.name] = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    return sizes

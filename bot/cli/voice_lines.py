"""A voice as the command line shows it."""

from typing import Any

import typer

from bot.cli.shell import Shell
from bot.models import Voice, VoiceStatus
from bot.plain import plain
from bot.store.voice_case import VoiceCase
from bot.voices.canary import Tally


def voice_json(voice: Voice, channel: str | None, told: Tally) -> dict[str, Any]:
    return {
        # A row that was read has the text of its status, where pydantic awaits the enum itself.
        **voice.model_dump(exclude={"id", "channel_id", "status"}),
        "status": voice.status,
        "channel": channel,
        "verdicts": _tally_json(told),
    }


def case_json(case: VoiceCase) -> dict[str, Any]:
    trial = case.trial
    beside = trial.live.name if trial is not None and trial.live is not None else None
    return {
        **voice_json(case.voice, case.channel, case.told),
        "trial": trial
        and {
            "canary": _tally_json(trial.canary_tally),
            "live": _tally_json(trial.live_tally),
            "beside": beside,
        },
        "history": [event.model_dump(exclude={"id", "voice_id"}) for event in case.events],
    }


def _tally_json(told: Tally) -> dict[str, int]:
    return {"approved": told.approved, "edited": told.edited, "rejected": told.rejected}


def voice_row(shell: Shell, voice: Voice, channel: str | None, told: Tally) -> tuple[object, ...]:
    made = f"{voice.created_at:%Y-%m-%d %H:%M}"
    return voice.name, _scope(shell, channel), _status(shell, voice), _verdicts(shell, told), made, voice.note


def print_case(shell: Shell, case: VoiceCase) -> None:
    voice = case.voice
    head = f"{voice.name} · {_scope(shell, case.channel)} · {_status(shell, voice)}"
    weights = f"{voice.base_model} · r={voice.rank} · sha256:{voice.digest}"
    for line in (head, weights, voice.path, voice.note, _verdicts(shell, case.told)):
        if line:
            typer.echo(plain(line, one_line=True))
    if case.trial is not None:
        live = case.trial.live
        beside = live.name if live is not None else shell.say("voice_base")
        shell.tell("voice_trial", name=voice.name, tally=_verdicts(shell, case.trial.canary_tally))
        shell.tell("voice_trial", name=beside, tally=_verdicts(shell, case.trial.live_tally))
    for event in case.events:
        line = f"{event.at:%Y-%m-%d %H:%M:%S} {event.actor}: {event.act} → {event.to_status} {event.detail}"
        typer.echo(plain(line, one_line=True))


def _scope(shell: Shell, channel: str | None) -> str:
    return channel if channel is not None else shell.say("voice_all_channels")


def _status(shell: Shell, voice: Voice) -> str:
    word = shell.say(f"voice_status_{voice.status}")
    if voice.status == VoiceStatus.CANARY:
        return f"{word} {voice.share:.1%}"
    return word if voice.path else shell.say("voice_status_removed")


def _verdicts(shell: Shell, told: Tally) -> str:
    rate = f"{told.reject_rate:.0%}"
    return shell.say(
        "voice_tally", approved=told.approved, edited=told.edited, rejected=told.rejected, rate=rate
    )

"""`voices try`: two voices side by side."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import typer

from bot.bootstrap import open_answering, open_ledger, open_library
from bot.cli.errors import Failure, Misuse
from bot.cli.progress import bars_of
from bot.cli.shell import Shell, print_json
from bot.generator import VoiceRef
from bot.models import VoiceStatus
from bot.plain import excerpt, plain
from bot.reasons import explain
from bot.settings import Settings
from bot.store import channels, drafting, voices
from bot.store.drafting import Work
from bot.voices.keeper import voice_ref
from bot.voices.registering import load_everywhere
from bot.voices.trial import BASE, Compared, Side, compare, summary, voice_to_try
from knowledge.ingest import Library

AT_ONCE = 4

NO_SERVER = 'voices need a model server; set generator.kind = "vllm", base_url and model in rejoinder.toml'


def run_trial(shell: Shell, names: Sequence[str], *, number: int, channel: str | None, as_json: bool) -> None:
    """Print what each of `names` answers the last `number` comments. Ctrl-C prints what is there by then."""
    if shell.settings.generator.kind != "vllm":
        raise Misuse(NO_SERVER)
    with open_ledger(shell.settings) as ledger, open_library(shell.settings) as library:
        asked = [ledger.read(voice_to_try, name, shell.settings.data_dir) for name in names]
        channel_id = ledger.read(channels.named, channel).id if channel is not None else None
        works = ledger.read(drafting.latest_works, limit=number, channel_id=channel_id)
        if not works:
            raise Failure("there is no comment yet that could be answered; run the service first")
        done: list[Compared] = []
        interrupted = False
        try:
            asyncio.run(_compare(shell, library, works, asked, done))
        except KeyboardInterrupt:
            shell.warn("trial_interrupted", done=len(done), all=len(works))
            interrupted = True
    order = {id(work): at for at, work in enumerate(works)}
    done.sort(key=lambda one: order[id(one.work)])
    if as_json:
        print_json(trial_json(names, done))
    else:
        _print_trial(shell, names, done)
    if interrupted:
        raise typer.Exit(1)


def chosen_voice(settings: Settings, name: str | None) -> VoiceRef | None:
    """The voice called `name`, or by default the one that is live for all channels; None for the base model.

    Raises ChangeRefused, LedgerError, Misuse.
    """
    if settings.generator.kind != "vllm":
        if name not in (None, BASE):
            raise Misuse(NO_SERVER)
        return None
    with open_ledger(settings) as ledger:
        if name is not None:
            return ledger.read(voice_to_try, name, settings.data_dir)
        answering = ledger.read(voices.answering)
    live = next((one for one in answering if one.channel_id is None and one.status == VoiceStatus.LIVE), None)
    return voice_ref(live, settings.data_dir) if live is not None else None


async def _compare(
    shell: Shell,
    library: Library,
    works: Sequence[Work],
    asked: Sequence[VoiceRef | None],
    done: list[Compared],
) -> None:
    settings = shell.settings
    async with AsyncExitStack() as stack:
        answering = await stack.enter_async_context(open_answering(settings, library))
        servers = answering.fleet
        for voice in asked:
            if voice is not None and servers is not None:
                await load_everywhere(servers, voice)
        bars = stack.enter_context(bars_of(shell))

        def on_done(one: Compared) -> None:
            done.append(one)
            bars.trial(len(done), len(works))

        await compare(
            works,
            asked,
            answering.answerer,
            at_once=answering.answerer.capacity or AT_ONCE,
            on_done=on_done,
        )


def trial_json(names: Sequence[str], done: Sequence[Compared]) -> dict[str, Any]:
    return {
        "comments": [
            {
                "id": one.work.comment.id,
                "comment": one.work.comment.text,
                "replies": [
                    {"voice": name, **_side_json(side)} for name, side in zip(names, one.sides, strict=True)
                ],
            }
            for one in done
        ],
        "summary": [_summary_json(name, [one.sides[at] for one in done]) for at, name in enumerate(names)],
    }


def _side_json(side: Side) -> dict[str, Any]:
    return {
        "reply": side.text,
        "decision": side.decision,
        "reason": side.reason,
        "findings": list(side.findings),
        "seconds": side.seconds,
    }


def _summary_json(name: str, sides: Sequence[Side]) -> dict[str, Any]:
    found = summary(name, sides)
    return {
        "voice": name,
        "send": found.send,
        "review": found.review,
        "skip": found.skip,
        "error": found.errors,
        "with_findings": found.with_findings,
        "mean_chars": found.mean_chars,
        "mean_seconds": found.mean_seconds,
    }


def _print_trial(shell: Shell, names: Sequence[str], done: Sequence[Compared]) -> None:
    for one in done:
        typer.echo(plain(f"#{one.work.comment.id} {excerpt(one.work.comment.text, 200)}", one_line=True))
        for name, side in zip(names, one.sides, strict=True):
            why = side.reason if side.decision == "error" else explain(side.reason, shell.language)
            found = f" ! {', '.join(side.findings)}" if side.findings else ""
            word = shell.say(f"trial_{side.decision}")
            typer.echo(plain(f"  {name}: {word} ({why}){found}", one_line=True))
            if side.text:
                typer.echo("\n".join(f"    {line}" for line in plain(side.text).splitlines()))
    rows = [
        tuple(_summary_json(name, [one.sides[at] for one in done]).values()) for at, name in enumerate(names)
    ]
    headings = ("voice", "send", "review", "skip", "error", "findings", "chars", "seconds")
    shell.table([f"trial_{heading}" for heading in headings], rows)

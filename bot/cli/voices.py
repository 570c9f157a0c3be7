"""`voices`: which LoRA weights answer the comments."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from bot.access.visitor import Visitor
from bot.bootstrap import open_ledger, utc_now
from bot.building.model import fleet_of, make_generator
from bot.cli.errors import Misuse
from bot.cli.shell import Shell, caller, login, print_json, shell_of
from bot.cli.trial import NO_SERVER, run_trial
from bot.cli.voice_lines import case_json, print_case, voice_json, voice_row
from bot.generator import Generator
from bot.models import Voice
from bot.settings import Settings
from bot.store import channels, voice_acts, voice_case, voices
from bot.store.ledger import Ledger
from bot.store.voices import NewVoice
from bot.voices.canary import share_of
from bot.voices.keeper import VoiceServers, voice_ref
from bot.voices.registering import load_everywhere, put_away, register

app = typer.Typer(
    help="Load, try and promote the LoRA weights that answer the comments.", add_completion=False
)

Name = Annotated[str, typer.Argument(help="Name of the voice, as 'voices list' shows it.")]
By = Annotated[str | None, typer.Option(help="Who decides; default: the login name.")]
OfChannel = Annotated[str | None, typer.Option("--channel", help="One channel only; default: all channels.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@dataclass(frozen=True, slots=True)
class Serving:
    """What speaks to the model servers."""

    generator: Generator
    servers: VoiceServers


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Serving]:
    """Raises Misuse where no model server is configured."""
    generator = make_generator(settings)
    try:
        servers = fleet_of(settings, generator)
        if servers is None:
            raise Misuse(NO_SERVER)
        yield Serving(generator, servers)
    finally:
        await generator.aclose()


@app.command("list")
def list_voices(context: typer.Context, as_json: AsJson = False) -> None:
    """Every voice, and what people decided about its drafts."""
    shell = shell_of(context)
    with open_ledger(shell.settings) as ledger:
        found = ledger.read(voice_case.lines)
    lines = [(line.voice, line.channel, line.told) for line in found]
    if as_json:
        print_json([voice_json(*line) for line in lines])
    elif lines:
        rows = [voice_row(shell, *line) for line in lines]
        shell.table(("name", "channel", "state", "voice_verdicts", "voice_made", "voice_note"), rows)
    else:
        shell.warn("voices_none")


@app.command()
def show(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """One voice with its history; of a canary, how it does beside the live voice."""
    shell = shell_of(context)
    with open_ledger(shell.settings) as ledger:
        case = ledger.read(voice_case.case_of, name)
    if as_json:
        print_json(case_json(case))
    else:
        print_case(shell, case)


@app.command()
def load(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What the training wrote: a PEFT LoRA.")],
    *,
    name: Annotated[str, typer.Option(help="A name that no voice ever had.")],
    channel: OfChannel = None,
    parent: Annotated[str | None, typer.Option(help="The voice that the training began with.")] = None,
    note: Annotated[str, typer.Option(help="What people should know of it.")] = "",
    any_base: Annotated[
        bool, typer.Option("--any-base", help="Even if the weights name another base model than the server.")
    ] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Copy the weights, load them on every server, try them, and make them a candidate. Nobody is answered yet."""
    shell = shell_of(context)
    shell.log("error")
    with open_ledger(shell.settings) as ledger:
        channel_id = _channel_id(ledger, channel)
        new = NewVoice(name, "", "", "", 0, channel_id=channel_id, parent=parent, note=note)

        async def act() -> None:
            async with serving(shell.settings) as ready:
                made = await register(
                    folder, new, ledger=ledger, servers=ready.servers, generator=ready.generator,
                    data_dir=shell.settings.data_dir, any_base=any_base, by=_who(by), clock=utc_now,
                )  # fmt: skip
            for other in made.same_as:
                shell.warn("voice_same", name=name, other=other)
            _warn_away(shell, made.not_at)
            _tell(shell, "voice_loaded", made.voice, as_json=as_json)

        asyncio.run(act())


@app.command("try")
def try_voices(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help="A voice; 'base' is the base model.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    *,
    number: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many of the last comments.")] = 20,
    channel: OfChannel = None,
    as_json: AsJson = False,
) -> None:
    """Answer the last comments with two voices, side by side. Nothing is sent and nothing is kept."""
    shell = shell_of(context)
    shell.log("error")
    run_trial(shell, (first, second), number=number, channel=channel, as_json=as_json)


@app.command()
def promote(
    context: typer.Context,
    name: Name,
    *,
    share: Annotated[
        str | None, typer.Option(metavar="10%", help="Only for this part of the comments, as a canary.")
    ] = None,
    canary: Annotated[
        bool, typer.Option("--canary", help="As a canary, with the share that voices.canary_share says.")
    ] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Let a voice answer: from the next comment on. The one that was live stays the way back."""
    shell = shell_of(context)
    shell.log("error")
    part = parse_share(share) if share is not None else shell.settings.voices.canary_share if canary else None
    with open_ledger(shell.settings) as ledger:
        voice = ledger.read(voices.named, name)
        if voice.path:
            _warn_away(shell, asyncio.run(_load(shell.settings, voice)))
        voice = ledger.write(voice_acts.promote, _visitor(by), name, share=part, now=utc_now())
    _tell(shell, "voice_live" if part is None else "voice_canary", voice, as_json=as_json)


@app.command()
def retire(context: typer.Context, name: Name, by: By = None, as_json: AsJson = False) -> None:
    """Take a candidate or a canary out."""
    shell = shell_of(context)
    with open_ledger(shell.settings) as ledger:
        voice = ledger.write(voice_acts.retire, _visitor(by), name, now=utc_now())
    _tell(shell, "voice_retired", voice, as_json=as_json)


@app.command()
def rollback(
    context: typer.Context, *, channel: OfChannel = None, by: By = None, as_json: AsJson = False
) -> None:
    """Go back to the voice that was live before, from the next comment on."""
    shell = shell_of(context)
    with open_ledger(shell.settings) as ledger:
        channel_id = _channel_id(ledger, channel)
        went, came = ledger.write(voice_acts.roll_back, _visitor(by), channel_id, now=utc_now())
    if as_json:
        print_json({"went": went.name, "came": came.name if came is not None else None})
    elif came is not None:
        shell.tell("voice_back", went=went.name, came=came.name)
    else:
        shell.tell("voice_back_to_base", went=went.name)


@app.command()
def remove(context: typer.Context, name: Name, by: By = None, as_json: AsJson = False) -> None:
    """Delete the files of a retired voice that no server has loaded. Its row and its name stay."""
    shell = shell_of(context)
    shell.log("error")
    with open_ledger(shell.settings) as ledger:

        async def act() -> None:
            async with serving(shell.settings) as ready:
                await put_away(
                    name, ledger=ledger, servers=ready.servers, data_dir=shell.settings.data_dir,
                    lease=timedelta(seconds=shell.settings.service.lease_s), by=_who(by), now=utc_now(),
                )  # fmt: skip

        asyncio.run(act())
        _tell(shell, "voice_removed", ledger.read(voices.named, name), as_json=as_json)


async def _load(settings: Settings, voice: Voice) -> list[str]:
    async with serving(settings) as ready:
        return await load_everywhere(ready.servers, voice_ref(voice, settings.data_dir))


def parse_share(text: str) -> float:
    """`10%` or `0.1`. Raises Misuse."""
    try:
        return share_of(text)
    except ValueError as error:
        raise Misuse(f"--share {text!r} is no part of the comments; write it as 10% or 0.1") from error


def _tell(shell: Shell, key: str, voice: Voice, *, as_json: bool) -> None:
    if as_json:
        print_json({"name": voice.name, "status": voice.status, "share": voice.share})
    else:
        shell.tell(key, name=voice.name, share=f"{voice.share:.1%}")


def _warn_away(shell: Shell, reasons: Sequence[str]) -> None:
    for reason in reasons:
        shell.warn("voice_not_there", reason=reason)


def _channel_id(ledger: Ledger, name: str | None) -> int | None:
    return ledger.read(channels.named, name).id if name is not None else None


def _visitor(by: str | None) -> Visitor:
    return replace(caller(), name=_who(by))


def _who(by: str | None) -> str:
    return by if by is not None else login()

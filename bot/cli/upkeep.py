"""`doctor` and `export`."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

from bot.bootstrap import open_ledger, utc_now
from bot.cli.errors import Misuse
from bot.cli.shell import Shell, parse_since, print_json, shell_of, to_json
from bot.doctor import Finding, examine
from bot.export import What, rows
from bot.plain import plain
from bot.store import channels

app = typer.Typer()

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@app.command()
def doctor(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """Check settings, database, documents, channels and generator: one line each, with the cure."""
    shell = shell_of(context)
    shell.log("error")
    found = asyncio.run(_examine(shell, show=not as_json))
    if as_json:
        print_json(
            [{"level": one.level, "part": one.part, "message": one.message(shell.language)} for one in found]
        )
    if any(one.level == "error" for one in found):
        raise typer.Exit(1)


async def _examine(shell: Shell, *, show: bool) -> list[Finding]:
    found = []
    async for one in examine(shell.settings, shell.file):
        found.append(one)
        if show:
            level = typer.style(f"{shell.say(f'level_{one.level}'):<8}", fg=_COLOURS[one.level])
            message = plain(one.message(shell.language), one_line=True)
            typer.echo(f"{level} {plain(one.part, one_line=True)}: {message}")
    return found


@app.command()
def export(
    context: typer.Context,
    *,
    what: Annotated[str, typer.Option(help="comments or feedback.")] = "comments",
    channel: Annotated[str | None, typer.Option(help="One channel only.")] = None,
    since: Annotated[str | None, typer.Option(help="Written since: a date, a time, or 24h, 7d, 2w.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; default: stdout.")] = None,
) -> None:
    """Write comments with their drafts, replies and verdicts as JSON Lines; or the verdicts alone."""
    wanted: What
    if what == "comments":
        wanted = "comments"
    elif what == "feedback":
        wanted = "feedback"
    else:
        raise Misuse(f"--what {what!r} is not known; use comments or feedback")
    shell = shell_of(context)
    start = parse_since(since, utc_now()) if since is not None else None
    number = 0
    with open_ledger(shell.settings) as ledger:
        if channel is not None:
            ledger.read(channels.named, channel)
        with _writer(out) as file:
            for row in rows(ledger, what=wanted, channel=channel, since=start):
                file.write(json.dumps(row, ensure_ascii=False, default=to_json) + "\n")
                number += 1
    if out is not None:
        shell.warn("export_done", number=number, file=out)


@contextmanager
def _writer(out: Path | None) -> Iterator[TextIO]:
    """A lone surrogate leaves as \\udXXX, which is how JSON writes it."""
    if out is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    # Written beside its place and moved there whole: an export that broke off doesn't pass for a whole one.
    unfinished = out.with_name(f"{out.name}.unfinished")
    with unfinished.open("w", encoding="utf-8", errors="backslashreplace") as file:
        yield file
    unfinished.replace(out)

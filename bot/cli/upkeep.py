"""`doctor`."""

import asyncio
from typing import Annotated

import typer

from bot.cli.shell import Shell, print_json, shell_of
from bot.doctor import Finding, examine
from bot.plain import plain

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

"""Tools and pictures of a draft on a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from bot.cli.shell import Shell
from bot.details import explain_look
from bot.plain import excerpt, plain

RESULT_CHARS = 600


def print_steps(shell: Shell, steps: Sequence[Mapping[str, Any]]) -> None:
    """What was called with what, and what it said: `steps` as they are kept with a draft."""
    for step in steps:
        result = excerpt(str(step["result"]), RESULT_CHARS) or shell.say("tools_nothing")
        key = "step_failed" if step["failed"] else "step_used"
        line = shell.say(key, tool=step["tool"], arguments=step["arguments"], result=result)
        typer.echo(plain(line, one_line=True))


def print_pictures(shell: Shell, pictures: Sequence[Mapping[str, Any]]) -> None:
    """Which images belong to a draft's comment and post, and whether the model saw them."""
    for picture in pictures:
        key = "picture_seen" if picture["seen"] else "picture_unseen"
        why = explain_look(str(picture["why"]), shell.language)
        line = shell.say(key, of=shell.say(picture["of"]), address=picture["address"], why=why)
        typer.echo(plain(line, one_line=True))

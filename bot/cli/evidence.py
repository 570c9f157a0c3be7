"""Tools and pictures of a draft on a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from bot.cli.messages import message
from bot.cli.shell import Shell
from bot.details import explain_look
from bot.plain import excerpt, plain
from bot.settings import Language

RESULT_CHARS = 600


def print_steps(shell: Shell, steps: Sequence[Mapping[str, Any]]) -> None:
    """What was called with what, and what it said: `steps` as they are kept with a draft."""
    for line in step_lines(steps, shell.language):
        typer.echo(line)


def print_pictures(shell: Shell, pictures: Sequence[Mapping[str, Any]]) -> None:
    """Which images belong to a draft's comment and post, and whether the model saw them."""
    for line in picture_lines(pictures, shell.language):
        typer.echo(line)


def step_lines(steps: Sequence[Mapping[str, Any]], language: Language) -> Iterator[str]:
    """One line for each call, safe to show."""
    for step in steps:
        result = excerpt(str(step["result"]), RESULT_CHARS) or message("tools_nothing", language)
        key = "step_failed" if step["failed"] else "step_used"
        line = message(key, language, tool=step["tool"], arguments=step["arguments"], result=result)
        yield plain(line, one_line=True)


def picture_lines(pictures: Sequence[Mapping[str, Any]], language: Language) -> Iterator[str]:
    """One line for each image, safe to show."""
    for picture in pictures:
        key = "picture_seen" if picture["seen"] else "picture_unseen"
        why = explain_look(str(picture["why"]), language)
        of = message(picture["of"], language)
        yield plain(message(key, language, of=of, address=picture["address"], why=why), one_line=True)

"""The command line. Loads a command's code only when that command is called, so that `--help` is instant."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

COMMANDS = {
    "init": ("bot.cli.setup", "Write a commented rejoinder.toml."),
    "run": ("bot.cli.serve", "Run the service on the channels that were added."),
    "demo": (
        "bot.cli.serve",
        "Try everything on a small site of our own, with bundled documents and comments.",
    ),
    "ingest": ("bot.cli.documents", "Bring files, folders and web addresses into the library."),
    "ask": ("bot.cli.documents", "Show what a comment would be answered, without any platform."),
    "knowledge": ("bot.cli.knowledge", "See and mend the library: list, show, tag, remove, doctor."),
    "review": ("bot.cli.review", "Decide about the comments that wait for a person."),
    "digest": (
        "bot.cli.digest",
        "What people asked: topics, counts, links, and what the documents don't hold.",
    ),
    "channels": ("bot.cli.channels", "Add, list, pause, resume and backfill channels."),
    "inbox": ("bot.cli.inbox", "Bring in comments of platforms without an official comment API."),
    "voices": ("bot.cli.voices", "Load, try and promote the LoRA weights that answer the comments."),
    "train": ("bot.cli.train", "Learn from the verdicts: nightly, its steps one by one, status, list, demo."),
    "webhooks": (
        "bot.cli.webhooks",
        "See and try the addresses that are told when a comment needs a person.",
    ),
    "tools": ("bot.cli.tools", "See and try what the model may call: tables, hours, web hooks."),
    "people": ("bot.cli.people", "Who may log in, their roles, links and tokens."),
    "eval": ("bot.cli.evaluate", "Measure retrieval on documents and questions of your own."),
    "doctor": ("bot.cli.upkeep", "Check settings, database, documents, channels and generator."),
    "export": ("bot.cli.export", "Write comments or verdicts as JSON Lines, or feedback as training rows."),
    "version": ("bot.cli.setup", "Print the version."),
}
"""Each command with the module that holds it and its line in the help."""

GLOBAL_OPTIONS = frozenset({"-c", "--settings", "--data-dir", "--lang"})


class LazyCommands(TyperGroup):
    """Knows its commands by name, and loads the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, line) in COMMANDS.items():
            self.add_command(TyperCommand(name, help=line))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, _, rest = super().resolve_command(ctx, args)
        return name, load_command(str(name)), rest

    def invoke(self, ctx: Any) -> Any:
        from bot.cli.errors import translated  # noqa: PLC0415  (knows every layer's errors, and so imports them)

        with translated():
            return super().invoke(ctx)


def load_command(name: str) -> Any:
    """The command, from its module."""
    found = typer.main.get_command(import_module(COMMANDS[name][0]).app)
    return found.commands.get(name, found) if isinstance(found, TyperGroup) else found


app = typer.Typer(
    cls=LazyCommands,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root(
    context: typer.Context,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", "-c", help="Settings file; default: rejoinder.toml, if there is one."),
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the state is kept; default: data.")] = None,
    lang: Annotated[str | None, typer.Option(metavar="en|zh", help="Language of messages.")] = None,
) -> None:
    """Answers the comments under a creator's posts, from the creator's own documents.

    The options here may also stand after the command.
    """
    if lang not in (None, "en", "zh"):
        raise typer.BadParameter(f"{lang!r} is not known; use en or zh", param_hint="--lang")
    context.obj = {"file": settings, "data_dir": data_dir, "language": lang}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 for a failed operation, 2 for bad usage or settings."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        # Comments may hold what the terminal's encoding cannot show.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    command = typer.main.get_command(app)
    try:
        code = command.main(hoisted(given), prog_name="rejoinder", standalone_mode=False)
    except TyperException as error:
        sys.stderr.write(f"{_one_line(error)}\n")
        return int(getattr(error, "exit_code", 1))
    except typer.Abort:
        return 1
    return code if isinstance(code, int) else 0


def hoisted(arguments: Sequence[str]) -> list[str]:
    """`arguments` with the global options in front, wherever before a `--` they stood."""
    front: list[str] = []
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            return [*front, *rest, "--", *waiting]
        if argument in GLOBAL_OPTIONS:
            front += [argument, *waiting[:1]]
            del waiting[:1]
        elif argument.partition("=")[0] in GLOBAL_OPTIONS:
            front.append(argument)
        else:
            rest.append(argument)
    return [*front, *rest]


def _one_line(error: TyperException) -> str:
    return " ".join(f"error: {error.format_message()}".split())

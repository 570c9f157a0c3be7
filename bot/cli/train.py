"""`train`: passed on to `python -m training`, which is a process of its own with packages of its own."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from bot.cli.shell import shell_of
from bot.nights import command, environment

app = typer.Typer()


@app.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
def train(
    context: typer.Context,
    arguments: Annotated[list[str] | None, typer.Argument(metavar="nightly|status|list|...")] = None,
) -> None:
    """Learn from the verdicts: nightly, its steps one by one, status, list, demo."""
    code = _pass_on(shell_of(context).options, arguments or ["--help"])
    if code:
        raise typer.Exit(code)


def _pass_on(options: Sequence[str], arguments: Sequence[str]) -> int:
    """The exit code of the process. Ctrl-C reaches it as it does this one; a term signal is passed on."""
    process = subprocess.Popen(command(*options, *arguments), env=environment())  # noqa: S603  (no shell, our own words)
    signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            continue  # it puts away its things first
        if code >= 0:
            return code
        sys.stderr.write(f"error: the training was ended by signal {-code}; start again to go on with it\n")
        # It may have left the model servers asleep.
        subprocess.run(command(*options, "wake"), env=environment(), check=False)  # noqa: S603
        return 128 - code

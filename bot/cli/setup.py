"""`init` and `version`."""

from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.errors import Failure
from bot.cli.shell import shell_of
from bot.settings import FILE
from bot.settings_file import settings_text

app = typer.Typer()


@app.command()
def init(
    context: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file that is there.")] = False,
) -> None:
    """Write a commented rejoinder.toml with every key at its default."""
    given: Path | None = context.find_root().obj["file"]
    file = given if given is not None else Path(FILE)
    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(settings_text())
    except FileExistsError as error:
        raise Failure(f"{file} exists already and was left as it is; --force overwrites it") from error
    shell_of(context).tell("init_written", file=file)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"rejoinder {installed_version('rejoinder')}")

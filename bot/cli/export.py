"""`export`: what the ledger holds, as files."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, TextIO

import typer

from bot import trl
from bot.bootstrap import open_ledger, utc_now
from bot.building.persona import persona_of
from bot.cli.errors import Misuse
from bot.cli.progress import bars_of
from bot.cli.shell import Shell, parse_since, print_json, shell_of, to_json
from bot.export import What, rows
from bot.store import channels
from bot.store.ledger import Ledger
from bot.whole import InTheWay, whole_file, whole_folder

app = typer.Typer()


@app.command()
def export(
    context: typer.Context,
    subject: Annotated[str | None, typer.Argument(metavar="[comments|feedback]")] = None,
    *,
    what: Annotated[str | None, typer.Option(help="The same as the argument.", hidden=True)] = None,
    form: Annotated[
        str, typer.Option("--format", help="jsonl; or, for feedback, trl: a folder of training rows.")
    ] = "jsonl",
    channel: Annotated[str | None, typer.Option(help="One channel only.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Written, or decided, since: a date, a time, or 24h, 7d, 2w.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File or folder to write; default: stdout.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON; needs --out.")] = False,
) -> None:
    """Write comments or verdicts as JSON Lines, or feedback as training rows.

    Comments come with their drafts, replies and verdicts, as they are; in feedback, the verdicts alone, what tells who
    a commenter is is masked. Training rows are what TRL's trainers read.
    """
    wanted = _subject(subject, what)
    if form not in ("jsonl", "trl") or (form == "trl" and wanted != "feedback"):
        raise Misuse(f"--format {form!r} is not known for {wanted}; use jsonl, or trl with feedback")
    if out is None and (as_json or form == "trl"):
        raise Misuse("name a place to write to: --out DIR" if form == "trl" else "--json needs --out FILE")
    shell = shell_of(context)
    start = parse_since(since, utc_now()) if since is not None else None
    with open_ledger(shell.settings) as ledger:
        if channel is not None:
            ledger.read(channels.named, channel)
        if form == "trl" and out is not None:
            _training_rows(shell, ledger, out, channel=channel, since=start, as_json=as_json)
        else:
            _lines(shell, ledger, wanted, out, channel=channel, since=start, as_json=as_json)


def _subject(subject: str | None, what: str | None) -> What:
    if subject is not None and what is not None and subject != what:
        raise Misuse(f"{subject!r} and --what {what!r} contradict each other; name one")
    wanted = subject or what or "comments"
    if wanted == "comments":
        return "comments"
    if wanted == "feedback":
        return "feedback"
    raise Misuse(f"{wanted!r} is not known; use comments or feedback")


def _lines(
    shell: Shell,
    ledger: Ledger,
    what: What,
    out: Path | None,
    *,
    channel: str | None,
    since: datetime | None,
    as_json: bool,
) -> None:
    number = 0
    with _writer(out) as file:
        for row in rows(
            ledger, what=what, persona_of=persona_of(shell.settings), channel=channel, since=since
        ):
            file.write(json.dumps(row, ensure_ascii=False, default=to_json) + "\n")
            number += 1
    if as_json:
        print_json({"file": str(out), "lines": number})
    elif out is not None:
        shell.warn("export_done", number=number, file=out)


def _training_rows(
    shell: Shell, ledger: Ledger, out: Path, *, channel: str | None, since: datetime | None, as_json: bool
) -> None:
    try:
        with whole_folder(out, "manifest.json") as folder, bars_of(shell) as bars:
            manifest = trl.write(
                ledger,
                folder,
                persona_of(shell.settings),
                channel=channel,
                since=since,
                on_step=bars.exporting,
            )
    except InTheWay as error:
        raise Misuse(str(error)) from error
    if as_json:
        print_json(manifest)
        return
    counts = {name.removesuffix(".jsonl"): file["rows"] for name, file in manifest["files"].items()}
    shell.tell("export_trl_done", folder=out, hash=manifest["content_sha256"][:12], **counts)


@contextmanager
def _writer(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    with whole_file(out) as file:
        yield file

"""`inbox`: comments of platforms without an official comment API are brought in from files."""

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from sqlmodel import Session

from adapters.inbox_rows import read_import, reading_of
from adapters.inbox_tables import MOST_BYTES, BadRow
from bot.bootstrap import open_ledger, utc_now
from bot.cli.errors import Failure
from bot.cli.shell import Shell, caller, print_json, shell_of
from bot.inbox import NotAnInbox, Told, foretell, options_of, take_in
from bot.store import audit, channels
from bot.store.ledger import Ledger

app = typer.Typer(
    help="Bring in comments of platforms without an official comment API.", add_completion=False
)
_SHOWN: Final = 20
"""Refused rows that are told one by one."""


@app.callback()
def inbox() -> None:
    """Bring in comments of platforms without an official comment API."""


@app.command("import")
def import_comments(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(help="Name of the channel.")],
    file: Annotated[str, typer.Argument(help="CSV, tab-separated text, JSON or JSON Lines; - reads stdin.")],
    *,
    post: Annotated[str, typer.Option(help="Address, id or title of the post of rows that name none.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What became of each row, as JSON.")] = False,
) -> None:
    """Bring in the comments of a file, each once however often it is imported; the service answers them."""
    shell = shell_of(context)
    data = _contents(file)
    with open_ledger(shell.settings) as ledger:
        told = _brought(ledger, channel, data, post, dry_run=dry_run)
    _print(shell, told, as_json=as_json, dry_run=dry_run)
    if any(one.status == "refused" for one in told):
        raise typer.Exit(1)


def _contents(file: str) -> bytes:
    """One byte more than can be read at most, so that what is larger is refused without being read."""
    if file == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    with Path(file).open("rb") as opened:
        return opened.read(MOST_BYTES + 1)


def _brought(ledger: Ledger, name: str, data: bytes, post: str, *, dry_run: bool) -> list[Told]:
    now = utc_now()
    channel = ledger.read(channels.named, name)
    try:
        read = read_import(data, reading_of(options_of(channel), now, post))
    except BadRow as error:
        raise Failure(str(error)) from error
    except NotAnInbox as error:
        raise Failure(str(error)) from error
    number = channel.id or 0
    if dry_run:
        return ledger.read(foretell, number, read.rows)
    told = asyncio.run(take_in(ledger, number, read.rows, now=now))

    def noted(session: Session) -> None:
        audit.note(session, caller(), "import_comments", name, now=now, detail=counts(told))

    ledger.write(noted)
    return told


def counts(told: list[Told]) -> dict[str, int]:
    """How many rows are new, known and refused."""
    found = Counter(one.status for one in told)
    return {"new": found["new"], "known": found["known"], "refused": found["refused"]}


def _print(shell: Shell, told: list[Told], *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json({**counts(told), "rows": [_json(one) for one in told]})
        return
    refused = [one for one in told if one.why is not None]
    for one in refused[:_SHOWN]:
        why = one.why.line(shell.language) if one.why is not None else ""
        shell.warn("inbox_refused", place=one.place, why=why)
    if len(refused) > _SHOWN:
        shell.warn("inbox_more", number=len(refused) - _SHOWN)
    shell.tell("inbox_would" if dry_run else "inbox_done", **counts(told))
    past = sum(one.status == "new" and one.reason == "before_baseline" for one in told)
    if past:
        shell.warn("inbox_past", number=past)


def _json(told: Told) -> dict[str, Any]:
    return {
        "row": told.place,
        "status": told.status,
        "id": told.platform_id if told.status != "refused" else None,
        "comment": told.comment_id,
        "state": told.state,
        "reason": told.reason,
        "error": str(told.why) if told.why is not None else None,
    }

"""`digest`: what people asked in a span of time."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.bootstrap import open_ledger, utc_now
from bot.building.model import make_writer
from bot.cli.errors import Misuse
from bot.cli.shell import Shell, parse_since, print_json, shell_of
from bot.digest import Digest, Subject, digest, link
from bot.generator import GeneratorError
from bot.settings import Language
from bot.store import channels
from bot.store import digest as rows
from bot.summary import summarised
from bot.web.digest_markdown import markdown
from bot.web.digest_view import digest_context
from bot.web.rendering import digest_file

app = typer.Typer()


@app.command("digest")
def show(
    context: typer.Context,
    *,
    since: Annotated[str, typer.Option(help="Written since: a date, a time, or 24h, 7d, 2w.")] = "24h",
    channel: Annotated[str | None, typer.Option(help="One channel only.")] = None,
    language: Annotated[
        str | None, typer.Option(metavar="en|zh", help="Language of the digest; default: that of messages.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.md|.html", help="Write it to a file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """What people asked: topics, counts, links, and what the documents don't hold.

    Every number is counted. Where a model is set up it names the topics and sums them up in three sentences.
    """
    shell = shell_of(context)
    spoken = _language(shell, language)
    _check_output(out, as_json)
    until = utc_now()
    made = _digest(shell, parse_since(since, until), until, channel)
    made = asyncio.run(_summarised(shell, made, spoken))
    if as_json:
        print_json(digest_json(made))
        return
    printed = digest_context(made, spoken)
    if out is None:
        typer.echo(markdown(printed), nl=False)
        return
    text = digest_file(printed) if out.suffix.lower() == ".html" else markdown(printed)
    out.write_text(text, encoding="utf-8", errors="replace")
    shell.tell("digest_written", comments=made.comments, file=out)


def _language(shell: Shell, given: str | None) -> Language:
    if given not in (None, "en", "zh"):
        raise Misuse(f"--language {given!r} is not known; use en or zh")
    return shell.language if given is None else "en" if given == "en" else "zh"


def _check_output(out: Path | None, as_json: bool) -> None:
    if out is not None and as_json:
        raise Misuse("give --out or --json, not both")
    if out is not None and out.suffix.lower() not in (".md", ".html"):
        raise Misuse(f"--out {out} is neither Markdown nor HTML; give a name that ends in .md or .html")


def _digest(shell: Shell, since: datetime, until: datetime, channel: str | None) -> Digest:
    """Raises NoSuchChannel, LedgerError."""
    with open_ledger(shell.settings) as ledger:
        if channel is not None:
            ledger.read(channels.named, channel)
        found = ledger.read(rows.span, since=since, until=until, channel=channel)
    return digest(found, since=since, until=until, channel=channel)


async def _summarised(shell: Shell, made: Digest, language: Language) -> Digest:
    """As it is where there is no model, or none that answers: the numbers don't wait for it."""
    writer = make_writer(shell.settings)
    if writer is None:
        return made
    try:
        return await summarised(made, writer, language)
    except GeneratorError as error:
        shell.warn("digest_plain", error=error)
        return made
    finally:
        await writer.aclose()


def digest_json(made: Digest) -> dict[str, Any]:
    return {
        "since": made.since,
        "until": made.until,
        "channel": made.channel,
        "comments": made.comments,
        **made.parts,
        "summary": list(made.summary),
        "topics": [_subject_json(subject) for subject in made.subjects],
        "more_topics": made.more_subjects,
        "asked_nothing": made.asked_nothing,
        "not_grouped": made.not_grouped,
        "unanswered": [_subject_json(subject) for subject in made.in_vain],
        "posts": [
            {"title": post.title, "url": link(post.url), "comments": post.comments} for post in made.posts
        ],
    }


def _subject_json(subject: Subject) -> dict[str, Any]:
    return {
        "name": subject.name,
        "comments": subject.comments,
        **subject.parts,
        "examples": [
            {
                "id": one.id,
                "author": one.author,
                "text": one.text,
                "url": link(one.url),
                "channel": one.channel,
                "post": one.post,
                "at": one.at,
                "state": one.state.value,
            }
            for one in subject.examples
        ],
    }

"""`knowledge`: what the library holds, what is wrong with it, and what is missing from it."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from bot.bootstrap import open_ledger, open_library, utc_now
from bot.cli.documents import tags_given
from bot.cli.errors import Failure, Misuse
from bot.cli.passages import print_passage
from bot.cli.progress import bars_of
from bot.cli.shell import Shell, parse_since, print_json, shell_of
from bot.plain import excerpt
from bot.store.unanswered import Unanswered
from bot.store.unanswered import unanswered as asked_in_vain
from bot.unanswered import Topic, topics
from knowledge.base import Document
from knowledge.ingest import Library
from knowledge.inspect import Health, examine, matching

app = typer.Typer(help="See and mend the library: list, show, tag, remove, doctor.", add_completion=False)

DOCTOR_TOPICS = 10
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Source = Annotated[str, typer.Argument(help="A source, or the end of its path.")]
Sources = Annotated[list[str], typer.Argument(metavar="SOURCE...", help="Sources, or folders of them.")]


@app.command("list")
def list_documents(
    context: typer.Context,
    tag: Annotated[list[str] | None, typer.Option(help="Only those with this tag; repeat it.")] = None,
    as_json: AsJson = False,
) -> None:
    """The documents: language, passages, tags, date."""
    shell = shell_of(context)
    wanted = tags_given(tag or [])
    with open_library(shell.settings) as library:
        found = [one for one in library.documents() if not wanted or wanted & one.tags]
    if as_json:
        print_json([document_json(document) for document in found])
    elif found:
        columns = ("source", "title", "language", "passages", "tags", "date")
        shell.table(columns, [_row(document) for document in found])
    else:
        shell.warn("library_no_such_tag" if wanted else "library_empty")


@app.command()
def show(
    context: typer.Context,
    source: Source,
    passages: Annotated[int | None, typer.Option(min=0, help="Only so many passages.")] = None,
    as_json: AsJson = False,
) -> None:
    """One document and its passages, as they were split."""
    shell = shell_of(context)
    with open_library(shell.settings) as library:
        document = _one(library, source)
        texts = library.passages(document.source)
    shown = texts[:passages]
    if as_json:
        rows = [asdict(passage) | {"tags": sorted(passage.tags)} for passage in shown]
        print_json({**document_json(document), "text": rows})
        return
    shell.table(("source", "title", "language", "passages", "tags", "date"), [_row(document)])
    for passage in shown:
        print_passage(shell, passage)
    if len(shown) < len(texts):
        shell.tell("library_more", number=len(texts) - len(shown))


@app.command()
def tag(
    context: typer.Context,
    source: Source,
    tags: Annotated[
        list[str] | None, typer.Argument(metavar="TAG...", help="In place of those it had.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Take all its tags away.")] = False,
    as_json: AsJson = False,
) -> None:
    """File a document, or all of a folder, under tags; channels can be limited to tags."""
    if bool(tags) == none:
        raise Misuse("give the tags, or --none to take all away")
    shell, wanted = shell_of(context), tags_given(tags or [])
    with open_library(shell.settings) as library:
        found = _some(library, source)
        for document in found:
            library.tag(document.source, wanted)
    if as_json:
        print_json([{"source": document.source, "tags": sorted(wanted)} for document in found])
        return
    listed = ", ".join(sorted(wanted)) or shell.say("library_untagged")
    for document in found:
        shell.tell("library_tagged", source=document.source, tags=listed)


@app.command()
def remove(context: typer.Context, sources: Sources, as_json: AsJson = False) -> None:
    """Forget documents; the files themselves stay."""
    shell = shell_of(context)
    with open_library(shell.settings) as library:
        documents = library.documents()
        found = {given: matching(documents, given) for given in sources}
        removed = library.remove_all(dict.fromkeys(one.source for held in found.values() for one in held))
    missing = [given for given, held in found.items() if not held]
    if as_json:
        print_json({"removed": removed, "not_held": missing})
    else:
        for source in removed:
            shell.tell("library_removed", source=source)
        if removed:
            shell.tell("library_kept")
    for given in missing:
        shell.warn("library_not_held", source=given)
    if missing:
        raise typer.Exit(1)


@app.command()
def reindex(context: typer.Context, as_json: AsJson = False) -> None:
    """Make the indexes anew from what the library holds, without reading any source."""
    shell = shell_of(context)
    shell.log()
    with open_library(shell.settings) as library, bars_of(shell) as bars:
        number = library.reindex(bars.reading, bars.embedding)
    if as_json:
        print_json({"documents": number})
    else:
        shell.tell("library_reindexed", documents=number)


@app.command()
def stats(context: typer.Context, as_json: AsJson = False) -> None:
    """How much the library holds."""
    shell = shell_of(context)
    with open_library(shell.settings) as library:
        found = library.stats()
    if as_json:
        print_json(asdict(found))
        return
    shell.tell(
        "library_stats",
        documents=found.documents,
        passages=found.passages,
        megabytes=f"{found.bytes / 1e6:.1f}",
    )
    if found.embedder:
        shell.tell("library_vectors", embedder=found.embedder, vectors=found.vectors)
    for key, numbers in (("library_languages", found.languages), ("library_tags", found.tags)):
        if numbers:
            shell.tell(key, listed=", ".join(f"{name} {number}" for name, number in sorted(numbers.items())))


@app.command()
def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Doubles, near-empty files, what has changed or is not embedded, and what viewers ask in vain."""
    shell = shell_of(context)
    with open_library(shell.settings) as library:
        health = examine(library, library.speaks)
    with open_ledger(shell.settings) as ledger:
        found = topics(ledger.read(asked_in_vain))
    if as_json:
        print_json({**asdict(health), "unanswered": [topic_json(topic) for topic in found]})
        return
    lines = health_lines(shell, health)
    for line in lines or [shell.say("library_well")]:
        typer.echo(excerpt(line, 600))
    if found:
        typer.echo()
        _print_topics(shell, found, DOCTOR_TOPICS)


@app.command()
def unanswered(
    context: typer.Context,
    since: Annotated[str | None, typer.Option(help="Written since: a date, a time, or 24h, 7d, 2w.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Only so many topics; 0: all.")] = 30,
    as_json: AsJson = False,
) -> None:
    """What viewers ask and the documents don't hold, by topic: what to write next."""
    shell = shell_of(context)
    start = parse_since(since, utc_now()) if since is not None else None
    with open_ledger(shell.settings) as ledger:
        found = topics(ledger.read(asked_in_vain, since=start))
    if as_json:
        print_json([topic_json(topic) for topic in found[: limit or None]])
    elif found:
        _print_topics(shell, found, limit or len(found))
    else:
        shell.tell("unanswered_none")


def document_json(document: Document) -> dict[str, Any]:
    return asdict(document) | {"tags": sorted(document.tags)}


def topic_json(topic: Topic[Unanswered]) -> dict[str, Any]:
    return {
        "example": topic.example,
        "comments": topic.count,
        "waiting": topic.waiting,
        "posts": list(topic.posts),
        "first": topic.first,
        "last": topic.last,
        "ids": [comment.id for comment in topic.comments],
    }


def health_lines(shell: Shell, health: Health) -> list[str]:
    """One line for each thing to mend, with what mends it."""
    pairs = [("health_same_content", health.same_content), ("health_same_address", health.same_address)]
    lines = [shell.say(key, sources=", ".join(group)) for key, groups in pairs for group in groups]
    lines += [
        shell.say(
            "health_repetition",
            number=one.passages,
            sources=", ".join(one.sources),
            example=excerpt(one.example, 80),
        )
        for one in health.repetitions
    ]
    lines += [
        shell.say("health_unspoken", language=code, number=count) for code, count in health.unspoken.items()
    ]
    if health.unembedded:
        lines.append(shell.say("health_unembedded"))
    for key in ("near_empty", "vanished", "changed", "outdated"):
        lines += [shell.say(f"health_{key}", source=source) for source in getattr(health, key)]
    return lines


def _print_topics(shell: Shell, found: list[Topic[Unanswered]], limit: int) -> None:
    shell.tell("unanswered_title", comments=sum(topic.count for topic in found))
    rows = [
        (
            topic.count,
            topic.waiting,
            excerpt(topic.example, 120),
            len(topic.posts),
            f"{topic.first:%Y-%m-%d}",
            f"{topic.last:%Y-%m-%d}",
        )
        for topic in found[:limit]
    ]
    shell.table(("times", "waiting", "topic", "posts", "first", "last"), rows)
    if len(found) > limit:
        shell.tell("unanswered_more", number=len(found) - limit)


def _some(library: Library, given: str) -> list[Document]:
    """Raises Failure when nothing in the library is meant."""
    found = matching(library.documents(), given)
    if not found:
        raise Failure(f"{given} is not in the library; 'rejoinder knowledge list' shows what is")
    return found


def _one(library: Library, given: str) -> Document:
    found = _some(library, given)
    if len(found) > 1:
        raise Failure(
            f"{given} may be any of {len(found)} documents; give more of the path, such as {found[0].source}"
        )
    return found[0]


def _row(document: Document) -> tuple[object, ...]:
    return (
        document.source,
        document.title,
        document.language,
        document.passages,
        ", ".join(sorted(document.tags)),
        document.date,
    )

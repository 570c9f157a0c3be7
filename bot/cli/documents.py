"""`ingest` and `ask`: the documents, and what they answer."""

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from bot.bootstrap import open_answering, open_library
from bot.building.persona import make_personas
from bot.cli.channel_options import refuse_unknown_persona
from bot.cli.comparing import bare_json, print_comparison
from bot.cli.errors import Failure, Misuse
from bot.cli.evidence import print_steps
from bot.cli.passages import print_found
from bot.cli.progress import Bars, bars_of
from bot.cli.shell import Shell, print_json, shell_of
from bot.cli.trial import chosen_voice
from bot.details import explain_detail
from bot.generator import ToolStep
from bot.intents import Intent
from bot.persona import PRESETS
from bot.plain import plain
from bot.policy import ChannelRules
from bot.question import Answer, Bare, Question
from bot.reasons import explain
from bot.settings import Settings
from knowledge.base import ScoredPassage
from knowledge.ingest import IngestReport, Library
from knowledge.language import detect
from knowledge.tags import checked_tag

ALL_INTENTS: frozenset[str] = frozenset(get_args(Intent))

app = typer.Typer()


@app.command()
def ingest(
    context: typer.Context,
    sources: Annotated[
        list[str], typer.Argument(metavar="PATH|URL...", help="Files, folders, web addresses.")
    ],
    tag: Annotated[
        list[str] | None, typer.Option(help="File them under this tag from now on; repeat it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Bring files, folders and web addresses into the library; what is unchanged is not read again."""
    shell = shell_of(context)
    tags = tags_given(tag) if tag else None
    shell.log()
    with open_library(shell.settings) as library, bars_of(shell) as bars:
        try:
            report = asyncio.run(_ingest(library, sources, shell.settings, bars, tags))
        except KeyboardInterrupt:
            shell.warn("ingest_interrupted")
            raise
    _warn_of(shell, report)
    if as_json:
        print_json(report_json(report))
    else:
        shell.tell("ingest_report", **{name: len(value) for name, value in _lists(report).items()})
        shell.tell("ingest_holds", passages=report.passages)
    if report.failed:
        raise typer.Exit(1)


async def _ingest(
    library: Library,
    sources: Sequence[str],
    settings: Settings,
    bars: Bars,
    tags: frozenset[str] | None = None,
) -> IngestReport:
    return await library.ingest(
        sources,
        tags=tags,
        progress=bars.reading,
        embedding=bars.embedding,
        allow_private=settings.knowledge.allow_private_addresses,
    )


def _warn_of(shell: Shell, report: IngestReport) -> None:
    for source, message in report.notes:
        shell.warn("ingest_noted", source=source, message=message)
    for source, message in report.failed:
        shell.warn("ingest_failed", source=source, message=message)


def tags_given(given: Sequence[str]) -> frozenset[str]:
    """Raises Misuse for what is no tag."""
    try:
        return frozenset(map(checked_tag, given))
    except ValueError as error:
        raise Misuse(str(error)) from error


def report_json(report: IngestReport) -> dict[str, Any]:
    """What `ingest --json` prints."""
    told = {"failed": _told(report.failed), "notes": _told(report.notes)}
    return {**_lists(report), **told, "passages": report.passages}


def _told(messages: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"source": source, "message": message} for source, message in messages]


def _lists(report: IngestReport) -> dict[str, Sequence[Any]]:
    return {
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "failed": report.failed,
        "ignored": report.ignored,
    }


@app.command()
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="What a commenter might write; - reads it from stdin.")],
    *,
    docs: Annotated[
        list[str] | None, typer.Option(metavar="PATH|URL", help="Answer from these alone; repeat it.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Answer only from documents with this tag; repeat it.")
    ] = None,
    post: Annotated[
        str, typer.Option(help="Title of the post it stands under; after a line break, the post's text.")
    ] = "",
    top: Annotated[int | None, typer.Option(min=1, max=20, help="How many passages to look at.")] = None,
    voice: Annotated[
        str | None,
        typer.Option(help="Who answers: a voice, or 'base' for the base model; default: what is live."),
    ] = None,
    persona: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who answers: a persona of the settings, or a preset.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Answer as one of the presets: concise, expert.")
    ] = None,
    no_context: Annotated[
        bool, typer.Option("--no-context", help="Show beside it what the model writes without the documents.")
    ] = False,
    whole: Annotated[bool, typer.Option("--passages", help="Show whole passages, not only quotes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Reply, decision and passages as JSON.")] = False,
) -> None:
    """Show what a comment would be answered, without any platform.

    The decision is that of a channel whose owner has opened every kind of comment.
    """
    shell = shell_of(context)
    if tag and docs:
        raise Misuse("give --tag or --docs, not both: documents named by --docs carry no tags")
    scope = tags_given(tag) if tag else None
    asked_as = _persona_named(shell.settings, persona, preset)
    if no_context and shell.settings.generator.kind == "extractive":
        raise Misuse(
            "--no-context has nothing to compare: the extractive generator writes from the documents alone; "
            'set generator.kind = "vllm"'
        )
    shell.log()
    text = sys.stdin.read().strip() if question == "-" else question
    if not text.strip():
        raise Misuse("the question is empty; give it as the argument, or write - and pipe it in")
    title, _, body = post.partition("\n")
    asked = Question(
        text=text,
        language=detect(text),
        post_title=title,
        post_text=body,
        rules=ChannelRules(send_intents=ALL_INTENTS),
        voice=chosen_voice(shell.settings, voice),
        persona=asked_as,
        scope=scope,
    )
    with _library(shell, docs) as library:
        settings = _looking_at(shell.settings, top)
        answer, bare = asyncio.run(_answer(settings, library, asked, compare=no_context))
    if as_json:
        print_json(answer_json(answer) | ({} if bare is None else {"without_documents": bare_json(bare)}))
        return
    if bare is not None:
        print_comparison(shell, answer, bare)
    _print_answer(shell, answer, whole=whole, reply=bare is None)


def _persona_named(settings: Settings, persona: str | None, preset: str | None) -> str:
    """Raises Misuse for a name that nobody has."""
    if persona and preset:
        raise Misuse("give --persona or --preset, not both")
    refuse_unknown_persona(persona, make_personas(settings))
    refuse_unknown_persona(preset, PRESETS)
    return persona or preset or ""


@contextmanager
def _library(shell: Shell, docs: Sequence[str] | None) -> Iterator[Library]:
    """The library, or one of `docs` alone that goes away afterwards."""
    if not docs:
        with open_library(shell.settings) as library:
            if not library.stats().documents:
                shell.warn("ask_empty")
            yield library
        return
    with (
        tempfile.TemporaryDirectory(prefix="rejoinder-ask-") as folder,
        open_library(shell.settings, Path(folder)) as library,
    ):
        with bars_of(shell) as bars:
            report = asyncio.run(_ingest(library, docs, shell.settings, bars))
        _warn_of(shell, report)
        if report.failed and not library.stats().documents:
            raise Failure("none of the documents could be read; see above")
        yield library


def _looking_at(settings: Settings, top: int | None) -> Settings:
    if top is None:
        return settings
    return settings.model_copy(update={"knowledge": settings.knowledge.model_copy(update={"top_k": top})})


async def _answer(
    settings: Settings, library: Library, question: Question, *, compare: bool = False
) -> tuple[Answer, Bare | None]:
    async with open_answering(settings, library) as answering:
        answer = await answering.answerer.answer(question)
        return answer, await answering.answerer.without_documents(question) if compare else None


def answer_json(answer: Answer) -> dict[str, Any]:
    citations = [
        {
            "source": scored.passage.source,
            "title": scored.passage.title,
            "text": scored.passage.text,
            "score": round(scored.score, 4),
        }
        for scored in cited(answer)
    ]
    return {
        "reply": answer.text,
        "decision": answer.decision.action,
        "reason": answer.decision.reason.value,
        "citations": citations,
        "language": answer.language,
        "voice": answer.best.voice if answer.best is not None else None,
        "support": round(answer.support, 4),
        "passages": [_found_json(scored) for scored in answer.passages],
        "steps": [asdict(step) for step in steps_of(answer)],
    }


def _found_json(scored: ScoredPassage) -> dict[str, Any]:
    passage = scored.passage
    return {
        "source": passage.source,
        "title": passage.title,
        "heading": passage.heading,
        "page": passage.page,
        "time": passage.time,
        "tags": sorted(passage.tags),
        "text": passage.text,
        "quote": scored.quote,
        "matched": list(scored.matched),
        "score": round(scored.score, 4),
        "support": round(scored.support, 4),
    }


def steps_of(answer: Answer) -> Sequence[ToolStep]:
    """The tools that were called for the best draft."""
    return answer.best.steps if answer.best is not None else ()


def cited(answer: Answer) -> list[ScoredPassage]:
    """The passages that the best draft rests on."""
    return [answer.passages[index] for index in answer.best.citations] if answer.best is not None else []


def _print_answer(shell: Shell, answer: Answer, *, whole: bool, reply: bool = True) -> None:
    decision = answer.decision
    if answer.text and reply:
        typer.echo(plain(answer.text) + "\n")
    told = explain_detail(decision.reason, decision.detail, shell.language)
    detail = f" ({told})" if told else ""
    explained = explain(decision.reason.value, shell.language)
    shell.tell(f"ask_{decision.action}", reason=explained, detail=detail)
    print_steps(shell, [asdict(step) for step in steps_of(answer)])
    used = answer.best.citations if answer.best is not None else ()
    for index, scored in enumerate(answer.passages):
        print_found(shell, scored, number=index + 1, cited=index in used, whole=whole)

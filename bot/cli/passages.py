"""Passages on a terminal: where each stands, how well it fits, and which words made it fit."""

from collections.abc import Iterable

import typer
from rich.text import Text

from bot.cli.shell import Shell
from bot.marking import as_word
from bot.plain import excerpt, plain
from knowledge.base import Passage, ScoredPassage

QUOTE_CHARS = 400
_MATCHED = "bold yellow"


def print_found(shell: Shell, scored: ScoredPassage, *, number: int, cited: bool, whole: bool) -> None:
    """One result of a search; `whole` shows the passage instead of its quote."""
    passage = scored.passage
    scores = shell.say("passage_scores", score=f"{scored.score:.2f}", support=f"{scored.support:.2f}")
    typer.echo(f"\n[{number}] {where(shell, passage)}\n    {plain(passage.source, one_line=True)}")
    typer.echo(f"    {scores}{' · ' + shell.say('passage_cited') if cited else ''}")
    text = plain(passage.text) if whole else excerpt(scored.quote, QUOTE_CHARS)
    shell.out.print(highlighted(_indented(text), map(plain, scored.matched)), soft_wrap=True)


def print_passage(shell: Shell, passage: Passage) -> None:
    """One passage of a document, as it was split."""
    typer.echo(f"\n[{passage.position + 1}] {where(shell, passage)}")
    typer.echo(_indented(plain(passage.text)))


def where(shell: Shell, passage: Passage) -> str:
    """Title, headings, page and time, on one line."""
    place = " › ".join(part for part in (passage.title, passage.heading) if part)
    page = shell.say("passage_page", page=passage.page) if passage.page is not None else ""
    return plain(" · ".join(part for part in (place, page, passage.time) if part), one_line=True)


def highlighted(text: str, words: Iterable[str]) -> Text:
    """`text` with every occurrence of the words marked; what is no terminal prints it without marks."""
    shown = Text(text)
    for word in words:
        if word:
            shown.highlight_regex(as_word(word), _MATCHED)
    return shown


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())

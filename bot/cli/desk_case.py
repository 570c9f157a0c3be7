"""One comment with its thread, drafts and evidence as paragraphs for the terminal. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from rich.text import Text

from bot.checks.findings import message_in
from bot.cli.desk_state import Shown
from bot.cli.desk_words import say
from bot.cli.evidence import picture_lines, step_lines
from bot.details import explain_detail
from bot.models import Draft, State
from bot.plain import excerpt, plain
from bot.reasons import explain
from bot.settings import Language
from bot.store.deciding import room
from bot.web.words import state_word

TEXT_CHARS: Final = 4000
"""Of a longer text the beginning is shown: a comment may be a megabyte long."""
TURN_CHARS: Final = 200
TURNS: Final = 6
POST_CHARS: Final = 300
PASSAGE_CHARS: Final = 400


def case_lines(shown: Shown, candidate: int, language: Language) -> list[Text]:
    """Everything about the comment, what a verdict needs first."""
    return [
        *_head(shown, language),
        *_thread(shown, language),
        Text(),
        *_drafts(shown, candidate, language),
        *_evidence(shown, language),
    ]


def clipped(
    text: str, comment_id: int, language: Language, *, indent: str = "  ", style: str = ""
) -> list[Text]:
    """`text` line by line; of a long one the beginning, and where the rest is."""
    lines = [Text(f"{indent}{line}", style) for line in plain(text[:TEXT_CHARS]).splitlines()]
    if len(text) > TEXT_CHARS:
        lines.append(Text(indent + say(language, "cut", number=len(text), id=comment_id), "dim"))
    return lines


def length_line(text: str, limit: int | None, language: Language) -> str:
    """How long `text` is, and how long the platform lets it be."""
    if limit is None:
        return say(language, "length_free", number=len(text))
    return say(language, "length", number=len(text), limit=limit)


def _head(shown: Shown, language: Language) -> Iterator[Text]:
    comment, post = shown.item.comment, shown.item.post
    line = f"#{comment.id} {shown.item.channel.name} · {excerpt(post.title, 100)}"
    if comment.similar > 1:
        line += f" · {say(language, 'similar', number=comment.similar)}"
    yield Text(plain(line, one_line=True), "bold")
    if post.text.strip():
        yield Text(f"{say(language, 'post')}: {excerpt(post.text, POST_CHARS)}", "dim")
    told = explain_detail(comment.reason, comment.detail, language)
    why = explain(comment.reason, language) + (f" ({excerpt(told, PASSAGE_CHARS)})" if told else "")
    word = state_word(State(comment.state), language)
    label = say(language, "why") if comment.state == State.REVIEW else word
    yield Text(plain(f"{label}: {why}", one_line=True), "yellow")
    if shown.held_by:
        yield Text(plain(say(language, "held", name=shown.held_by), one_line=True), "bold red")


def _thread(shown: Shown, language: Language) -> Iterator[Text]:
    turns = [turn for turn in shown.case.thread if turn.id != shown.id]
    before = [turn for turn in turns if turn.created_at <= shown.item.comment.created_at]
    later = [turn for turn in turns if turn.created_at > shown.item.comment.created_at]
    for turn in before[-TURNS:]:
        yield Text(f"  {excerpt(turn.author_name, 30)}: {excerpt(turn.text, TURN_CHARS)}", "dim")
    comment = shown.item.comment
    yield Text(f"> {excerpt(comment.author_name, 60)} ({_moment(comment.created_at)})", "bold cyan")
    yield from clipped(comment.text, shown.id, language, style="cyan")
    if shown.translation:
        yield Text(f"  {say(language, 'translation')}", "dim")
        yield from clipped(shown.translation, shown.id, language, style="cyan")
    for turn in later[:TURNS]:
        yield Text(f"  {excerpt(turn.author_name, 30)}: {excerpt(turn.text, TURN_CHARS)}", "dim")
    hidden = max(0, len(before) - TURNS) + max(0, len(later) - TURNS)
    if hidden:
        yield Text(f"  {say(language, 'thread_more', number=hidden)}", "dim")


def limit_of(shown: Shown) -> int | None:
    """How many characters a reply may have beside its label; None where the platform was not asked yet."""
    return None if shown.item.channel.max_reply_chars is None else room(shown.item.channel)


def _drafts(shown: Shown, candidate: int, language: Language) -> Iterator[Text]:
    limit = limit_of(shown)
    if shown.kept:
        yield Text(say(language, "kept"), "bold magenta")
        yield from clipped(shown.kept, shown.id, language, style="magenta")
    if not shown.candidates:
        yield Text(say(language, "no_draft"), "yellow")
    for number, text in enumerate(shown.candidates):
        mark, style = ("▶", "bold green") if number == candidate else (" ", "dim")
        head = f"{mark} {say(language, 'draft', number=number + 1)} · {length_line(text, limit, language)}"
        yield Text(head, style)
        yield from clipped(text, shown.id, language, style="green" if number == candidate else "dim")
    if shown.draft is not None:
        yield from _judged(shown.draft, language)


def _judged(draft: Draft, language: Language) -> Iterator[Text]:
    if draft.hint:
        yield Text(say(language, "hint_was", hint=excerpt(draft.hint, TURN_CHARS)), "dim")
    for finding in draft.findings:
        yield Text(f"! {plain(message_in(finding, language), one_line=True)}", "red")
    for line in (*step_lines(draft.steps, language), *picture_lines(draft.pictures, language)):
        yield Text(line, "dim")


def _evidence(shown: Shown, language: Language) -> Iterator[Text]:
    draft = shown.draft
    if draft is None:
        return
    yield Text()
    if not draft.passages:
        yield Text(say(language, "no_passages"), "dim")
        return
    yield Text(say(language, "passages"), "bold")
    for number, passage in enumerate(draft.passages):
        mark = "*" if number in draft.citations else " "
        yield Text(f"{mark}[{number + 1}] {plain(_place(passage, language), one_line=True)}", "blue")
        yield Text(f"    {excerpt(str(passage.get('quote') or passage['text']), PASSAGE_CHARS)}")


def _place(passage: Mapping[str, Any], language: Language) -> str:
    """Title, page or time, and source of a passage."""
    page = passage.get("page")
    parts = [
        str(passage["title"]),
        str(passage.get("heading") or ""),
        say(language, "page", page=page) if page is not None else "",
        str(passage.get("time") or ""),
        str(passage["source"]),
    ]
    return " · ".join(part for part in parts if part)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

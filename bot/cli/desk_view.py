"""The terminal desk on paper: a state becomes lines of text that fit the terminal. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from bot.cli.desk_case import case_lines, clipped, length_line, limit_of
from bot.cli.desk_state import BULK_MOST, DeskState, Mode, choices, place
from bot.cli.desk_words import say
from bot.plain import excerpt, plain
from bot.settings import Language

FOOT_LINES: Final = 2
_KEYS: Final[dict[Mode, str]] = {
    "reject": "keys_line",
    "hint": "keys_line",
    "search": "keys_line",
    "filter": "keys_filter",
    "bulk": "keys_bulk",
    "send": "keys_send",
    "help": "keys_help",
}
_PROMPTS: Final[dict[Mode, str]] = {
    "reject": "reject_prompt",
    "hint": "hint_prompt",
    "search": "search_prompt",
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """One screenful: a bar, as much of the body as fits from `state.scroll` on, and two lines at the foot."""

    state: DeskState
    language: Language

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or console.height
        room = max(1, height - 1 - FOOT_LINES)
        lines = [_one_line(console, bar(self.state, self.language), width, Style(reverse=True))]
        body = _wrapped(console, body_lines(self.state, self.language), width)
        start = min(self.state.scroll, max(0, len(body) - room))
        shown = body[start : start + room]
        lines += shown + [[Segment(" " * width)]] * (room - len(shown))
        more = " ↓" if start + room < len(body) else ""
        lines.append(_one_line(console, foot(self.state, self.language), width, Style(bold=True), end=more))
        lines.append(_one_line(console, keys(self.state, self.language), width, Style(reverse=True)))
        for number, line in enumerate(lines[:height]):
            yield from line
            if number + 1 < min(len(lines), height):
                yield Segment.line()


def bar(state: DeskState, language: Language) -> str:
    """Where one is, and what the queue is filtered and sorted by."""
    here = place(state)
    at = f"{here + 1}/{state.total}" if here is not None else f"–/{state.total}"
    filters = state.filters
    set_now = [
        f"{say(language, name)}={value}"
        for name, value in (
            ("channel", filters.channel),
            ("language", filters.language),
            ("intent", filters.intent),
            ("reason", filters.reason),
            ("search", filters.search),
        )
        if value
    ]
    chosen = [say(language, "selected", number=len(state.chosen))] if state.chosen else []
    parts = [
        f"Rejoinder {say(language, 'review')}",
        at,
        say(language, f"sort_{state.sort}"),
        *set_now,
        *chosen,
    ]
    return " · ".join((*parts, state.by))


def foot(state: DeskState, language: Language) -> str:
    """What is being typed, or what was told last."""
    if state.mode in _PROMPTS:
        return f"{say(language, _PROMPTS[state.mode])}{state.typed}▏"
    if state.told:
        return say(language, state.told, **dict(state.values))
    return say(language, "moved") if state.moved else ""


def keys(state: DeskState, language: Language) -> str:
    return say(language, _KEYS.get(state.mode, "keys_read"))


def body_lines(state: DeskState, language: Language) -> list[Text]:
    """What the mode shows, one Text a paragraph."""
    if state.mode == "help":
        return [Text(line) for line in say(language, "help").splitlines()]
    if state.mode == "filter":
        return _filters(state, language)
    if state.mode == "bulk":
        return _preview(state, language)
    if state.shown is None:
        narrowed = state.filters != type(state.filters)()
        return [Text(), Text(say(language, "nothing_found" if narrowed else "nothing_waits"))]
    if state.mode == "send":
        limit = limit_of(state.shown)
        return [
            Text(f"{say(language, 'your_text')} · {length_line(state.typed, limit, language)}", "bold"),
            *clipped(state.typed, state.shown.id, language),
            Text(),
            *case_lines(state.shown, state.candidate, language),
        ]
    return case_lines(state.shown, state.candidate, language)


def _filters(state: DeskState, language: Language) -> list[Text]:
    lines = [Text(say(language, "filter_head"), "bold")]
    rows = choices(state.facets)
    for number, (name, value, count) in enumerate(rows):
        mark = "●" if getattr(state.filters, name) == value else " "
        arrow = "▶" if number == state.row else " "
        line = f"{arrow}{mark} {say(language, name)}: {excerpt(value, 60)} ({count})"
        lines.append(Text(line, "bold" if number == state.row else ""))
    # Long lists: the row that is chosen stays on the screen.
    return lines if state.row < PAGE_ROWS else [lines[0], *lines[state.row - PAGE_ROWS + 2 :]]


PAGE_ROWS: Final = 15


def _preview(state: DeskState, language: Language) -> list[Text]:
    lines = [Text(say(language, "bulk_head", number=len(state.preview)), "bold")]
    if not state.chosen and state.total > BULK_MOST:
        lines.append(Text(say(language, "bulk_cut", number=BULK_MOST, total=state.total), "yellow"))
    for item in state.preview:
        comment = item.comment
        lines.append(
            Text(f"#{comment.id} {excerpt(comment.author_name, 30)}: {excerpt(comment.text, 100)}", "cyan")
        )
        if item.draft is not None and item.draft.text.strip():
            lines += [Text(f"  → {line}") for line in plain(item.draft.text).splitlines()]
        else:
            lines.append(Text(f"  → {say(language, 'no_draft_bulk')}", "yellow"))
    return lines


def _wrapped(console: Console, texts: Iterable[Text], width: int) -> list[list[Segment]]:
    options = console.options.update(width=width, height=None)
    lines: list[list[Segment]] = []
    for text in texts:
        text.overflow = "fold"
        lines += console.render_lines(text, options, pad=True)
    return lines


def _one_line(console: Console, text: str, width: int, style: Style, *, end: str = "") -> list[Segment]:
    line = Text(plain(text, one_line=True), style)
    # A line that is being typed shows its end, where the next character comes.
    if end == "" and text.endswith("▏") and line.cell_len > width:
        while line.cell_len > width:
            line = line[1:]
    line.truncate(width - len(end), overflow="ellipsis", pad=True)
    line.append(end)
    return console.render_lines(
        line, console.options.update(width=width, height=None), style=style, pad=True
    )[0]

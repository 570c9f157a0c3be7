"""What each key of the terminal desk means. Pure: (state, key) → (state, what is to be done)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from bot.cli.desk_state import (
    IDS,
    Count,
    Decide,
    DecideAll,
    DeskState,
    Effect,
    Keep,
    Leave,
    Open,
    Preview,
    Refresh,
    Step,
    TakeBack,
    TakeOver,
    Translate,
    Write,
    choices,
    place,
)
from bot.review import Wish
from bot.store.queue import Sort

PASTED: Final = "paste:"
"""In front of text that was pasted: it is typed, and never taken for keys."""
SORTS: Final[tuple[Sort, ...]] = ("value", "oldest", "newest")
PAGE: Final = 8
LINE_CHARS: Final = 2000


def press(state: DeskState, key: str) -> Step:
    """What `key` does: a character, or a name such as `down`, `enter`, `esc`."""
    if state.mode in ("reject", "hint", "search"):
        return _type(state, key)
    if key.startswith(PASTED):
        return state, ()
    scrolled = _scroll(state, key)
    if scrolled is not None:
        return scrolled, ()
    return _MODES[state.mode](replace(state, told="", values=()), key)


def tell(state: DeskState, told: str, **values: Any) -> DeskState:
    return replace(state, told=told, values=tuple(values.items()))


def _scroll(state: DeskState, key: str) -> DeskState | None:
    steps = {" ": PAGE, "pagedown": PAGE, "b": -PAGE, "pageup": -PAGE}
    return replace(state, scroll=max(0, state.scroll + steps[key])) if key in steps else None


def _read(state: DeskState, key: str) -> Step:
    if key in ("q", "eof"):
        return state, (Leave(),)
    if key in _ANYWHERE:
        return _ANYWHERE[key](state)
    if state.shown is None:
        return state, ()
    if key.isdigit() and len(key) == 1:
        return _choose(state, int(key) - 1), ()
    return _ON_COMMENT[key](state) if key in _ON_COMMENT else (state, ())


def _go(state: DeskState, by: int) -> Step:
    here = place(state)
    if not state.ids:
        return state, ()
    there = 0 if here is None else here + by
    if not 0 <= there < len(state.ids):
        return tell(state, "at_end" if by > 0 else "at_start"), ()
    wider = len(state.ids) < state.total and there >= len(state.ids) - PAGE
    state = replace(state, wanted=state.wanted + IDS) if wider else state
    more: tuple[Effect, ...] = (Refresh(),) if wider else ()
    return state, (Open(state.ids[there]), *more)


def _choose(state: DeskState, number: int) -> DeskState:
    there = state.shown is not None and 0 <= number < len(state.shown.candidates)
    return replace(state, candidate=number) if there else tell(state, "no_candidate", number=number + 1)


def _decide(act: Literal["approve", "skip"]) -> Callable[[DeskState], Step]:
    def step(state: DeskState) -> Step:
        if state.shown is None:
            return state, ()
        return state, (Decide(Wish(act, state.shown.id, candidate=state.candidate)),)

    return step


def _ask(mode: Literal["reject", "hint"]) -> Callable[[DeskState], Step]:
    return lambda state: (replace(state, mode=mode, typed=state.again), ())


def _edit(state: DeskState) -> Step:
    shown = state.shown
    if shown is None:
        return state, ()
    drafts = shown.candidates
    return state, (Write(shown.kept or (drafts[state.candidate] if drafts else "")),)


def _undo(state: DeskState) -> Step:
    if not state.done:
        return tell(state, "nothing_to_undo"), ()
    return state, (TakeBack(state.done[-1]),)


def _select(state: DeskState) -> Step:
    if state.shown is None:
        return state, ()
    chosen = state.chosen ^ {state.shown.id}
    return tell(replace(state, chosen=chosen), "selected", number=len(chosen)), ()


def _sort(state: DeskState) -> Step:
    following = SORTS[(SORTS.index(state.sort) + 1) % len(SORTS)]
    return replace(state, sort=following, wanted=IDS), (Refresh(first=True),)


def _again(state: DeskState) -> Step:
    return state, (Open(state.shown.id),) if state.shown is not None else ()


_ANYWHERE: Final[Mapping[str, Callable[[DeskState], Step]]] = {
    "j": lambda state: _go(state, 1),
    "down": lambda state: _go(state, 1),
    "k": lambda state: _go(state, -1),
    "up": lambda state: _go(state, -1),
    "u": _undo,
    "o": _sort,
    "/": lambda state: (replace(state, mode="search", typed=state.filters.search), ()),
    "f": lambda state: (replace(state, mode="filter", row=0, scroll=0), (Count(),)),
    "A": lambda state: (state, (Preview(tuple(sorted(state.chosen))),)),
    "?": lambda state: (replace(state, mode="help", scroll=0), ()),
}
_ON_COMMENT: Final[Mapping[str, Callable[[DeskState], Step]]] = {
    "a": _decide("approve"),
    "s": _decide("skip"),
    "r": _ask("reject"),
    "g": _ask("hint"),
    "e": _edit,
    "x": _select,
    "t": lambda state: (state, (Translate(),)),
    "h": lambda state: (replace(state, over=True), (TakeOver(),)),
    "enter": _again,
}


def _type(state: DeskState, key: str) -> Step:
    """A line of text: the reason, the hint, or what is searched for."""
    if key in ("esc", "eof"):
        return replace(state, mode="read", typed="", again=""), ()
    if key == "enter":
        return _entered(replace(state, mode="read", typed="", told=""), state.mode, state.typed.strip())
    if key == "backspace":
        return replace(state, typed=state.typed[:-1]), ()
    if key == "clear":
        return replace(state, typed=""), ()
    text = " ".join(key.removeprefix(PASTED).split()) if key.startswith(PASTED) else key
    if len(text) == 1 or key.startswith(PASTED):
        return replace(state, typed=(state.typed + text)[:LINE_CHARS]), ()
    return state, ()


def _entered(state: DeskState, mode: str, text: str) -> Step:
    if mode == "search":
        filters = replace(state.filters, search=text)
        return replace(state, filters=filters, wanted=IDS), (Refresh(first=True),)
    if state.shown is None:
        return state, ()
    if mode == "reject" and not text:
        return tell(state, "reason_needed"), ()
    act: Literal["reject", "redraft"] = "reject" if mode == "reject" else "redraft"
    return state, (Decide(Wish(act, state.shown.id, text=text)),)


def _filter(state: DeskState, key: str) -> Step:
    rows = choices(state.facets)
    if key in ("esc", "q", "f", "eof"):
        return replace(state, mode="read", scroll=0), ()
    if key == "0":
        cleared = replace(state.filters, channel=None, language=None, intent=None, reason=None)
        return replace(state, filters=cleared, wanted=IDS, mode="read", scroll=0), (Refresh(first=True),)
    if key in ("j", "down", "k", "up") and rows:
        step = 1 if key in ("j", "down") else -1
        return replace(state, row=min(max(state.row + step, 0), len(rows) - 1)), ()
    if key == "enter" and rows:
        name, value, _ = rows[state.row]
        set_now = getattr(state.filters, name)
        change: dict[str, Any] = {name: None if set_now == value else value}
        filters = replace(state.filters, **change)
        return replace(state, filters=filters, wanted=IDS, mode="read", scroll=0), (Refresh(first=True),)
    return state, ()


def _bulk(state: DeskState, key: str) -> Step:
    read = replace(state, mode="read", scroll=0)
    if key == "a":
        return read, (DecideAll("approve"),)
    if key == "s":
        return read, (DecideAll("skip"),)
    return (replace(read, preview=()), ()) if key in ("esc", "q", "eof") else (state, ())


def _send(state: DeskState, key: str) -> Step:
    """The editor's text is on the screen."""
    if state.shown is None:
        return replace(state, mode="read"), ()
    if key == "enter":
        wish = Wish("edit", state.shown.id, text=state.typed, candidate=state.candidate)
        return replace(state, mode="read", typed="", scroll=0), (Decide(wish),)
    if key == "e":
        return state, (Write(state.typed),)
    if key in ("esc", "q", "eof"):
        return replace(state, mode="read", typed="", scroll=0), (Keep(state.typed),)
    return state, ()


def _help(state: DeskState, key: str) -> Step:
    return replace(state, mode="read", scroll=0), ()


_MODES: Final[Mapping[str, Callable[[DeskState, str], Step]]] = {
    "read": _read,
    "filter": _filter,
    "bulk": _bulk,
    "send": _send,
    "help": _help,
}

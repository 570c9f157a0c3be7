"""`rejoinder review` without a subcommand: the review desk in the terminal, with the keys of the page."""

import os
import sys
from collections.abc import Iterable
from time import monotonic
from typing import Final

from bot.bootstrap import open_ledger
from bot.cli.desk_acts import Acts
from bot.cli.desk_input import Held
from bot.cli.desk_keys import press
from bot.cli.desk_state import DeskState, Effect, Leave, Refresh
from bot.cli.desk_terminal import Terminal
from bot.cli.desk_view import Sheet
from bot.cli.errors import Misuse
from bot.cli.shell import Shell

POLL_S: Final = 2.0
"""How often to look for new work."""
REDRAWN: Final = frozenset({"resized", "back", "redraw"})
"""The screen is drawn anew after whatever came, and these ask for nothing else."""


def open_desk(shell: Shell, by: str) -> None:
    """Let `by` decide until they leave. Raises Misuse where there is no terminal, LedgerError."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        raise Misuse("the review desk needs a terminal; use 'rejoinder review list' and the other commands")
    with open_ledger(shell.settings) as ledger, Terminal(shell.out) as terminal:
        acts = Acts(ledger, shell.settings, terminal, by=by, language=shell.language)
        try:
            _run(acts, terminal, DeskState(by), shell)
        finally:
            acts.close()


def _run(acts: Acts, terminal: Terminal, state: DeskState, shell: Shell) -> None:
    state = _done(acts, state, [Refresh(first=True)])
    look_at, held = monotonic() + POLL_S, Held()
    while True:
        terminal.draw(Sheet(state, shell.language))
        for key in terminal.keys(max(0.0, look_at - monotonic())):
            if key in REDRAWN or held.repeats(key, monotonic()):
                continue
            before = state.shown
            acts.renew()
            state, effects = press(state, key)
            if key == "leave" or Leave() in effects:
                return
            state = _done(acts, state, effects)
            if state.shown is not before:
                # What was typed ahead was not meant for what comes on the screen now.
                terminal.forget()
                break
        if monotonic() >= look_at:
            state = _done(acts, state, [Refresh()])
            look_at = monotonic() + POLL_S


def _done(acts: Acts, state: DeskState, effects: Iterable[Effect]) -> DeskState:
    """`effects`, and what they ask for in turn, in order."""
    waiting = list(effects)
    while waiting:
        state, more = acts.do(state, waiting.pop(0))
        waiting = [*more, *waiting]
    return state

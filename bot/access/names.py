"""The names that people log in with."""

from typing import Final

from bot.access.passwords import same_text
from bot.plain import plain

MOST_CHARS: Final = 60
_TAKEN: Final = frozenset({"policy", "responder", "sender", "poller", "backfill", "bot", "rejoinder"})
"""Who else is named in the history of a comment."""


def tidy(name: str) -> str:
    """As it is kept and shown."""
    return " ".join(same_text(name).split())


def key(name: str) -> str:
    """The same for names that differ in their capitals only, as phones write them."""
    return tidy(name).casefold()


def name_fault(name: str) -> str:
    """Key of the words that say why a tidy `name` is not taken; empty where it is."""
    if not name or len(name) > MOST_CHARS:
        return "access_name_length"
    if plain(name) != name or not name.isprintable() or key(name) in _TAKEN:
        return "access_name_bad"
    return ""

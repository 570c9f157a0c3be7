"""The links between the pages."""

from dataclasses import dataclass
from typing import Final

from bot.access.visitor import Visitor
from bot.models import Role
from bot.settings import Language
from bot.web.words import WORDS


@dataclass(frozen=True, slots=True)
class Link:
    """One link, for a reader."""

    path: str
    word: str
    current: bool


_PLACES: Final = (
    ("/review", "nav_review", Role.VIEWER),
    ("/", "title", Role.VIEWER),
    ("/channels", "channels", Role.VIEWER),
    ("/inbox", "nav_inbox", Role.REVIEWER),
    ("/documents", "documents", Role.VIEWER),
    ("/voices", "voices", Role.VIEWER),
    ("/nights", "nights", Role.REVIEWER),
    ("/digest", "nav_asked", Role.VIEWER),
    ("/try", "nav_try", Role.REVIEWER),
    ("/audit", "nav_audit", Role.OWNER),
    ("/people", "nav_people", Role.OWNER),
)


def nav(visitor: Visitor | None, path: str, language: Language) -> list[Link]:
    """The pages that `visitor` may open; `path` is the one being read."""
    if visitor is None:
        return []
    return [
        Link(place, WORDS[language][word], path == place or (place != "/" and path.startswith(f"{place}/")))
        for place, word, needs in _PLACES
        if visitor.may(needs)
    ]

"""Every word of the pages, in English and Chinese: a file for each area, laid together here."""

from collections.abc import Mapping
from typing import Final

from bot.models import State
from bot.settings import Language
from bot.web.words import (
    access,
    channels,
    common,
    digest,
    documents,
    evidence,
    inbox,
    nights,
    overview,
    review,
    status,
    trial,
    voices,
)

AREAS: Final = (
    access,
    channels,
    common,
    digest,
    documents,
    evidence,
    inbox,
    nights,
    overview,
    review,
    status,
    trial,
    voices,
)
WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {key: pair[0] for area in AREAS for key, pair in area.WORDS.items()},
    "zh": {key: pair[1] for area in AREAS for key, pair in area.WORDS.items()},
}

STATES: Final[Mapping[State, tuple[str, str]]] = {
    State.NEW: ("to be read", "待处理"),
    State.REVIEW: ("for a person", "待人工审核"),
    State.READY: ("ready to send", "待发送"),
    State.SENDING: ("being sent", "发送中"),
    State.UNKNOWN: ("being checked", "核实中"),
    State.SENT: ("answered", "已回复"),
    State.SKIPPED: ("skipped", "已跳过"),
    State.FAILED: ("failed", "失败"),
}
"""In the order in which the page shows them."""


def state_word(state: State, language: Language) -> str:
    return STATES[state][language == "zh"]


def choose_language(asked: str | None, accept: str, default: Language) -> Language:
    """What was asked for, else the first of the browser's languages that the page has, else `default`."""
    for tag in [asked or "", *_by_weight(accept)]:
        for language in WORDS:
            if tag.split("-")[0].lower() == language:
                return language
    return default


def _by_weight(accept: str) -> list[str]:
    wishes = []
    for entry in accept[:1000].split(","):
        tag, _, quality = entry.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        wishes.append((-weight, tag))
    return [tag for _, tag in sorted(wishes, key=lambda wish: wish[0])]

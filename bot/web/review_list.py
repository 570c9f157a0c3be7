"""From a page of the queue to what its list prints."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from markupsafe import escape

from bot.details import INTENTS
from bot.models import State
from bot.plain import excerpt
from bot.reasons import explain
from bot.settings import Language
from bot.store.cases import Item
from bot.store.queue import Facets, Page
from bot.store.stats import Counts
from bot.web.review_asked import AGES, STATES, Asked, mark_of
from bot.web.view import ago
from bot.web.words import WORDS

ROW_ROOM, DRAFT_ROOM, REASON_ROOM = 120, 60, 54
"""Bytes of a row's texts as the page holds them; a Chinese character takes three, about its share of the width."""
AUTHOR_CHARS: Final = 40
LABEL_CHARS: Final = 60
CHOICES: Final = 30
"""Values of one filter that are offered."""


def list_context(
    page: Page,
    asked: Asked,
    held: Mapping[int, str],
    language: Language,
    *,
    now: datetime,
    opened: int | None = None,
    reader: str = "",
) -> dict[str, Any]:
    """What `review_list.html` prints. `held` names who has which comment open."""
    after = mark_of(page.after)
    return {
        "rows": [
            row(item, asked, language, now=now, holder=_other(held.get(item.comment.id or 0, ""), reader))
            for item in page.items
        ],
        "opened": opened,
        "more": asked.link("/review", after=after) if after else "",
        "more_list": asked.link("/review/list", after=after) if after else "",
        "moment": now.isoformat(),
    }


def row(item: Item, asked: Asked, language: Language, *, now: datetime, holder: str = "") -> dict[str, Any]:
    """One line of the list."""
    comment, words = item.comment, WORDS[language]
    draft = item.reply.text if item.reply is not None else item.draft.text if item.draft is not None else ""
    return {
        "id": comment.id,
        "version": comment.version,
        "link": asked.link(f"/review/{comment.id}"),
        "author": excerpt(comment.author_name, AUTHOR_CHARS),
        "text": _short(comment.text, ROW_ROOM) or words["review_no_text"],
        "draft": _short(draft, DRAFT_ROOM),
        "reason": _short(explain(comment.reason, language), REASON_ROOM),
        "ago": ago(now, comment.updated_at, words),
        "similar": words["review_asked_by"].format(number=comment.similar) if comment.similar > 1 else "",
        "holder": holder,
        "held": words["review_held"].format(name=excerpt(holder, AUTHOR_CHARS)) if holder else "",
    }


def _short(text: str, room: int) -> str:
    cut = excerpt(text, room)
    size = len(escape(cut).encode("utf-8", "replace"))
    return cut if size <= room else excerpt(cut, max(1, room * len(cut) // size))


def _other(holder: str, reader: str) -> str:
    return "" if holder == reader else holder


def filters_context(
    facets: Facets, counts: Counts, asked: Asked, matching: int, language: Language
) -> dict[str, Any]:
    """What `review_filters.html` prints. `matching`: how many the filters let through."""
    words = WORDS[language]
    return {
        "asked": asked,
        "matching": matching,
        "total": facets.total,
        "tabs": _tabs(counts, asked, language),
        "choices": _choices(facets, asked, language),
        "ages": [{"value": age, "word": words[f"review_age_{age}"]} for age in AGES],
        "sorts": [
            {"value": sort, "word": words[f"review_sort_{sort}"]} for sort in ("value", "oldest", "newest")
        ],
    }


def _tabs(counts: Counts, asked: Asked, language: Language) -> list[dict[str, Any]]:
    words = WORDS[language]
    return [
        {
            "word": words[f"review_state_{state}"],
            "number": counts[state],
            "link": "/review" if state is State.REVIEW else f"/review?state={state}",
            "current": state is asked.state,
            "code": state.value,
        }
        for state in STATES
        if counts[state] or state in (State.REVIEW, asked.state)
    ]


def _choices(facets: Facets, asked: Asked, language: Language) -> list[dict[str, Any]]:
    """The filters with something to choose, or with a choice made."""
    words = WORDS[language]
    given: tuple[tuple[str, Counter[Any], Any, Mapping[Any, str]], ...] = (
        ("channel", facets.channels, asked.channel, {}),
        ("reason", facets.reasons, asked.reason, {one: explain(one, language) for one in facets.reasons}),
        ("language", facets.languages, asked.language, _languages(words)),
        ("intent", facets.intents, asked.intent, _intents(language)),
        ("post", facets.posts, asked.post, facets.titles),
    )
    return [
        {
            "name": name,
            "word": words[f"review_{name}"],
            "values": [
                {
                    "value": value,
                    "word": excerpt(titles.get(value, str(value)), LABEL_CHARS) or f"#{value}",
                    "number": number,
                    "chosen": value == chosen,
                }
                for value, number in _offered(counter, chosen)
            ],
        }
        for name, counter, chosen, titles in given
        if len(counter) > 1 or chosen
    ]


def _offered(counter: Counter[Any], chosen: Any) -> list[tuple[Any, int]]:
    offered = [(value, number) for value, number in counter.most_common(CHOICES) if value not in ("", None)]
    if chosen and all(value != chosen for value, _ in offered):
        offered.append((chosen, counter[chosen]))
    return offered


def _languages(words: Mapping[str, str]) -> dict[str, str]:
    return {code: words[f"language_{code}"] for code in ("en", "zh", "und")}


def _intents(language: Language) -> dict[str, str]:
    return {intent: pair[language == "zh"] for intent, pair in INTENTS.items()}

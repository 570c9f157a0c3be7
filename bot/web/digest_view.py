"""From a digest to what its templates and its Markdown print, in English or Chinese."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.digest import PARTS, Digest, Subject, link
from bot.models import State
from bot.persona import join
from bot.plain import excerpt
from bot.settings import Language
from bot.store.digest import Asked
from bot.web.words import WORDS, state_word

TEXT_CHARS, AUTHOR_CHARS, TITLE_CHARS = 200, 40, 80


def digest_context(digest: Digest, language: Language) -> dict[str, Any]:
    """Everything that is printed; addresses in it are http or https or empty."""
    words = WORDS[language]
    return {
        "words": words,
        "language": language,
        "channel": excerpt(digest.channel, TITLE_CHARS) if digest.channel else words["every_channel"],
        "span": f"{_minute(digest.since)} – {_minute(digest.until)} UTC",
        "comments": digest.comments,
        "parts": _parts(digest.parts, language),
        "summary": join(digest.summary),
        "subjects": [_subject(subject, language) for subject in digest.subjects],
        "in_vain": [_subject(subject, language) for subject in digest.in_vain],
        "notes": join(_notes(digest, words)),
        "posts": [
            {"title": excerpt(post.title, TITLE_CHARS), "link": link(post.url), "comments": post.comments}
            for post in digest.posts
        ],
    }


def _parts(parts: Mapping[str, int], language: Language) -> list[dict[str, Any]]:
    """The ends always, what is still in work only where there is any."""
    return [
        {"code": part, "word": _part_word(part, language), "number": parts[part]}
        for part in PARTS
        if part != "waiting" or parts[part]
    ]


def _part_word(part: str, language: Language) -> str:
    return WORDS[language]["in_work"] if part == "waiting" else state_word(State(part), language)


def _subject(subject: Subject, language: Language) -> dict[str, Any]:
    return {
        "name": subject.name,
        "comments": subject.comments,
        "parts": " · ".join(
            f"{subject.parts[part]} {_part_word(part, language)}" for part in PARTS if subject.parts[part]
        ),
        "examples": [_example(one, subject.name) for one in subject.examples],
    }


def _example(comment: Asked, above: str) -> dict[str, str]:
    """`above` is not said again."""
    text = excerpt(comment.text, TEXT_CHARS)
    return {
        "author": excerpt(comment.author, AUTHOR_CHARS),
        "text": "" if text == above else text,
        "post": excerpt(comment.post, TITLE_CHARS),
        "link": link(comment.url),
    }


def _notes(digest: Digest, words: Mapping[str, str]) -> list[str]:
    told = (
        ("more_subjects", digest.more_subjects),
        ("asked_nothing", digest.asked_nothing),
        ("not_grouped", digest.not_grouped),
    )
    return [words[key].format(number=number) for key, number in told if number]


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"

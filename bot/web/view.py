"""From a glance at the service to what the template prints."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot.models import Channel, State
from bot.plain import excerpt
from bot.reasons import explain
from bot.settings import Language
from bot.store.cases import Item
from bot.translate import needs_translation
from bot.voices.canary import Tally
from bot.web.evidence import aside, draft_evidence, writer_line
from bot.web.glance import Glance
from bot.web.nights_view import last_line
from bot.web.words import STATES, WORDS, state_word

if TYPE_CHECKING:
    from bot.serving.fleet import ServerUse

COMMENT_CHARS = 280
REPLY_CHARS = 600
ERROR_CHARS = 300
TAG_CHARS = 300
NAME_CHARS = 60


def page_context(
    glance: Glance | None,
    troubles: Mapping[str, str],
    language: Language,
    *,
    translates: bool = False,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Everything that the template needs; `glance` is None while the ledger cannot be read."""
    moment = now if now is not None else datetime.now(UTC)
    words = WORDS[language]
    shown = dict(troubles)
    if glance is not None and not glance.generator.ok:
        shown.setdefault("generator", glance.generator.message)
    return {
        "troubles": {part: _trouble(part, text, words) for part, text in shown.items()},
        "glance": glance,
        "well": not shown and glance is not None and not any(c.last_error for c in glance.channels),
        "states": _states(glance, language),
        "channels": [_channel(channel, words, moment) for channel in glance.channels] if glance else [],
        "documents": _documents(glance, words),
        "languages": _languages(glance, words),
        "tags": _tags(glance, words),
        "generator": _generator(glance, words),
        "servers": [_server(use, words) for use in glance.servers] if glance else [],
        "voices": _voices(glance, words),
        "returned": _returned(glance, words, moment),
        "night": last_line(glance.night, language) if glance else None,
        "latest": [
            _decision(item, words, language, moment, translates=translates)
            for item in (glance.latest if glance else [])
        ],
    }


def _trouble(part: str, text: str, words: Mapping[str, str]) -> str:
    why = excerpt(text, ERROR_CHARS)
    return words["comments_wait"].format(why=why) if part == "generator" else why


def _states(glance: Glance | None, language: Language) -> list[dict[str, Any]]:
    if glance is None:
        return []
    return [
        {"code": state.value, "word": state_word(state, language), "number": glance.counts[state]}
        for state in STATES
        # The steps on the way are shown while something is in them, the ends always.
        if glance.counts[state] or state in (State.REVIEW, State.SENT, State.SKIPPED, State.FAILED)
    ]


def _channel(channel: Channel, words: Mapping[str, str], now: datetime) -> dict[str, Any]:
    condition = "paused" if channel.paused else "error" if channel.last_error else "active"
    return {
        "id": channel.id,
        "name": channel.name,
        "platform": channel.platform,
        "account": words["as"].format(name=channel.account_name) if channel.account_name else "",
        "condition": condition,
        "condition_word": words[condition],
        "shadow": words["ch_shadow"] if channel.shadow else "",
        "polled": (
            words["polled"].format(ago=ago(now, channel.last_poll_at, words))
            if channel.last_poll_at
            else words["never"]
        ),
        "error": excerpt(channel.last_error, ERROR_CHARS) if channel.last_error else "",
        "failures": words["failures"].format(number=channel.failures) if channel.failures > 1 else "",
    }


def _documents(glance: Glance | None, words: Mapping[str, str]) -> str:
    if glance is None:
        return ""
    if not glance.documents.documents:
        return words["no_documents"]
    found = glance.documents
    line = words["documents_line"].format(documents=found.documents, passages=found.passages)
    if not found.embedder:
        return line
    told = words["vectors_line"].format(vectors=found.vectors, embedder=excerpt(found.embedder, NAME_CHARS))
    return f"{line} · {told}"


def _generator(glance: Glance | None, words: Mapping[str, str]) -> str:
    if glance is None:
        return ""
    if glance.generator_kind == "extractive" and glance.generator.ok:
        return words["extractive"]
    if glance.generator.ok and glance.servers:
        return words["model_answers"]
    return excerpt(glance.generator.message, ERROR_CHARS)


def _server(use: "ServerUse", words: Mapping[str, str]) -> dict[str, str]:
    told = [words["server_load"].format(outstanding=use.outstanding, limit=use.limit)]
    if use.prompt_tokens:
        told.append(words["server_cache"].format(rate=f"{use.cached_tokens / use.prompt_tokens:.0%}"))
    return {
        "url": excerpt(use.url, ERROR_CHARS),
        "condition": "active" if use.well else "error",
        "condition_word": words["server_well" if use.well else "server_resting"],
        "told": " · ".join(told),
    }


def _voices(glance: Glance | None, words: Mapping[str, str]) -> list[dict[str, str]]:
    if glance is None:
        return []
    channels = {channel.id: channel.name for channel in glance.channels}
    return [
        {
            "name": voice.name,
            "status": words[f"voice_{voice.status}"].format(share=f"{voice.share:.1%}"),
            "scope": channels.get(voice.channel_id, words["all_channels"]),
            "told": _told(glance.voices.told.get(voice.name, Tally()), words),
        }
        for voice in sorted(glance.voices.answering, key=lambda voice: voice.id or 0)
    ]


def _told(told: Tally, words: Mapping[str, str]) -> str:
    if not told.total:
        return words["no_verdicts"]
    return words["verdicts"].format(number=told.total, rate=f"{told.reject_rate:.0%}")


def _returned(glance: Glance | None, words: Mapping[str, str], now: datetime) -> list[str]:
    returned = glance.voices.returned if glance is not None else ()
    return [
        words["voice_returned"].format(
            name=voice.name, ago=ago(now, event.at, words), why=excerpt(event.detail, ERROR_CHARS)
        )
        for voice, event in returned
    ]


def _languages(glance: Glance | None, words: Mapping[str, str]) -> list[str]:
    if glance is None:
        return []
    found = sorted(glance.documents.languages.items(), key=lambda pair: -pair[1])
    return [f"{words.get(f'language_{code}', code)} {number}" for code, number in found]


def _tags(glance: Glance | None, words: Mapping[str, str]) -> str:
    found = glance.documents.tags if glance is not None else {}
    listed = " · ".join(f"{tag} {number}" for tag, number in found.items())
    return words["tags_line"].format(tags=excerpt(listed, TAG_CHARS)) if listed else ""


def _decision(
    item: Item, words: Mapping[str, str], language: Language, now: datetime, *, translates: bool
) -> dict[str, Any]:
    comment, draft, state = item.comment, item.draft, State(item.comment.state)
    sent = item.reply is not None and state is State.SENT
    text = item.reply.text if sent and item.reply is not None else draft.text if draft else ""
    return {
        "id": comment.id,
        "translation": excerpt(comment.translations.get(language, ""), COMMENT_CHARS),
        "can_translate": translates and needs_translation(comment, language),
        "state": state.value,
        "state_word": state_word(state, language),
        "reason": explain(comment.reason, language),
        "aside": aside(comment.reason, comment.detail, language, findings=bool(draft and draft.findings)),
        "channel": item.channel.name,
        "author": excerpt(comment.author_name, 60),
        "post": excerpt(item.post.title, 80),
        "comment": excerpt(comment.text, COMMENT_CHARS),
        "reply": excerpt(text, REPLY_CHARS) if state is not State.SKIPPED else "",
        "reply_word": words["reply" if sent else "draft"],
        "writer": writer_line(draft.model, draft.voice, language) if draft is not None else "",
        "given": draft_evidence(draft, language),
        "ago": ago(now, comment.updated_at, words),
    }


def ago(now: datetime, then: datetime, words: Mapping[str, str]) -> str:
    """How long before `now`, in the largest whole unit."""
    seconds = max(0, int((now - then).total_seconds()))
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= length:
            return words[unit].format(number=seconds // length)
    return words["seconds"].format(number=seconds)

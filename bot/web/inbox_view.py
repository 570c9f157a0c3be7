"""From what an import holds, and from replies that wait for a person, to what the pages print."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from adapters.inbox_options import PLATFORM
from adapters.inbox_rows import Read
from adapters.inbox_tables import BadRow
from bot.inbox import Told
from bot.models import Channel, State
from bot.outbox import taken_by
from bot.plain import excerpt, plain
from bot.reasons import Reason, explain
from bot.settings import Language
from bot.store.inbox import Waiting
from bot.web.words import WORDS

SHOWN: Final = 100
"""Rows of each kind that a page prints."""
_LINE, _NAME = 300, 60


def inbox_channels(found: Sequence[Channel], language: Language) -> list[dict[str, Any]]:
    """Those of the channels into which comments can be brought."""
    words = WORDS[language]
    return [
        {
            "id": channel.id,
            "name": channel.name,
            "preset": words[f"inbox_preset_{preset}"],
        }
        for channel in found
        if channel.platform == PLATFORM
        for preset in [_preset(channel.options)]
    ]


def _preset(options: Mapping[str, Any]) -> str:
    told = str(options.get("preset", "none"))
    return told if told in ("xiaohongshu", "kuaishou", "bilibili") else "none"


def told_context(
    read: Read, told: Sequence[Told], why: BadRow | None, language: Language, *, done: bool
) -> dict[str, Any]:
    """What became of each row, or would."""
    words = WORDS[language]
    statuses = [one.status for one in told]
    new, known, refused = (statuses.count(status) for status in ("new", "known", "refused"))
    understood = [one for one in told if one.status != "refused"]
    past = sum(one.status == "new" and one.reason == Reason.BEFORE_BASELINE for one in told)
    summary = words["inbox_done" if done else "inbox_would"].format(new=new, known=known, refused=refused)
    return {
        "done": done,
        "why": why.line(language) if why is not None else "",
        "summary": summary if why is None else "",
        "past": words["inbox_past"].format(number=past) if past else "",
        "ready": not done and new > 0,
        "columns": [excerpt(name, _NAME) for name in read.columns],
        "unused": [excerpt(name, _NAME) for name in read.unused[:SHOWN]],
        "rows": [_row(one, language) for one in understood[:SHOWN]],
        "more_rows": max(0, len(understood) - SHOWN),
        "refused": [_refused(one, language) for one in told if one.why is not None][:SHOWN],
        "more_refused": max(0, refused - SHOWN),
    }


def _row(told: Told, language: Language) -> dict[str, Any]:
    comment, post = told.row.comment, told.row.post
    words = WORDS[language]
    return {
        "place": told.place,
        "status": told.status,
        "word": words[f"inbox_{told.status}"],
        "why": explain(told.reason, language) if told.reason else "",
        "author": excerpt(comment.author_name, _NAME) if comment is not None else "",
        "text": excerpt(comment.text, _LINE) if comment is not None else "",
        "at": f"{comment.ref.created_at.astimezone(UTC):%Y-%m-%d %H:%M}" if comment is not None else "",
        "post": excerpt(post.title or post.url or post.id, _NAME) if post is not None else "",
    }


def _refused(told: Told, language: Language) -> dict[str, Any]:
    return {"place": told.place, "why": plain(told.why.line(language)) if told.why is not None else ""}


def waiting_context(
    rows: Sequence[Waiting], names: Mapping[int, str], language: Language, now: datetime
) -> list[dict[str, Any]]:
    """Replies that a person brings out."""
    return [_waiting(one, names, language, now) for one in rows]


def _waiting(one: Waiting, names: Mapping[int, str], language: Language, now: datetime) -> dict[str, Any]:
    words, reply, comment, post = WORDS[language], one.reply, one.comment, one.post
    sending = comment.state == State.SENDING
    return {
        "id": reply.id,
        "comment": comment.id,
        "channel": names.get(comment.channel_id, ""),
        "author": excerpt(comment.author_name, _NAME),
        "asked": excerpt(comment.text, _LINE),
        "post": excerpt(post.title, _NAME * 2),
        "text": reply.text,
        "link": _link(comment.url or post.url),
        "taken": sending,
        "lease": comment.lease_owner if sending else "",
        "taken_by": words["out_taken"].format(
            name=taken_by(comment.lease_owner), until=_clock(comment.due_at)
        )
        if sending
        else "",
        "from": words["out_from"].format(when=_clock(comment.due_at)) if comment.due_at > now else "",
    }


def _link(address: str) -> str:
    return address if address.startswith(("http://", "https://")) else ""


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"

"""One comment's verdicts as rows for a trainer: the prompt as it was, and replies as a model writes them. Pure."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from bot.feedback import Pair, Supervised, matter, pairs, same, supervised
from bot.masking import Mask
from bot.models import Draft
from bot.persona import Persona
from bot.prompt import Message, system_text
from bot.replay import Replay, as_written, replay
from bot.responder import CAUTIOUS_CHARS
from bot.store.feedback import Judged, Sign

Part = Literal["sft", "preferences"]
PARTS: Final[tuple[Part, ...]] = ("sft", "preferences")


@dataclass(frozen=True, slots=True)
class Row:
    part: Part
    key: str
    """The same for what is the same, and for what contradicts it."""
    at: datetime
    verdict_id: int
    columns: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Told:
    """What all rows of one draft share."""

    replay: Replay
    messages: list[Message]

    @classmethod
    def by(cls, replay: Replay) -> "_Told":
        return cls(replay, replay.messages())


def mask_of(judged: Judged, persona: Persona) -> Mask:
    """What is masked in the rows of this comment."""
    passages = [kept for draft in judged.drafts.values() for kept in draft.passages]
    said = [judged.post.title, judged.post.text, system_text(persona), judged.channel.account_name or ""]
    said += [str(kept.get(name, "")) for kept in passages for name in ("title", "heading", "text")]
    mask = Mask(f"{judged.channel.id} {judged.comment.thread_id}", "\n".join(said))
    fans = [turn for turn in judged.thread if not turn.is_own]
    for text in (*(turn.text for turn in fans), judged.comment.text):
        mask.learn(text)
    mask.learn_names((*(turn.author_name for turn in fans), judged.comment.author_name))
    return mask


def rows_of(judged: Judged, persona: Persona, since: datetime | None = None) -> Iterator[Row]:
    """What the verdicts on one comment teach; `since`: only what was decided then or later."""
    mask = mask_of(judged, persona)
    told = {
        number: _Told.by(_masked(_replayed(judged, draft, persona), mask))
        for number, draft in judged.drafts.items()
    }

    def reply(text: str, draft_id: int) -> str:
        return mask.apply(as_written(text, judged.drafts[draft_id], persona))

    for row in supervised(judged.verdicts, judged.drafts):
        if since is None or row.at >= since:
            yield _supervised_row(judged, row, told[row.draft_id], reply(row.text, row.draft_id))
    for pair in pairs(judged.verdicts, judged.drafts):
        chosen, rejected = (reply(text, pair.draft_id) for text in (pair.chosen, pair.rejected))
        if (since is None or pair.at >= since) and not same(chosen, rejected):
            yield _pair_row(judged, pair, told[pair.draft_id], chosen, rejected)


def sign_row(sign: Sign) -> dict[str, Any]:
    """A signal, with the numbers of comment and channel by which the ledger knows them."""
    return {
        "comment": sign.signal.comment_id,
        "channel": sign.channel.name,
        **sign.signal.model_dump(include={"kind", "value"}),
        "first_at": sign.signal.first_at.isoformat(),
        "last_at": sign.signal.last_at.isoformat(),
    }


def _replayed(judged: Judged, draft: Draft, persona: Persona) -> Replay:
    longest = judged.channel.max_reply_chars
    return replay(
        draft,
        judged.comment,
        judged.post,
        judged.thread,
        persona=persona,
        max_chars=CAUTIOUS_CHARS if longest is None else longest,
    )


def _masked(told: Replay, mask: Mask) -> Replay:
    request = told.request
    thread = tuple(replace(turn, text=mask.apply(turn.text)) for turn in request.thread)
    hidden = replace(
        request, comment=mask.apply(request.comment), thread=thread, hint=mask.apply(request.hint)
    )
    return replace(told, request=hidden, steps=mask.apply_all(list(told.steps)))


def _supervised_row(judged: Judged, row: Supervised, told: _Told, reply: str) -> Row:
    prompt = told.messages
    columns = {"prompt": prompt, "completion": _said(reply)}
    key = hash_of(prompt, " ".join(reply.split()))
    return Row("sft", key, row.at, row.verdict_id, columns | _origin(judged, row, told))


def _pair_row(judged: Judged, pair: Pair, told: _Told, chosen: str, rejected: str) -> Row:
    prompt = told.messages
    columns = {"prompt": prompt, "chosen": _said(chosen), "rejected": _said(rejected)}
    key = hash_of(prompt, matter(chosen, rejected))
    return Row("preferences", key, pair.at, pair.verdict_id, columns | _origin(judged, pair, told))


def _origin(judged: Judged, row: Supervised | Pair, told: _Told) -> dict[str, Any]:
    draft = judged.drafts[row.draft_id]
    return {
        "kind": row.kind,
        "prompt_exact": told.replay.exact,
        "passages": len(told.replay.request.passages),
        "language": draft.language,
        "voice": draft.voice or "",
        "channel": judged.channel.name,
        "comment": row.comment_id,
        "draft": row.draft_id,
        "verdict": row.verdict_id,
        "at": row.at.isoformat(),
    }


def _said(reply: str) -> list[Message]:
    return [{"role": "assistant", "content": reply}]


def hash_of(*parts: object) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(as_json(parts).encode()).hexdigest()


def as_json(value: object) -> str:
    """On one line, the same for equal values."""
    # ASCII: a lone surrogate is written as JSON writes it.
    return json.dumps(value, sort_keys=True, separators=(",", ":"))

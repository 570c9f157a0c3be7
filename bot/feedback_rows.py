"""One comment's verdicts as rows for a trainer: the prompt as it was, and replies as a model writes them. Pure."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from bot.feedback import Pair, Supervised, compared, endorsed, matter, pairs, refused, same, supervised
from bot.manners import unlabelled
from bot.masking import Mask
from bot.models import Draft, Reply
from bot.persona import Persona
from bot.prompt import Message, system_text
from bot.replay import Replay, as_written, replay
from bot.responder import most_chars
from bot.store.feedback import Judged, Sign

Part = Literal["sft", "preferences", "rejected"]
PARTS: Final[tuple[Part, ...]] = ("sft", "preferences")
"""Those that are exported. What was `rejected` is nothing to learn by itself: it weighs what others stood behind."""

SHORT: Final = 16
"""Characters of the hashes that stand for a thread and for a reviewer."""


@dataclass(frozen=True, slots=True)
class Row:
    part: Part
    key: str
    """The same for what is the same, and for what contradicts it."""
    at: datetime
    verdict_id: int
    columns: dict[str, Any]
    fans: tuple[str, ...] = ()
    """What commenters had written, of all that the prompt holds: the comment, then the thread."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What all rows of one draft share."""

    replay: Replay
    messages: list[Message]
    draft: Draft
    persona: Persona
    mask: Mask

    def reply(self, text: str) -> str:
        """As the model has to write it."""
        return self.mask.apply(as_written(text, self.draft, self.persona))

    @property
    def fans(self) -> tuple[str, ...]:
        asked = self.replay.request
        return (asked.comment, *(turn.text for turn in asked.thread if turn.author == "fan"))


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


def rows_of(
    judged: Judged, persona: Persona, since: datetime | None = None, *, every: bool = False
) -> Iterator[Row]:
    """What the verdicts on one comment teach; `since`: only what was decided then or later.

    With `every`, what each verdict says by itself, repeated, contradicted and rejected as it may be.
    """
    told = _told(judged, persona)
    alone = (
        [*endorsed(judged.verdicts, judged.drafts), *refused(judged.verdicts, judged.drafts)]
        if every
        else supervised(judged.verdicts, judged.drafts)
    )
    for row in alone:
        if since is None or row.at >= since:
            yield _supervised_row(judged, row, told[row.draft_id])
    for pair in (compared if every else pairs)(judged.verdicts, judged.drafts):
        if (since is None or pair.at >= since) and (found := _pair_row(judged, pair, told[pair.draft_id])):
            yield found


def sent_row(judged: Judged, reply: Reply, persona: Persona) -> Row:
    """A reply that went out, as one to imitate, whoever decided it. `reply.draft_id` is among the drafts."""
    at = reply.sent_at or reply.ordered_at
    text = unlabelled(reply.text, [reply.label])
    row = Supervised(reply.comment_id, reply.draft_id or 0, 0, at, "", "approve", text)
    return _supervised_row(judged, row, _told(judged, persona)[row.draft_id])


def sign_row(sign: Sign) -> dict[str, Any]:
    """A signal, with the numbers of comment and channel by which the ledger knows them."""
    return {
        "comment": sign.signal.comment_id,
        "channel": sign.channel.name,
        **sign.signal.model_dump(include={"kind", "value"}),
        "first_at": sign.signal.first_at.isoformat(),
        "last_at": sign.signal.last_at.isoformat(),
    }


def _told(judged: Judged, persona: Persona) -> dict[int, _Told]:
    """By the draft's id."""
    mask, told = mask_of(judged, persona), {}
    for number, draft in judged.drafts.items():
        replay = _masked(_replayed(judged, draft, persona), mask)
        told[number] = _Told(replay, replay.messages(), draft, persona, mask)
    return told


def _replayed(judged: Judged, draft: Draft, persona: Persona) -> Replay:
    labels = judged.channel.rules.get("label", {}).values()
    thread = [
        replace(turn, text=unlabelled(turn.text, labels)) if turn.is_own else turn for turn in judged.thread
    ]
    return replay(
        draft,
        judged.comment,
        judged.post,
        thread,
        persona=persona,
        max_chars=most_chars(judged.channel),
    )


def _masked(told: Replay, mask: Mask) -> Replay:
    request = told.request
    thread = tuple(replace(turn, text=mask.apply(turn.text)) for turn in request.thread)
    hidden = replace(
        request, comment=mask.apply(request.comment), thread=thread, hint=mask.apply(request.hint)
    )
    return replace(told, request=hidden, steps=mask.apply_all(list(told.steps)))


def _supervised_row(judged: Judged, row: Supervised, told: _Told) -> Row:
    prompt, reply = told.messages, told.reply(row.text)
    columns = {"prompt": prompt, "completion": _said(reply)}
    key = hash_of(prompt, " ".join(reply.split()))
    part: Part = "rejected" if row.kind == "reject" else "sft"
    return Row(part, key, row.at, row.verdict_id, columns | _origin(judged, row, told), told.fans)


def _pair_row(judged: Judged, pair: Pair, told: _Told) -> Row | None:
    """None where the two differ in nothing that a model writes."""
    prompt, chosen, rejected = told.messages, told.reply(pair.chosen), told.reply(pair.rejected)
    if same(chosen, rejected):
        return None
    columns = {"prompt": prompt, "chosen": _said(chosen), "rejected": _said(rejected)}
    key = hash_of(prompt, matter(chosen, rejected))
    return Row("preferences", key, pair.at, pair.verdict_id, columns | _origin(judged, pair, told), told.fans)


def _origin(judged: Judged, row: Supervised | Pair, told: _Told) -> dict[str, Any]:
    draft = told.draft
    return {
        "kind": row.kind,
        "prompt_exact": told.replay.exact,
        "passages": len(told.replay.request.passages),
        "language": draft.language,
        "voice": draft.voice or "",
        "channel": judged.channel.name,
        "comment": row.comment_id,
        "draft": row.draft_id,
        "thread": hash_of(judged.channel.id, judged.comment.thread_id)[:SHORT],
        "verdict": row.verdict_id,
        "reviewer": hash_of("reviewer", row.by)[:SHORT],
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

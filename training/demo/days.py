"""A day in the demo's ledger: comments come in, the voice drafts, the simulated creator decides.

Everything goes through the service's own tables and verdicts, so that a night finds what it would find anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from sqlmodel import Session

from bot.models import Channel, Comment, Draft, Post, State
from bot.prompt import prompt_hash
from bot.reasons import Reason
from bot.store import channels, verdicts
from bot.store.deciding import Sign
from bot.store.ledger import Ledger, connect, sqlite_url
from bot.store.migrate import upgrade
from training.demo.creator import Judgement, judge
from training.demo.shop import Ask
from training.demo.styles import MARK

CHANNEL = "mira"
LEDGER = "ledger.db"
"""Where `bot.settings` looks for it."""
SINCE = datetime(2001, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """A comment, what the voice proposed for it, and what became of that."""

    ask: Ask
    drafts: tuple[str, ...]
    """With their marks, each once."""
    judgement: Judgement


def decided(asked: Sequence[Ask], drafts: Sequence[Sequence[str]], random: Random) -> list[Case]:
    """What the creator does with a day's drafts. Comments without a usable draft are left out."""
    seen = [
        (ask, tuple(dict.fromkeys(text for text in texts if text.endswith(MARK) and text != MARK)))
        for ask, texts in zip(asked, drafts, strict=True)
    ]
    return [Case(ask, texts, judge(ask, texts, random)) for ask, texts in seen if texts]


def open_ledger(folder: Path) -> Ledger:
    """The demo's ledger below `folder`, with its one channel; made where it is not there yet. Raises LedgerError."""
    ledger = connect(sqlite_url(folder / LEDGER))
    upgrade(ledger)
    ledger.write(_channel)
    return ledger


def write_day(
    session: Session, day: int, cases: Sequence[Case], *, model: str, voice: str | None, now: datetime
) -> None:
    """Comments, drafts and verdicts; the last verdict is given at `now`."""
    channel = _channel(session)
    for number, case in enumerate(cases):
        at = now - timedelta(milliseconds=len(cases) - number)
        comment = _comment(session, channel, f"{day}-{number}", case, at)
        draft = _draft(case, comment.id or 0, model=model, voice=voice, at=at)
        session.add(draft)
        session.flush()
        comment.draft_id = draft.id
        session.add(comment)
        session.flush()
        _decide(session, comment.id or 0, case.judgement, at)


def _channel(session: Session) -> Channel:
    """In shadow: there is no platform that a reply could go to."""
    for channel in channels.every(session):
        if channel.name == CHANNEL:
            return channel
    channel = channels.add(session, name=CHANNEL, platform="sandbox", options={}, rules={}, now=SINCE)
    channel.shadow, channel.max_reply_chars = True, 300
    session.add(channel)
    return channel


def _comment(session: Session, channel: Channel, name: str, case: Case, at: datetime) -> Comment:
    post = Post(channel_id=channel.id or 0, platform_id=f"post-{name}", text=case.ask.post)
    session.add(post)
    session.flush()
    comment = Comment(
        channel_id=channel.id or 0,
        post_id=post.id or 0,
        platform_id=f"comment-{name}",
        thread_id=f"thread-{name}",
        author_id=f"fan-{name}",
        text=case.ask.comment,
        language=case.ask.language,
        created_at=at,
        ingested_at=at,
        updated_at=at,
        due_at=at,
        state=State.REVIEW,
        reason=Reason.SHADOW,
    )
    session.add(comment)
    session.flush()
    return comment


def _draft(case: Case, comment_id: int, *, model: str, voice: str | None, at: datetime) -> Draft:
    texts = [bare(text) for text in case.drafts]
    return Draft(
        comment_id=comment_id,
        created_at=at,
        text=texts[0],
        candidates=texts,
        language=case.ask.language,
        passages=case.ask.evidence(),
        citations=[0],
        support=0.95,
        prompt_hash=prompt_hash(case.ask.messages()),
        generator="demo",
        model=model,
        voice=voice,
    )


def bare(text: str) -> str:
    """As the desk shows it: the mark of the passage is kept beside the text."""
    return text.removesuffix(MARK).strip()


def _decide(session: Session, comment_id: int, judgement: Judgement, at: datetime) -> None:
    sign = Sign(by="Mira", via="page")
    text = bare(judgement.text)
    if judgement.kind == "approve":
        verdicts.approve(session, comment_id, candidate=judgement.chosen, sign=sign, now=at)
        return
    if judgement.kind == "edit":
        verdicts.edit(session, comment_id, text=text, candidate=judgement.chosen, sign=sign, now=at)
        return
    verdicts.reject(session, comment_id, reason="", sign=sign, now=at)
    if text:
        session.expire_all()  # the rejection has moved the comment in the database only
        verdicts.edit(session, comment_id, text=text, sign=sign, now=at + timedelta(microseconds=1))

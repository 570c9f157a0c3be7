"""Comments that wait for a person, made quickly and in any shape."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, select

from bot.models import Comment, Draft, Event, Post, State
from bot.store.ledger import Ledger
from tests.builders import START, Desk, comment


def waiting(desk: Desk, *texts: str, drafts: Sequence[str] = ("Ten minutes.", "Nine minutes.")) -> list[int]:
    """Numbers of new comments with these texts, drafted, that wait for a person."""
    known = desk.ledger.read(lambda session: session.exec(select(func.count()).select_from(Comment)).one())
    desk.ingest(*(comment(known + 1 + number, text) for number, text in enumerate(texts or ("How long?",))))
    ids = []
    for work in desk.claim():
        number = work.comment.id or 0
        assert desk.decide(work, State.REVIEW)
        desk.ledger.write(_set_candidates, number, list(drafts))
        ids.append(number)
    return ids


def _set_candidates(session: Session, number: int, drafts: list[str]) -> None:
    draft = session.get_one(Draft, session.get_one(Comment, number).draft_id)
    draft.candidates, draft.text, draft.prompt_hash, draft.voice = drafts, drafts[0], "p", "mia-1"
    session.add(draft)


def add_rows(
    ledger: Ledger, channel_id: int, rows: Sequence[Mapping[str, Any]], *, first: int = 1
) -> list[int]:
    """A comment with its draft for each row, which says what differs from the plain one; `intent`, `draft` and `post`
    are of the draft and the post. Numbers from `first`.
    """

    def work(session: Session) -> list[int]:
        for number in {int(row.get("post", 1)) for row in rows}:
            if session.get(Post, number) is None:
                session.add(
                    Post(id=number, channel_id=channel_id, platform_id=f"p{number}", title=f"Post {number}")
                )
        session.flush()
        for number, row in enumerate(rows, first):
            _add_row(session, channel_id, number, dict(row))
        return list(range(first, first + len(rows)))

    return ledger.write(work)


def _add_row(session: Session, channel_id: int, number: int, row: dict[str, Any]) -> None:
    at: datetime = row.pop("at", START + timedelta(seconds=number))
    drafted = Draft(
        id=number,
        comment_id=number,
        created_at=at,
        text=row.pop("draft", "Ten minutes."),
        intent=row.pop("intent", "question"),
    )
    post = row.pop("post", 1)
    values: dict[str, Any] = {
        "channel_id": channel_id, "platform_id": f"c{number}", "thread_id": f"c{number}", "author_id": "fan",
        "author_name": "Fan", "text": "How long do I roast?", "language": "en", "state": State.REVIEW,
        "reason": "checks", "draft_id": number, "version": 1,
    }  # fmt: skip
    moments = dict.fromkeys(("created_at", "ingested_at", "updated_at", "due_at"), at)
    session.add(Comment(id=number, post_id=post, **(values | moments | row)))
    session.flush()
    session.add(drafted)
    session.add(
        Event(
            comment_id=number, at=at, actor="responder", from_state="new", to_state="review", reason="checks"
        )
    )

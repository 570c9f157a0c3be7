"""A ledger with the verdicts of people on drafts, made quickly."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from bot.models import Channel, Comment, Draft, Post, Reply, State, Verdict
from bot.store.ledger import Ledger
from tests.builders import START

NOW = START + timedelta(days=30)
PASSAGE = {
    "title": "Roasting",
    "heading": "",
    "text": "Roast for ten minutes at 205 C.",
    "source": "notes.md",
}


class Creator:
    """Each method adds rows; times grow by a minute with each verdict."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.at = START
        self.channels: dict[str, int] = {}

    def asked(
        self,
        text: str,
        *,
        thread: str = "",
        channel: str = "blog",
        candidates: Sequence[str] = ("Ten minutes.", "Ask me later."),
        language: str = "en",
        sent: str = "",
    ) -> tuple[int, int]:
        """A comment with a draft; returns the numbers of both. `sent`: what went out without a verdict."""

        def work(session: Session) -> tuple[int, int]:
            channel_id, post_id = self._channel(session, channel)
            number = len(session.exec(select(Comment.id)).all()) + 1
            times = dict.fromkeys(("created_at", "ingested_at", "updated_at", "due_at"), self.at)
            comment = Comment(
                channel_id=channel_id, post_id=post_id, platform_id=f"c{number}", thread_id=thread or f"t{number}",
                author_id="fan", text=text, state=State.SENT, language=language, **times,
            )  # fmt: skip
            session.add(comment)
            session.flush()
            draft = Draft(
                comment_id=comment.id or 0, created_at=self.at, text=candidates[0], candidates=list(candidates),
                passages=[PASSAGE], language=language,
            )  # fmt: skip
            session.add(draft)
            session.flush()
            if sent:
                session.add(
                    Reply(
                        comment_id=comment.id or 0, channel_id=channel_id, draft_id=draft.id, text=sent,
                        key=f"k{number}", approved_by="policy", ordered_at=self.at, sent_at=self.at,
                    )
                )  # fmt: skip
            return comment.id or 0, draft.id or 0

        return self.ledger.write(work)

    def judged(
        self, about: tuple[int, int], kind: str, text: str = "", *, by: str = "ann", **more: Any
    ) -> None:
        """`chosen`: which of the candidates; by default the first, and none where the kind is `reject`."""

        def work(session: Session) -> None:
            draft = session.get_one(Draft, about[1])
            values: dict[str, Any] = {
                "candidates": draft.candidates,
                "chosen": None if kind == "reject" else 0,
            }
            session.add(
                Verdict(
                    comment_id=about[0], draft_id=about[1], kind=kind, text=text, by=by,
                    **(values | {"at": self.at} | more),
                )
            )  # fmt: skip

        self.at += timedelta(minutes=1)
        self.ledger.write(work)

    def day(self, number: int, *, channel: str = "blog", by: str = "ann", word: str = "beans") -> None:
        """`number` comments in threads of their own, each answered by an edit."""
        for index in range(number):
            about = self.asked(f"How long do I roast {word} number {index}?", channel=channel)
            self.judged(about, "edit", f"Ten minutes for {word} {index}, then cool them.", by=by)

    def _channel(self, session: Session, name: str) -> tuple[int, int]:
        if name not in self.channels:
            times: dict[str, datetime] = dict.fromkeys(
                ("created_at", "answer_since", "next_poll_at", "next_send_at"), START
            )
            channel = Channel(name=name, platform="sandbox", **times)
            session.add(channel)
            session.flush()
            session.add(Post(channel_id=channel.id or 0, platform_id="p1", title="Roasting at home"))
            session.flush()
            self.channels[name] = channel.id or 0
        channel_id = self.channels[name]
        post = session.exec(select(Post).where(Post.channel_id == channel_id)).one()
        return channel_id, post.id or 0

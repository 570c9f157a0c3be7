"""A ledger with the verdicts of people on drafts, made quickly."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlmodel import Session

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
    """Each method makes rows, `save` writes them. Time goes on by a minute with each verdict."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.at = START
        self.channels: dict[str, int] = {}
        self.rows: list[Any] = []
        self.comments = self.verdicts = 0

    def save(self) -> None:
        def work(session: Session) -> None:
            for row in self.rows:
                session.add(row)
                session.flush()

        self.ledger.write(work)
        self.rows = []

    def asked(
        self,
        text: str,
        *,
        thread: str = "",
        channel: str = "blog",
        candidates: Sequence[str] = ("Ten minutes.", "Ask me later."),
        language: str = "en",
        sent: str = "",
    ) -> Draft:
        """A comment with a draft. `sent`: what went out without a verdict."""
        channel_id = self._channel(channel)
        self.comments += 1
        number = self.comments
        times: dict[str, Any] = dict.fromkeys(("created_at", "ingested_at", "updated_at", "due_at"), self.at)
        draft = Draft(
            id=number,
            comment_id=number,
            created_at=self.at,
            text=candidates[0],
            candidates=list(candidates),
            passages=[PASSAGE],
            language=language,
        )
        self.rows += [
            Comment(
                id=number,
                channel_id=channel_id,
                post_id=channel_id,
                platform_id=f"c{number}",
                thread_id=thread or f"t{number}",
                author_id="fan",
                text=text,
                state=State.SENT,
                language=language,
                **times,
            ),
            draft,
        ]
        if sent:
            out: dict[str, Any] = {
                "ordered_at": self.at,
                "sent_at": self.at,
                "approved_by": "policy",
                "key": f"k{number}",
            }
            self.rows.append(
                Reply(comment_id=number, channel_id=channel_id, draft_id=number, text=sent, **out)
            )
        return draft

    def judged(self, draft: Draft, kind: str, text: str = "", *, by: str = "ann", **more: Any) -> None:
        """`chosen`: which of the candidates; by default the first, and none where the kind is `reject`."""
        self.at += timedelta(minutes=1)
        self.verdicts += 1
        values: dict[str, Any] = {"at": self.at, "chosen": None if kind == "reject" else 0} | more
        self.rows.append(
            Verdict(
                id=self.verdicts,
                comment_id=draft.comment_id,
                draft_id=draft.comment_id,
                candidates=draft.candidates,
                kind=kind,
                text=text,
                by=by,
                **values,
            )
        )

    def day(self, number: int, *, word: str = "beans", channel: str = "blog", **more: Any) -> None:
        """`number` comments in threads of their own, each answered by an edit."""
        for index in range(number):
            draft = self.asked(f"How long do I roast {word} number {index}?", channel=channel)
            self.judged(draft, "edit", f"Ten minutes for {word} {index}, then cool them.", **more)

    def _channel(self, name: str) -> int:
        if name not in self.channels:
            number = self.channels[name] = len(self.channels) + 1
            times: dict[str, Any] = dict.fromkeys(
                ("created_at", "answer_since", "next_poll_at", "next_send_at"), START
            )
            self.rows += [
                Channel(id=number, name=name, platform="sandbox", **times),
                Post(id=number, channel_id=number, platform_id="p1", title=f"Roasting, in the {name}"),
            ]
        return self.channels[name]

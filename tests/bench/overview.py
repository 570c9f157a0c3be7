"""How long the overview's figures take in a large ledger: python -m tests.bench.overview [COMMENTS] [DAYS]

The last line is one JSON object.
"""

import json
import random
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session

from bot.models import Comment, Draft, Post, Reply, State, Verdict
from bot.overview import local_days, overview
from bot.reasons import Reason
from bot.store import dashboard
from bot.store.ledger import Ledger, connect, sqlite_url
from bot.store.migrate import upgrade
from bot.unanswered import topics
from tests.bench.digest import question
from tests.builders import START, Desk

AT_ONCE, QUESTIONS = 5_000, 20_000
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
ENDS = (
    (State.SENT, Reason.SENT), (State.SENT, Reason.SENT), (State.SKIPPED, Reason.EMOJI_ONLY),
    (State.REVIEW, Reason.NOT_IN_DOCUMENTS), (State.SKIPPED, Reason.NOTHING_TO_ANSWER),
)  # fmt: skip


def fill(ledger: Ledger, comments: int, days: int) -> int:
    """`comments` comments spread over the last `days` days, half of them answered, a tenth with a verdict."""
    channel = Desk(ledger).channel_id
    ledger.write(lambda session: session.add(Post(id=1, channel_id=channel, platform_id="p1", title="Post")))
    chance = random.Random(7)
    asked = [question(chance) for _ in range(QUESTIONS)]
    for first in range(1, comments + 1, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, comments + 1))
        ledger.write(_some, [_row(chance, asked, number, comments, days, channel) for number in numbers])
    return channel


def _row(
    chance: random.Random, asked: list[str], number: int, comments: int, days: int, channel: int
) -> dict[str, Any]:
    at = NOW - timedelta(days=days * (1 - number / (comments + 1)))
    state, reason = chance.choice(ENDS)
    return {
        "id": number, "channel_id": channel, "post_id": 1, "platform_id": f"c{number}", "thread_id": f"c{number}",
        "author_id": "fan", "author_name": "Fan", "text": chance.choice(asked), "language": "en", "created_at": at,
        "ingested_at": at, "updated_at": at, "due_at": at, "state": state, "reason": reason, "draft_id": number,
        "extra": {}, "pictures": [], "translations": {}, "detail": "", "version": 1, "attempts": 0, "is_own": False,
    }  # fmt: skip


def _some(session: Session, rows: list[dict[str, Any]]) -> None:
    text = "Ten minutes at two hundred degrees, then let it rest for a day before you grind it. " * 2
    connection = session.connection()
    connection.execute(insert(Comment), rows)
    draft = Draft(comment_id=0, created_at=START, text=text, support=0.7).model_dump()
    drafts = [
        {
            **draft,
            "id": row["id"],
            "comment_id": row["id"],
            "created_at": row["created_at"],
            "reason": row["reason"],
        }
        for row in rows
    ]
    connection.execute(insert(Draft), drafts)
    sent = [row for row in rows if row["state"] is State.SENT]
    reply = Reply(comment_id=0, channel_id=0, text=text, key="", approved_by="policy", ordered_at=START)
    template = reply.model_dump(exclude={"id"})
    replies = [
        {
            **template, "comment_id": row["id"], "channel_id": row["channel_id"], "key": row["platform_id"],
            "attempted_at": row["created_at"], "platform_id": row["platform_id"],
            "sent_at": row["created_at"] + timedelta(seconds=row["id"] % 900),
        }
        for row in sent
    ]  # fmt: skip
    connection.execute(insert(Reply), replies)
    verdicts = [
        Verdict(
            comment_id=row["id"], draft_id=row["id"], kind=("approve", "edit", "reject")[row["id"] // 10 % 3],
            text=text.replace("Ten", str(row["id"])), by="ann", at=row["created_at"],
        )
        for row in rows
        if row["id"] % 10 == 0
    ]  # fmt: skip
    connection.execute(insert(Verdict), [verdict.model_dump(exclude={"id"}) for verdict in verdicts])


def timed(work: Any, *args: Any, **kwargs: Any) -> tuple[Any, float]:
    began = perf_counter()
    found = work(*args, **kwargs)
    return found, round(1000 * (perf_counter() - began), 1)


def main() -> None:
    comments = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    days = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    with tempfile.TemporaryDirectory() as folder:
        ledger = connect(sqlite_url(Path(folder) / "ledger.db"))
        upgrade(ledger)
        channel = fill(ledger, comments, days)
        spans = local_days(NOW, 30)
        found, days_ms = timed(ledger.read, dashboard.days, spans)
        _, today_ms = timed(ledger.read, dashboard.days, spans[-1:])
        vain, vain_ms = timed(ledger.read, dashboard.asked_in_vain, since=spans[0][0])
        groups, topics_ms = timed(topics, vain)
        seen, measured_ms = timed(overview, found)
        _, again_ms = timed(overview, found)
        _, quotas_ms = timed(ledger.read, dashboard.quotas, now=NOW)
        _, drafted_ms = timed(
            ledger.read, dashboard.drafted, channel_id=channel, since=NOW - timedelta(days=7)
        )
        _, waiting_ms = timed(ledger.read, dashboard.waiting)
        ledger.close()
    figures = {
        "comments": comments, "days": days, "seen": seen.whole.comments, "days_ms": days_ms, "today_ms": today_ms,
        "in_vain": len(vain), "in_vain_ms": vain_ms, "topics": len(groups), "topics_ms": topics_ms,
        "measured_ms": measured_ms, "measured_again_ms": again_ms, "quotas_ms": quotas_ms, "drafted_ms": drafted_ms,
        "waiting_ms": waiting_ms,
    }  # fmt: skip
    for name, value in figures.items():
        print(f"{name:18} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

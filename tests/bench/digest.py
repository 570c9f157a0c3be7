"""How long the digest of a busy day takes, without a model: python -m tests.bench.digest [COMMENTS]

The last line is one JSON object.
"""

import json
import random
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time

from sqlmodel import Session

from bot.digest import digest
from bot.models import Comment, Draft, Post, State
from bot.reasons import Reason
from bot.store import digest as rows
from bot.store.ledger import Ledger, connect, sqlite_url
from bot.store.migrate import upgrade
from tests.builders import START, Desk

SYLLABLES = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
ENDS = {State.SENT: Reason.SENT, State.REVIEW: Reason.NOT_IN_DOCUMENTS, State.SKIPPED: Reason.EMOJI_ONLY}
DAY_S = 86_400


def question(chance: random.Random) -> str:
    """One of endlessly many, the frequent words often: a third Chinese."""
    if chance.random() < 0.3:
        start = min(int(chance.expovariate(1 / 60)), 1200)
        return "博主你好，" + "".join(chr(0x4E00 + 300 + start + i * 7) for i in range(6)) + "怎么办？"
    words = (SYLLABLES[min(int(chance.expovariate(1 / 12)), 59)] for _ in range(chance.randint(4, 12)))
    pairs = ["".join(pair) for pair in zip(words, words, strict=False)]
    return f"{chance.choice(['hi! ', 'great video, ', '', ''])}how do I {' the '.join(pairs)} at home?"


def fill(ledger: Ledger, comments: int) -> None:
    """A day of `comments` comments under twenty posts."""
    chance, channel = random.Random(7), Desk(ledger).channel_id

    def work(session: Session) -> None:
        session.add_all(
            Post(id=n, channel_id=channel, platform_id=f"p{n}", title=f"Post {n}") for n in range(1, 21)
        )
        session.flush()
        for number in range(1, comments + 1):
            state = chance.choice(list(ENDS))
            at = START + timedelta(seconds=DAY_S * number / (comments + 1))
            session.add(
                Comment(
                    id=number, channel_id=channel, post_id=chance.randint(1, 20), platform_id=f"c{number}",
                    thread_id=f"c{number}", author_id="fan", author_name="Fan", text=question(chance),
                    url=f"https://site.example/c{number}", language="en", created_at=at, ingested_at=at,
                    updated_at=at, due_at=at, state=state, reason=ENDS[state], draft_id=number,
                )
            )  # fmt: skip
            session.flush()
            session.add(Draft(id=number, comment_id=number, created_at=at, reason=ENDS[state]))

    ledger.write(work)


def main() -> None:
    comments = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        ledger = connect(sqlite_url(Path(folder) / "ledger.db"))
        upgrade(ledger)
        fill(ledger, comments)
        began, cpu = perf_counter(), process_time()
        since, until = START, START + timedelta(days=1)
        found = ledger.read(rows.span, since=since, until=until)
        read = perf_counter()
        made = digest(found, since=since, until=until)
        ended, spent = perf_counter(), process_time() - cpu
        ledger.close()
    figures = {
        "digest_comments": made.comments,
        "digest_subjects": len(made.subjects) + made.more_subjects,
        "digest_read_s": round(read - began, 2),
        "digest_s": round(ended - began, 2),
        "digest_cpu_s": round(spent, 2),
    }
    for name, value in figures.items():
        print(f"  {name:<18} {value!s:>10}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

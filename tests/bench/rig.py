"""A platform and services in processes of their own, to be loaded and killed."""

import asyncio
import multiprocessing
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import structlog
from sqlmodel import Session, select

from adapters.sandbox_faults import Faults
from adapters.sandbox_site import create_site, seed_comments, seed_posts, serve
from bot.bootstrap import assemble, utc_now
from bot.generator import Completion, GenerationRequest, OnText
from bot.models import Comment, State
from bot.reasons import Reason
from bot.settings import Settings
from bot.store import channels, stats
from bot.store.ledger import Ledger, connect
from bot.store.migrate import upgrade
from tests.generators import PlainGenerator

# A fork starts in milliseconds, so that a kill strikes the work and not the start of Python.
FORK = multiprocessing.get_context("fork")
TOKEN = "a-token-of-the-benchmark"

FAULTS: dict[str, float] = {
    "error_after_store": 0.05,
    "timeout_after_store": 0.02,
    "drop_after_store": 0.02,
    "hang": 0.02,
    "error_before_store": 0.03,
    "malformed_json": 0.01,
    "truncated_json": 0.01,
    "rate_limited": 0.01,
}


POST = "Roast the beans for ten minutes at medium heat."
"""What the replies of `InstantGenerator` rest on: a reply that rests on nothing is not sent by itself."""


def word(number: int) -> str:
    """A number as letters: the checks of a reply refuse digits that no document holds."""
    letters = ""
    for _ in range(4):
        letters = chr(97 + number % 26) + letters
        number //= 26
    return letters


class InstantGenerator(PlainGenerator):
    """Answers at once, with the word that the comment brought: a reply under the wrong comment shows."""

    async def generate(self, request: GenerationRequest, on_text: OnText | None = None) -> list[Completion]:
        asked = request.comment.split()[1]
        return [Completion(f"Thanks {asked}, ten minutes at medium heat.", True, (), "instant", None, "")]


def comment_text(number: int) -> str:
    return f"Question {word(number)} : how long do I roast the beans?"


@dataclass
class Site:
    """The sandbox in a process of its own; its file can be read from outside."""

    path: Path
    url: str
    process: BaseProcess

    def stop(self) -> None:
        self.process.kill()
        self.process.join()

    def replies(self) -> dict[str, list[str]]:
        """Texts of the creator's replies, by the comment that they answer."""
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as database:
            rows = database.execute("SELECT parent_id, text FROM comment WHERE by_creator = 1").fetchall()
        database.close()
        found: dict[str, list[str]] = {}
        for parent, text in rows:
            found.setdefault(str(parent), []).append(text)
        return found


def start_site(
    folder: Path,
    comments: int,
    faults: dict[str, float] | None = None,
    seed: int = 0,
    texts: Sequence[str] | None = None,
) -> Site:
    """A site with one post and `comments` comments on it, of `texts` where they are given."""
    wanted = list(texts) if texts is not None else [comment_text(number) for number in range(comments)]
    path = folder / "site.db"
    receiver, sender = FORK.Pipe(duplex=False)
    process = FORK.Process(target=_run_site, args=(path, wanted, faults or {}, seed, sender), daemon=True)
    process.start()
    return Site(path, receiver.recv(), process)


def _run_site(path: Path, texts: Sequence[str], faults: dict[str, Any], seed: int, ready: Any) -> None:
    async def main() -> None:
        switches = Faults(seed=seed, hang_s=5.0, retry_after_s=0.2, **faults)
        app = create_site(str(path), refresh_token=TOKEN, faults=switches)
        [post] = seed_posts(app, [("Roasting at home", POST)])
        seed_comments(app, post, ((f"fan {number}", text) for number, text in enumerate(texts)))
        site = await serve(app)
        ready.send(site.url)
        await asyncio.Event().wait()

    asyncio.run(main())


def make_settings(folder: Path, url: str, **service: object) -> Settings:
    """Short leases and time-outs, so that a crash is taken over within seconds."""
    defaults: dict[str, object] = {
        "poll_interval_s": 0.2, "beat_s": 0.1, "lease_s": 2.5, "call_timeout_s": 1.0, "retry_s": 0.1,
        "retry_max_s": 1.0, "max_attempts": 50, "shutdown_s": 1.0, "workers": 16,
    }  # fmt: skip
    return Settings.model_validate(
        {
            "data_dir": folder,
            "database": {"url": url},
            "generator": {"deadline_s": 1.0},
            "policy": {"min_support": 0},
            "log": {"level": "error"},
            "service": defaults | service,
        }
    )


def make_ledger(url: str, site: Site, token_file: Path, **options: object) -> Ledger:
    """A ledger with the channel `demo` on the site, open for everything, history included."""
    ledger = connect(url)
    upgrade(ledger)
    token_file.write_text(TOKEN)
    ledger.write(
        channels.add,
        name="demo",
        platform="sandbox",
        options={
            "base_url": site.url,
            "refresh_token": f"file:{token_file}",
            "settle_s": 0.5,
            "min_poll_s": 0.0,
        }
        | options,
        rules={"send": ["question", "request", "other", "praise", "complaint"], "min_support": 0},
        now=utc_now(),
        answer_since=datetime.now(UTC) - timedelta(days=365),
    )
    return ledger


def start_service(settings: Settings) -> BaseProcess:
    """A whole service in a process of its own."""
    process = FORK.Process(target=_run_service, args=(settings,), daemon=True)
    process.start()
    return process


def _run_service(settings: Settings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())

    async def main() -> None:
        async with assemble(settings, generator=InstantGenerator()) as running:
            await running.service.run(asyncio.Event())

    asyncio.run(main())


def unfinished(ledger: Ledger, expected: int) -> int:
    """How many of the expected comments have not come to an end."""
    counts = ledger.read(stats.counts)
    return expected - sum(counts[state] for state in (State.SENT, State.SKIPPED, State.FAILED, State.REVIEW))


@dataclass(frozen=True)
class Verdict:
    """What a run left behind."""

    lost: int
    """Comments that are nowhere, or said to be answered and are not."""
    double: int
    """Comments with more than one reply."""
    wrong: int
    """Replies under the wrong comment."""
    states: Counter[str]


def judge(site: Site, ledger: Ledger, expected: int) -> Verdict:
    """Compare what the ledger says with what stands on the platform."""
    replies = site.replies()
    rows = ledger.read(_rows)
    by_id = {platform_id: (state, text) for platform_id, state, text in rows}
    answered = (
        State.SENT,
        State.SKIPPED,
    )  # skipped: answered by hand, says the ledger; then a reply must be there
    lost = expected - len(by_id)
    lost += sum(1 for key, (state, _) in by_id.items() if state in answered and not replies.get(key))
    lost += sum(1 for state, _ in by_id.values() if state not in (*answered, State.FAILED, State.REVIEW))
    double = sum(1 for texts in replies.values() if len(texts) > 1)
    wrong = sum(
        1
        for key, texts in replies.items()
        for text in texts
        if by_id[key][1].split()[1] not in text.split()[1]
    )
    return Verdict(lost, double, wrong, Counter(state for state, _ in by_id.values()))


def _rows(session: Session) -> Iterable[tuple[str, str, str]]:
    rows = select(Comment.platform_id, Comment.state, Comment.text).where(
        Comment.is_own == False,  # noqa: E712
        Comment.reason != Reason.BEFORE_BASELINE,
    )
    return list(session.exec(rows))


def chance(seed: int) -> random.Random:
    return random.Random(seed)

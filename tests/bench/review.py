"""`make bench-review`: the review desk with 10,000 waiting comments, and 50 reviewers who decide at once for a minute.

A real `rejoinder run --role web` is asked over HTTP, as the page asks it. Times are those that a client on the same
machine sees, and so a little above the server's own. The last line is one JSON object; `--quick` runs a tenth of it.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
from sqlalchemy import insert
from sqlmodel import Session, select

from bot.models import Comment, Draft, Event, Post, Role, State, Verdict
from bot.store import access, channels
from bot.store.ledger import Ledger, connect, sqlite_url
from bot.store.migrate import upgrade
from bot.web.gate import COOKIE, CSRF_HEADER
from tests.bench.footprint import peak_mb
from tests.bench.rig import word

AGENT = "a reviewer of the benchmark"
COMMAND = [sys.executable, "-c", "import sys; from bot.cli import main; sys.exit(main())"]
TARGETS = {
    "queue_first_ms": "< 150", "next_ms": "< 50", "search_ms": "< 200", "rss_mb": "< 250", "double_verdicts": "0",
    "lost_verdicts": "0", "page_kb": "< 100",
}  # fmt: skip
SENTENCES = (
    "How long do I roast the beans at home before they turn bitter?",
    "你好，烘焙咖啡豆需要多长时间，温度应该设多少才合适？",
    "My oven goes up to two hundred degrees, is that enough for a dark roast?",
    "请问浅烘和深烘的豆子在保存上有什么区别吗？",
    "Does the grinder from the last video work for espresso as well?",
)


@dataclass(frozen=True)
class Reviewer:
    """Somebody with a sitting of their own."""

    name: str
    cookie: str
    csrf: str


@dataclass
class Told:
    """What the reviewers were told."""

    done: list[tuple[str, int]] = field(default_factory=list)
    """(by, comment) of every verdict that was answered as done."""
    refused: Counter[str] = field(default_factory=Counter)
    verdict_ms: list[float] = field(default_factory=list)


def fill(ledger: Ledger, comments: int) -> None:
    """`comments` waiting comments with drafts, passages and long texts, under 50 posts."""
    now = datetime.now(UTC) - timedelta(hours=1)
    channel = ledger.write(
        channels.add, name="demo", platform="sandbox", options={}, rules={}, now=now, answer_since=now
    )
    chance = random.Random(5)
    passages = [[_passage(chance) for _ in range(4)] for _ in range(100)]

    def work(session: Session) -> None:
        session.add_all(
            Post(id=n, channel_id=channel.id or 0, platform_id=f"p{n}", title=f"Part {n}", text=_text(chance, 8))
            for n in range(1, 51)
        )  # fmt: skip
        session.flush()
        connection = session.connection()
        numbers = range(1, comments + 1)
        rows = [_comment(chance, number, channel.id or 0, now).model_dump() for number in numbers]
        connection.execute(insert(Comment), rows)
        drafts = [_draft(chance, number, now, passages[number % 100]).model_dump() for number in numbers]
        connection.execute(insert(Draft), drafts)
        moves = [
            {"comment_id": number, "at": now, "actor": "responder", "from_state": "new", "to_state": "review",
             "reason": "checks", "detail": ""}
            for number in numbers
        ]  # fmt: skip
        connection.execute(insert(Event), moves)

    ledger.write(work)


def _text(chance: random.Random, most: int) -> str:
    return " ".join(chance.choice(SENTENCES) for _ in range(chance.randint(1, most)))


def _passage(chance: random.Random) -> dict[str, Any]:
    text = _text(chance, 14)
    return {
        "id": 1, "document_id": 1, "source": "roasting.pdf", "title": "Roasting at home", "heading": "Times",
        "page": 3, "position": 0, "text": text, "language": "en", "time": "", "answer": "", "tags": [],
        "matched": ["roast", "beans"], "score": 0.8, "support": 0.7, "quote": text[:200],
    }  # fmt: skip


def _comment(chance: random.Random, number: int, channel_id: int, start: datetime) -> Comment:
    at = start + timedelta(milliseconds=100 * number)
    text = f"{word(number)}: {_text(chance, 12)}"
    return Comment(
        id=number, channel_id=channel_id, post_id=number % 50 + 1, platform_id=f"c{number}",
        thread_id=f"c{number - number % 4}", author_id="fan", author_name=f"Fan {word(number)}", text=text,
        language=chance.choice(("en", "zh")), similar=chance.choice((1, 1, 1, 2, 5)), created_at=at,
        ingested_at=at, updated_at=at, due_at=at, state=State.REVIEW, reason=chance.choice(("checks", "not_opened")),
        version=1, draft_id=number,
    )  # fmt: skip


def _draft(chance: random.Random, number: int, at: datetime, passages: list[dict[str, Any]]) -> Draft:
    texts = [_text(chance, 4), _text(chance, 4)]
    return Draft(
        id=number, comment_id=number, created_at=at, text=texts[0], candidates=texts, language="en",
        intent=chance.choice(("question", "praise", "request")), passages=passages, citations=[0, 1], support=0.7,
        prompt_hash="p", generator="vllm", model="base",
    )  # fmt: skip


def seat(ledger: Ledger, number: int) -> list[Reviewer]:
    """So many people who have logged in."""

    def work(session: Session) -> list[Reviewer]:
        made, now = [], datetime.now(UTC)
        for name in (f"reviewer {index}" for index in range(number)):
            person = access.add_person(session, name=name, role=Role.REVIEWER, password_hash="-", now=now)
            sitting, token = access.begin_sitting(
                session,
                person_id=person.id or 0,
                agent=AGENT,
                address="127.0.0.1",
                now=now,
                lasts=timedelta(hours=2),
            )
            made.append(Reviewer(name, token, sitting.csrf))
        return made

    return ledger.write(work)


class Desk:
    """The pages, asked by one reviewer."""

    def __init__(self, http: aiohttp.ClientSession, url: str, who: Reviewer) -> None:
        self._http, self._url, self.who = http, url, who
        self._headers = {
            "Cookie": f"{COOKIE}={who.cookie}", "User-Agent": AGENT, CSRF_HEADER: who.csrf, "Origin": url,
        }  # fmt: skip

    async def get(self, path: str) -> str:
        async with self._http.get(self._url + path, headers=self._headers) as answer:
            text = await answer.text()
            if answer.status != 200:
                raise SystemExit(f"GET {path}: {answer.status} {text[:200]}")
            return text

    async def post(self, path: str, **form: object) -> tuple[int, dict[str, Any]]:
        headers = self._headers | {"Accept": "application/json"}
        data = {name: str(value) for name, value in form.items()}
        async with self._http.post(self._url + path, headers=headers, data=data) as answer:
            if answer.status not in (200, 409):
                raise SystemExit(f"POST {path}: {answer.status} {(await answer.text())[:200]}")
            return answer.status, await answer.json()


async def timed_ms(asking: Any) -> float:
    began = time.perf_counter()
    await asking
    return (time.perf_counter() - began) * 1000


def p95(times: list[float]) -> float:
    return round(quantiles(times, n=20)[-1], 1)


def item_of(html: str) -> tuple[int, str]:
    """(version, key) of a comment's fragment."""
    version, key = (
        re.search(r'name="version" value="(\d+)"', html),
        re.search(r'name="key" value="([^"]+)"', html),
    )
    if version is None or key is None:
        raise SystemExit("the page of a comment holds no version or key: the benchmark measures nothing")
    return int(version[1]), key[1]


def ids_of(html: str) -> list[int]:
    return [int(number) for number in dict.fromkeys(re.findall(r'data-id="(\d+)"', html))]


async def at_rest(desk: Desk, comments: int) -> dict[str, float]:
    """One reviewer, one thing at a time."""
    await desk.get("/review")
    first = [await timed_ms(desk.get("/review")) for _ in range(20)]
    words = [word(number * 97 % comments + 1) for number in range(10)] + [
        "烘焙",
        "bitter",
        "oven 200",
        "grinder",
    ] * 3
    search = [await timed_ms(desk.get(f"/review/list?q={text}")) for text in words]
    ids, following, deciding = ids_of(await desk.get("/review/list")), [], []
    for number, after in pairwise(ids[:21]):
        version, key = item_of(await desk.get(f"/review/item/{number}"))
        posted = desk.post(f"/review/{number}/verdict", act="skip", version=version, key=key, took_s=1)
        deciding.append(await timed_ms(posted))
        following.append(await timed_ms(desk.get(f"/review/item/{after}")))
    return {
        "queue_first_ms": p95(first), "next_ms": p95(following), "verdict_ms": p95(deciding), "search_ms": p95(search),
    }  # fmt: skip


async def decide(desk: Desk, told: Told, until: float, chance: random.Random) -> None:
    """Decide about whatever stands first, as everybody else does."""
    while time.monotonic() < until:
        for number in chance.sample(ids := ids_of(await desk.get("/review/list")), min(5, len(ids))):
            # One in four does not look who has it open.
            if chance.random() > 0.25:
                _, hold = await desk.post(f"/review/{number}/hold", act="take")
                if not hold.get("mine"):
                    told.refused["held by another"] += 1
                    continue
            html = await desk.get(f"/review/item/{number}")
            if 'name="version"' not in html or 'value="approve"' not in html:
                told.refused["decided meanwhile"] += 1
                continue
            version, key = item_of(html)
            began = time.perf_counter()
            act = chance.choice(("approve", "skip"))
            status, said = await desk.post(
                f"/review/{number}/verdict", act=act, version=version, key=key, candidate=0, took_s=2
            )
            told.verdict_ms.append((time.perf_counter() - began) * 1000)
            if status == 200:
                told.done.append((desk.who.name, number))
            else:
                told.refused[said["why"]] += 1
        if not ids:
            return


def judged(ledger: Ledger, told: Told) -> dict[str, int]:
    """What the ledger holds against what the reviewers were told."""
    rows = ledger.read(lambda session: list(session.exec(select(Verdict.by, Verdict.comment_id))))
    written, by_comment = Counter(rows), Counter(number for _, number in rows)
    return {
        "double_verdicts": sum(1 for count in by_comment.values() if count > 1),
        "lost_verdicts": sum(1 for one in told.done if written[one] != 1),
        "verdicts": len(told.done),
        "unanswered_verdicts": len(rows) - len(told.done),
    }


async def page_kb(desk: Desk) -> float:
    """The page with its styles and scripts, those that scripts load included, uncompressed."""
    html = await desk.get("/review?q=nothing-that-anybody-wrote")
    waiting, seen = re.findall(r'(?:href|src)="(/static/[^"]+)"', html), {"/review": len(html.encode())}
    while waiting:
        path = waiting.pop()
        if path not in seen:
            text = await desk.get(path)
            seen[path] = len(text.encode())
            waiting += [f"/static/{name}" for name in re.findall(r'from "\./([^"]+)"', text)]
    full = await desk.get("/review")
    return round((sum(seen.values()) - seen["/review"] + len(full.encode())) / 1000, 1)


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """`rejoinder run --role web` on the ledger in `folder`: its address and its process."""
    process = _start(folder)
    try:
        assert process.stdout is not None
        line = ""
        while not (found := re.search(r"http://[^\s/]+", line)):
            line = await asyncio.to_thread(process.stdout.readline)
            if not line:
                raise SystemExit("the service ended before it told its address")
        yield found[0], process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def _start(folder: Path) -> subprocess.Popen[str]:
    settings = {
        "REJOINDER__DATA_DIR": str(folder),
        "REJOINDER__WEB__PORT": "0",
        "REJOINDER__LOG__LEVEL": "error",
    }
    command = [*COMMAND, "run", "--role", "web"]
    return subprocess.Popen(command, cwd=folder, env=os.environ | settings, stdout=subprocess.PIPE, text=True)


async def measure(comments: int, reviewers: int, seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="rejoinder-desk-") as name:
        folder = Path(name)
        ledger = connect(sqlite_url(folder / "ledger.db"))
        upgrade(ledger)
        fill(ledger, comments)
        seats = seat(ledger, reviewers + 1)
        jar = aiohttp.DummyCookieJar()
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            service(folder) as (url, pid),
            aiohttp.ClientSession(cookie_jar=jar, connector=connector) as http,
        ):
            desks = [Desk(http, url, who) for who in seats]
            figures = await at_rest(desks[-1], comments)
            figures["page_kb"] = await page_kb(desks[-1])
            before, told, until = (
                judged(ledger, Told())["unanswered_verdicts"],
                Told(),
                time.monotonic() + seconds,
            )
            _say(f"{reviewers} reviewers for {seconds:g} s ...")
            await asyncio.gather(
                *(decide(desk, told, until, random.Random(index)) for index, desk in enumerate(desks[:-1]))
            )
            found = judged(ledger, told)
            found["unanswered_verdicts"] -= before
            figures |= found | {"rss_mb": round(peak_mb(pid), 1), "verdict_busy_ms": p95(told.verdict_ms)}
            _say(f"refused: {dict(told.refused)}")
        ledger.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    quick = parser.parse_args().quick
    figures = asyncio.run(measure(1000 if quick else 10_000, 10 if quick else 50, 6.0 if quick else 60.0))
    cores, (one, _, _) = os.cpu_count(), os.getloadavg()
    print(f"\n{platform.machine()}, {cores} cores, Python {platform.python_version()}, load {one:.1f}\n")
    for name, value in figures.items():
        print(f"  {name:<20} {value!s:>10}   {TARGETS.get(name, '')}")
    print(f"\n{json.dumps(figures)}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

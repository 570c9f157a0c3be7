"""What YouTube costs to read: units for each new comment, how late each is seen, and whether memory stays flat.

10,000 comments under 1,000 videos are polled first; then the days go by on a clock of their own, with a poll every
five minutes. Of the new comments, 70 of 100 begin a thread; 15 answer one of the newest 200, 10 any, and 5 one of a
hundred old threads that everybody talks in. The fake YouTube is a process of its own, so that the memory is ours.

A poll costs a unit whatever it brings: the units for a comment fall as more come in between two polls.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import resource
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
from aiohttp import web

from adapters.auth import FreshAuth
from adapters.base import Budget, Comment, Cursor
from adapters.youtube import YouTubeAdapter
from adapters.youtube_options import YouTubeOptions
from tests.platforms.youtube import YouTube, serving

FORK = multiprocessing.get_context("fork")
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
VIDEOS, COMMENTS, BUSY = 1_000, 10_000, 100
POLL_S = 300.0
RATES = (60, 240, 417, 1_200)
"""New comments an hour; 417 are ten thousand a day."""
MAIN_RATE = 417
TARGET = 0.05

Figures = dict[str, Any]


class World:
    """The fake and the people who write there, in the process that serves it."""

    def __init__(self, seed: int) -> None:
        self.at = START
        self.random = random.Random(seed)
        self.fake = YouTube(lambda: self.at, quota=10**9)
        self.videos = [self.fake.store.add_video(f"视频 {number}: how to brew") for number in range(VIDEOS)]
        self.tops: list[str] = []
        for number in range(COMMENTS):
            self._write(START - timedelta(days=30) + timedelta(days=30) * (number + 1) / (COMMENTS + 1))

    def _write(self, at: datetime) -> tuple[str, str]:
        kind = self.random.random()
        store = self.fake.store
        if kind < 0.7 or len(self.tops) < 1_000:
            entry = store.add(
                "How hot should the water be? 水要多热？", video=self.random.choice(self.videos), at=at
            )
            self.tops.append(entry.id)
        else:
            among = self.tops[-200:] if kind < 0.85 else self.tops if kind < 0.95 else self.tops[:BUSY]
            entry = store.add("I wonder too. 我也想知道。", parent=self.random.choice(among), at=at)
        return entry.id, entry.at.isoformat()

    def advance(self, seconds: float, comments: int) -> list[tuple[str, str]]:
        """Let time go by while people write. Returns what they wrote: id and time."""
        moments = sorted(self.random.uniform(0, seconds) for _ in range(comments))
        written = [self._write(self.at + timedelta(seconds=moment)) for moment in moments]
        self.at += timedelta(seconds=seconds)
        return written


def serve(seed: int, told: Connection) -> None:
    """Serve a world until the process is ended; its address goes through `told`."""

    async def run() -> None:
        world = World(seed)

        async def advance(request: web.Request) -> web.Response:
            asked = await request.json()
            return web.json_response(world.advance(asked["seconds"], asked["comments"]))

        async with serving(world.fake, [web.post("/advance", advance)]) as url:
            told.send(url)
            await asyncio.Event().wait()

    asyncio.run(run())


@dataclass
class Poller:
    """One channel as the service would poll it, without a ledger."""

    adapter: YouTubeAdapter
    http: aiohttp.ClientSession
    url: str
    at: datetime = START
    first: bool = True
    cursor: Cursor = field(default_factory=dict)
    waiting: dict[str, datetime] = field(default_factory=dict)
    """What was written and not yet seen."""
    delays: "array[float]" = field(default_factory=lambda: array("d"))
    met: set[str] = field(default_factory=set)
    """What the first reading found, while it lasts."""

    def clock(self) -> datetime:
        return self.at

    async def begin(self) -> None:
        await self.adapter.open()
        self.cursor = await self.adapter.baseline(START - timedelta(days=400))

    async def advance(self, seconds: float, comments: int) -> None:
        self.at += timedelta(seconds=seconds)
        body = {"seconds": seconds, "comments": comments}
        async with self.http.post(f"{self.url}/advance", json=body) as answer:
            self.waiting |= {name: datetime.fromisoformat(at) for name, at in await answer.json()}

    async def poll(self) -> int:
        """Everything that is there. Returns how many comments of those that were waited for came."""
        fresh = FreshAuth(self.adapter)
        before = len(self.delays)
        complete = False
        while not complete:
            page = await fresh.call(lambda: self.adapter.poll(self.cursor, Budget()))
            # What the ledger does: the cursor is text between two polls.
            self.cursor, complete = json.loads(json.dumps(page.cursor)), page.complete
            self._note(page.comments)
        return len(self.delays) - before

    def _note(self, comments: tuple[Comment, ...]) -> None:
        for comment in comments:
            if self.first:
                self.met.add(comment.ref.comment_id)
            written = self.waiting.pop(comment.ref.comment_id, None)
            if written:
                self.delays.append((self.at - written).total_seconds())


@asynccontextmanager
async def channel(seed: int) -> AsyncIterator[Poller]:
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=serve, args=(seed, theirs), daemon=True)
    process.start()
    try:
        url = await asyncio.to_thread(ours.recv)
        who = {
            "client_id": "client-id",
            "client_secret": "client-secret",
            "refresh_token": "1//refresh-token",
        }
        options = YouTubeOptions.model_validate(
            {**who, "base_url": url, "token_url": f"{url}/token", "timeout_s": 300}
        )
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            poller: Poller
            adapter = YouTubeAdapter(options, http=http, clock=lambda: poller.at)
            poller = Poller(adapter, http, url)
            yield poller
    finally:
        process.kill()
        process.join()


async def first_reading(poller: Poller) -> Figures:
    """All that stands there before we came."""
    began = time.perf_counter()
    await poller.begin()
    await poller.poll()
    found = len(poller.met)
    poller.first = False
    poller.met.clear()
    units = poller.adapter.take_units()
    return {
        "first_comments": found,
        "first_units": units,
        "first_units_per_comment": round(units / found, 4),
        "first_s": round(time.perf_counter() - began, 1),
    }


async def steady(poller: Poller, rate: int, hours: int) -> Figures:
    """`hours` of polls while `rate` comments an hour come in."""
    poller.adapter.take_units()
    del poller.delays[:]
    polls, new, owed = round(hours * 3_600 / POLL_S), 0, 0.0
    for _ in range(polls):
        owed += rate * POLL_S / 3_600
        await poller.advance(POLL_S, int(owed))
        owed -= int(owed)
        new += await poller.poll()
    units = poller.adapter.take_units()
    late = quantiles(poller.delays, n=100)
    return {
        "new_an_hour": rate,
        "polls": polls,
        "new": new,
        "units": units,
        "units_per_new_comment": round(units / new, 4),
        "seen_after_s_p50": round(late[49]),
        "seen_after_s_p95": round(late[94]),
        "seen_after_h_max": round(max(poller.delays) / 3_600, 1),
        "not_yet_seen": len(poller.waiting),
        "seen_share": round(new / (polls * rate * POLL_S / 3_600), 3),
        "cursor_kb": round(len(json.dumps(poller.cursor)) / 1024, 1),
    }


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure(rates: tuple[int, ...] = RATES, hours: int = 72, seed: int = 7) -> Figures:
    """The figures for `make bench-platforms`; `youtube_units_per_comment` is that at `MAIN_RATE`, twice `hours` long.

    `poll_rss_mb` is how far the process's peak grew over all of it, its memory before the first poll taken off.
    """
    async with channel(seed) as poller:
        await poller.adapter.open()
        before = resident_mb()
        first = await first_reading(poller)
        main = await steady(poller, MAIN_RATE, hours)
        grown = peak_mb() - before
        again = await steady(poller, MAIN_RATE, hours)
        twice = peak_mb() - before
    others = []
    for rate in rates:
        if rate != MAIN_RATE:
            async with channel(seed) as poller:
                await first_reading(poller)
                others.append(await steady(poller, rate, hours))
    cost = round((main["units"] + again["units"]) / (main["new"] + again["new"]), 4)
    return {
        **first,
        "youtube_units_per_comment": cost,
        "youtube_polls": main["polls"] + again["polls"],
        "youtube_within_target": cost <= TARGET,
        "poll_rss_mb": round(twice, 1),
        "poll_rss_mb_first_half": round(grown, 1),
        "youtube_rates": sorted([main, again, *others], key=lambda row: row["new_an_hour"]),
    }


def table(figures: Figures) -> None:
    columns = ["new_an_hour", "polls", "new", "units", "units_per_new_comment"]
    columns += ["seen_after_s_p50", "seen_after_s_p95", "seen_after_h_max", "seen_share", "cursor_kb"]
    print("  ".join(columns))
    for row in figures["youtube_rates"]:
        print("  ".join(f"{row[column]:>{len(column)}}" for column in columns))
    print(
        f"first reading: {figures['first_comments']} comments, {figures['first_units']} units, "
        f"{figures['first_s']} s; memory grew by {figures['poll_rss_mb']} MB\n"
        f"units for a new comment at {MAIN_RATE} an hour, over {figures['youtube_polls']} polls: "
        f"{figures['youtube_units_per_comment']} (at most {TARGET} wanted)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=72, help="of steady polling, at each rate")
    parser.add_argument("--rates", type=int, nargs="*", default=list(RATES), help="new comments an hour")
    given = parser.parse_args()
    figures = asyncio.run(measure(tuple(given.rates), given.hours))
    table(figures)
    print(json.dumps(figures, ensure_ascii=False))


if __name__ == "__main__":
    main()

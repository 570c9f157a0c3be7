"""The demo: the whole service against the embedded sandbox site, on the bundled documents and comments."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from sqlmodel import Session

from adapters.sandbox_api import CREATOR_ID
from adapters.sandbox_site import RunningSite, create_site, new_token, serve
from adapters.sandbox_store import SandboxStore, SiteComment
from adapters.sandbox_visitor import visitor_id
from bot import samples
from bot.bootstrap import Role, Running, assemble, utc_now
from bot.settings import Settings
from bot.store import channels, stats
from bot.store.stats import Counts
from bot.web.server import cannot_listen

CHANNEL = "demo"
SITE_PORT = 8701
SINCE = datetime(2001, 1, 1, tzinfo=UTC)
"""The demo answers everything, however old."""
_WATCH_S = 0.05
_QUICK = {"poll_interval_s": 1.0, "beat_s": 0.5}


class DemoStuck(Exception):
    """The demo's comments were not all dealt with in time."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A demo that is ready to run: the site, and the service that is about to answer on it."""

    site: RunningSite
    running: Running
    comments: int
    """Bundled comments that wait for an answer, the creator's own not counted."""


def demo_settings(settings: Settings, folder: Path, port: int | None) -> Settings:
    """The user's settings with all state in `folder`, and quick enough to watch."""
    quick = {name: value for name, value in _QUICK.items() if name not in settings.service.model_fields_set}
    changes: dict[str, Any] = {
        "data_dir": folder,
        "database": settings.database.model_copy(update={"url": ""}),
        "service": settings.service.model_copy(update=quick),
    }
    if port is not None:
        changes["web"] = settings.web.model_copy(update={"port": port})
    return settings.model_copy(update=changes)


@asynccontextmanager
async def stage(settings: Settings, *, site_port: int, roles: frozenset[Role]) -> AsyncIterator[Stage]:
    """Set everything up in `settings.data_dir`. Raises CannotListen beside what `assemble` raises."""
    folder = settings.data_dir.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    token_file = folder / "refresh-token"
    site_file = folder / "sandbox.db"
    token = keep_token(token_file)
    seed(site_file)
    site = await _open_site(site_file, token, site_port)
    try:
        async with assemble(settings, roles=roles) as running:
            await running.library.ingest([str(path) for path in samples.copy_documents(folder / "docs")])
            options = {"base_url": site.url, "refresh_token": f"file:{token_file}"}
            running.ledger.write(point_channel, options=options, now=utc_now())
            yield Stage(site, running, sum(not comment.is_own for comment in samples.comments()))
    finally:
        await site.aclose()


async def settled(running: Running, *, comments: int, deadline_s: float) -> Counts:
    """The counts once `comments` comments are in the ledger and none waits for Rejoinder. Raises DemoStuck."""
    end = monotonic() + deadline_s
    while True:
        counts = await running.ledger.aread(stats.counts)
        if counts.comments >= comments and not counts.waiting:
            return counts
        if monotonic() >= end:
            raise DemoStuck(_stuck(running, counts, comments, deadline_s))
        await asyncio.sleep(_WATCH_S)


def keep_token(path: Path) -> str:
    """The sandbox's refresh token, made at first and kept in a file that only its owner reads."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(new_token())
    return path.read_text(encoding="ascii").strip()


def seed(path: Path) -> None:
    """Put the bundled posts and comments on the site, unless it has posts already."""
    store = SandboxStore(str(path), utc_now)
    try:
        if not store.posts():
            _seed_comments(store, _seed_posts(store))
    finally:
        store.close()


def _seed_posts(store: SandboxStore) -> dict[str, str]:
    # The site shows the newest post first; this way the bundled order is the order on the page.
    return {post.id: store.add_post(post.title, post.text) for post in reversed(samples.posts())}


def _seed_comments(store: SandboxStore, posts: dict[str, str]) -> None:
    written: dict[str, SiteComment] = {}
    for comment in samples.comments():
        written[comment.id] = store.add_comment(
            post_id=posts[comment.post],
            parent=written[comment.reply_to] if comment.reply_to is not None else None,
            author_id=CREATOR_ID if comment.is_own else visitor_id(comment.author),
            author_name=comment.author,
            text=comment.text,
            by_creator=comment.is_own,
        )


async def _open_site(path: Path, token: str, port: int) -> RunningSite:
    site = create_site(str(path), refresh_token=token, creator=samples.CREATOR)
    try:
        return await serve(site, port=port)
    except OSError as error:
        raise cannot_listen("127.0.0.1", port, "--site-port N", error) from error


def point_channel(session: Session, *, options: dict[str, Any], now: datetime) -> None:
    """The demo's channel, added or led to where the site is this time."""
    if any(channel.name == CHANNEL for channel in channels.every(session)):
        channels.set_options(session, CHANNEL, options, now=now)
        return
    channels.add(
        session,
        name=CHANNEL,
        platform="sandbox",
        options=options,
        rules={"send": ["question"]},
        now=now,
        answer_since=SINCE,
    )


def _stuck(running: Running, counts: Counts, comments: int, deadline_s: float) -> str:
    troubles = "; ".join(f"{part}: {text}" for part, text in running.service.troubles.items())
    return (
        f"after {deadline_s:g} s {counts.comments} of {comments} comments were read and {counts.waiting} still wait"
        f"{'; ' + troubles if troubles else ''}; run 'rejoinder doctor', or give it longer with --deadline"
    )

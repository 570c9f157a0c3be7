"""Looks at each part of an installation and says what is wrong and what cures it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import text
from sqlmodel import Session

from adapters.errors import AdapterError
from bot.bootstrap import make_generator, open_http, open_ledger, open_library, utc_now
from bot.connections import Connections
from bot.generator import GeneratorError
from bot.models import Channel
from bot.settings import FILE, ChannelRulesSettings, Settings, SettingsError
from bot.store import channels, stats
from bot.store.ledger import Ledger, LedgerError
from bot.web.server import is_loopback
from knowledge.store import LibraryError

Level = Literal["ok", "warning", "error"]

LEAST_FREE_MB = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    part: str
    message: str
    """What was found and, unless all is well, the cure."""


async def examine(settings: Settings, file: Path | None) -> AsyncIterator[Finding]:
    """Each finding as soon as it is known. Raises nothing that a broken installation can cause."""
    for finding in settings_findings(settings, file):
        yield finding
    found: list[Channel] | None = None
    try:
        with open_ledger(settings) as ledger:
            for finding in database_findings(settings, ledger):
                yield finding
            found = ledger.read(channels.every)
    except (LedgerError, SettingsError, OSError) as error:
        yield Finding("error", "database", str(error))
    yield documents_finding(settings)
    if found is not None:
        async for finding in channel_findings(settings, found):
            yield finding
    yield await generator_finding(settings)


def settings_findings(settings: Settings, file: Path | None) -> Iterator[Finding]:
    used = file if file is not None else Path(FILE)
    where = str(used) if used.exists() else "the defaults; 'rejoinder init' writes a file to change them in"
    yield Finding("ok", "settings", f"from {where}")
    if not is_loopback(settings.web.host):
        yield Finding(
            "warning",
            "settings",
            f"web.host = {settings.web.host}: the status page has no password; keep it behind a firewall or a proxy",
        )


def database_findings(settings: Settings, ledger: Ledger) -> Iterator[Finding]:
    """Raises LedgerError when the database cannot be written."""
    ledger.write(_try_to_write)
    counts = ledger.read(stats.counts)
    yield Finding("ok", "database", f"{ledger.address}: up to date and writable, {counts.comments} comments")
    free_mb = shutil.disk_usage(settings.data_dir).free // 1_000_000
    if free_mb < LEAST_FREE_MB:
        message = f"only {free_mb} MB are free at {settings.data_dir}; make room, or move data_dir"
        yield Finding("warning", "disk", message)
    else:
        yield Finding("ok", "disk", f"{free_mb} MB free at {settings.data_dir}")


def _try_to_write(session: Session) -> None:
    # Changes nothing, but takes the write lock and fails where writing does.
    session.execute(text("UPDATE channel SET name = name WHERE 1 = 0"))


def documents_finding(settings: Settings) -> Finding:
    try:
        with open_library(settings) as library:
            found = library.stats()
    except (LibraryError, OSError) as error:
        return Finding("error", "documents", str(error))
    if not found.documents:
        return Finding(
            "warning", "documents", "none, so nothing can be answered; add some: rejoinder ingest PATH"
        )
    languages = ", ".join(f"{code} {number}" for code, number in sorted(found.languages.items()))
    return Finding("ok", "documents", f"{found.documents} documents, {found.passages} passages ({languages})")


async def channel_findings(settings: Settings, found: list[Channel]) -> AsyncIterator[Finding]:
    if not found:
        yield Finding("warning", "channels", "none; add one: rejoinder channels add NAME --platform PLATFORM")
        return
    async with open_http() as http:
        connections = Connections(http=http, clock=utc_now, timeout_s=settings.service.call_timeout_s)
        try:
            for task in asyncio.as_completed([_channel_finding(connections, channel) for channel in found]):
                yield await task
        finally:
            await connections.aclose()


async def _channel_finding(connections: Connections, channel: Channel) -> Finding:
    part = f"channel {channel.name}"
    try:
        account = (await connections.get(channel)).account
    except AdapterError as error:
        return Finding("error", part, f"{error}; when it is mended: rejoinder channels resume {channel.name}")
    if channel.paused:
        why = f" ({channel.last_error})" if channel.last_error else ""
        return Finding("warning", part, f"paused{why}; go on: rejoinder channels resume {channel.name}")
    if channel.last_error:
        return Finding("warning", part, f"logs in, but the last poll failed: {channel.last_error}")
    sends = (
        ", ".join(ChannelRulesSettings.model_validate(channel.rules).send) or "nothing, all goes to review"
    )
    return Finding("ok", part, f"logged in to {channel.platform} as {account.name}; sends by itself: {sends}")


async def generator_finding(settings: Settings) -> Finding:
    try:
        generator = make_generator(settings.generator)
    except (GeneratorError, SettingsError) as error:
        return Finding("error", "generator", str(error))
    try:
        health = await generator.check()
    finally:
        await generator.aclose()
    return Finding(
        "ok" if health.ok else "error", "generator", f"{settings.generator.kind}: {health.message}"
    )

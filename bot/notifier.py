"""Tells the addresses of the settings that comments wait for a person or have failed.

A notice is told at least once: how far an address has come is written down after it has answered. One that does not
answer is asked again, later and later; what happens meanwhile is told with it. No address waits for another.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import structlog
from yarl import URL

from adapters.base import Clock
from bot.loop import backoff
from bot.notices import APART, SETTLED, Notice, Outgoing, outgoing, refusal, wanted
from bot.settings import SettingsError, WebhookSettings, resolve
from bot.store import notices
from bot.store.ledger import Ledger
from bot.store.notices import Claimed

log = structlog.get_logger()

TIMEOUT_S: Final = 10.0
MOST_BYTES: Final = 64 * 1024
"""Of an answer."""
_LEASE: Final = timedelta(seconds=60)
_FIRST_S, _LONGEST_S = 10.0, 3600.0
_NEVER: Final = timedelta(days=36_500)
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook with its secrets."""

    hook: WebhookSettings
    url: str
    secret: str


class Undelivered(Exception):
    """A notice that did not arrive; the message is one line without the address, which is a secret."""

    def __init__(self, why: str, after_s: float = 0.0, *, for_good: bool = False) -> None:
        super().__init__(why)
        self.after_s = after_s
        """Seconds that the receiver asked to wait."""
        self.for_good = for_good


def target_of(hook: WebhookSettings) -> Target:
    """Raises SettingsError."""
    url = resolve(hook.url)
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise SettingsError(f"webhooks: the address of {hook.name} is no http or https address; correct it")
    return Target(hook, url, resolve(hook.secret))


async def deliver(http: aiohttp.ClientSession, target: Target, request: Outgoing) -> None:
    """Raises Undelivered. A redirect is not followed: the notice is for this address alone."""
    limit = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        # The signature in an address is encoded already.
        async with http.post(
            URL(request.url, encoded=True),
            data=request.body,
            headers=request.headers,
            timeout=limit,
            allow_redirects=False,
        ) as response:
            why = refusal(target.hook.format, response.status, await _bounded(response))
            if why:
                after = response.headers.get("Retry-After", "")
                wait = min(float(after), _LONGEST_S) if after.isascii() and after.isdigit() else 0.0
                raise Undelivered(why, wait, for_good=response.status == _GONE)
    except TimeoutError as error:
        raise Undelivered(f"it did not answer within {TIMEOUT_S:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Undelivered(f"it cannot be reached ({type(error).__name__})") from error


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    read = bytearray()
    async for chunk in response.content.iter_any():
        read += chunk
        if len(read) > MOST_BYTES:
            break
    return bytes(read[:MOST_BYTES])


class Notifier:
    """One process's part in telling; `desk` is the address of the pages, empty where nobody knows it."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        http: aiohttp.ClientSession,
        targets: Sequence[Target],
        desk: str,
        owner: str,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._http = http
        self._targets: Mapping[str, Target] = {target.hook.name: target for target in targets}
        self._desk = desk
        self._owner = owner
        self._clock = clock
        self._begun = False
        self.troubles: dict[str, str] = {}
        """Why the last notice did not arrive, by the webhook's name; as of the last tick."""

    async def tick(self) -> None:
        """Tell whoever is due. Raises LedgerError."""
        now, names = self._clock(), list(self._targets)
        if not self._begun:
            await self._ledger.awrite(notices.begin, names, now=now)
            self._begun = True
        known = await self._ledger.aread(notices.every)
        self.troubles = {
            hook.name: hook.last_error for hook in known if hook.name in self._targets and hook.last_error
        }
        due = await self._ledger.aread(notices.due, names, now=now, until=now - SETTLED)
        if due:
            claimed = await self._ledger.awrite(notices.claim, due, owner=self._owner, now=now, lease=_LEASE)
            await asyncio.gather(*(self._tell(one) for one in claimed))

    async def _tell(self, claimed: Claimed) -> None:
        target, now = self._targets[claimed.name], self._clock()
        found = await self._ledger.aread(notices.ahead, after=claimed.cursor, until=now - SETTLED)
        stopped = await self._ledger.aread(notices.alerts, after=claimed.alerts, until=now - SETTLED)
        happenings = wanted((*stopped.happenings, *found.happenings), target.hook)
        if not happenings:
            await self._ledger.awrite(
                notices.passed,
                claimed.name,
                owner=self._owner,
                cursor=found.last,
                due_at=now + SETTLED,
                alerts=stopped.last,
            )
            return
        notice = Notice(found.last, happenings, stopped.last)
        try:
            await self._send(target, notice, now)
        except Undelivered as error:
            await self._failed(claimed, error, now)
        else:
            if claimed.attempts:
                log.info("notices arrive again", webhook=claimed.name, failures=claimed.attempts)
            await self._ledger.awrite(
                notices.told,
                claimed.name,
                owner=self._owner,
                cursor=found.last,
                now=now,
                due_at=now + APART,
                alerts=stopped.last,
            )

    async def _send(self, target: Target, notice: Notice, now: datetime) -> None:
        request = outgoing(
            target.hook, notice, url=target.url, secret=target.secret, desk=self._desk, now=now
        )
        await deliver(self._http, target, request)

    async def _failed(self, claimed: Claimed, error: Undelivered, now: datetime) -> None:
        attempts = claimed.attempts + 1
        wait = timedelta(seconds=max(backoff(attempts, _FIRST_S, _LONGEST_S), error.after_s))
        why = str(error)
        if error.for_good:
            wait = _NEVER
            why = f"{why}: it is gone for good; correct the address, then run 'rejoinder webhooks test {claimed.name}'"
        if attempts == 1:
            log.warning("a notice did not arrive", webhook=claimed.name, error=why)
        await self._ledger.awrite(
            notices.failed, claimed.name, owner=self._owner, error=why, attempts=attempts, due_at=now + wait
        )

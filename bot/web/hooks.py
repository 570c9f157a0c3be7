"""Where platforms call us when something happens: POST /hooks/CHANNEL.

Nobody logs in here; the channel's adapter proves each call by its signature. A call only makes the channel due: what is
new is read by polling, so that a forged, lost or repeated call does no harm.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from aiohttp import web
from sqlmodel import Session

from adapters.base import Clock, Hook
from adapters.errors import AdapterError
from bot.connections import Connections
from bot.models import Channel
from bot.store import channels, polling
from bot.store.channels import NoSuchChannel
from bot.store.ledger import Ledger
from bot.web.problems import Problem
from bot.web.routes import Route

MOST_BYTES: Final = 1024 * 1024
LONGEST_S: Final = 10.0
"""For a body to arrive; platforms give up sooner."""
TOLD_EVERY: Final = timedelta(minutes=1)

log = structlog.get_logger()


class Hooks:
    """Handlers."""

    def __init__(self, *, ledger: Ledger, connections: Connections, clock: Clock) -> None:
        self._ledger = ledger
        self._connections = connections
        self._clock = clock
        self._told: dict[str, datetime] = {}

    def routes(self) -> Sequence[Route]:
        return [Route("POST", "/hooks/{channel}", self.called, needs=None, page=False, signed=True)]

    async def called(self, request: web.Request) -> web.StreamResponse:
        # Read before anything is looked up: whoever calls learns nothing from what is refused, and when.
        body = await _whole(request)
        channel = await self._ledger.aread(_named, request.match_info["channel"])
        proven = await self._proven(channel, request.headers, body) if channel is not None else None
        if channel is None or proven is None:
            raise Problem(
                403,
                "unproven",
                "no channel listens here, or this call bears no valid signature of its platform; look at the address "
                "and the secret in the platform's console",
            )
        hook, gap = proven
        if hook.poll:
            await self._ledger.awrite(polling.wake, channel.id or 0, now=self._clock(), gap=gap)
        return web.json_response({} if hook.answer is None else dict(hook.answer))

    async def _proven(
        self, channel: Channel, headers: Mapping[str, str], body: bytes
    ) -> tuple[Hook, timedelta] | None:
        """What the platform says, and the shortest time between two polls; None for what it did not say."""
        try:
            listener = await self._connections.listener(channel)
            if listener is None:
                return None
            return listener.hooked.read_hook(headers, body), timedelta(seconds=listener.min_poll_s)
        except AdapterError as error:
            self._tell(channel.name, str(error))
            return None

    def _tell(self, name: str, reason: str) -> None:
        """Once a minute: whoever knows the address could fill the log."""
        now = self._clock()
        told = self._told.get(name)
        if told is None or abs(now - told) >= TOLD_EVERY:
            self._told[name] = now
            log.warning("a platform's call was refused", channel=name, reason=reason)


def _named(session: Session, name: str) -> Channel | None:
    try:
        return channels.named(session, name)
    except NoSuchChannel:
        return None


async def _whole(request: web.Request) -> bytes:
    """The raw body, which the signature is over. Raises Problem."""
    read = bytearray()
    try:
        async with asyncio.timeout(LONGEST_S):
            async for chunk in request.content.iter_any():
                read += chunk
                if len(read) > MOST_BYTES:
                    raise Problem(413, "too_large", f"the body is too large; {MOST_BYTES} bytes are the most")
    except TimeoutError as error:
        raise Problem(
            408, "too_slow", f"the body did not arrive within {LONGEST_S:g} s; send it again"
        ) from error
    return bytes(read)

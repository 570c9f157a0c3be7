"""The one deadline of a comment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.generator import GeneratorUnavailable


@asynccontextmanager
async def done_by(end: float, told: str) -> AsyncIterator[None]:
    """Gives the block until `end`, by the event loop's clock. Raises GeneratorUnavailable with `told` then."""
    try:
        async with asyncio.timeout_at(end):
            yield
    except TimeoutError as error:
        raise GeneratorUnavailable(told) from error

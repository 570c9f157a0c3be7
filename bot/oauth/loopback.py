"""Where the browser comes back to: a page on this machine alone, for one attempt (RFC 8252)."""

import asyncio
import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from bot.oauth.client import Attempt, NotConnected, OtherAttempt, parse_redirect

PATH: Final = "/callback"
_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Rejoinder</title>'
    '<body style="font-family: sans-serif; margin: 3em"><p>{english}</p><p lang="zh">{chinese}</p>'
)
_DONE: Final = (
    "The account's answer has arrived. Close this page and go back to the terminal.",
    "已收到账号的授权结果。请关闭此页面，回到终端。",
)
_OTHER: Final = (
    "This answer belongs to another attempt. Open the address that the terminal printed last.",
    "这个结果属于另一次尝试。请打开终端最后显示的网址。",
)


class Loopback:
    """Takes the first answer that belongs to the attempt; all others are turned away."""

    def __init__(self, port: int) -> None:
        self.attempt = Attempt(f"http://127.0.0.1:{port}{PATH}")
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def code(self, seconds: float) -> str:
        """Raises NotConnected when the person refuses, or does nothing for `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                return await self._answer
        except TimeoutError as error:
            raise NotConnected(
                f"nobody consented within {seconds:g} s, so nothing was kept; try again, or give more time with --wait"
            ) from error

    async def arrive(self, request: web.Request) -> web.Response:
        try:
            code = parse_redirect(request.query, self.attempt)
        except OtherAttempt:
            return _page(*_OTHER, status=400)
        except NotConnected as error:
            if not self._answer.done():
                self._answer.set_exception(error)
            return _page(*_DONE)
        if not self._answer.done():
            self._answer.set_result(code)
        return _page(*_DONE)


@asynccontextmanager
async def open_loopback(port: int = 0) -> AsyncIterator[Loopback]:
    """0: any free port. Raises NotConnected where the port is taken."""
    app = web.Application()
    # Without a log of requests: their addresses hold the code.
    runner = web.AppRunner(app, access_log=None)
    answers: list[Loopback] = []

    async def arrive(request: web.Request) -> web.Response:
        return await answers[0].arrive(request)

    app.router.add_get(PATH, arrive)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    try:
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            raise NotConnected(f"port {port} on 127.0.0.1 is taken; give another one with --port") from error
        answers.append(Loopback(runner.addresses[0][1]))
        yield answers[0]
    finally:
        await runner.cleanup()


def _page(english: str, chinese: str, *, status: int = 200) -> web.Response:
    text = _PAGE.format(english=html.escape(english), chinese=html.escape(chinese))
    # The code stands in the address of this page: it goes nowhere from here.
    headers = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
    return web.Response(text=text, content_type="text/html", status=status, headers=headers)

"""Getting the account owner's consent: in a browser on this machine, in one elsewhere, or by a code."""

import asyncio
import os
import sys
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from adapters.http import Http
from bot.bootstrap import open_http, utc_now
from bot.cli.asking import Asker
from bot.cli.errors import Misuse
from bot.cli.shell import Shell
from bot.oauth.client import (
    Attempt,
    Client,
    Granted,
    NotConnected,
    authorize_address,
    exchange,
    parse_redirect,
)
from bot.oauth.device import ask_for_code, await_consent
from bot.oauth.loopback import open_loopback


@dataclass(frozen=True, slots=True)
class Way:
    """How the person wants to consent."""

    browser: bool = True
    device: bool = False
    port: int = 0
    redirect_url: str = ""
    """An address that the platform knows; empty: one on this machine."""
    wait_s: float = 300.0


async def authorize(shell: Shell, asker: Asker, client: Client, way: Way) -> Granted:
    """What the platform grants. Raises NotConnected where a scope that is needed is missing; AdapterError, Misuse."""
    if way.device and not client.device_url:
        raise Misuse("the platform hands out no codes for devices; leave --device out")
    async with open_http() as http:
        granted = await _granted(shell, asker, client, way, http)
    if missing := granted.missing(client.oauth.scopes):
        raise NotConnected(
            f"the account's owner did not allow {', '.join(missing)}, without which it cannot be used; nothing was "
            "kept, so try again and allow it"
        )
    if less := granted.missing(client.oauth.more_scopes):
        shell.warn("connect_less", scopes=", ".join(less))
    return granted


async def _granted(
    shell: Shell, asker: Asker, client: Client, way: Way, http: aiohttp.ClientSession
) -> Granted:
    tokens = Http(http, client.token_url, clock=utc_now)
    if way.device:
        code = await ask_for_code(Http(http, client.device_url, clock=utc_now), client)
        shell.warn("connect_code", address=code.address, code=code.user_code)
        return await await_consent(tokens, client, code, clock=utc_now, sleep=asyncio.sleep)
    if way.redirect_url:
        attempt = Attempt(way.redirect_url)
        return await exchange(tokens, client, attempt, _pasted(shell, asker, client, attempt, way), utc_now())
    async with open_loopback(way.port) as loopback:
        address = authorize_address(client, loopback.attempt)
        shell.warn("connect_open", address=address, seconds=way.wait_s)
        if way.browser and has_browser(os.environ):
            await asyncio.to_thread(webbrowser.open, address)
        found = await loopback.code(way.wait_s)
        return await exchange(tokens, client, loopback.attempt, found, utc_now())


def _pasted(shell: Shell, asker: Asker, client: Client, attempt: Attempt, way: Way) -> str:
    if not asker.able:
        raise Misuse("--redirect-url needs a terminal: the address at which the browser ends is pasted there")
    shell.warn("connect_open", address=authorize_address(client, attempt), seconds=way.wait_s)
    ended = asker.secret("connect_paste")
    return parse_redirect(dict(parse_qsl(urlsplit(ended).query)), attempt)


def has_browser(environment: Mapping[str, str]) -> bool:
    """Whether a browser with a window can be expected; one in text would take the terminal."""
    windowed = any(environment.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
    return windowed or sys.platform in ("darwin", "win32")

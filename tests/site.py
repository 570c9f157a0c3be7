"""The pages as somebody who has logged in sees them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp

from bot.bootstrap import Running
from bot.models import Role
from bot.store import access
from bot.web.gate import COOKIE, CSRF_HEADER

AGENT = "a browser of the tests"
NO_PASSWORD = "no password fits this"


@dataclass
class Browser:
    """Asks the site of `running` as one person; requests that change something come from its own pages."""

    running: Running
    http: aiohttp.ClientSession
    csrf: str
    name: str

    @property
    def url(self) -> str:
        return self.running.page or ""

    async def get(self, path: str = "", **options: Any) -> tuple[int, str]:
        async with self.http.get(self.url + path.removeprefix("/"), **options) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, **options: Any) -> tuple[int, str]:
        headers = {"Origin": self.url.rstrip("/")} | options.pop("headers", {})
        address = self.url + path.removeprefix("/")
        async with self.http.post(address, headers=headers, **options) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def logged_in(running: Running, role: Role = Role.OWNER, name: str = "ann") -> AsyncIterator[Browser]:
    """A browser of a new person with `role`."""
    now = running.service._clock()  # the pages' own: a sitting of another time has ended
    person = running.ledger.write(access.add_person, name=name, role=role, password_hash=NO_PASSWORD, now=now)
    sitting, token = running.ledger.write(
        access.begin_sitting,
        person_id=person.id or 0,
        agent=AGENT,
        address="127.0.0.1",
        now=now,
        lasts=timedelta(hours=1),
    )
    headers = {"Cookie": f"{COOKIE}={token}", "User-Agent": AGENT, CSRF_HEADER: sitting.csrf}
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(headers=headers, cookie_jar=jar) as http:
        yield Browser(running, http, sitting.csrf, name)

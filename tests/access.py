"""The site as whoever comes from outside meets it: no cookie, no form yet, and a clock that the test moves."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy
from sqlmodel import Session, select

from bot.bootstrap import Running, assemble
from bot.models import AuditEntry, Role
from bot.settings import Settings
from bot.store import access, links
from tests.builders import FakeClock

PASSWORD = "correct horse battery"
CHROME, FIREFOX = "Chrome of a test", "Firefox of a test"


@dataclass(frozen=True, slots=True)
class Got:
    """An answer."""

    status: int
    text: str
    headers: CIMultiDictProxy[str]

    @property
    def csrf(self) -> str:
        return re.findall(r'name="csrf" (?:value|content)="([^"]+)"', self.text)[0]

    @property
    def secret(self) -> str:
        """What the page shows once."""
        return re.findall(r'id="secret">([^<]+)<', self.text)[0]


@dataclass
class Outside:
    """A browser that keeps the cookie it was given."""

    running: Running
    http: aiohttp.ClientSession
    agent: str = CHROME
    headers: dict[str, str] = field(default_factory=dict)
    cookie: str = ""

    @property
    def url(self) -> str:
        return (self.running.page or "").rstrip("/")

    async def ask(self, method: str, path: str, **options: Any) -> Got:
        headers = {"User-Agent": self.agent, "Cookie": self.cookie, **self.headers}
        headers |= options.pop("headers", {})
        options.setdefault("allow_redirects", False)
        async with self.http.request(method, self.url + path, headers=headers, **options) as answer:
            for line in answer.headers.getall("Set-Cookie", []):
                if "rejoinder=" in line:
                    self.cookie = line.split(";")[0]
            return Got(answer.status, await answer.text(), answer.headers)

    async def get(self, path: str, **options: Any) -> Got:
        return await self.ask("GET", path, **options)

    async def post(
        self, path: str, csrf: str = "", headers: dict[str, str] | None = None, **form: str
    ) -> Got:
        sent = {"Origin": self.url, **(headers or {})}
        return await self.ask("POST", path, headers=sent, data={"csrf": csrf, **form} if csrf else form)

    async def log_in(self, name: str = "ann", password: str = PASSWORD, **form: str) -> Got:
        return await self.post("/login", name=name, password=password, **form)

    async def start(self, secret: str, name: str = "ann", password: str = PASSWORD) -> Got:
        return await self.post("/start", code=secret, name=name, password=password)

    async def is_in(self) -> bool:
        return (await self.get("/account")).status == 200

    async def press(self, page: str, path: str, **form: str) -> Got:
        """Sends a form of `page`."""
        return await self.post(path, csrf=(await self.get(page)).csrf, **form)


@dataclass
class House:
    """A running site, its clock, and people who come to it."""

    running: Running
    clock: FakeClock
    http: aiohttp.ClientSession

    def outside(self, agent: str = CHROME, **headers: str) -> Outside:
        return Outside(self.running, self.http, agent, headers)

    async def owner(self, name: str = "ann") -> Outside:
        """The first owner, who has come by the first link."""
        browser = self.outside()
        secret = self.running.ledger.write(links.first, now=self.clock())
        assert (await browser.start(secret or "", name)).status == 303
        return browser

    async def member(self, role: Role, name: str) -> Outside:
        browser = self.outside()
        secret = self.running.ledger.write(links.invite, role, by="ann", now=self.clock())
        assert (await browser.start(secret, name)).status == 303
        return browser

    def acts(self) -> list[tuple[str, str]]:
        """Actor and act, in order."""

        def found(session: Session) -> list[tuple[str, str]]:
            return [(row.actor, row.act) for row in session.exec(select(AuditEntry).order_by(AuditEntry.id))]  # type: ignore[arg-type]

        return self.running.ledger.read(found)

    def names(self) -> list[str]:
        return [person.name for person in self.running.ledger.read(access.people)]


@asynccontextmanager
async def house(folder: Path, database: str = "", **web: Any) -> AsyncIterator[House]:
    clock = FakeClock()
    settings = Settings(data_dir=folder, web={"port": 0, **web}, database={"url": database})
    jar = aiohttp.DummyCookieJar()
    async with (
        assemble(settings, roles=frozenset({"web"}), clock=clock) as running,
        aiohttp.ClientSession(cookie_jar=jar) as http,
    ):
        yield House(running, clock, http)

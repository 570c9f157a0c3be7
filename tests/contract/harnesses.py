"""The platforms that adapters are checked on."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from adapters.base import Clock, CommentRef
from adapters.isso import IssoAdapter
from adapters.isso_options import IssoOptions
from adapters.isso_rows import author_hash, comment_number
from adapters.sandbox import SandboxAdapter, SandboxOptions
from adapters.sandbox_faults import Faults
from adapters.sandbox_site import RunningSite, create_site, new_token, seed_posts, serve, set_faults, utc_now

EMAIL = "creator@example.org"


def new_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())


class SandboxHarness:
    def __init__(self, site: RunningSite, http: aiohttp.ClientSession, token: str, post_id: str) -> None:
        self.site = site
        self.http = http
        self.post_id = post_id
        self.token = token
        self.adapter = self.make()

    def make(self, **options: object) -> SandboxAdapter:
        chosen = {"base_url": self.site.url, "refresh_token": self.token, "settle_s": 0, **options}
        return SandboxAdapter(SandboxOptions.model_validate(chosen), http=self.http, clock=utc_now)

    async def write(self, text: str, parent: CommentRef | None = None, name: str = "Visitor") -> None:
        body = {
            "post_id": self.post_id,
            "parent_id": parent and parent.comment_id,
            "name": name,
            "text": text,
        }
        async with self.http.post(f"{self.site.url}/visitor/comments", json=body) as answer:
            assert answer.status == 201, await answer.text()

    async def remove(self, ref: CommentRef) -> None:
        await self.adapter.delete(ref.comment_id)

    async def break_with(self, **switches: object) -> None:
        async with self.http.post(f"{self.site.url}/admin/faults", json=switches) as answer:
            assert answer.status == 204, await answer.text()

    async def like(self, comment_id: str, *, likes: int, hearted: bool) -> None:
        body = {"id": comment_id, "likes": likes, "hearted": hearted}
        async with self.http.post(f"{self.site.url}/admin/likes", json=body) as answer:
            assert answer.status == 204, await answer.text()


class IssoHarness:
    """Every instance has a post of its own on a server that several tests share."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http
        self.uri = f"/posts/{uuid.uuid4().hex}"
        self.cookies: dict[int, str] = {}
        self.adapter = self.make(author_hash=author_hash(EMAIL))

    def make(self, **options: object) -> IssoAdapter:
        chosen = {"base_url": self.url, "author": "Creator", "email": EMAIL, "posts": [self.uri], **options}
        return IssoAdapter(IssoOptions.model_validate(chosen), http=self.http, clock=utc_now)

    async def write(self, text: str, parent: CommentRef | None = None, name: str = "Visitor") -> None:
        number = comment_number(parent.comment_id) if parent else None
        body = {"text": text, "author": name, "title": "A post", "parent": number}
        async with self.http.post(f"{self.url}/new", params={"uri": self.uri}, json=body) as answer:
            assert answer.status in {201, 202}, await answer.text()
            cookie = answer.headers["X-Set-Cookie"].partition(";")[0].removeprefix("isso-")
            self.cookies[(await answer.json())["id"]] = cookie

    async def remove(self, ref: CommentRef) -> None:
        number = comment_number(ref.comment_id)
        headers = {"Cookie": self.cookies[number]}
        async with self.http.delete(f"{self.url}/id/{number}", headers=headers) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def sandbox(
    faults: Faults | None = None, *, access_ttl_s: float = 3600.0, clock: Clock = utc_now
) -> AsyncIterator[SandboxHarness]:
    """A sandbox site in memory with one post; `clock` is the site's."""
    token = new_token()
    app = create_site(":memory:", refresh_token=token, access_ttl_s=access_ttl_s, clock=clock, admin=True)
    post_id = seed_posts(app, [("A post", "About something")])[0]
    if faults:
        set_faults(app, faults)
    site = await serve(app)
    async with new_session() as http:
        yield SandboxHarness(site, http, token, post_id)
    await site.aclose()

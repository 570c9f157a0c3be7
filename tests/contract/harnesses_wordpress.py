"""A WordPress site that the adapter is checked on: a post of the test's own on a real server."""

from typing import Any

import aiohttp

from adapters.base import Clock, CommentRef
from adapters.sandbox_site import utc_now
from adapters.wordpress import WordPressAdapter
from adapters.wordpress_options import WordPressOptions
from tests.integration.wordpress_server import WordPressServer


class WordPressHarness:
    """Visitors have no account; `ask` makes any call as one of the site's users."""

    def __init__(self, site: WordPressServer, http: aiohttp.ClientSession, post_id: int) -> None:
        self.site = site
        self.http = http
        self.post_id = post_id
        self.adapter = self.make()

    def make(self, login: str = "creator", clock: Clock = utc_now, **options: object) -> WordPressAdapter:
        chosen = {
            "base_url": self.site.url,
            "username": login,
            "application_password": self.site.passwords[login],
            "posts": [self.post_id],
            **options,
        }
        return WordPressAdapter(WordPressOptions.model_validate(chosen), http=self.http, clock=clock)

    async def write(self, text: str, parent: CommentRef | None = None, name: str = "Visitor") -> None:
        await self.comment(text, parent=int(parent.comment_id) if parent else 0, author_name=name)

    async def comment(self, text: str, login: str = "", **fields: object) -> dict[str, Any]:
        """A comment by a user, or by a visitor without an account."""
        visitor = {} if login else {"author_name": "Visitor", "author_email": "visitor@example.org"}
        body = {"post": self.post_id, "content": text, **visitor, **fields}
        return await self.ask("POST", "comments", login, body)

    async def remove(self, ref: CommentRef) -> None:
        await self.ask("DELETE", f"comments/{ref.comment_id}")

    async def ask(self, method: str, route: str, login: str = "creator", body: object = None) -> Any:
        return await ask(self.site, self.http, method, route, login, body)


async def ask(
    site: WordPressServer,
    http: aiohttp.ClientSession,
    method: str,
    route: str,
    login: str = "creator",
    body: object = None,
) -> Any:
    """What the site answers to a good call; `login` empty: of nobody."""
    headers = {"Authorization": aiohttp.encode_basic_auth(login, site.passwords[login])} if login else {}
    address = f"{site.url}/wp-json/wp/v2/{route}"
    async with http.request(method, address, json=body, headers=headers) as answer:
        assert answer.status in {200, 201}, await answer.text()
        return await answer.json()


async def on_a_post_of_its_own(
    site: WordPressServer, http: aiohttp.ClientSession, login: str = "creator", **fields: object
) -> WordPressHarness:
    body = {"title": "A post", "content": "About something", "status": "publish", **fields}
    return WordPressHarness(site, http, (await ask(site, http, "POST", "posts", login, body))["id"])

"""Every adapter as the misbehaviour suite calls it: led to any address, with a comment to answer and a cursor."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
from pydantic import BaseModel

from adapters.base import CommentRef, MemoryVault, PlatformAdapter
from adapters.bluesky import BlueskyAdapter
from adapters.discord import DiscordAdapter
from adapters.douyin import DouyinAdapter
from adapters.isso import IssoAdapter
from adapters.mastodon import MastodonAdapter
from adapters.sandbox import SandboxAdapter
from adapters.sandbox_site import utc_now
from adapters.telegram import TelegramAdapter
from adapters.wordpress import WordPressAdapter
from adapters.youtube import YouTubeAdapter

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECRET = "access-token"
"""Whatever is secret has it, so that it can be looked for."""
SKY = "at://did:plc:fan/app.bsky.feed.post/7"


@dataclass(frozen=True)
class Case:
    """One adapter."""

    factory: Any
    options: Mapping[str, Any]
    """But for `base_url` and `timeout_s`; {url} in a text stands for the address."""
    target: CommentRef
    cursor: Mapping[str, Any]
    logs_in: bool = False
    """It gets a token before it is called."""

    def make(self, url: str, http: aiohttp.ClientSession, timeout_s: float = 10.0) -> PlatformAdapter:
        given = {
            name: value.replace("{url}", url) if isinstance(value, str) else value
            for name, value in self.options.items()
        }
        model: type[BaseModel] = self.factory.Options
        options = model.model_validate({**given, "base_url": url, "timeout_s": timeout_s})
        adapter: PlatformAdapter = self.factory(options, http=http, clock=utc_now, vault=MemoryVault())
        return adapter


CASES: dict[str, Case] = {
    "sandbox": Case(
        SandboxAdapter,
        {"refresh_token": "r" * 20},
        CommentRef("1", "7", "7", NOW),
        {"from": NOW.isoformat(), "since": NOW.isoformat(), "page": None},
        logs_in=True,
    ),
    "isso": Case(
        IssoAdapter,
        {"author": "Creator", "email": "me@example.org", "posts": ["/a"]},
        CommentRef("/a", "7-1795176000000000", "7-1795176000000000", NOW),
        {"since": NOW.timestamp(), "posts": {}, "queue": [], "walk": None, "hashes": []},
    ),
    "wordpress": Case(
        WordPressAdapter,
        {"username": "me", "application_password": SECRET},
        CommentRef("1", "7", "7", NOW),
        {"since": NOW.timestamp(), "newest": None, "read": NOW.timestamp(), "held": [], "walk": None},
    ),
    "youtube": Case(
        YouTubeAdapter,
        {
            "client_id": "id",
            "client_secret": "secret",
            "refresh_token": "r" * 20,
            "token_url": "{url}/api/token",
        },
        CommentRef("video", "Ugx7", "Ugx7", NOW),
        {
            **{name: NOW.isoformat() for name in ("from", "newest", "floor")},
            "walk": None,
            **{name: [] for name in ("queue", "counts", "swept")},
        },
        logs_in=True,
    ),
    "douyin": Case(
        DouyinAdapter,
        {"client_key": "k", "open_id": "me", "refresh_token": "r" * 20, "items": ["@a=="]},
        CommentRef("@a==", "@7==", "@7==", NOW),
        {"since": NOW.timestamp(), "items": {}, "queue": [], "walk": None},
        logs_in=True,
    ),
    "bluesky": Case(
        BlueskyAdapter,
        {"identifier": "me.example.org", "app_password": "abcd-efgh-ijkl-mnop"},
        CommentRef(SKY, SKY, SKY, NOW, {"cid": "c", "root_uri": SKY, "root_cid": "c"}),
        {
            "from": NOW.isoformat(),
            "streams": {
                name: {"since": NOW.isoformat(), "at": None, "top": None} for name in ("inbox", "own")
            },
            "todo": [],
        },
        logs_in=True,
    ),
    "mastodon": Case(
        MastodonAdapter,
        {"access_token": SECRET},
        CommentRef("7", "7", "7", NOW, {"acct": "fan", "visibility": "public"}),
        {
            "from": NOW.isoformat(),
            "streams": {name: {"mark": "7", "at": None} for name in ("mentions", "own")},
            "todo": [],
        },
        logs_in=True,
    ),
    "discord": Case(
        DiscordAdapter,
        {"token": SECRET * 2, "channels": ["7"]},
        CommentRef("7", "8", "8", NOW),
        {"from": "9", "since": "9", "newest": "9", "began": "9", "queue": [], "roots": {}},
    ),
    "telegram": Case(
        TelegramAdapter,
        {"token": "1:" + SECRET * 2, "groups": [-100]},
        CommentRef("-100:7", "-100:8", "-100:8", NOW),
        {
            "from": NOW.timestamp(),
            "offset": 5,
            "heard": NOW.timestamp(),
            "posts": {},
            "threads": [],
            "roots": {},
            "lost": {},
        },
    ),
}
GRANTS: dict[str, dict[str, Any]] = {
    "/api/token": {"access_token": SECRET, "expires_in": 60},
    "/oauth/refresh_token/": {"data": {"access_token": SECRET, "expires_in": "60"}},
    "/wp-json/wp/v2/users/me": {"id": 1, "name": "Creator", "capabilities": {"moderate_comments": True}},
    "/xrpc/com.atproto.server.createSession": {"accessJwt": SECRET, "refreshJwt": "refresh-token"},
    # What is asked before a reply is written: is its comment still there?
    "/xrpc/app.bsky.feed.getPosts": {"posts": [{"uri": SKY}]},
}
"""What a platform that misbehaves answers to these paths all the same."""

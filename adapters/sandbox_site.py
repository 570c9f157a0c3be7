"""The sandbox: a small platform of our own, for the demo and the tests.

A page where people comment, and a JSON API for the creator's account, over one SQLite file. It behaves like a real
platform, its faults included: see `sandbox_api`, `sandbox_visitor` and `sandbox_faults`.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from aiohttp import web

from adapters import sandbox_pictures as drawn
from adapters.base import Clock
from adapters.sandbox_api import CreatorApi, problem, read_json
from adapters.sandbox_faults import Faults
from adapters.sandbox_store import SandboxStore
from adapters.sandbox_tokens import Tokens
from adapters.sandbox_visitor import VisitorPages, visitor_id
from adapters.text import parse_count, parse_flag

MAX_BODY: Final = 16 * 1024 * 1024
_STORE: Final = web.AppKey("store", SandboxStore)
_API: Final = web.AppKey("api", CreatorApi)
_TOKENS: Final = web.AppKey("tokens", Tokens)


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_token() -> str:
    """A refresh token for `create_site`."""
    return secrets.token_urlsafe(32)


def create_site(
    path: str,
    *,
    refresh_token: str,
    creator: str = "Creator",
    access_ttl_s: float = 3600.0,
    faults: Faults | None = None,
    admin: bool = False,
    allowed_hosts: Iterable[str] = (),
    clock: Clock = utc_now,
) -> web.Application:
    """The site over the SQLite file `path` (or `:memory:`).

    Whoever holds `refresh_token` acts as the creator. `allowed_hosts` are the host names, beside loopback, under
    which visitors may write. `admin` adds calls without a password, for tests on loopback:
    `POST /admin/faults` with the switches as JSON replaces the faults, `POST /admin/expire-tokens` ends every
    access token. Raises ValueError for a refresh token of fewer than 16 characters, sqlite3.Error for a file that
    cannot be opened.
    """
    if len(refresh_token) < 16:
        raise ValueError("refresh_token must have at least 16 characters; make one with new_token()")
    store = SandboxStore(path, clock)
    tokens = Tokens(refresh_token, access_ttl_s, clock)
    api = CreatorApi(store, tokens, creator, Faults() if faults is None else faults)
    app = web.Application(client_max_size=MAX_BODY)
    app[_STORE], app[_API], app[_TOKENS] = store, api, tokens
    app.add_routes(api.routes())
    app.add_routes(drawn.routes())
    app.add_routes(VisitorPages(store, creator, frozenset(allowed_hosts)).routes())
    if admin:
        app.add_routes([web.post("/admin/faults", _set_faults), web.post("/admin/expire-tokens", _expire)])
        app.add_routes([web.post("/admin/likes", _set_likes)])
    app.on_response_prepare.append(_date_by(clock))
    app.on_cleanup.append(_close_store)
    return app


def seed_posts(
    app: web.Application, posts: Iterable[tuple[str, str]], pictures: Sequence[str] = ()
) -> list[str]:
    """Add posts, given as (title, text), unless the site already has some; `pictures` are the addresses of each
    one's images. Returns every post's id, oldest first.
    """
    store = app[_STORE]
    if not store.posts():
        for title, text in posts:
            store.add_post(title, text, pictures)
    return [post.id for post in reversed(store.posts())]


def seed_comments(
    app: web.Application,
    post_id: str,
    comments: Iterable[tuple[str, str]],
    pictures: Sequence[str] = (),
) -> list[str]:
    """Add visitors' top comments, given as (name, text), to a post; `pictures` are the addresses of each one's
    images. Returns their ids.
    """
    return [
        app[_STORE]
        .add_comment(
            post_id=post_id,
            parent=None,
            author_id=visitor_id(name),
            author_name=name,
            text=text,
            by_creator=False,
            pictures=pictures,
        )
        .id
        for name, text in comments
    ]


def set_faults(app: web.Application, faults: Faults) -> None:
    """Replace the faults of a running site."""
    app[_API].faults = faults


@dataclass(frozen=True, slots=True)
class RunningSite:
    """A served site; `url` has no trailing slash."""

    url: str
    _runner: web.AppRunner

    async def aclose(self) -> None:
        """Stop serving and close the file. Safe to call twice."""
        await self._runner.cleanup()


async def serve(app: web.Application, host: str = "127.0.0.1", port: int = 0) -> RunningSite:
    """Serve the site; port 0 takes any free one. Raises OSError when the port is taken."""
    # Calls that hang on purpose must not hold up the end.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    bound = runner.addresses[0][1]
    shown = f"[{host}]" if ":" in host else host
    return RunningSite(f"http://{shown}:{bound}", runner)


async def _set_faults(request: web.Request) -> web.StreamResponse:
    try:
        set_faults(request.app, Faults.from_json(await read_json(request)))
    except ValueError as exc:
        return problem(422, str(exc))
    return web.Response(status=204)


async def _set_likes(request: web.Request) -> web.StreamResponse:
    body = await read_json(request)
    likes, hearted = parse_count(body.get("likes")), parse_flag(body.get("hearted"))
    request.app[_STORE].like(str(body.get("id")), likes=likes or 0, hearted=bool(hearted))
    return web.Response(status=204)


async def _expire(request: web.Request) -> web.StreamResponse:
    await read_json(request)
    request.app[_TOKENS].revoke_all()
    return web.Response(status=204)


async def _close_store(app: web.Application) -> None:
    app[_STORE].close()


def _date_by(clock: Clock) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def set_date(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = format_datetime(clock().astimezone(UTC), usegmt=True)

    return set_date

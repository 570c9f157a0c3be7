"""Every parser of what strangers send as a function of what they send, so that one hand can try all of them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast, get_args

import aiohttp

from adapters import discord_rows as discord
from adapters import douyin_rows, isso_rows, mastodon_rows, wordpress_rows, youtube_rows
from adapters.base import MemoryVault
from adapters.bluesky_rows import comment_of, parse_row, post_of, thread_of
from adapters.bluesky_rows import indexed_at as bluesky_time
from adapters.connecting import DOUYIN, YOUTUBE
from adapters.discord_errors import refusal as discord_refusal
from adapters.discord_errors import told_wait as discord_wait
from adapters.douyin import DouyinAdapter
from adapters.douyin_errors import error_for, refusal_of
from adapters.douyin_options import DouyinOptions
from adapters.douyin_tokens import Tokens, kept_as, parse_granted, parse_renewed
from adapters.errors import Permanent
from adapters.http import Answer
from adapters.inbox_options import InboxOptions
from adapters.inbox_presets import Preset
from adapters.inbox_rows import Row, read_import, read_rows, reading_of
from adapters.inbox_tables import BadRow
from adapters.telegram_answers import refusal as telegram_refusal
from adapters.telegram_answers import told_wait as telegram_wait
from adapters.telegram_reading import Reading as TelegramReading
from adapters.telegram_rows import Group
from adapters.telegram_rows import Me as TelegramMe
from adapters.text import parse_id, parse_text, parse_time
from adapters.youtube_tokens import parse_grant
from bot.oauth.client import Attempt, NotConnected, error_of, parse_redirect
from bot.oauth.client import parse_granted as parse_oauth
from bot.oauth.device import parse_code
from tests.platforms.douyin import KEY, ME, SECRET, Douyin

NOW: Final = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
PRESETS: Final[Sequence[Preset]] = get_args(Preset)
DOUYIN_OPTIONS: Final = DouyinOptions.model_validate(
    {"client_key": KEY, "client_secret": SECRET, "open_id": ME, "refresh_token": "r", "items": ["@a=="]}
)


def answered(data: Any, status: int = 400, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(
        status, headers or {}, data, str(data)[:300].encode("utf-8", "replace").decode(), timedelta(0)
    )


def each(read: Callable[[Any], object], rows: Iterable[Any]) -> list[object]:
    """What became of the rows that can be read, as a poll takes them."""
    found = []
    for row in rows:
        with suppress(ValueError):
            found.append(read(row))
    return found


# --- platforms ---


def youtube_thread(data: Any) -> object:
    thread = youtube_rows.parse_thread(data)
    return each(lambda row: youtube_rows.parse_comment(row, me="UC"), thread.rows)


def douyin_page(data: Any) -> object:
    page = douyin_rows.parse_page(data)
    douyin_rows.threads_of(page.rows)
    douyin_rows.reached(page.rows, 1.0)
    return each(lambda row: douyin_rows.parse_comment(douyin_rows.Row("@v", None, row), me=ME), page.rows)


def douyin_refusal(data: Any) -> object:
    refused = refusal_of(data)
    return refused and error_for("a call", refused, options=DOUYIN_OPTIONS, now=NOW, writes=True)


def douyin_grant(data: Any) -> object:
    given = data if isinstance(data, dict) else {}
    kept = [kept_as(parse(given, Tokens("a", "b"), 0.0)) for parse in (parse_granted, parse_renewed)]
    return json.dumps(kept, ensure_ascii=False).encode()


def douyin_hook(body: bytes) -> object:
    # Reading a call to us asks nobody.
    nobody = cast(aiohttp.ClientSession, None)
    adapter = DouyinAdapter(DOUYIN_OPTIONS, http=nobody, clock=lambda: NOW, vault=MemoryVault())
    with suppress(Permanent):
        adapter.read_hook({"X-Douyin-Signature": "ß" * 40}, body)
    return adapter.read_hook(Douyin().sign(body), body)


def bluesky_row(data: Any) -> object:
    bluesky_time(data)
    row = parse_row(data)
    comment = comment_of(
        row, me="did:plc:me", thread_id=thread_of(row, {}, me="did:plc:me"), site_url="https://s"
    )
    return [comment, post_of(row, "https://s")]


def mastodon_mention(data: Any) -> object:
    row = mastodon_rows.parse_mention(data, me="7")
    if row is None:
        return None
    return [
        mastodon_rows.post_of(row),
        mastodon_rows.comment_of(row, mastodon_rows.Place(row.id, row.id, None), me="7"),
    ]


def discord_message(data: Any) -> object:
    if not discord.is_comment(data):
        return None
    me, place = discord.Me("9"), discord.Place("7", guild="8", name="bread")
    discord.by_bot(data, me)
    discord.answered(data)
    return discord.parse_comment(data, place, me=me, thread=discord.root(data, {}), site_url="https://d")


def telegram_updates(data: Any) -> object:
    group = Group(-1001000000000008, "Bread talk", channel=-1001000000000007)
    cursor: dict[str, Any] = {
        "from": 1795176000,
        "offset": None,
        "heard": 0,
        "posts": {},
        "threads": [],
        "roots": {},
        "lost": {},
    }
    reading = TelegramReading(cursor, {group.id: group}, TelegramMe("4201"), general=True)
    reading.take(data if isinstance(data, list) else [data])
    json.dumps(reading.cursor(), allow_nan=False)
    return [*reading.comments, *reading.posts()]


def isso_listing(data: Any) -> object:
    rows = data.get("replies") if isinstance(data, dict) else None
    me = isso_rows.Me("Creator", frozenset({"858c32664bb1"}), sure=False)
    flat = isso_rows.flatten("/a", rows if isinstance(rows, list) else [])
    return each(lambda row: isso_rows.parse_comment(row, me=me, site_url="https://e.org"), flat)


def wordpress_row(data: Any) -> object:
    wordpress_rows.collection_of(data)
    links = wordpress_rows.links_of([data])
    wordpress_rows.times_of([data], "date_gmt")
    return wordpress_rows.parse_comment(data, me="1", parents=links)


def chat_refusals(data: Any) -> object:
    discord_wait(data)
    telegram_wait(data)
    return [discord_refusal("a call", 400, data, "said"), telegram_refusal("a call", 400, data, "said")]


# --- the inbox ---


def imported(data: bytes | str) -> object:
    found: list[object] = []
    for preset in PRESETS:
        with suppress(BadRow):
            read = read_import(data, reading_of(InboxOptions(preset=preset, account="Roaster"), NOW))
            found += [part for row in read.rows for part in _parts(row)]
    return found


def brought(data: Any) -> object:
    rows = data if isinstance(data, list) else [data]
    found: list[object] = []
    for preset in PRESETS:
        reading = reading_of(InboxOptions(preset=preset, account="Roaster"), NOW, "https://e.org/explore/a1")
        found += [part for row in read_rows(rows, reading) for part in _parts(row)]
    return found


def _parts(row: Row) -> list[object]:
    return [row.comment, row.post]


# --- connecting ---


def granted(data: Any) -> object:
    for oauth in (YOUTUBE, DOUYIN):
        error_of(oauth, data)
        with suppress(NotConnected):
            kept = parse_oauth(oauth, data, NOW)
            json.dumps([*kept.tokens.values(), *kept.fields.values()], ensure_ascii=False).encode()
    return parse_code(data)


def youtube_grant(data: Any) -> object:
    """As the vault keeps it."""
    return json.dumps(parse_grant(answered(data, 200), NOW), ensure_ascii=False).encode()


def redirected(query: Any) -> object:
    attempt = Attempt("http://127.0.0.1:1/", state="s")
    return parse_redirect(query, attempt)


# --- what all share ---


def shared(value: Any) -> object:
    return [each(parse, [value]) for parse in (parse_id, parse_text, parse_time)]

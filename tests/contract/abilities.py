"""What each adapter can do with the options it has by default, as the table of `docs/adapters.md`.

`python -m tests.contract.abilities` prints it.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapters.base import Capabilities, Comment, Hooked, Moderates, PlatformAdapter, Quota
from adapters.inbox import InboxAdapter
from adapters.inbox_options import InboxOptions
from adapters.sandbox_site import utc_now
from tests.contract.cases import CASES
from tests.contract.harnesses import new_session
from tests.contract.parsers import PARSERS
from tests.contract.readers import bluesky_row, each

ADDRESS = "http://127.0.0.1:1"
HEAD = (
    "adapter", "replies", "hang under", "longest reply", "a second one is refused", "own replies can be found", "hides",
    "calls us", "tells likes", "units a day",
)  # fmt: skip
COMMENTS = {
    "sandbox": "sandbox comments",
    "isso": "isso listings",
    "wordpress": "wordpress comments",
    "youtube": "youtube threads",
    "douyin": "douyin pages",
    "mastodon": "mastodon notifications",
    "discord": "discord messages",
    "telegram": "telegram updates",
    "inbox": "inbox tables",
}
"""The parser of each adapter's recorded comments; Bluesky's notifications tell no likes, its threads do."""


async def table() -> str:
    async with new_session() as http:
        adapters = {name: case.make(ADDRESS, http) for name, case in CASES.items()}
        by_hand = InboxOptions.model_validate({"account": "Roaster"})
        adapters["inbox"] = InboxAdapter(by_hand, http=http, clock=utc_now)
        rows = [_row(name, adapter) for name, adapter in adapters.items()]
    lines = [HEAD, ("-",) * len(HEAD), *rows]
    return "".join(
        f"| {' | '.join(line)} |\n" if line[0] != "-" else f"|{'|'.join(line)}|\n" for line in lines
    )


def _row(name: str, adapter: PlatformAdapter) -> tuple[str, ...]:
    can = adapter.capabilities
    return (
        name,
        "by itself" if can.writes == "auto" else "by a person",
        "the top comment" if can.reply_depth == "thread" else "their comment",
        f"{can.max_reply_chars:,}",
        _yes(can.idempotent_reply),
        _yes(can.can_find_own),
        _yes(isinstance(adapter, Moderates)),
        _yes(isinstance(adapter, Hooked)),
        _yes(_tells_likes(name)),
        _budget(can),
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _budget(can: Capabilities) -> str:
    match can.quota:
        case Quota(units=units, reply_units=reply, poll_units=poll):
            return f"{units:,}; a reply {reply}, a poll {poll}"
        case None:
            return ""


def _tells_likes(name: str) -> bool:
    if name == "bluesky":
        thread = Path(__file__).parents[1] / "payloads" / "bluesky_thread.json"
        views = list(_views(json.loads(thread.read_text("utf-8"))))
        return _likes(each(bluesky_row, views))
    parser = PARSERS[COMMENTS[name]]
    return any(_likes(each(parser.read, [good])) for good in parser.good)


def _views(value: Any) -> Iterator[Any]:
    """Every post in a thread."""
    if isinstance(value, dict):
        if "record" in value:
            yield value
        for inner in value.values():
            yield from _views(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _views(inner)


def _likes(value: object) -> bool:
    if isinstance(value, list):
        return any(_likes(one) for one in value)
    return isinstance(value, Comment) and value.likes is not None


if __name__ == "__main__":
    print(asyncio.run(table()), end="")

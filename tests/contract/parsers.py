"""What strangers send to each parser, damaged by a seeded hand, and what the parser may raise at it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters import mastodon_rows, wordpress_rows
from adapters.bluesky_rows import write_refusal
from adapters.discord_rows import parse_place
from adapters.errors import AdapterError, Permanent
from adapters.http import told_wait
from adapters.inbox_tables import BadRow
from adapters.inbox_times import parse_when
from adapters.sandbox_reading import parse_comment as sandbox_comment
from adapters.text import html_to_text, same_text
from adapters.youtube import parse_account
from adapters.youtube_errors import refusal as youtube_refusal
from adapters.youtube_titles import parse_post as youtube_post
from bot.oauth.client import NotConnected
from tests.contract import readers
from tests.contract.damage import ODD_HEADERS, damage, damage_headers, damage_text, mutated
from tests.contract.fuzzing import Fuzzed
from tests.contract.readers import NOW, PRESETS, answered
from tests.contract.records import faults
from tests.platforms.douyin import ME

PAYLOADS: Final = Path(__file__).parents[1] / "payloads"
GRANT: Final = {
    "access_token": "ya29.token", "refresh_token": "1//r", "expires_in": 3599, "scope": "a b", "token_type": "Bearer",
    "refresh_expires_in": "86400", "open_id": ME, "error_code": 0,
}  # fmt: skip
DEVICE: Final = {
    "device_code": "d", "user_code": "KERN-7", "verification_url": "https://e.org", "expires_in": 1800, "interval": 5,
}  # fmt: skip
EXPORTS: Final = (
    "评论内容,用户昵称,评论时间,笔记链接,点赞数\n多久能做好？,小麦,昨天 18:30,https://www.xiaohongshu.com/explore/679f0b2,3\n"
    '"How long, please?",Tom,2026-11-20 12:00,https://www.xiaohongshu.com/explore/679f0b2,1\n',
    "导出于 2026-11-21\ttool\ncomment_id\ttext\tauthor_name\tcreated_at\tpost_id\n"
    '="9007199254740993"\t水温多少度？\tWang\t3小时前\tBV1xx411c7mD\n8\tsame here\tAnn\t1795147200\tBV1xx411c7mD\n',
)
ENCODINGS: Final = ("utf-8", "utf-8-sig", "gb18030", "utf-16", "big5hkscs")


def recorded(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text("utf-8"))


@dataclass(frozen=True)
class Parser:
    """`read` is given one of `good`, damaged by `damage`, and returns the records that it makes of it."""

    read: Callable[[Any], object]
    good: Sequence[Any]
    raises: tuple[type[Exception], ...] = (ValueError,)
    damage: Callable[[Any, Random], Any] = mutated


def damage_file(text: str, random: Random) -> bytes | str:
    """Pasted, or a file in any of the encodings that people have, cut and mixed."""
    text = damage_text(text, random)
    if random.random() < 0.3:
        return text
    raw = text.encode(random.choice(ENCODINGS), "replace")
    return damage(raw, random) if random.random() < 0.5 else raw


def damage_some(text: str, random: Random) -> str:
    """A short text is nothing any more after most damage: every other one stays as it is."""
    return damage_text(text, random) if random.random() < 0.5 else text


def damage_query(query: Mapping[str, str], random: Random) -> dict[str, str]:
    return {
        name: damage_text(value, random) if random.random() < 0.4 else value for name, value in query.items()
    }


def damage_json(value: Any, random: Random) -> bytes:
    return damage(json.dumps(value).encode(), random)


THREADS: Final = recorded("youtube_threads")["items"]
REFUSED: Final = [*[case["body"] for case in recorded("youtube_errors")], *recorded("wordpress_comments")]
INBOXES: Final = [recorded(f"inbox_{name}") for name in PRESETS if name != "none"]
TEXTS: Final = (
    "<p>Is <b>1 &lt; 2</b>?<br>你好 <!-- no --> &amp;#x1F375;</p>",
    "<script>x</script><div>a</div>" * 3,
)
TIMES: Final = (
    "昨天 18:30", "2026-11-20 12:00", "3小时前", "11月20日 08:15", "编辑于 2 days ago 来自 上海", "1795147200123",
)  # fmt: skip

PARSERS: Final[dict[str, Parser]] = {
    "youtube threads": Parser(readers.youtube_thread, THREADS),
    "youtube videos": Parser(youtube_post, [{"id": "v", "snippet": {"title": "题", "description": "d"}}]),
    "youtube account": Parser(
        lambda data: parse_account(answered(data if isinstance(data, dict) else {}, 200), frozenset()),
        [{"items": [{"id": "UC7", "snippet": {"title": "Creator"}}]}],
        (AdapterError,),
    ),
    "youtube tokens": Parser(readers.youtube_grant, [GRANT], (AdapterError,)),
    "refusals": Parser(
        lambda data: [
            youtube_refusal("a call", answered(data), NOW, writes=True),
            wordpress_rows.refusal("a call", answered(data), flood_s=15.0),
            write_refusal("a call", answered(data)),
            mastodon_rows.refusal("a call", answered(data, 422)),
            readers.chat_refusals(data),
        ],
        REFUSED,
    ),
    "douyin pages": Parser(readers.douyin_page, [recorded("douyin_comments")]),
    "douyin refusals": Parser(readers.douyin_refusal, [case["answer"] for case in recorded("douyin_errors")]),
    "douyin tokens": Parser(readers.douyin_grant, [GRANT]),
    "douyin calls to us": Parser(readers.douyin_hook, [recorded("douyin_event")], (Permanent,), damage_json),
    "bluesky notifications": Parser(readers.bluesky_row, recorded("bluesky_notifications")["notifications"]),
    "mastodon notifications": Parser(readers.mastodon_mention, recorded("mastodon_notifications")),
    "discord messages": Parser(readers.discord_message, recorded("discord_messages")),
    "discord channels": Parser(parse_place, [{"id": "7", "type": 0, "guild_id": "8", "name": "bread"}]),
    "telegram updates": Parser(readers.telegram_updates, [recorded("telegram_updates")["result"]]),
    "isso listings": Parser(readers.isso_listing, [recorded("isso_listing")]),
    "sandbox comments": Parser(
        lambda data: sandbox_comment(data, me="creator", base_url="http://s"), recorded("sandbox_comments")["comments"]
    ),
    "wordpress comments": Parser(readers.wordpress_row, recorded("wordpress_comments")),
    "wordpress posts": Parser(wordpress_rows.parse_post, [{"id": 1, "title": {"rendered": "题"}, "link": "https://e.org"}]),
    "wordpress users": Parser(wordpress_rows.parse_me, [{"id": 1, "name": "C", "capabilities": {"edit_posts": True}}]),
    "inbox batches": Parser(readers.brought, INBOXES, (BadRow,)),
    "inbox tables": Parser(readers.imported, EXPORTS, (BadRow,), damage_file),
    "inbox JSON": Parser(readers.imported, INBOXES, (BadRow,), damage_json),
    "inbox times": Parser(lambda text: parse_when(text, NOW, ZoneInfo("Asia/Shanghai")), TIMES, damage=damage_some),
    "oauth answers": Parser(readers.granted, [GRANT, {"data": GRANT}, DEVICE], (NotConnected,)),
    "oauth redirects": Parser(
        readers.redirected, [{"state": "s", "code": "c"}, {"state": "s", "error": "no"}], (NotConnected,), damage_query
    ),
    "headers": Parser(
        lambda headers: told_wait(headers, NOW), [{"Retry-After": one} for one in ODD_HEADERS], damage=damage_headers
    ),
    "html": Parser(lambda text: [html_to_text(text), same_text(text, TEXTS[0])], TEXTS, damage=damage_text),
    "ids, texts and times": Parser(readers.shared, ["7", 7, "2026-11-20T12:00:00Z", 1795147200.5]),
}  # fmt: skip


def fuzz_parser(name: str, *, cases: int, seed: object) -> Fuzzed:
    """The same seed makes the same cases."""
    found = Fuzzed(cases=cases, damaged=cases)
    for number in range(cases):
        random = Random(f"{seed} {number}")
        value = PARSERS[name].damage(random.choice(PARSERS[name].good), random)
        try:
            result = PARSERS[name].read(value)
        except PARSERS[name].raises as error:
            found.outcomes[type(error).__name__] += 1
            continue
        except Exception as error:  # noqa: BLE001 - what escapes is what is looked for
            found.escapes.append(f"seed {seed}, case {number}: {error!r}"[:500])
            continue
        found.outcomes["returned"] += 1
        found.escapes += [f"seed {seed}, case {number}: {fault}" for fault in faults(result)]
    return found

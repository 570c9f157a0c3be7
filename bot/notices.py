"""What is told outside when a comment waits for a person or has failed. Pure.

Commenters' words go into rooms full of people, so they may neither call anybody, nor lead anywhere, nor look like ours.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlencode, urlsplit

from bot.plain import excerpt
from bot.reasons import explain
from bot.settings import Language, WebhookSettings

Kind = Literal["needs_review", "failed", "stopped"]
KIND_OF: Final[Mapping[str, Kind]] = {"review": "needs_review", "failed": "failed"}
"""By the state that a comment has come to; `stopped` is about a channel."""

SETTLED: Final = timedelta(seconds=5)
"""Events wait so long before they are told, so that one that was written at the same time and has a smaller number is
seen, too, and so that what comes together is told together."""
APART: Final = timedelta(minutes=1)
"""Between two notices to one address."""
_SHOWN, _EXCERPT, _NAME = 5, 160, 60
_BREAK = "\u200b"


@dataclass(frozen=True, slots=True)
class Happening:
    """A comment that needs a person; without a comment, a channel that has stopped by itself."""

    event: int
    kind: Kind
    at: datetime
    comment_id: int
    channel: str
    post: str
    author: str
    text: str
    reason: str
    """A word of `bot.reasons`; of a channel, why it has stopped, in one line."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message about all that happened since the last one. Without happenings it is a test."""

    last: int
    """Number of the last event that it covers."""
    happenings: tuple[Happening, ...] = ()
    last_alert: int = 0
    """Number of the last alert that it covers."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it is sent by POST."""

    url: str
    headers: dict[str, str]
    body: bytes


def wanted(happenings: Sequence[Happening], hook: WebhookSettings) -> tuple[Happening, ...]:
    """Those that `hook` asks for; of each comment the last only."""
    found = {one.comment_id or -one.event: one for one in happenings}
    return tuple(
        one
        for one in found.values()
        if one.kind in hook.events and (not hook.channels or one.channel in hook.channels)
    )


def outgoing(
    hook: WebhookSettings, notice: Notice, *, url: str, secret: str, desk: str, now: datetime
) -> Outgoing:
    """`notice` in the format of `hook`; `desk` is the address of the pages, empty where nobody knows it."""
    lines, link = message(notice, hook.language), f"{desk}/review" if desk else ""
    alerts = f".{notice.last_alert}" if any(one.kind == "stopped" for one in notice.happenings) else ""
    delivery = f"{hook.name}-{f'{notice.last}{alerts}' if notice.happenings else 'test'}"
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Rejoinder"}
    if hook.format == "slack":
        return Outgoing(url, headers, _body(_slack(lines, link)))
    if hook.format == "feishu":
        return Outgoing(url, headers, _body(_feishu(lines, link, hook.language) | _feishu_sign(secret, now)))
    if hook.format == "dingtalk":
        return Outgoing(_dingtalk_url(url, secret, now), headers, _body(_dingtalk(lines, link)))
    body = _body(_generic(notice, delivery, lines, desk, now))
    headers |= {"X-Rejoinder-Event": event_name(notice), "X-Rejoinder-Delivery": delivery}
    if secret:
        headers["X-Rejoinder-Signature"] = signature(secret, body, now)
    return Outgoing(url, headers, body)


def event_name(notice: Notice) -> str:
    """`needs_review`, `failed`, `stopped`, `several` or `test`."""
    kinds = {one.kind for one in notice.happenings}
    return "several" if len(kinds) > 1 else str(next(iter(kinds), "test"))


def signature(secret: str, body: bytes, now: datetime) -> str:
    """Over the time and the body, so that an old notice cannot be sent again as a new one."""
    seconds = int(now.timestamp())
    told = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={told}"


def message(notice: Notice, language: Language) -> list[str]:
    """The lines of `notice`, each harmless by itself."""
    zh = language == "zh"
    if not notice.happenings:
        return [
            "Rejoinder: this is a test. Notices arrive here."
            if not zh
            else "Rejoinder：这是测试消息，通知会发送到这里。"
        ]
    waiting = sum(one.kind == "needs_review" for one in notice.happenings)
    stopped = sum(one.kind == "stopped" for one in notice.happenings)
    failed = len(notice.happenings) - waiting - stopped
    lines = []
    if stopped:
        lines.append(
            f"Rejoinder：{stopped} 个频道已停止" if zh else f"Rejoinder: {_many(stopped, 'channel')} stopped"
        )
    if waiting:
        lines.append(
            f"Rejoinder：{waiting} 条评论等待人工审核"
            if zh
            else f"Rejoinder: {_many(waiting)} for a person to review"
        )
    if failed:
        lines.append(f"Rejoinder：{failed} 条评论处理失败" if zh else f"Rejoinder: {_many(failed)} failed")
    lines += [_line(one, language) for one in notice.happenings[:_SHOWN]]
    rest = len(notice.happenings) - _SHOWN
    if rest > 0:
        lines.append(f"……另有 {rest} 条" if zh else f"… and {rest} more")
    return lines


def _many(number: int, what: str = "comment") -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def _line(one: Happening, language: Language) -> str:
    if one.kind == "stopped":
        return f"[{harmless(one.channel, _NAME)}] {harmless(one.reason, 2 * _EXCERPT)}"
    where = f"#{one.comment_id} [{harmless(one.channel, _NAME)}]"
    who, said = harmless(one.author, _NAME), harmless(one.text, _EXCERPT)
    why = explain(one.reason, language)
    return f"{where} {who}：“{said}”（{why}）" if language == "zh" else f"{where} {who}: “{said}” ({why})"


def harmless(text: str, length: int) -> str:
    """At most `length` characters of `text` on one line, which call nobody and lead nowhere in any chat program.

    The marks of markup are replaced by their wide forms; an invisible blank parts what would be read as a call or as an
    address (so does discord.py's `escape_mentions`).
    """
    shown = excerpt(text, length).translate(_WIDE)
    shown = re.sub(r"[@＠]", lambda mark: f"{mark[0]}{_BREAK}", shown)
    # An address needs no scheme: chat programs link what looks like the name of a host.
    return re.sub(r"(?<=\w)([.:。．｡])(?=[\w/])", rf"\1{_BREAK}", shown)


_WIDE: Final = str.maketrans("<>*_~`[]", "＜＞＊＿～｀［］")


def _body(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _generic(notice: Notice, delivery: str, lines: Sequence[str], desk: str, now: datetime) -> dict[str, Any]:
    return {
        "event": event_name(notice),
        "delivery": delivery,
        "at": now.astimezone(UTC).isoformat(),
        "text": "\n".join(lines),
        "events": [
            {
                "id": one.event,
                "kind": one.kind,
                "at": one.at.astimezone(UTC).isoformat(),
                "comment": one.comment_id or None,
                "channel": one.channel,
                "post": excerpt(one.post, _EXCERPT),
                "author": excerpt(one.author, _NAME),
                "text": excerpt(one.text, _EXCERPT),
                "reason": one.reason,
                "url": f"{desk}/{f'review/{one.comment_id}' if one.comment_id else 'channels'}"
                if desk
                else None,
            }
            for one in notice.happenings
        ],
    }


def _slack(lines: Sequence[str], link: str) -> dict[str, Any]:
    """https://docs.slack.dev/messaging/formatting-message-text: &, < and > are escaped, and nothing else is markup."""
    told = "\n".join([*lines, *([link] if link else [])])
    for mark, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        told = told.replace(mark, name)
    return {"text": told, "mrkdwn": False, "link_names": False, "unfurl_links": False, "unfurl_media": False}


def _feishu(lines: Sequence[str], link: str, language: Language) -> dict[str, Any]:
    """https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot: a rich text, whose parts of the kind `text`
    hold no markup.
    """
    parts: list[list[dict[str, str]]] = [[{"tag": "text", "text": line}] for line in lines]
    if link:
        parts.append(
            [{"tag": "a", "text": "打开审核页" if language == "zh" else "Open the review page", "href": link}]
        )
    where = "zh_cn" if language == "zh" else "en_us"
    return {"msg_type": "post", "content": {"post": {where: {"title": "Rejoinder", "content": parts}}}}


def _feishu_sign(secret: str, now: datetime) -> dict[str, str]:
    """The same page: HMAC-SHA256 of nothing, with `timestamp\\nsecret` as the key; the time in seconds."""
    if not secret:
        return {}
    seconds = str(int(now.timestamp()))
    told = hmac.new(f"{seconds}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return {"timestamp": seconds, "sign": base64.b64encode(told).decode()}


def _dingtalk(lines: Sequence[str], link: str) -> dict[str, Any]:
    """https://open.dingtalk.com/document/robots/custom-robot-access: a plain text, which calls nobody but who stands in
    `at`.
    """
    told = "\n".join([*lines, *([link] if link else [])])
    return {"msgtype": "text", "text": {"content": told}, "at": {"isAtAll": False}}


def _dingtalk_url(url: str, secret: str, now: datetime) -> str:
    """https://open.dingtalk.com/document/robots/customize-robot-security-settings: HMAC-SHA256 of `timestamp\\nsecret`
    with the secret as the key; the time in milliseconds.
    """
    if not secret:
        return url
    millis = str(int(now.timestamp() * 1000))
    told = hmac.new(secret.encode(), f"{millis}\n{secret}".encode(), hashlib.sha256).digest()
    query = urlencode({"timestamp": millis, "sign": base64.b64encode(told).decode()})
    return f"{url}{'&' if urlsplit(url).query else '?'}{query}"


def refusal(format: str, status: int, body: bytes) -> str:
    """Why an answer is no success, in one line; empty where it is one."""
    if not 200 <= status < 300:
        told = excerpt(body.decode("utf-8", "replace"), _EXCERPT)
        return f"it answered {status}{f' ({told})' if told else ''}"
    if format not in ("feishu", "dingtalk"):
        return ""
    # Both answer 200 whatever happens.
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return "it answered with what is no JSON; is the address that of a robot?"
    if not isinstance(answer, dict):
        return "it answered with what is no robot's answer; is the address right?"
    code = answer.get("errcode", answer.get("code", answer.get("StatusCode")))
    why = answer.get("errmsg", answer.get("msg", ""))
    return "" if code == 0 else excerpt(f"it refused the notice (code {code}: {why})", 2 * _EXCERPT)

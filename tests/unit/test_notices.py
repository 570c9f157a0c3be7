"""What is told outside: formats and signatures, computed here once more as the receivers document them."""

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.notices import Happening, Notice, Outgoing, event_name, harmless, message, outgoing, refusal, wanted
from bot.settings import WebhookSettings

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
SECONDS = 1_772_366_400
URL = "https://hooks.example.org/x?access_token=abc"
DESK = "https://desk.example.org"


def happening(number: int = 1, **changes: Any) -> Happening:
    values: dict[str, Any] = {
        "event": number,
        "kind": "needs_review",
        "at": NOW,
        "comment_id": number,
        "channel": "demo",
        "post": "Roasting at home",
        "author": "Fan",
        "text": "How long?",
        "reason": "not_in_documents",
    }
    return Happening(**(values | changes))


def hook(**changes: Any) -> WebhookSettings:
    return WebhookSettings(**({"name": "team", "url": "env:HOOK"} | changes))


def sent(notice: Notice, secret: str = "s3cret", desk: str = DESK, **changes: Any) -> Outgoing:
    return outgoing(hook(**changes), notice, url=URL, secret=secret, desk=desk, now=NOW)


ONE = Notice(7, (happening(),))


def test_a_generic_notice_is_signed_over_its_time_and_body() -> None:
    request = sent(ONE)
    t, v1 = (part.partition("=")[2] for part in request.headers["X-Rejoinder-Signature"].split(","))
    expected = hmac.new(b"s3cret", t.encode() + b"." + request.body, "sha256").hexdigest()
    assert (int(t), v1) == (SECONDS, expected)
    assert request.headers["X-Rejoinder-Event"] == "needs_review"
    assert request.headers["X-Rejoinder-Delivery"] == "team-7"
    told = json.loads(request.body)
    assert (told["delivery"], told["events"][0]["comment"]) == ("team-7", 1)
    assert told["events"][0]["url"] == f"{DESK}/review/1"


def test_without_a_secret_nothing_is_signed() -> None:
    assert "X-Rejoinder-Signature" not in sent(ONE, secret="").headers
    assert sent(ONE, secret="", format="dingtalk").url == URL
    assert "sign" not in json.loads(sent(ONE, secret="", format="feishu").body)


def test_feishu_is_signed_as_its_page_says() -> None:
    # https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot: "timestamp + "\n" + 密钥" is the key of
    # HmacSHA256 over an empty text, in Base64; the time in seconds, in the body.
    told = json.loads(sent(ONE, format="feishu").body)
    key = f"{SECONDS}\ns3cret".encode()
    assert told["timestamp"] == str(SECONDS)
    assert told["sign"] == base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()
    assert told["msg_type"] == "post"
    [first, second, link] = told["content"]["post"]["en_us"]["content"]
    assert first == [{"tag": "text", "text": "Rejoinder: 1 comment for a person to review"}]
    assert second[0]["tag"] == "text"
    assert link[0] == {"tag": "a", "text": "Open the review page", "href": f"{DESK}/review"}


def test_dingtalk_is_signed_as_its_page_says() -> None:
    # https://open.dingtalk.com/document/robots/customize-robot-security-settings: HmacSHA256 with the secret as the key
    # over timestamp + "\n" + secret, Base64, then urlEncode; the time in milliseconds, both in the address.
    request = sent(ONE, format="dingtalk")
    query = parse_qs(urlsplit(request.url).query)
    millis = str(SECONDS * 1000 + 250)
    expected = hmac.new(b"s3cret", f"{millis}\ns3cret".encode(), hashlib.sha256).digest()
    assert query == {
        "access_token": ["abc"], "timestamp": [millis], "sign": [base64.b64encode(expected).decode()],
    }  # fmt: skip
    assert re.fullmatch(r"[\w.~%-]+", request.url.partition("&sign=")[2])
    told = json.loads(request.body)
    assert told["msgtype"] == "text"
    assert told["at"] == {"isAtAll": False}


def test_slack_text_is_escaped_and_no_markup() -> None:
    # https://docs.slack.dev/messaging/formatting-message-text: & < > become &amp; &lt; &gt;.
    told = json.loads(sent(Notice(1, (happening(text="<!channel> a & b"),)), format="slack").body)
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", told["text"])
    assert "a &amp; b" in told["text"]
    assert told["mrkdwn"] is told["unfurl_links"] is told["link_names"] is False


@pytest.mark.parametrize(
    "hostile",
    [
        "<!channel> <!here> <@U123>",
        '<at user_id="all">everyone</at>',
        "@all @所有人 ＠所有人",
        "[click](https://evil.example/x)",
        "see http://evil.example, evil.example or 10.0.0.1:80/x",
        "evil｡example",
        "**bold** _it_ ~no~ `code`",
        "a\nRejoinder: 1 comment failed",
        "\u202eturned\x1b[31m",
    ],
)
@pytest.mark.parametrize("format", ["slack", "feishu", "dingtalk"])
def test_a_commenter_calls_nobody_and_leads_nowhere(hostile: str, format: str) -> None:
    notice = Notice(1, (happening(text=hostile, author=hostile, channel=hostile),))
    told = sent(notice, format=format, desk="").body.decode()
    assert not re.search(r"<[!@]|<at|[@＠][^\u200b\"]|\]\(|https?://|\w[.｡][a-z]{3}|\*\*", told)
    lines = message(notice, "en")
    assert len(lines) == 2
    assert not re.search("[\u202e\x1b\n]", "".join(lines))


@given(st.text(max_size=400))
def test_whatever_is_written_holds_no_mark_and_no_address(text: str) -> None:
    shown = harmless(text, 160)
    assert not re.search(r"[<>*_~`\[\]\n\r]|[@＠](?!\u200b)|\w[.:][\w/]", shown)
    assert len(shown.replace("\u200b", "")) <= 160


def test_one_message_tells_of_all_and_shows_some() -> None:
    many = tuple(
        happening(number, kind="failed" if number == 3 else "needs_review") for number in range(1, 9)
    )
    english, chinese = message(Notice(8, many), "en"), message(Notice(8, many), "zh")
    assert english[:2] == ["Rejoinder: 7 comments for a person to review", "Rejoinder: 1 comment failed"]
    assert english[-1] == "… and 3 more"
    assert chinese[0] == "Rejoinder：7 条评论等待人工审核"
    assert "资料里没有答案" in chinese[2]
    assert len(english) == len(chinese) == 8
    assert event_name(Notice(8, many)) == "several"


def test_what_a_webhook_does_not_ask_for_is_left_out() -> None:
    found = [happening(1), happening(2, kind="failed"), happening(3, channel="other")]
    assert [one.event for one in wanted(found, hook(events=["failed"]))] == [2]
    assert [one.event for one in wanted(found, hook(channels=["other"]))] == [3]
    twice = [happening(1, comment_id=9), happening(2, comment_id=9)]
    assert [one.event for one in wanted(twice, hook())] == [2]


@pytest.mark.parametrize(
    ("format", "status", "body", "fine"),
    [
        ("json", 204, b"", True),
        ("json", 302, b"", False),
        ("slack", 200, b"ok", True),
        ("slack", 404, b"no_service", False),
        ("feishu", 200, b'{"code":0,"msg":"success"}', True),
        ("feishu", 200, b'{"StatusCode":0,"StatusMessage":"success"}', True),
        ("feishu", 200, b'{"code":19021,"msg":"sign match fail"}', False),
        ("dingtalk", 200, b'{"errcode":0,"errmsg":"ok"}', True),
        ("dingtalk", 200, b'{"errcode":310000,"errmsg":"sign not match"}', False),
        ("dingtalk", 200, b"<html>", False),
        ("dingtalk", 200, b"[]", False),
        ("dingtalk", 200, b"{}", False),
        ("feishu", 200, b"[" * 60_000, False),
    ],
)
def test_an_answer_is_a_success_or_says_why_not(format: str, status: int, body: bytes, fine: bool) -> None:
    why = refusal(format, status, body)
    assert (not why) == fine
    assert "\n" not in why

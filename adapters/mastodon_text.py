"""What Mastodon wants of a reply: its length as the server counts it, whom it names, who may see it. Pure functions."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from adapters.errors import Permanent, RejectedContent
from adapters.graphemes import graphemes

URL: Final = re.compile(r"https?://[^\s<>\"]+")
MENTION: Final = re.compile(r"(?<![\w/])@(\w+(?:[.-]+\w+)*)(?:@[\w.-]+\w)?")
WIDEST_FIRST: Final = ("public", "unlisted", "private", "direct")


def counted(text: str, *, url_chars: int) -> int:
    """How long the server finds a text: addresses count alike, and a name without the server behind it."""
    text = URL.sub("x" * url_chars, text)
    return graphemes(MENTION.sub(lambda match: f"@{match[1]}", text))


def addressed(text: str, acct: str) -> str:
    """`text` behind the name of whom it answers, who is not notified otherwise. `acct` empty: of nobody."""
    name = f"@{acct}"
    if not acct or re.match(re.escape(name) + r"(?![\w@.-])", text, re.IGNORECASE):
        return text
    return f"{name} {text}"


def check_length(text: str, *, limit: int, url_chars: int) -> None:
    """Raises RejectedContent for a text that a status cannot hold."""
    length = counted(text, url_chars=url_chars)
    if length > limit:
        raise RejectedContent(
            f"mastodon: the reply has {length} characters with the name it begins with; this server takes {limit}"
        )


def reply_visibility(comment: str | None, wanted: str) -> str:
    """Who may see the reply: never more people than see the comment. Raises Permanent for what is not answered."""
    if comment == "direct":
        raise Permanent("mastodon: a private message is not answered automatically")
    if comment not in WIDEST_FIRST:
        raise Permanent(
            f"mastodon: it is not known who may see the comment ({comment}), so it is not answered"
        )
    if wanted == "unlisted":
        return max(comment, "unlisted", key=WIDEST_FIRST.index)
    return comment


def without_leading_names(text: str, mentions: Collection[Mapping[str, Any]], whose: Collection[str]) -> str:
    """`text` without the names that it begins with only to notify the accounts with the ids `whose`."""
    names = {str(one.get("username")).lower() for one in mentions if str(one.get("id")) in whose}
    while (match := MENTION.match(text)) and match[1].lower() in names:
        text = text[match.end() :].lstrip()
    return text

"""What the fake YouTube holds, and how it shows it: shapes after the discovery document of youtube/v3."""

import bisect
import hashlib
import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapters.base import Clock

SHOWN_REPLIES = 5
FANS = "UCfan"


def etag(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:27]


@dataclass
class Entry:
    """A comment; one without `parent` is the top of a thread."""

    id: str
    video: str
    author: str | None
    """None: the account was deleted."""
    name: str
    text: str
    at: datetime
    parent: str | None = None
    status: str = "published"
    likes: int = 0
    replies: list["Entry"] = field(default_factory=list)

    def public_replies(self) -> list["Entry"]:
        return [reply for reply in self.replies if reply.status == "published"]


class Store:
    """One channel, its videos, and what people wrote."""

    def __init__(self, clock: Clock, channel: str, title: str) -> None:
        self.clock = clock
        self.channel = channel
        self.title = title
        self.videos: dict[str, str] = {}
        self.closed: set[str] = set()
        """Videos whose comments are turned off."""
        self.shows_newest = False
        """Which replies a list of threads brings along; nobody says, so tests try both."""
        self._entries: dict[str, Entry] = {}
        self._order: list[tuple[datetime, int, str]] = []
        self._count = 0

    def add_video(self, title: str) -> str:
        video = f"vid{len(self.videos):08d}"
        self.videos[video] = title
        return video

    def add(
        self,
        text: str,
        *,
        video: str = "",
        parent: str | None = None,
        author: str | None = f"{FANS}0000000000000000001",
        name: str = "@visitor",
        at: datetime | None = None,
        status: str = "published",
    ) -> Entry:
        self._count += 1
        moment = (at or self.clock()).replace(microsecond=0)
        number = f"{self._count:012d}"
        if parent is None:
            entry = Entry(f"Ugx{number}AaABAg", video, author, name, text, moment, status=status)
            bisect.insort(self._order, (moment, self._count, entry.id))
        else:
            top = self._entries[parent]
            reply_id = f"{parent}.9x{number}"
            entry = Entry(reply_id, top.video, author, name, text, moment, parent, status)
            top.replies.append(entry)
        self._entries[entry.id] = entry
        return entry

    def find(self, comment_id: str) -> Entry | None:
        return self._entries.get(comment_id)

    def remove(self, comment_id: str) -> None:
        entry = self._entries.pop(comment_id)
        if entry.parent:
            self._entries[entry.parent].replies.remove(entry)
            return
        self._order = [row for row in self._order if row[2] != comment_id]
        for reply in entry.replies:
            del self._entries[reply.id]

    def threads(self, status: str, before: tuple[datetime, int, str] | None = None) -> Iterator[Entry]:
        """From the newest back, those before a place in the order."""
        end = bisect.bisect_left(self._order, before) if before else len(self._order)
        for index in range(end - 1, -1, -1):
            entry = self._entries[self._order[index][2]]
            if entry.status == status and entry.video not in self.closed:
                yield entry

    def place(self, entry: Entry) -> tuple[datetime, int, str]:
        return (entry.at, int(entry.id.removeprefix("Ugx")[:12]), entry.id)

    def thread_row(self, entry: Entry, parts: set[str], *, plain: bool) -> dict[str, Any]:
        replies = entry.public_replies()
        row: dict[str, Any] = {"kind": "youtube#commentThread", "etag": etag(entry), "id": entry.id}
        if "snippet" in parts:
            row["snippet"] = {
                "channelId": self.channel,
                "videoId": entry.video,
                "topLevelComment": self.comment_row(entry, parts, plain=plain),
                "canReply": True,
                "totalReplyCount": len(replies),
                "isPublic": True,
            }
        if "replies" in parts and replies:
            shown = replies[-SHOWN_REPLIES:] if self.shows_newest else replies[:SHOWN_REPLIES]
            rows = [self.comment_row(reply, parts, plain=plain) for reply in reversed(shown)]
            row["replies"] = {"comments": rows}
        return row

    def comment_row(
        self, entry: Entry, parts: set[str], *, plain: bool, listed: bool = False
    ) -> dict[str, Any]:
        """`listed`: as `comments.list` shows it, which does not say under which video."""
        row: dict[str, Any] = {"kind": "youtube#comment", "etag": etag(entry), "id": entry.id}
        if "snippet" not in parts:
            return row
        shown = entry.text if plain else html.escape(entry.text).replace("\n", "<br>")
        moment = entry.at.strftime("%Y-%m-%dT%H:%M:%SZ")
        snippet: dict[str, Any] = {
            "channelId": self.channel,
            "textDisplay": shown,
            "authorDisplayName": entry.name,
            "authorProfileImageUrl": "https://yt3.example.org/a.jpg",
            "canRate": True,
            "viewerRating": "none",
            "likeCount": entry.likes,
            "publishedAt": moment,
            "updatedAt": moment,
        }
        if entry.author:
            snippet["authorChannelUrl"] = f"http://www.youtube.com/channel/{entry.author}"
            snippet["authorChannelId"] = {"value": entry.author}
        if entry.author == self.channel:
            snippet["textOriginal"] = entry.text
        if entry.parent:
            snippet["parentId"] = entry.parent
        if not listed:
            snippet["videoId"] = entry.video
        if entry.status != "published":
            snippet["moderationStatus"] = entry.status
        return {**row, "snippet": snippet}

    def channel_row(self, parts: set[str]) -> dict[str, Any]:
        row: dict[str, Any] = {"kind": "youtube#channel", "etag": etag(self.title), "id": self.channel}
        if "snippet" in parts:
            row["snippet"] = {"title": self.title, "description": "", "customUrl": "@creator"}
        return row

    def video_row(self, video: str, parts: set[str]) -> dict[str, Any]:
        row: dict[str, Any] = {"kind": "youtube#video", "etag": etag(video), "id": video}
        if "snippet" in parts:
            title = self.videos[video]
            row["snippet"] = {"title": title, "description": f"About {title}", "channelId": self.channel}
        return row

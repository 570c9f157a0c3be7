"""Douyin's three calls about comments, with the token and the common parameters, counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from adapters.base import Clock
from adapters.douyin_errors import error_for, refusal_of
from adapters.douyin_grants import Grants
from adapters.douyin_options import DEVICE, DouyinOptions
from adapters.douyin_rows import Listed, parse_page
from adapters.errors import Transient
from adapters.http import Answer, Http, unexpected

MAX_PAGE: Final = 20
"""Of both lists; the page of the replies says so."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and the answer that brought it."""

    listed: Listed
    answer: Answer


class DouyinApi:
    """Raises AdapterError."""

    def __init__(self, http: Http, options: DouyinOptions, clock: Clock, grants: Grants) -> None:
        self._http = http
        self._options = options
        self._clock = clock
        self._grants = grants
        self._units = 0

    def take_units(self) -> int:
        """Calls since this was asked last."""
        units, self._units = self._units, 0
        return units

    async def comments(self, item: str, *, at: int, count: int) -> Page:
        """Top comments of a video, the newest first, from the platform's cursor `at` on (0: the newest)."""
        return await self._list("/item/comment/list/", {"item_id": item}, at, count)

    async def replies(self, item: str, thread: str, *, at: int, count: int) -> Page:
        """Replies under a top comment, the newest first."""
        return await self._list(
            "/item/comment/reply/list/", {"item_id": item, "comment_id": thread}, at, count
        )

    async def send(self, item: str, comment_id: str, text: str) -> Answer:
        """Write a reply; each call writes one more."""
        body = {"item_id": item, "comment_id": comment_id, "content": text}
        headers, self._units = self._grants.header(), self._units + 1
        answer = await self._http.write(
            "POST", "/item/comment/reply/", params=self._common(), headers=headers, body=body
        )
        self._check("douyin: reply", answer, writes=True)
        return answer

    async def _list(self, path: str, place: Mapping[str, str], at: int, count: int) -> Page:
        what = f"douyin: {path.strip('/')}"
        asked = {**place, "cursor": str(at), "count": str(min(count, MAX_PAGE)), "sort_type": "time"}
        headers, self._units = self._grants.header(), self._units + 1
        answer = await self._http.read(path, params={**self._common(), **asked}, headers=headers)
        self._check(what, answer, writes=False)
        try:
            return Page(parse_page(answer.data), answer)
        except ValueError as exc:
            raise Transient(f"{what}: the answer cannot be read ({exc})", ambiguous=False) from exc

    def _common(self) -> dict[str, str]:
        device = {name: getattr(self._options, name) for name in DEVICE}
        return {"open_id": self._options.open_id, **{name: value for name, value in device.items() if value}}

    def _check(self, what: str, answer: Answer, *, writes: bool) -> None:
        """Raises what an answer without success means."""
        try:
            refusal = refusal_of(answer.data)
        except ValueError as exc:
            if answer.status != 200:
                raise unexpected(what, answer) from exc
            raise Transient(f"{what}: the answer cannot be read ({exc})", ambiguous=writes) from exc
        if refusal is not None:
            now = answer.server_time(self._clock())
            raise error_for(what, refusal, options=self._options, now=now, writes=writes)
        if answer.status != 200:
            raise unexpected(what, answer)

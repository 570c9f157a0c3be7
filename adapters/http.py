"""The one place where HTTP errors become adapter errors.

    connection refused, unknown host      Transient(ambiguous=False)
    time-out, broken connection, 5xx,
    unreadable or too large an answer     Transient(ambiguous=True) to a write, (ambiguous=False) to a read
    429                                   RateLimited
    401                                   AuthExpired
    a redirect                            Permanent
    any other status                      an Answer: what it means is the platform's business

Messages name the method, the address without its query, and what came back; never a header, so never a token.
Where a platform wants its token in the path (Telegram), `secret` keeps it out of them.
"""

import asyncio
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import aiohttp
from pydantic import AfterValidator

from adapters.base import Clock
from adapters.errors import AdapterError, AuthExpired, Permanent, RateLimited, Transient
from adapters.text import clean, parse_time

Params = Mapping[str, str] | Sequence[tuple[str, str]]
"""Of a query; pairs where a name occurs more than once."""

MAX_BYTES: Final = 8 * 1024 * 1024
DEFAULT_RETRY_AFTER_S: Final = 60.0
MAX_RETRY_AFTER_S: Final = 86_400.0
CONNECT_TIMEOUT_S: Final = 10.0
# A `Date` header has whole seconds, and the answer was on its way for a while.
IGNORED_SKEW: Final = timedelta(seconds=2)
_SECRET: Final = ("authorization", "token", "secret", "password", "code", "verifier")
_SHORTEST_SECRET: Final = 8


class TooLarge(Transient):
    """The answer was longer than the adapter reads; asking for less may help."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform answered."""

    status: int
    headers: Mapping[str, str]
    data: Any
    """The parsed JSON; None when the body is empty, or is no JSON and the status is 4xx or the call was `raw`."""
    excerpt: str
    """The first 300 characters of the body: for messages, and for platforms whose errors are plain text."""
    skew: timedelta
    """How far the platform's clock runs ahead of ours; zero when within two seconds or not told."""

    def server_time(self, moment: datetime) -> datetime:
        """`moment` by our clock, as the platform's clock shows it."""
        return moment + self.skew


def check_base_url(value: str) -> str:
    """`value` without a trailing slash. Raises ValueError unless it is an http or https address."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address that starts with http:// or https://")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must hold no user name, query or fragment")
    try:
        _ = parts.port
        parts.hostname.encode("idna")
    except ValueError as exc:
        raise ValueError("must name a host, and a port from 0 to 65535") from exc
    if any(char.isspace() for char in value):
        raise ValueError("must hold no white space")
    return value.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(check_base_url)]


def check_private_url(value: str) -> str:
    """`check_base_url` for an address that is told secrets. Raises ValueError where others could read along."""
    value = check_base_url(value)
    if not is_private(value):
        raise ValueError("must start with https://, as secrets go there; http:// is for this machine alone")
    return value


PrivateUrl = Annotated[str, AfterValidator(check_private_url)]


def is_private(address: str) -> bool:
    """Nobody on the way can read along: encrypted, or within this machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return bool(host)
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    params: Params | None
    headers: Mapping[str, str] | None
    body: object = None
    form: Mapping[str, str] | None = None
    writes: bool = False
    raw: bytes | None = None


class Http:
    """Calls to one platform over a session that someone else owns and closes.

    `timeout_s` bounds a whole call, the last byte of the body included; `max_bytes` bounds the unpacked
    body, which is counted while it arrives. Redirects are never followed. `secret` is a part of the path that neither
    an error, nor what it was raised from, nor an excerpt shows. `wait_in` finds the seconds to wait in the JSON of a
    429, for platforms that say it there. What a call sends under the name of a secret stays out of the excerpt of an
    answer that repeats it, as pages for finding faults do.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        *,
        clock: Clock,
        timeout_s: float = 20.0,
        max_bytes: int = MAX_BYTES,
        secret: str = "",
        wait_in: Callable[[Any], object] | None = None,
    ) -> None:
        self._session = session
        self._base_url = base_url
        self._clock = clock
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._secret = secret
        self._wait_in = wait_in

    async def read(
        self, path: str, *, params: Params | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """GET: a call without effect, so that no error of it is ambiguous."""
        return await self._perform(_Call("GET", path, params, headers))

    async def write(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        form: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """A call with an effect; `body` is sent as JSON, or `form` as a web form, or `raw` as it is: what a signature
        is over. The answer to a `raw` one need not be JSON.
        """
        return await self._perform(_Call(method, path, params, headers, body, form, writes=True, raw=raw))

    async def _perform(self, call: _Call) -> Answer:
        if not self._secret:
            return await self._attempt(call)
        try:
            return await self._attempt(call)
        except AdapterError as exc:
            failure = exc
        # aiohttp's own errors and the frames that they passed through hold the address.
        failure.__cause__ = failure.__context__ = None
        raise failure.with_traceback(None)

    async def _attempt(self, call: _Call) -> Answer:
        what = self._hidden(f"{call.method} {self._base_url}{call.path}")
        if self._session.closed:
            raise Transient(f"{what}: the HTTP session is closed; the service is stopping", ambiguous=False)
        try:
            async with asyncio.timeout(self._timeout_s):
                status, headers, raw = await self._exchange(call)
        except TimeoutError as exc:
            # aiohttp's own ConnectionTimeoutError is a TimeoutError too: there the request never left.
            unsent = isinstance(exc, aiohttp.ConnectionTimeoutError)
            message = f"{what}: no whole answer within {self._timeout_s:g} s"
            raise Transient(message, ambiguous=call.writes and not unsent) from exc
        except aiohttp.InvalidURL as exc:
            raise Permanent(f"{what}: not a usable address; check base_url") from exc
        except aiohttp.ClientConnectorError as exc:
            raise Transient(f"{what}: cannot connect ({exc.os_error})", ambiguous=False) from exc
        except aiohttp.ClientError as exc:
            message = f"{what}: the connection broke ({type(exc).__name__})"
            raise Transient(message, ambiguous=call.writes) from exc
        if len(raw) > self._max_bytes:
            raise TooLarge(f"{what}: answer of more than {self._max_bytes} bytes", ambiguous=call.writes)
        return self._answer(what, status, headers, raw, call)

    async def _exchange(self, call: _Call) -> tuple[int, Mapping[str, str], bytes]:
        async with self._session.request(
            call.method,
            self._base_url + call.path,
            params=call.params,
            headers=call.headers,
            json=call.body,
            data=call.form if call.raw is None else call.raw,
            allow_redirects=False,
            # Some platforms refuse a call that names the type of a body it does not have.
            skip_auto_headers=["Content-Type"] if call.body is None and call.form is None else None,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
        ) as response:
            raw = bytearray()
            async for chunk in response.content.iter_chunked(65_536):
                raw += chunk
                if len(raw) > self._max_bytes:
                    # Leaving the block with the body unread closes the connection.
                    break
            return response.status, response.headers, bytes(raw)

    def _answer(self, what: str, status: int, headers: Mapping[str, str], raw: bytes, call: _Call) -> Answer:
        writes, lax = call.writes, call.raw is not None
        excerpt = clean(self._hidden(raw[:2400].decode("utf-8", "replace"), *_secrets_of(call)))[:300]
        self._raise_for_status(what, status, headers, raw, writes=writes)
        try:
            data = json.loads(raw) if raw.strip() else None
        except (ValueError, RecursionError) as exc:
            if status < 400 and not lax:
                raise Transient(f"{what}: answered {_kind(raw)} instead of JSON", ambiguous=writes) from exc
            data = None
        return Answer(status, headers, data, excerpt, self._skew(headers))

    def _hidden(self, text: str, *others: str) -> str:
        for secret in (self._secret, *others):
            text = text.replace(secret, "…") if secret else text
        return text

    def _raise_for_status(
        self, what: str, status: int, headers: Mapping[str, str], raw: bytes, *, writes: bool
    ) -> None:
        if status == 429:
            wait = self._told(raw)
            if wait is None:
                wait = told_wait(headers, self._clock())
            raise RateLimited(f"{what}: too many calls (429); wait {wait:g} s", retry_after=wait)
        if status == 401:
            raise AuthExpired(f"{what}: the access token is not accepted (401)")
        if status >= 500 or status == 408:
            raise Transient(f"{what}: the platform failed ({status})", ambiguous=writes)
        if 300 <= status < 400:
            raise Permanent(f"{what}: redirects ({status}); set base_url to the address it leads to")

    def _told(self, raw: bytes) -> float | None:
        """Seconds to wait, where the body of a 429 says so."""
        seconds = self._wait_in(_json_or_none(raw)) if self._wait_in else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            return None
        return parse_retry_after(str(seconds), self._clock())

    def _skew(self, headers: Mapping[str, str]) -> timedelta:
        told = _http_date(headers.get("Date", ""))
        skew = told - self._clock() if told else timedelta(0)
        return skew if abs(skew) > IGNORED_SKEW else timedelta(0)


def parse_retry_after(value: str | None, now: datetime) -> float:
    """Seconds to wait by a `Retry-After` header (seconds or an HTTP date); one minute when there is none."""
    if value is None:
        return DEFAULT_RETRY_AFTER_S
    try:
        seconds = float(value)
    except ValueError:
        moment = _http_date(value)
        seconds = (moment - now).total_seconds() if moment else DEFAULT_RETRY_AFTER_S
    if math.isnan(seconds):
        return DEFAULT_RETRY_AFTER_S
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def told_wait(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds to wait by `Retry-After`, else by `RateLimit-Reset` or `X-RateLimit-Reset`; one minute by neither."""
    value = headers.get("Retry-After")
    reset = headers.get("RateLimit-Reset") or headers.get("X-RateLimit-Reset")
    if value is not None or reset is None:
        return parse_retry_after(value, now)
    try:
        moment = parse_time(float(reset) if "-" not in reset else reset)
    except ValueError:
        # Too small for a moment since 1970: some platforms give the seconds that are left.
        return parse_retry_after(reset, now)
    # The moment is by the platform's clock, which its Date header tells.
    left = (moment - (_http_date(headers.get("Date", "")) or now)).total_seconds()
    return min(max(left, 0.0), MAX_RETRY_AFTER_S)


def _secrets_of(call: _Call) -> list[str]:
    """The longest first: of two that begin alike none is left in part."""
    sent = [*(call.headers or {}).items(), *(call.form or {}).items()]
    if isinstance(call.body, Mapping):
        sent += [(name, value) for name, value in call.body.items() if isinstance(value, str)]
    told = {value.rpartition(" ")[2] for name, value in sent if any(word in name.lower() for word in _SECRET)}
    return sorted((value for value in told if len(value) >= _SHORTEST_SECRET), key=len, reverse=True)


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _json_or_none(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _kind(raw: bytes) -> str:
    return "a web page" if raw.lstrip()[:1] == b"<" else "broken text"


def unexpected(what: str, answer: Answer) -> AdapterError:
    """The error for an answer that an adapter has no meaning for."""
    return Permanent(f"{what}: unexpected answer {answer.status}: {answer.excerpt or 'empty'}")


def rows_of(what: str, data: object, key: str) -> list[Any]:
    """The list under `key` of an answer to a read. Raises Transient where the answer has another shape."""
    rows = data.get(key) if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise Transient(f"{what}: the answer holds no list '{key}'", ambiguous=False)
    return rows

"""Connecting from a machine without a browser: the person types a short code elsewhere (RFC 8628)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from adapters.base import Clock
from adapters.errors import RateLimited, Transient
from adapters.http import Http
from bot.oauth.client import Client, Granted, NotConnected, ask, error_of, parse_granted, refused

GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
DEFAULT_INTERVAL_S: Final = 5.0
SLOWER_S: Final = 5.0
"""What `slow_down` adds, by the RFC."""
LONGEST_INTERVAL_S: Final = 300.0

Sleep = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Code:
    """What the platform handed out, and what the person types where."""

    device_code: str = field(repr=False)
    user_code: str
    address: str
    expires_s: float
    interval_s: float


def parse_code(data: object) -> Code:
    """Raises NotConnected."""
    answer = data if isinstance(data, Mapping) else {}
    # Google says verification_url.
    address = answer.get("verification_uri") or answer.get("verification_url")
    texts = (answer.get("device_code"), answer.get("user_code"), address)
    if not all(isinstance(text, str) and text for text in texts):
        raise NotConnected("the platform's answer holds no code to type in; connect with a browser instead")
    return Code(
        device_code=str(texts[0]),
        user_code=str(texts[1]),
        address=str(address),
        expires_s=_seconds(answer.get("expires_in"), 1800.0),
        interval_s=min(_seconds(answer.get("interval"), DEFAULT_INTERVAL_S), LONGEST_INTERVAL_S),
    )


async def ask_for_code(http: Http, client: Client) -> Code:
    """`http`: of the device address. Raises NotConnected, AdapterError."""
    form = {client.oauth.client_id: client.id, "scope": client.scope}
    data = await ask(http, form)
    error, description = error_of(client.oauth, data)
    if error:
        raise refused(error, description, client.secret)
    return parse_code(data)


async def await_consent(http: Http, client: Client, code: Code, *, clock: Clock, sleep: Sleep) -> Granted:
    """Ask at the platform's pace until the person has decided. `http`: of the token address. Raises NotConnected."""
    form = {**client.form, "grant_type": GRANT, "device_code": code.device_code}
    wait, ends = code.interval_s, clock() + timedelta(seconds=code.expires_s)
    while clock() + timedelta(seconds=wait) < ends:
        await sleep(wait)
        try:
            data = await ask(http, form)
        except RateLimited as error:
            wait = max(wait, min(error.retry_after, LONGEST_INTERVAL_S))
            continue
        except Transient:
            # The RFC's advice for a connection that failed.
            wait = min(wait * 2, LONGEST_INTERVAL_S)
            continue
        error_code, description = error_of(client.oauth, data)
        if error_code == "slow_down":
            wait += SLOWER_S
        elif error_code == "expired_token":
            break
        elif error_code and error_code != "authorization_pending":
            raise refused(error_code, description, code.device_code, client.secret)
        elif not error_code:
            return parse_granted(client.oauth, data, clock())
    raise NotConnected("the code was not typed in before it ended, so nothing was kept; try again")


def _seconds(value: object, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 86_400:
        return default
    return float(value)

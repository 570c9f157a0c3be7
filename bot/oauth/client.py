"""The application's side of OAuth: the address that a person opens, and tokens for the code that comes back."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from adapters.connecting import OAuth
from adapters.errors import AuthExpired
from adapters.http import Http, is_private
from adapters.text import clean

TOLD_CHARS: Final = 200
LONGEST_S: Final = 400 * 86_400
# A token is left alone shortly before its end, so that it does not expire on the way.
MARGIN_S: Final = 60


class NotConnected(Exception):
    """The account was not connected, and nothing was kept; the message is one line with the cure."""


class OtherAttempt(NotConnected):
    """An answer that belongs to no attempt of ours."""


@dataclass(frozen=True, slots=True)
class Client:
    """An application that a platform knows, and where the platform is."""

    oauth: OAuth
    id: str
    secret: str = field(repr=False)
    """Empty where it has none."""
    authorize_url: str
    token_url: str
    device_url: str

    @property
    def form(self) -> dict[str, str]:
        """How it names itself."""
        named = {self.oauth.client_id: self.id, self.oauth.client_secret: self.secret}
        return {name: value for name, value in named.items() if value}

    @property
    def scope(self) -> str:
        return self.oauth.separator.join((*self.oauth.scopes, *self.oauth.more_scopes))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: what only the answer to it knows."""

    redirect_uri: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)


@dataclass(frozen=True, slots=True)
class Granted:
    """What the platform handed out."""

    tokens: Mapping[str, str] = field(repr=False)
    """`access_token`, `refresh_token`, `scope` as they were given; `expires_at` (ISO time) and `refresh_ends` (epoch
    seconds) where lives were told."""
    fields: Mapping[str, str]
    """What it says of the account, by the option that it fills in."""
    scopes: frozenset[str] | None
    """None where it does not say: all that was asked for."""

    def missing(self, wanted: tuple[str, ...]) -> list[str]:
        return [scope for scope in wanted if self.scopes is not None and scope not in self.scopes]


def client_of(oauth: OAuth, options: Mapping[str, Any]) -> Client:
    """`options`: the channel's, with their secrets and defaults. Raises NotConnected for an unsafe address."""
    given = {name: value for name, value in options.items() if isinstance(value, str)}
    named = (oauth.authorize_url, oauth.token_url, oauth.device_url)
    authorize_url, token_url, device_url = (address.format_map(given) for address in named)
    for address in (authorize_url, token_url, device_url):
        if address and not is_private(address):
            raise NotConnected(
                f"{address} is not safe: whoever is on the way could read the account's tokens; give an https address"
            )
    return Client(
        oauth=oauth,
        id=given.get(oauth.client_id, ""),
        secret=given.get(oauth.client_secret, ""),
        authorize_url=authorize_url,
        token_url=token_url,
        device_url=device_url,
    )


def authorize_address(client: Client, attempt: Attempt) -> str:
    """What the person opens."""
    asked = {
        client.oauth.client_id: client.id,
        "response_type": "code",
        "scope": client.scope,
        "redirect_uri": attempt.redirect_uri,
        "state": attempt.state,
        **client.oauth.authorize,
    }
    if client.oauth.pkce:
        asked |= {"code_challenge": challenge(attempt.verifier), "code_challenge_method": "S256"}
    return f"{client.authorize_url}?{urlencode(asked)}"


def challenge(verifier: str) -> str:
    """S256 of RFC 7636."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def parse_redirect(query: Mapping[str, str], attempt: Attempt) -> str:
    """The code with which the browser came back. Raises OtherAttempt, NotConnected."""
    if not hmac.compare_digest(query.get("state", "").encode("utf-8", "replace"), attempt.state.encode()):
        raise OtherAttempt("this answer belongs to another attempt; open the address that was printed last")
    if error := query.get("error"):
        raise refused(error, query.get("error_description", ""))
    code = query.get("code", "")
    if not code:
        raise NotConnected("the platform sent the browser back without a code; try again")
    return code


def refused(error: str, description: str, *hidden: str) -> NotConnected:
    """What to tell of a platform's refusal; `hidden` is kept out of it."""
    if error == "access_denied":
        return NotConnected(
            "the account's owner did not consent, so nothing was kept; try again and allow it"
        )
    said = clean(f"{error}: {description}" if description else error)
    for secret in hidden:
        said = said.replace(secret, "***") if secret else said
    return NotConnected(f"the platform refuses to connect the account ({said[:TOLD_CHARS]})")


async def exchange(http: Http, client: Client, attempt: Attempt, code: str, now: datetime) -> Granted:
    """Tokens for the code. Raises NotConnected, AdapterError."""
    form = {
        **client.form,
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": attempt.redirect_uri,
    }
    if client.oauth.pkce:
        form["code_verifier"] = attempt.verifier
    data = await ask(http, form)
    error, description = error_of(client.oauth, data)
    if error:
        raise refused(error, description, code, attempt.verifier, client.secret)
    return parse_granted(client.oauth, data, now)


async def ask(http: Http, form: Mapping[str, str]) -> object:
    """What the platform answers to a form. Raises NotConnected, AdapterError."""
    try:
        answer = await http.write("POST", "", form=form, headers={"Accept": "application/json"})
    except AuthExpired as error:
        raise NotConnected(
            "the platform does not know the application (401); check its id and its secret"
        ) from error
    if answer.status >= 400 and not isinstance(answer.data, Mapping):
        raise NotConnected(f"the platform refuses to connect the account (status {answer.status})")
    return answer.data


def error_of(oauth: OAuth, data: object) -> tuple[str, str]:
    """The error's code and text; an empty code where there is none. Pure."""
    if not isinstance(data, Mapping):
        return "", ""
    if isinstance(data.get("error"), str):
        return data["error"], _text(data.get("error_description"))
    inner = data.get(oauth.within)
    # Douyin answers 200 to everything, and says in there what became of it.
    if isinstance(inner, Mapping) and str(inner.get("error_code") or "0") != "0":
        return str(inner["error_code"]), _text(inner.get("description"))
    return "", ""


def parse_granted(oauth: OAuth, data: object, now: datetime) -> Granted:
    """Raises NotConnected."""
    found = data.get(oauth.within) if oauth.within and isinstance(data, Mapping) else data
    answer: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    if not _travels(answer.get("access_token")):
        raise NotConnected("the platform's answer holds no access token; try again")
    tokens = {name: answer[name] for name in ("access_token", "refresh_token") if _travels(answer.get(name))}
    if scope := _text(answer.get("scope")):
        tokens["scope"] = scope
    if length := _seconds(answer.get("expires_in")):
        tokens["expires_at"] = (now + timedelta(seconds=max(length - MARGIN_S, length / 2))).isoformat()
    if length := _seconds(answer.get("refresh_expires_in")):
        tokens["refresh_ends"] = str(int(now.timestamp() + length))
    return Granted(
        tokens=tokens,
        fields={name: _text(answer.get(name)) for name in oauth.gives if _text(answer.get(name))},
        scopes=frozenset(scope.replace(",", " ").split()) if scope else None,
    )


def _text(value: object) -> str:
    return clean(value) if isinstance(value, str) else ""


def _travels(value: object) -> bool:
    """A token outside printable ASCII cannot stand in a header."""
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable()


def _seconds(value: object) -> float:
    """A life; 0 where none is told that could be one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0.0
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return found if 0 < found <= LONGEST_S else 0.0

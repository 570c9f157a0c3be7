"""A platform with OAuth on loopback, strict about what it is asked, and its adapter, registered as `orchard`.

The server holds a creator's account and one visitor's comment. Refresh tokens are handed out once: whoever comes
with a used one has lost the account. What a person does in the browser is done by `consent` and `type_code`.
"""

import asyncio
import base64
import hashlib
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import HTTPError, Request, urlopen

import aiohttp
from aiohttp import web
from pydantic import BaseModel, ConfigDict, SecretStr

from adapters.base import (
    Account,
    Budget,
    Capabilities,
    Clock,
    CommentPage,
    CommentRef,
    Cursor,
    MemoryVault,
    ReplyRef,
    Vault,
)
from adapters.connecting import Connect, OAuth
from adapters.errors import AuthExpired, ReauthRequired, Transient
from adapters.http import Answer, BaseUrl, Http

CLIENT_ID = "orchard-client"
CLIENT_SECRET = "cs-Zwetschgenmus-7731"
SCOPES = ("comments.read", "comments.write")


@dataclass
class Orchard:
    """The platform's state, and its switches for faults."""

    url: str = ""
    account: str = "pear"
    may_write: bool = True
    grants: tuple[str, ...] = SCOPES
    """What the account's owner ticks."""
    consents: bool = True
    tells_scope: bool = True
    token_error: tuple[int, object] | None = None
    device_answers: list[tuple[int, object]] = field(default_factory=list)
    """Given before the device's consent."""
    handed_out: list[str] = field(default_factory=list)
    """Every secret that ever left the platform."""
    used: set[str] = field(default_factory=set)
    access: str = ""
    refresh: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    device_code: str = ""
    user_code: str = "KERN-7"
    typed: bool = False
    polls: int = 0
    refreshes: int = 0
    refused: list[str] = field(default_factory=list)

    def new(self, kind: str) -> str:
        secret = f"{kind}-{secrets.token_hex(12)}"
        self.handed_out.append(secret)
        return secret

    def revoke(self) -> None:
        """The account's owner takes the consent back."""
        self.access, self.refresh = "", ""

    def expire(self) -> None:
        self.access = ""

    def consent(self, address: str) -> tuple[int, str]:
        """A person opens the address, decides, and the browser goes where it is sent: its status and page."""
        asked = urlsplit(address)
        return follow(self.decide(dict(parse_qsl(asked.query))))

    def decide(self, asked: Mapping[str, str]) -> str:
        """Where the browser is sent. Raises ValueError for a wrong request, as the platform would show it."""
        wanted = {"client_id", "response_type", "scope", "redirect_uri", "state", "code_challenge"}
        if missing := wanted - asked.keys():
            raise ValueError(f"missing: {missing}")
        if asked["client_id"] != CLIENT_ID or asked["response_type"] != "code":
            raise ValueError("wrong client or response type")
        if asked.get("code_challenge_method") != "S256" or len(asked["code_challenge"]) != 43:
            raise ValueError("PKCE with S256 is required")
        if urlsplit(asked["redirect_uri"]).hostname != "127.0.0.1" or len(asked["state"]) < 32:
            raise ValueError("only loopback, and a state that cannot be guessed")
        if asked["scope"].split() != [*SCOPES, "profile"]:
            raise ValueError("unknown scopes")
        if not self.consents:
            return f"{asked['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': asked['state']})}"
        code = self.new("code")
        self.codes[code] = {"redirect_uri": asked["redirect_uri"], "challenge": asked["code_challenge"]}
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def granted(self) -> dict[str, object]:
        self.access, self.refresh = self.new("access"), self.new("refresh")
        told = {"scope": " ".join((*self.grants, "profile"))} if self.tells_scope else {}
        return {
            "access_token": self.access,
            "refresh_token": self.refresh,
            "expires_in": 3600,
            "token_type": "Bearer",
            **told,
        }

    async def token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        if self.token_error is not None:
            return web.json_response(self.token_error[1], status=self.token_error[0])
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
            return web.json_response({"error": "invalid_client"}, status=401)
        match form.get("grant_type"):
            case "authorization_code":
                return self._for_code(form)
            case "refresh_token":
                return self._for_refresh(form)
            case "urn:ietf:params:oauth:grant-type:device_code":
                return self._for_device(form)
        return self._no("unsupported_grant_type")

    def _for_code(self, form: Mapping[str, str]) -> web.Response:
        known = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if known is None or known != {"redirect_uri": form.get("redirect_uri"), "challenge": challenge}:
            return self._no("invalid_grant")
        return web.json_response(self.granted())

    def _for_refresh(self, form: Mapping[str, str]) -> web.Response:
        self.refreshes += 1
        token = form.get("refresh_token", "")
        if token in self.used:
            # Somebody else has it: both lose the account.
            self.revoke()
        if not token or token != self.refresh:
            return self._no("invalid_grant")
        self.used.add(token)
        return web.json_response(self.granted())

    def _for_device(self, form: Mapping[str, str]) -> web.Response:
        self.polls += 1
        if not self.device_code or form.get("device_code") != self.device_code:
            return self._no("invalid_grant")
        if self.device_answers:
            status, answer = self.device_answers.pop(0)
            return web.json_response(answer, status=status)
        return web.json_response(self.granted())

    def _no(self, error: str) -> web.Response:
        self.refused.append(error)
        return web.json_response({"error": error, "error_description": "no"}, status=400)

    async def device(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("client_id") != CLIENT_ID or not form.get("scope"):
            return self._no("invalid_request")
        self.device_code = self.new("device")
        return web.json_response(
            {
                "device_code": self.device_code,
                "user_code": self.user_code,
                "verification_url": f"{self.url}/type",
                "expires_in": 600,
                "interval": 0.05,
            }
        )

    async def me(self, request: web.Request) -> web.Response:
        if not self.access or request.headers.get("Authorization") != f"Bearer {self.access}":
            return web.json_response({"error": "expired"}, status=401)
        return web.json_response(
            {"id": self.account, "name": f"The {self.account}", "writes": self.may_write}
        )


def follow(address: str) -> tuple[int, str]:
    """What a browser that is sent to `address` shows."""
    try:
        with urlopen(Request(address), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


@contextmanager
def running() -> Iterator[Orchard]:
    """The platform on a thread of its own, so that commands in this process and in others may ask it."""
    orchard, loop, ready = Orchard(), asyncio.new_event_loop(), threading.Event()
    app = web.Application()
    app.router.add_post("/token", orchard.token)
    app.router.add_post("/device", orchard.device)
    app.router.add_get("/me", orchard.me)
    runner = web.AppRunner(app)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        orchard.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()

    def run() -> None:
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(30)
        yield orchard
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)


class OrchardOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr | None = None


class OrchardAdapter:
    Options: ClassVar[type[BaseModel]] = OrchardOptions
    connect: ClassVar[Connect] = Connect(
        ("An orchard with a client.", "需要一个果园客户端。"),
        oauth=OAuth(
            authorize_url="{base_url}/authorize",
            token_url="{base_url}/token",
            device_url="{base_url}/device",
            scopes=SCOPES,
            more_scopes=("profile",),
        ),
    )

    def __init__(
        self,
        options: OrchardOptions,
        *,
        http: aiohttp.ClientSession,
        clock: Clock,
        vault: Vault | None = None,
    ) -> None:
        self.capabilities = Capabilities(1000, "any", False, True, 0.0, 0.0, 0.0)
        self._options = options
        self._http = Http(http, options.base_url, clock=clock)
        self._vault = vault or MemoryVault()
        self._access = ""

    async def open(self) -> Account:
        self._access = (await self._vault.load()).get("access_token", "")
        if not self._access:
            await self.refresh_auth()
        data = (await self._me()).data
        can = {"read": True, "reply": bool(data["writes"]), "prune": True}
        return Account(data["id"], data["name"], can)

    async def refresh_auth(self) -> None:
        kept = await self._vault.load()
        if kept.get("access_token") and kept["access_token"] != self._access:
            self._access = kept["access_token"]
            return
        given = self._options.refresh_token
        form = {
            "grant_type": "refresh_token",
            "client_id": self._options.client_id,
            "client_secret": self._options.client_secret.get_secret_value(),
            "refresh_token": kept.get("refresh_token") or (given.get_secret_value() if given else ""),
        }
        answer = await self._http.write("POST", "/token", form=form)
        if answer.status != 200:
            raise ReauthRequired("orchard: the refresh token is refused; connect the account again")
        tokens = {name: answer.data[name] for name in ("access_token", "refresh_token")}
        await self._vault.save(tokens)
        self._access = tokens["access_token"]

    async def baseline(self, since: datetime) -> Cursor:
        await self._me()
        return {"since": since.isoformat()}

    async def poll(self, cursor: Cursor, budget: Budget) -> CommentPage:
        await self._me()
        return CommentPage((), (), cursor, complete=True)

    async def reply(self, target: CommentRef, text: str, key: str) -> ReplyRef:
        raise Transient("orchard: nobody answers here", ambiguous=False)

    async def find_own_replies(self, target: CommentRef, since: datetime) -> list[ReplyRef]:
        return []

    async def aclose(self) -> None:
        self._access = ""

    async def _me(self) -> Answer:
        if not self._access:
            raise AuthExpired("orchard: no token")
        return await self._http.read("/me", headers={"Authorization": f"Bearer {self._access}"})


class BasketOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: BaseUrl
    app_password: SecretStr


class BasketAdapter(OrchardAdapter):
    """The same without consent: an app password, which is the access token."""

    Options: ClassVar[type[BaseModel]] = BasketOptions
    connect: ClassVar[Connect] = Connect(
        ("An app password.", "需要应用密码。"), page="https://orchard.test/me"
    )

    def __init__(self, options: Any, **parts: Any) -> None:
        super().__init__(options, **parts)
        self._password = options.app_password.get_secret_value()

    async def open(self) -> Account:
        self._access = self._password
        try:
            data = (await self._me()).data
        except AuthExpired as error:
            raise ReauthRequired("basket: the app password is refused; make a new one") from error
        return Account(data["id"], data["name"], {"read": True})

    async def refresh_auth(self) -> None:
        raise ReauthRequired("basket: the app password is refused; make a new one")


def register(folder: Path) -> Path:
    """A folder that, on the path of a Python, makes these adapters known to it."""
    info = folder / "orchard-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: orchard\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[rejoinder.adapters]\norchard = tests.oauth_platform:OrchardAdapter\n"
        "basket = tests.oauth_platform:BasketAdapter\n"
    )
    return folder

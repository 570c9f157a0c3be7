"""The calls to a server of the AT Protocol, as the account that is logged in."""

from datetime import UTC, datetime

from adapters.bluesky_rows import is_absent, refusal
from adapters.bluesky_session import Session
from adapters.http import Answer, Http, Params


class Server:
    """Methods are named as in the lexicons, such as app.bsky.feed.getPosts."""

    def __init__(self, http: Http, session: Session) -> None:
        self._http = http
        self._session = session

    async def ask(self, method: str, params: Params | None = None) -> Answer:
        """Any answer, an error of the method's own included. Raises AdapterError."""
        return await self._http.read(f"/xrpc/{method}", params=params, headers=self._session.headers())

    async def read(self, method: str, params: Params | None = None) -> Answer:
        """A good answer. Raises AdapterError for any other."""
        answer = await self.ask(method, params)
        if answer.status != 200:
            raise refusal(method, answer)
        return answer

    async def record(self, repo: str, collection: str, rkey: str) -> Answer | None:
        """None where there is no such record."""
        params = {"repo": repo, "collection": collection, "rkey": rkey}
        answer = await self.ask("com.atproto.repo.getRecord", params)
        if is_absent(answer):
            return None
        if answer.status != 200:
            raise refusal("getRecord", answer)
        return answer

    async def put(self, repo: str, collection: str, rkey: str, record: object, *, swap: str | None) -> Answer:
        """Write a record in the place of version `swap`, None for no version; else the answer is `InvalidSwap`."""
        body = {"repo": repo, "collection": collection, "rkey": rkey, "record": record, "swapRecord": swap}
        return await self._http.write(
            "POST", "/xrpc/com.atproto.repo.putRecord", headers=self._session.headers(), body=body
        )


def stamp(moment: datetime) -> str:
    """A time as the lexicons want it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

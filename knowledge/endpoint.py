"""One OpenAI-compatible server, asked for embeddings or scores: deadline, retries, errors with their cure."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import openai

from knowledge.embedder import ModelError

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 20.0
_AGAIN = frozenset({408, 409, 425, 429})


class RequestRefused(ModelError):
    """The server understood the request and will not do it; asking again as it is won't help."""


class Endpoint:
    """Posts JSON. Safe to use from several threads."""

    def __init__(
        self,
        base_url: str,
        *,
        setting: str,
        api_key: str | None = None,
        deadline_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`setting` is what messages tell people to change, such as `embedder`.

        A request is repeated until it succeeds or `deadline_s` seconds have passed. Raises ModelError when `base_url`
        is no HTTP address.
        """
        if not re.match(r"https?://[^/\s]", base_url):
            raise ModelError(
                f"{base_url!r} is not an HTTP address; set {setting}_url to one such as http://127.0.0.1:8000/v1"
            )
        self.base_url, self._setting, self._key = base_url, setting, api_key
        self._deadline_s, self._sleep = deadline_s, sleep
        self._client = openai.OpenAI(
            base_url=base_url,
            # The client insists on a key; servers without one ignore it.
            api_key=api_key if api_key else "none",
            max_retries=0,
            # As the rest of the service: no proxy that the environment happens to name.
            http_client=openai.DefaultHttpxClient(trust_env=False),
        )

    def post(
        self, path: str, body: Mapping[str, object], *, deadline_s: float | None = None
    ) -> dict[str, Any]:
        """The answer to `body`. Raises RequestRefused, or ModelError when there is none before the deadline."""
        deadline = time.monotonic() + (self._deadline_s if deadline_s is None else deadline_s)
        pause = FIRST_PAUSE_S
        while True:
            try:
                return self._once(path, body, max(0.1, deadline - time.monotonic()))
            except _Unavailable as error:
                wait = min(max(pause, error.wait_s), LONGEST_PAUSE_S)
                if time.monotonic() + wait >= deadline:
                    raise ModelError(str(error)) from error
            self._sleep(wait)
            pause *= 2

    def _once(self, path: str, body: Mapping[str, object], timeout_s: float) -> dict[str, Any]:
        try:
            answer = self._client.post(
                path, body=dict(body), cast_to=object, options={"timeout": timeout_s, "max_retries": 0}
            )
        except openai.APITimeoutError as error:
            raise _Unavailable(
                f"{self.base_url} did not answer within {timeout_s:.1f} s; try again"
            ) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ if error.__cause__ is not None else error
            raise _Unavailable(
                f"{self.base_url} cannot be reached ({cause}); is the server running?"
            ) from error
        except openai.APIStatusError as error:
            raise self._from_status(error) from error
        except (openai.OpenAIError, ValueError) as error:
            raise self.nonsense(type(error).__name__) from error
        if not isinstance(answer, dict):
            raise self.nonsense("no JSON object")
        return answer

    def _from_status(self, error: openai.APIStatusError) -> ModelError:
        status, said = error.status_code, " ".join(error.message.split())[:200]
        if self._key:
            said = said.replace(self._key, "***")
        told = f"{self.base_url} answered {status} ({said})"
        if status in _AGAIN or status >= 500:
            return _Unavailable(
                f"{told}; try again later", _seconds(error.response.headers.get("retry-after"))
            )
        cures = {
            401: f"check {self._setting}_key",
            403: f"check {self._setting}_key and what it may use",
            404: f"check {self._setting}_url (it ends with /v1) and {self._setting}, the name of the model there",
        }
        cure = cures.get(status, f"check {self._setting} and what the server was started for")
        return RequestRefused(f"{told}; {cure}")

    def nonsense(self, what: str) -> ModelError:
        """The error for an answer that cannot be used."""
        return ModelError(
            f"{self.base_url} sent an answer that cannot be used ({what}); "
            f"check that {self._setting}_url and {self._setting} are right for this"
        )

    def close(self) -> None:
        self._client.close()


class _Unavailable(ModelError):
    """Asking again may help."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def _seconds(header: str | None) -> float:
    return float(header) if header is not None and re.fullmatch(r"\d{1,4}(?:\.\d+)?", header) else 0.0

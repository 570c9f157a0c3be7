"""When to ask a server that failed again, and how much to ask of one that works. Pure; the clock is passed in."""

from dataclasses import dataclass, replace
from typing import Literal

FAILURES = 3
"""Failures in a row after which a server is left alone."""
PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """A circuit breaker: closed; open until `until`; then half-open, which lets one request through as a probe.

    Times are seconds of any clock that only goes forward.
    """

    failures: int = 0
    """In a row."""
    until: float | None = None
    """None: closed."""
    probing: bool = False

    def state(self, now: float) -> Literal["closed", "open", "half-open"]:
        if self.until is None:
            return "closed"
        return "open" if now < self.until else "half-open"

    def lets_through(self, now: float) -> bool:
        state = self.state(now)
        return state == "closed" or (state == "half-open" and not self.probing)

    def asked(self, now: float) -> "Breaker":
        return replace(self, probing=self.state(now) == "half-open" or self.probing)

    def worked(self) -> "Breaker":
        return Breaker()

    def failed(self, now: float) -> "Breaker":
        failures = self.failures + 1
        if failures < FAILURES:
            return Breaker(failures)
        if self.state(now) == "open":
            return replace(self, probing=False)  # requests that were under way together count as one failure
        pause = min(LONGEST_PAUSE_S, PAUSE_S * 2.0 ** min(failures - FAILURES, 10))
        return Breaker(failures, now + pause)

    def gave_up(self) -> "Breaker":
        """Whoever asked went away before an answer came: nothing was learned."""
        return replace(self, probing=False)


def next_limit(limit: int, most: int, waiting: int) -> int:
    """How many requests a server gets at once from now on: at least 1 and at most `most`.

    A queue at the server takes off as many as wait there, a quarter at a time; without one the limit grows back.
    """
    if waiting > 0:
        return max(1, limit - min(waiting, max(1, limit // 4)))
    return min(most, limit + max(1, most // 8))

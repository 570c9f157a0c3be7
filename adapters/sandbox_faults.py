"""The sandbox site's fault switches: how a real platform misbehaves, on demand."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

Switch = float | int
"""An integer n: the next n calls. A float from 0.0 to 1.0: each call with that probability."""

_SETTINGS = frozenset({"seed", "retry_after_s", "hang_s"})


@dataclass(slots=True)
class Faults:
    """What goes wrong in the creator's API. A visitor's calls never fail.

    `calls` names the calls that may fail (`me`, `list`, `posts`, `thread`, `reply`, `delete`); empty means all.
    """

    seed: int = 0
    calls: frozenset[str] = frozenset()
    retry_after_s: float = 1.0
    hang_s: float = 30.0
    """How long a call that times out is kept waiting, in seconds."""

    rate_limited: Switch = 0
    """429 with Retry-After; nothing is stored."""
    expire_token: Switch = 0
    """401, and every access token handed out so far stays invalid."""
    hang: Switch = 0
    """No answer, nothing stored."""
    error_before_store: Switch = 0
    """500, nothing stored."""
    delete_target: Switch = 0
    """The comment is deleted just before the reply to it arrives."""
    error_after_store: Switch = 0
    """500, although the reply was stored."""
    timeout_after_store: Switch = 0
    """No answer, although the reply was stored."""
    drop_after_store: Switch = 0
    """The connection breaks, although the reply was stored."""
    malformed_json: Switch = 0
    truncated_json: Switch = 0
    html_page: Switch = 0
    """200 with a web page."""
    numeric_ids: Switch = 0
    """Ids as JSON numbers."""
    missing_fields: Switch = 0
    """The first row of a list comes without id and time."""
    same_page: Switch = 0
    """The list answers its first page, with a next page, whatever page was asked for."""

    _random: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311

    def hit(self, name: str, call: str) -> bool:
        """Whether the fault `name` strikes this call; a counted switch counts down."""
        if self.calls and call not in self.calls:
            return False
        switch: Switch = getattr(self, name)
        if isinstance(switch, float):
            return switch > 0 and self._random.random() < switch
        if switch > 0:
            setattr(self, name, switch - 1)
        return switch > 0

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Faults":
        """Switches as JSON gives them. Raises ValueError naming the switch that is unknown or out of range."""
        known = {item.name for item in fields(cls) if item.init}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"{name}: unknown switch (known: {', '.join(sorted(known))})")
            if name != "calls":
                _check_number(name, value, is_switch=name not in _SETTINGS)
        calls = values.get("calls", [])
        if not isinstance(calls, list) or not all(isinstance(call, str) for call in calls):
            raise ValueError("calls: must be a list of names")
        return cls(**{**values, "calls": frozenset(calls)})


def _check_number(name: str, value: object, *, is_switch: bool) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{name}: must be a number from 0")
    if is_switch and isinstance(value, float) and value > 1:
        raise ValueError(f"{name}: a probability is at most 1.0; write a count without a decimal point")

"""Whoever makes a request."""

from dataclasses import dataclass
from typing import Final, Literal

from bot.models import Role

RANK: Final = {Role.VIEWER: 0, Role.REVIEWER: 1, Role.OWNER: 2}

Via = Literal["page", "api", "terminal"]


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who has logged in, or a program with that person's token."""

    name: str
    role: Role
    via: Via
    person_id: int = 0
    sitting_id: int | None = None
    """None for a token."""
    csrf: str = ""
    """What every request that changes something must bring; empty for a token."""
    address: str = ""

    def may(self, needs: Role) -> bool:
        """Whether the role is `needs` or above it."""
        return RANK[self.role] >= RANK[needs]

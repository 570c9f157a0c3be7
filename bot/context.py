"""What poller, responder and sender of one process share."""

from dataclasses import dataclass
from datetime import timedelta

from adapters.base import Clock
from bot.connections import Connections
from bot.metrics import Metrics
from bot.planning import PollShare
from bot.settings import ServiceSettings
from bot.store.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Context:
    ledger: Ledger
    connections: Connections
    clock: Clock
    owner: str
    """Marks the leases of this process."""
    settings: ServiceSettings
    metrics: Metrics

    @property
    def polls(self) -> PollShare:
        return PollShare(self.settings.poll_share, self.settings.metered_poll_s)

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.settings.lease_s)

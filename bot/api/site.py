"""The API as a whole: what it is made of, and its routes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from adapters.base import Clock
from bot.api.channels import ChannelsApi
from bot.api.comments import CommentsApi
from bot.api.documents import DocumentsApi
from bot.api.inbox import InboxApi
from bot.api.nights import NightsApi
from bot.api.operations import Operation
from bot.api.serving import routes
from bot.api.stats import StatsApi
from bot.api.verdicts import VerdictsApi
from bot.api.voices import VoicesApi
from bot.persona import PRESETS
from bot.planning import PollShare
from bot.settings import Settings
from bot.stock.uploads import FOLDER as UPLOADS
from bot.store.ledger import Ledger
from bot.voices.keeper import VoiceServers
from bot.web.routes import Route
from knowledge.ingest import Library


@dataclass(frozen=True, slots=True)
class ApiParts:
    """What the API asks and changes."""

    settings: Settings
    ledger: Ledger
    library: Library
    servers: VoiceServers | None
    """None where no model server is configured."""
    clock: Clock
    on_new: Callable[[], None] = lambda: None
    """Called when comments were brought in."""


def operations_of(parts: ApiParts) -> list[Operation]:
    """Every operation."""
    settings, ledger, clock = parts.settings, parts.ledger, parts.clock
    documents = DocumentsApi(
        library=parts.library,
        ledger=ledger,
        clock=clock,
        folder=settings.data_dir / UPLOADS,
        allow_private=settings.knowledge.allow_private_addresses,
    )
    personas = PRESETS.keys() | settings.personas.keys()
    voices = VoicesApi(ledger=ledger, clock=clock, servers=parts.servers, data_dir=settings.data_dir)
    verdicts = VerdictsApi(ledger=ledger, clock=clock, undo_s=settings.review.undo_s)
    polls = PollShare(settings.service.poll_share, settings.service.metered_poll_s)
    channels = ChannelsApi(ledger=ledger, clock=clock, personas=personas, polls=polls)
    return [
        *CommentsApi(ledger=ledger, clock=clock).operations(),
        *verdicts.operations(),
        *channels.operations(),
        *documents.operations(),
        *voices.operations(),
        *NightsApi(ledger=ledger).operations(),
        *InboxApi(
            ledger=ledger, clock=clock, on_new=parts.on_new, shadow=settings.service.shadow
        ).operations(),
        *StatsApi(ledger=ledger, clock=clock).operations(),
    ]


def api_routes(parts: ApiParts) -> Sequence[Route]:
    """Every route of the API, its document among them."""
    return routes(operations_of(parts), version("rejoinder"))

"""The routes of the review desk, of its parts put together."""

from adapters.base import Clock
from bot.planning import PollShare
from bot.settings import ReviewSettings
from bot.store.ledger import Ledger
from bot.translate import Translator
from bot.web.glance import Watcher
from bot.web.rendering import Renderer
from bot.web.review import FixedTexts, ReviewPages
from bot.web.review_bulk import BulkPages
from bot.web.review_live import LiveEvents
from bot.web.review_verdicts import VerdictPages
from bot.web.routes import Route
from bot.writer import Writer


def review_routes(
    *,
    render: Renderer,
    ledger: Ledger,
    watcher: Watcher,
    settings: ReviewSettings,
    fixed: FixedTexts,
    writer: Writer | None,
    clock: Clock,
    polls: PollShare,
) -> list[Route]:
    """`writer` translates comments; None where no model is set up."""
    pages = ReviewPages(
        render=render,
        ledger=ledger,
        watcher=watcher,
        settings=settings,
        fixed=fixed,
        translates=writer is not None,
        clock=clock,
        polls=polls,
    )
    verdicts = VerdictPages(
        pages=pages,
        render=render,
        ledger=ledger,
        settings=settings,
        translator=Translator(ledger, writer) if writer is not None else None,
        clock=clock,
    )
    bulk = BulkPages(render=render, ledger=ledger, settings=settings, clock=clock)
    live = LiveEvents(ledger=ledger, clock=clock)
    return [*pages.routes(), *verdicts.routes(), *bulk.routes(), *live.routes()]

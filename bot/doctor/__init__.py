"""Looks at each part of an installation and says what is wrong and what cures it."""

from collections.abc import AsyncIterator
from itertools import chain
from pathlib import Path

from bot.bootstrap import make_keyring, open_ledger, utc_now
from bot.doctor.channels import channel_findings, persona_findings
from bot.doctor.credentials import credential_findings
from bot.doctor.installation import database_findings, settings_findings
from bot.doctor.knowledge import documents_findings, retrieval_findings
from bot.doctor.model import model_findings, voice_findings
from bot.doctor.nights import night_findings
from bot.doctor.report import Finding, Level
from bot.doctor.webhooks import webhook_findings
from bot.models import Channel
from bot.settings import Settings, SettingsError
from bot.store import channels, credentials, nights, notices, voices
from bot.store.ledger import LedgerError

__all__ = ["Finding", "Level", "examine"]


async def examine(settings: Settings, file: Path | None) -> AsyncIterator[Finding]:
    """Each finding as soon as it is known. Raises nothing that a broken installation can cause."""
    for finding in settings_findings(settings, file):
        yield finding
    findings, known = _ledger_findings(settings)
    for finding in chain(
        findings,
        documents_findings(settings, known or []),
        retrieval_findings(settings),
        persona_findings(settings, known or []),
    ):
        yield finding
    if known is not None:
        async for finding in channel_findings(settings, known):
            yield finding
    async for finding in model_findings(settings):
        yield finding


def _ledger_findings(settings: Settings) -> tuple[list[Finding], list[Channel] | None]:
    """What the database tells, and the channels in it; None where it cannot be read."""
    findings: list[Finding] = []
    known: list[Channel] | None = None
    try:
        with open_ledger(settings) as ledger:
            findings += database_findings(settings, ledger)
            known = ledger.read(channels.every)
            findings += credential_findings(make_keyring(settings), ledger.read(credentials.every), known)
            findings += voice_findings(settings, ledger.read(voices.answering))
            findings += night_findings(settings, ledger.read(nights.last), utc_now())
            findings += webhook_findings(settings, ledger.read(notices.every))
    except (LedgerError, SettingsError, OSError) as error:
        findings.append(Finding("error", "database", str(error)))
    return findings, known

"""Yesterday's canary, once people have judged it: the night goes on from it, else every night would begin anew."""

from datetime import datetime

import structlog
from sqlmodel import Session

from bot.models import Voice
from bot.store import tallies, voice_acts
from bot.voices.canary import Tally, rejected_by_chance
from training.promote import is_ours, visitor

log = structlog.get_logger()


def graduate(session: Session, channel_id: int | None, *, least: int, now: datetime) -> Voice | None:
    """The canary that a night has put there, live from now on; None where there is none, or it is not `proven`.

    A canary that a person has put there stays what it is.
    """
    for trial in tallies.trials(session):
        ours = trial.canary.channel_id == channel_id and is_ours(session, trial.canary)
        if ours and proven(trial.canary_tally, trial.live_tally, least):
            voice = voice_acts.promote(session, visitor(), trial.canary.name, share=None, now=now)
            log.info("canary goes live", voice=voice.name, verdicts=trial.canary_tally.total)
            return voice
    return None


def proven(canary: Tally, live: Tally, least: int) -> bool:
    """`least` verdicts, and rejected no more often than the voice beside it, as far as chance can tell."""
    return canary.total >= least and rejected_by_chance(canary, live) > 0.5 + 1e-9

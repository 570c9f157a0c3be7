"""Tables of the ledger, the only meeting place of poller, responder, sender and reviewers."""

from bot.models.base import Utc
from bot.models.comments import Channel, Comment, Draft, Event, Post, Reply, Signal, State, Verdict
from bot.models.desk import Alert, Hold, KeptText, Webhook
from bot.models.nights import Night, NightStatus
from bot.models.people import ApiToken, AuditEntry, OneTimeLink, Person, Role, Sitting
from bot.models.platforms import Credential, QuotaUse
from bot.models.voices import Voice, VoiceEvent, VoiceStatus

__all__ = [
    "Alert",
    "ApiToken",
    "AuditEntry",
    "Channel",
    "Comment",
    "Credential",
    "Draft",
    "Event",
    "Hold",
    "KeptText",
    "Night",
    "NightStatus",
    "OneTimeLink",
    "Person",
    "Post",
    "QuotaUse",
    "Reply",
    "Role",
    "Signal",
    "Sitting",
    "State",
    "Utc",
    "Verdict",
    "Voice",
    "VoiceEvent",
    "VoiceStatus",
    "Webhook",
]

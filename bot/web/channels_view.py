"""From channels to what their pages print. Pure."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from adapters.inbox_options import PLATFORM
from bot.models import Channel, State
from bot.opening import DAYS, next_opening
from bot.overview import would_send
from bot.plain import excerpt
from bot.references import refers
from bot.settings import ChannelRulesSettings, Language, ServiceSettings, Settings
from bot.store.dashboard import Drafted
from bot.store.outlook import Outlook, Spent
from bot.web.channel_form import INTENTS, Typed
from bot.web.overview_view import clock_time, rate
from bot.web.view import ERROR_CHARS, ago
from bot.web.words import WORDS, state_word

PLANNED_SHOWN: Final = 10
THRESHOLDS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_TOLD: Final = (State.REVIEW, State.NEW, State.READY, State.SENDING, State.UNKNOWN, State.FAILED)


def list_context(
    found: Sequence[Channel],
    waiting: Mapping[int, Mapping[State, int]],
    service: ServiceSettings,
    language: Language,
    now: datetime,
) -> dict[str, Any]:
    """What the list needs."""
    cards = [channel_card(one, waiting.get(one.id or 0, {}), language, now) for one in found]
    return {"cards": cards, "everywhere": service.shadow}


def channel_card(
    channel: Channel, waiting: Mapping[State, int], language: Language, now: datetime
) -> dict[str, Any]:
    """How a channel is."""
    words = WORDS[language]
    condition = "paused" if channel.paused else "error" if channel.last_error else "active"
    since = channel.error_since
    return {
        "id": channel.id,
        "name": channel.name,
        "platform": channel.platform,
        "condition": condition,
        "condition_word": words["ch_to_connect" if channel.to_connect else condition],
        "shadow": channel.shadow,
        "paused": channel.paused,
        "account": words["as"].format(name=excerpt(channel.account_name, 60)) if channel.account_name else "",
        "polled": words["polled"].format(ago=ago(now, channel.last_poll_at, words))
        if channel.last_poll_at
        else words["never"],
        "error": excerpt(channel.last_error, ERROR_CHARS) if channel.last_error else "",
        "since": words["ch_since"].format(ago=ago(now, since, words)) if channel.last_error and since else "",
        "failures": words["failures"].format(number=channel.failures) if channel.failures > 1 else "",
        "cure": words[_cure(channel)] if channel.last_error or channel.to_connect else "",
        "command": f"rejoinder channels connect {shlex.quote(channel.name)}" if channel.to_connect else "",
        "able": _able(channel.can, words),
        "connected": words["ch_connected"].format(ago=ago(now, channel.connected_at, words))
        if channel.connected_at
        else "",
        "sends": _sends(ChannelRulesSettings.model_validate(channel.rules), words, now),
        "held": words["ov_held"].format(until=clock_time(channel.next_send_at))
        if channel.next_send_at > now
        else "",
        "waiting": [
            {"word": state_word(state, language), "number": waiting[state]} for state in _TOLD if waiting.get(state)
        ],
    }  # fmt: skip


def channel_context(
    channel: Channel,
    form: Typed,
    drafts: Sequence[Drafted],
    *,
    waiting: Mapping[State, int],
    settings: Settings,
    personas: Sequence[str],
    language: Language,
    now: datetime,
    ahead: Outlook,
) -> dict[str, Any]:
    """What the page of one channel needs."""
    words = WORDS[language]
    return {
        "plan": _plan(ahead, words),
        "by_hand": channel.platform == PLATFORM and channel.options.get("delivery", "person") == "person",
        "card": channel_card(channel, waiting, language, now),
        "everywhere": settings.service.shadow,
        "values": form.values,
        "errors": {name: _wrong(name, line, language) for name, line in form.errors.items()},
        "intents": [{"code": intent, "word": words[f"ch_intent_{intent}"]} for intent in INTENTS],
        "week": [{"code": day, "word": words[f"ch_{day}"]} for day in DAYS],
        "personas": personas,
        "default_support": f"{settings.policy.min_support:g}",
        "preview": _preview(form, drafts, settings.policy.min_support, words),
        "secrets": secret_names(channel.options),
        "post_tags": len(ChannelRulesSettings.model_validate(channel.rules).post_tags),
    }


def _plan(ahead: Outlook, words: Mapping[str, str]) -> dict[str, Any]:
    """When the next replies go out, and what the platform's budget still pays for."""
    rows = list(ahead.goes.items())[:PLANNED_SHOWN]
    return {
        "budget": budget_line(ahead.spent, words) if ahead.spent is not None else "",
        "ready": words["ch_plan_ready"].format(number=ahead.ready),
        "rows": [
            {"id": number, "at": words["ch_plan_never"] if at is None else clock_time(at)}
            for number, at in rows
        ],
        "more": words["ch_plan_more"].format(number=ahead.ready - len(rows))
        if rows and ahead.ready > len(rows)
        else "",
    }


def budget_line(spent: Spent, words: Mapping[str, str]) -> str:
    """How much of the budget is used, and how many replies it still pays for."""
    return words["ch_budget"].format(
        used=f"{spent.used:,}",
        units=f"{spent.units:,}",
        today=f"{spent.today:,}",
        a_day=f"{spent.a_day:,}",
        resets=clock_time(spent.resets_at),
    )


def _wrong(field: str, line: str, language: Language) -> str:
    """What is wrong with a field; the settings say it in English only."""
    told = WORDS[language].get(f"ch_bad_{field}") if language == "zh" else None
    return told or excerpt(line, ERROR_CHARS)


def secret_names(options: Mapping[str, Any]) -> list[str]:
    """The options that refer to a secret; neither what they refer to nor any other option is told."""
    return sorted(name for name, value in options.items() if refers(value))


def _preview(
    form: Typed, drafts: Sequence[Drafted], default: float, words: Mapping[str, str]
) -> dict[str, Any]:
    """How many of the drafts would have gone out with the intents of the form, by threshold."""
    rules = ChannelRulesSettings.model_validate(form.rules) if form.rules is not None else None
    given = default if rules is None or rules.min_support is None else rules.min_support
    # Without an intent nothing goes out; what each threshold would mean is told for questions then.
    intents = form.values["send"] or ["question"]
    rows = [
        {
            "least": f"{least:g}",
            "sent": would_send(drafts, intents, least),
            "rate": rate(would_send(drafts, intents, least) / len(drafts)) if drafts else "–",
            "chosen": least == given and rules is not None,
        }
        for least in sorted({*THRESHOLDS, given})
    ]
    kinds = ", ".join(words[f"ch_intent_{intent}"] for intent in intents)
    return {
        "number": len(drafts),
        "title": words["ch_preview_for"].format(number=len(drafts), kinds=kinds),
        "rows": rows,
        "closed": not form.values["send"],
    }


def _cure(channel: Channel) -> str:
    """What a person can do about the last error."""
    if channel.to_connect:
        return "ch_cure_connect"
    if channel.paused:
        return "ch_cure_paused"
    return "ch_cure_repeats" if channel.failures > 2 else "ch_cure_waits"


def _able(can: Mapping[str, bool], words: Mapping[str, str]) -> str:
    """What the account may and may not do on the platform; empty where the platform does not say."""
    named = {name: words.get(f"ch_can_{name}", excerpt(name, 40)) for name in sorted(can)}
    may = [named[name] for name in named if can[name]]
    may_not = [named[name] for name in named if not can[name]]
    told = [words["ch_may"].format(able=", ".join(may))] if may else []
    return " · ".join([*told, words["ch_may_not"].format(able=", ".join(may_not))] if may_not else told)


def _sends(rules: ChannelRulesSettings, words: Mapping[str, str], now: datetime) -> str:
    if not rules.send:
        return words["ch_sends_nothing"]
    kinds = ", ".join(words[f"ch_intent_{intent}"] for intent in rules.send)
    told = words["ch_sends"].format(kinds=kinds)
    opens = next_opening(rules.hours, rules.time_zone, now)
    return f"{told} · {words['ch_closed'].format(until=clock_time(opens))}" if opens > now else told

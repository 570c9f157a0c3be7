"""The form of a channel's rules: what is in it, and what is wrong with what was typed. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from bot.opening import DAYS, parse_spans
from bot.settings import ChannelRulesSettings

INTENTS: Final = ("question", "request", "complaint", "praise", "other")
_NUMBERS: Final = (
    "min_support",
    "min_gap_s",
    "max_per_hour",
    "one_reply_s",
    "loop_replies",
    "loop_s",
    "stop_after",
)
_FALLING_BACK: Final = frozenset({"loop_replies", "loop_s", "stop_after"})
"""Numbers that are never nothing: left empty, they are as if nobody had set them."""
_LISTS: Final = ("tags", "bots")
_LABELS: Final = {"label_en": "en", "label_zh": "zh"}
_FIELDS: Final = frozenset(
    {"send", *_NUMBERS, *_LISTS, "delay_s", "label", "persona", "hours", "time_zone", "send_tools"}
)
"""What the form sets; tags of single posts are set on the command line and stay."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A form as it was typed, and the rules that it means."""

    values: Mapping[str, Any]
    """By field; the hours by day."""
    rules: dict[str, Any] | None
    """None where something is wrong."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """By field, one line each."""


def shown(rules: ChannelRulesSettings) -> dict[str, Any]:
    """The form's values as they stand in the ledger."""
    numbers = {name: _plain(getattr(rules, name)) for name in _NUMBERS}
    return {
        **numbers,
        "send": list(rules.send),
        **{name: ", ".join(getattr(rules, name)) for name in _LISTS},
        "delay_s": ", ".join(map(_plain, rules.delay_s)),
        **{field: rules.label.get(language, "") for field, language in _LABELS.items()},  # type: ignore[call-overload]
        "persona": rules.persona or "",
        "time_zone": rules.time_zone,
        "send_tools": rules.send_tools,
        "hours": {day: ", ".join(rules.hours.get(day, [])) for day in DAYS},
    }


def typed(form: Mapping[str, Sequence[str]], known: Mapping[str, Any], personas: Sequence[str]) -> Typed:
    """What a form means, over the rules that are `known`. `form`: every value of each field."""
    values = _values(form)
    errors: dict[str, str] = {}
    hours: dict[str, list[str]] = {}
    for day, text in values["hours"].items():
        try:
            hours |= {day: spans} if (spans := parse_spans(text)) else {}
        except ValueError as error:
            errors["hours"] = f"{day}: {error}"
    if values["persona"] and values["persona"] not in personas:
        errors["persona"] = f"there is no persona {values['persona']!r}; known: {', '.join(personas)}"
    given = {
        **{
            name: number
            for name in _NUMBERS
            if (number := _number(values[name])) is not None or name not in _FALLING_BACK
        },
        "send": values["send"],
        **{name: _pieces(values[name]) for name in (*_LISTS, "delay_s")},
        "label": {language: values[field] for field, language in _LABELS.items() if values[field]},
        "persona": values["persona"] or None,
        "time_zone": values["time_zone"],
        "send_tools": values["send_tools"],
        "hours": hours,
    }
    kept = {name: value for name, value in known.items() if name not in _FIELDS}
    try:
        rules = ChannelRulesSettings.model_validate({**kept, **given})
    except ValidationError as error:
        return Typed(values, None, {**_told(error), **errors})
    return Typed(values, None if errors else rules.model_dump(exclude_none=True), errors)


def _values(form: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    def first(name: str) -> str:
        return next(iter(form.get(name, ())), "").strip()

    return {
        **{name: first(name) for name in (*_NUMBERS, *_LISTS, *_LABELS, "delay_s", "persona", "time_zone")},
        "send": [intent for intent in INTENTS if intent in form.get("send", ())],
        "send_tools": bool(first("send_tools")),
        "hours": {day: first(f"hours_{day}") for day in DAYS},
    }


def _told(error: ValidationError) -> dict[str, str]:
    """The first thing that is wrong with each field."""
    told: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        name, *inner = map(str, problem["loc"])
        # A label is a field for each language.
        field_name = f"{name}_{inner[0]}" if name == "label" and inner else name
        told.setdefault(field_name, problem["msg"].removeprefix("Value error, "))
    return told


def _pieces(text: str) -> list[str]:
    return [piece.strip() for piece in text.replace("，", ",").split(",") if piece.strip()]


def _number(text: str) -> str | None:
    """None where the field was left empty; what is no number is told by the settings."""
    # What may be thousands, or a fraction, is not guessed.
    if re.fullmatch(r"[1-9]\d{0,2}([,，]\d{3})+", text):
        return text
    return text.replace("，", ".").replace(",", ".") or None


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:g}"

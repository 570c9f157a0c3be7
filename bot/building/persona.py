"""From the settings to the personas that answer."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.models import Channel
from bot.persona import PRESETS, Example, Persona
from bot.settings import ChannelRulesSettings, Language, PersonaSettings, Settings


def make_persona(settings: PersonaSettings, base: Persona | None = None) -> Persona:
    """`base` (default: the default persona), or the preset that is named, with what the owner changed."""
    base = base if base is not None else Persona()
    start = replace(PRESETS[settings.preset], name=base.name) if settings.preset else base
    single = ("name", "tone", "max_sentences", "match_length")
    given = {name: value for name in single if (value := getattr(settings, name)) is not None}
    return replace(
        start,
        **given,
        rules=start.rules if settings.rules is None else tuple(settings.rules),
        do=(*start.do, *settings.do),
        dont=(*start.dont, *settings.dont),
        greetings=dict(start.greetings) | _texts(settings.greetings),
        closings=dict(start.closings) | _texts(settings.closings),
        signatures=dict(start.signatures) | _texts(settings.signatures),
        cannot_answer=dict(start.cannot_answer) | _texts(settings.cannot_answer),
        examples=tuple(Example(one.comment, one.reply) for one in settings.examples) or start.examples,
    )


def _texts(given: Mapping[Language, str]) -> dict[str, str]:
    return {str(language): text for language, text in given.items()}


def make_personas(settings: Settings) -> dict[str, Persona]:
    """Every persona that a channel can ask for by name: the presets, and the owner's own, which go before them."""
    default = make_persona(settings.persona)
    presets = {name: replace(preset, name=default.name) for name, preset in PRESETS.items()}
    own = {name: make_persona(given, default) for name, given in settings.personas.items()}
    return presets | own


def persona_of(settings: Settings) -> Callable[[Channel], Persona]:
    """Who answers on a channel, by its rules; a name that nobody has is the default persona's."""
    default, named = make_persona(settings.persona), make_personas(settings)

    def choose(channel: Channel) -> Persona:
        rules = ChannelRulesSettings.model_validate(channel.rules)
        return named.get(rules.persona or "", default)

    return choose

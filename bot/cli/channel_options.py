"""What `channels` is given on the command line, checked: the adapter's options, and the rules."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_origin

from pydantic import ValidationError

from adapters.base import AdapterFactory
from adapters.registry import BadOptions, UnknownPlatform, available
from bot.cli.errors import Misuse
from bot.connections import secret_fields
from bot.opening import parse_week
from bot.references import refers
from bot.settings import ChannelRulesSettings
from bot.tools.settings import Day

_OPTIONS = {"tags": "tag", "post_tags": "post-tag", "bots": "bot"}
"""Rules whose option has another name."""


def factory_of(platform: str) -> AdapterFactory:
    """Raises UnknownPlatform."""
    factories = available()
    if platform not in factories:
        raise UnknownPlatform(f"unknown platform {platform!r}; known: {', '.join(factories)}")
    return factories[platform]


def read_options(platform: str, given: Sequence[str]) -> dict[str, Any]:
    """`KEY=VALUE` texts as the adapter's options, not checked, with references where secrets belong.

    Raises UnknownPlatform, BadOptions, Misuse.
    """
    factory = factory_of(platform)
    options: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            # The text itself is not repeated: it may be a secret.
            raise Misuse("--option needs KEY=VALUE; 'rejoinder channels platforms' lists the keys")
        options[key] = [*options.get(key, []), value] if is_list(factory, key) else value
    for key in secret_fields(factory) & options.keys():
        if not refers(options[key]):
            raise BadOptions(
                f"{key} is a secret and must not stand on the command line; give {key}=env:NAME or {key}=file:PATH, or "
                "leave it out on a terminal to type it in"
            )
    return options


def is_list(factory: AdapterFactory, key: str) -> bool:
    """Such an option is given once for each of its items."""
    field = factory.Options.model_fields.get(key)
    return field is not None and get_origin(field.annotation) in (list, tuple, set, frozenset)


def checked_rules(
    known: Mapping[str, Any],
    send: Sequence[str] | None,
    min_support: float | None,
    min_gap_s: float | None,
    max_per_hour: int | None,
    *,
    tags: Sequence[str] | None = None,
    post_tags: Sequence[str] | None = None,
    persona: str | None = None,
    personas: Collection[str] = (),
    send_tools: bool | None = None,
    hours: Sequence[str] | None = None,
    time_zone: str | None = None,
    manners: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`known` with what was given; `post_tags` are POST=TAG texts, `persona` is one of `personas`, or empty for the
    default one, `hours` are DAYS=SPANS texts for the whole week, none of them for always open; `manners` are more rules
    by name. Raises Misuse.
    """
    refuse_unknown_persona(persona, personas)
    given = {
        "send": send,
        "min_support": min_support,
        "min_gap_s": min_gap_s,
        "max_per_hour": max_per_hour,
        "send_tools": send_tools,
        "tags": tags,
        "persona": persona,
        "hours": None if hours is None else _week(hours),
        "time_zone": time_zone,
        **(manners or {}),
        "post_tags": None if post_tags is None else _with_posts(known.get("post_tags", {}), post_tags),
    }
    merged = {**known, **{key: value for key, value in given.items() if value is not None}}
    merged["persona"] = merged.get("persona") or None
    try:
        return ChannelRulesSettings.model_validate(merged).model_dump(exclude_none=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = _OPTIONS.get(str(first["loc"][0]), str(first["loc"][0]).replace("_", "-"))
        raise Misuse(f"--{option}: {first['msg'].removeprefix('Value error, ')}") from error


def _week(texts: Sequence[str]) -> dict[Day, list[str]]:
    try:
        return parse_week(texts)
    except ValueError as error:
        raise Misuse(f"--hours: {error}") from error


def with_labels(known: Mapping[str, str], given: Sequence[str]) -> dict[str, str]:
    """`known` with LANGUAGE=TEXT texts; LANGUAGE= takes that one back. Raises Misuse."""
    merged = dict(known)
    for text in given:
        language, equals, label = text.partition("=")
        if not equals:
            raise Misuse(f"--label {text!r} needs LANGUAGE=TEXT, such as en='(AI-assisted reply)'")
        merged[language] = label.strip()
    return {language: label for language, label in merged.items() if label}


def refuse_unknown_persona(persona: str | None, personas: Collection[str]) -> None:
    """Raises Misuse."""
    if persona and persona not in personas:
        raise Misuse(
            f"there is no persona {persona!r}; known: {', '.join(sorted(personas))}; "
            "write a table [personas.NAME] into the settings for another"
        )


def _with_posts(known: Mapping[str, Sequence[str]], given: Sequence[str]) -> dict[str, list[str]]:
    """`known` with the posts of `given`, whose tags are replaced; POST= alone frees the post of its own tags."""
    named: dict[str, list[str]] = {}
    for text in given:
        # The last sign of equality: a post may be an address with some of its own.
        post, equals, tag = text.rpartition("=")
        if not equals or not post:
            raise Misuse(f"--post-tag {text!r} needs POST=TAG, with the platform's number of the post")
        named.setdefault(post, []).extend([tag] if tag.strip() else [])
    merged = {**{post: list(tags) for post, tags in known.items()}, **named}
    return {post: tags for post, tags in merged.items() if tags}


def options_of(factory: AdapterFactory) -> list[dict[str, str]]:
    """The options of a platform: name, kind (option_secret, option_needed, option_free) and default."""
    secrets = secret_fields(factory)
    return [
        {
            "name": name,
            "kind": _kind(name in secrets, field.is_required()),
            "default": "" if field.is_required() or name in secrets else str(field.get_default()),
        }
        for name, field in factory.Options.model_fields.items()
    ]


def _kind(secret: bool, required: bool) -> str:
    if secret:
        return "option_secret" if required else "option_free_secret"
    return "option_needed" if required else "option_free"

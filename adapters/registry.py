"""Finds adapters by name. Third parties register theirs under the entry-point group `rejoinder.adapters`."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Final

import aiohttp
import structlog
from pydantic import BaseModel, ValidationError

from adapters.base import AdapterFactory, Clock, PlatformAdapter, Vault

GROUP: Final = "rejoinder.adapters"

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class UnknownPlatform(ValueError):
    """No adapter is registered under this name."""


class BadOptions(ValueError):
    """A channel's options do not fit its adapter. The message is one line and holds no option's value."""


def available() -> dict[str, AdapterFactory]:
    """Every adapter that can be loaded, by name. One that cannot is logged and left out."""
    found: dict[str, AdapterFactory] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            found[point.name] = point.load()
        except (ImportError, AttributeError) as exc:
            log.warning("adapter cannot be loaded", platform=point.name, target=point.value, error=str(exc))
    return found


def build(
    platform: str, options: Mapping[str, Any], http: aiohttp.ClientSession, clock: Clock, vault: Vault
) -> PlatformAdapter:
    """The adapter for `platform`; no I/O happens. Raises UnknownPlatform or BadOptions.

    `http` should hold no cookies (`aiohttp.DummyCookieJar`): adapters of one session share its jar.
    """
    factory = _factory(platform)
    return factory(check_options(platform, factory, options), http=http, clock=clock, vault=vault)


def check_options(platform: str, factory: AdapterFactory, options: Mapping[str, Any]) -> BaseModel:
    """`options` as the adapter's own model. Raises BadOptions."""
    try:
        return factory.Options.model_validate(dict(options))
    except ValidationError as exc:
        known = ", ".join(factory.Options.model_fields)
        problems = "; ".join(
            _problem(error, known) for error in exc.errors(include_url=False, include_input=False)
        )
        raise BadOptions(f"channel options for {platform}: {problems}") from None


def _factory(platform: str) -> AdapterFactory:
    factories = available()
    if platform not in factories:
        known = ", ".join(factories) or "none: install the package again"
        raise UnknownPlatform(f"unknown platform '{platform}'; known platforms: {known}")
    return factories[platform]


def _problem(error: Any, known: str) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "options"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key (known: {known})"
    if error["type"] == "missing":
        return f"{key}: missing"
    return f"{key}: {error['msg'].removeprefix('Value error, ')}"

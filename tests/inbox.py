"""The inbox as an installed platform, whatever the environment's entry points say."""

from collections.abc import Mapping

import pytest

from adapters import registry
from adapters.base import AdapterFactory
from adapters.inbox import InboxAdapter


def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `adapters.registry` know it: an environment that was installed before it does not."""
    known = registry.available

    def with_inbox() -> Mapping[str, AdapterFactory]:
        return {**known(), "inbox": InboxAdapter}

    for module in ("adapters.registry", "bot.connections", "bot.cli.channel_options", "bot.cli.channels"):
        monkeypatch.setattr(f"{module}.available", with_inbox)

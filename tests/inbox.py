"""The inbox as an installed platform, whatever the environment's entry points say."""

from importlib.metadata import EntryPoint, entry_points

import pytest

from adapters import registry
from bot import connections


def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `adapters.registry` know it: an environment that was installed before it does not."""
    ours = EntryPoint("inbox", "adapters.inbox:InboxAdapter", registry.GROUP)

    def known(group: str) -> list[EntryPoint]:
        return [ours, *(point for point in entry_points(group=group) if point.name != ours.name)]

    monkeypatch.setattr(registry, "entry_points", known)
    connections._secret_names.cache_clear()

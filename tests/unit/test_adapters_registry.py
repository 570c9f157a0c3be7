"""Adapters are found by name, and bad options get one clear line without a secret."""

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters import registry
from adapters.base import MemoryVault
from adapters.isso import IssoAdapter
from adapters.registry import GROUP, BadOptions, UnknownPlatform, available, build
from adapters.sandbox import SandboxAdapter
from adapters.sandbox_site import utc_now

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
SECRET = "do-not-print-this-secret"
GOOD = {"base_url": "http://127.0.0.1:1/", "refresh_token": SECRET}


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry points that the project declares, and two broken ones of a third party."""
    named = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"][GROUP]
    broken = {"gone": "no_such_module:Adapter", "renamed": "adapters.base:NoSuchAdapter"}
    points = [EntryPoint(name, value, GROUP) for name, value in {**named, **broken}.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == GROUP else [])


def refusal(options: dict[str, Any], platform: str = "sandbox") -> str:
    with pytest.raises(BadOptions) as refused:
        build(platform, options, None, utc_now, MemoryVault())  # type: ignore[arg-type]
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.__cause__ is None
    return str(refused.value)


def test_the_declared_adapters_load_and_broken_ones_are_logged_and_left_out() -> None:
    with capture_logs() as logs:
        found = available()
    named = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"][GROUP]
    assert set(found) == set(named)
    assert (found["isso"], found["sandbox"]) == (IssoAdapter, SandboxAdapter)
    assert {entry["platform"] for entry in logs} == {"gone", "renamed"}


def test_an_adapter_is_built_without_any_call() -> None:
    adapter = build("sandbox", GOOD, None, utc_now, MemoryVault())  # type: ignore[arg-type]
    assert adapter.capabilities.min_reply_gap_s == 0


def test_an_unknown_platform_names_the_known_ones() -> None:
    with pytest.raises(
        UnknownPlatform, match=r"unknown platform 'myspace'; known platforms: .*isso, .*sandbox"
    ):
        build("myspace", {}, None, utc_now, MemoryVault())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base_url": None}, "base_url"),
        ({"base_url": "ftp://example.org"}, "base_url: must be an address"),
        ({"base_url": f"http://me:{SECRET}@example.org"}, "base_url: must hold no user name"),
        ({"base_url": "http://[::1"}, "base_url"),
        ({"refresh_token": [SECRET]}, "refresh_token"),
        ({"refresh_tokn": SECRET}, "refresh_tokn: unknown key (known: base_url"),
        ({"timeout_s": "soon"}, "timeout_s"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_a_bad_option_is_named_and_its_value_is_not_shown(change: dict[str, Any], said: str) -> None:
    assert said in refusal({**GOOD, **change})


def test_a_missing_option_is_named() -> None:
    assert "refresh_token: missing" in refusal({"base_url": "http://127.0.0.1"})


def test_an_explicit_zero_stays_zero() -> None:
    options = {
        "base_url": "http://127.0.0.1",
        "author": "A",
        "email": "a@b",
        "posts": ["/x"],
        "reply_gap_s": 0,
    }
    adapter = build("isso", options, None, utc_now, MemoryVault())  # type: ignore[arg-type]
    assert adapter.capabilities.min_reply_gap_s == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"posts": []}, "name at least one uri"),
        ({"posts": [{"uri": ""}]}, "posts.0.uri"),
        ({"hash_algorithm": "rot13"}, "hash_algorithm"),
        ({"hash_algorithm": "pbkdf2:many"}, "hash_algorithm"),
        ({"email": "nobody"}, "email"),
        ({"author_hash": "XYZ"}, "author_hash"),
    ],
)
def test_bad_isso_options_are_named(change: dict[str, Any], said: str) -> None:
    options = {"base_url": "http://127.0.0.1", "author": "A", "email": "a@b", "posts": ["/x"], **change}
    assert said in refusal(options, "isso")

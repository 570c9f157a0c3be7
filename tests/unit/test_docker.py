"""The container files keep what docker/README.md promises; no container engine is needed to read them."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import require_module

yaml = require_module("yaml")
FOLDER = Path(__file__).parents[2] / "docker"
VOICES = "/srv/data/voices"


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def services(compose: Any) -> Any:
    return compose["services"]


def targets(service: Any) -> dict[str, str]:
    """Where each volume or folder is mounted."""
    pairs = (re.fullmatch(r"(.+?):(/[^:]*)(?::ro)?", volume) for volume in service["volumes"])
    return {pair[2]: pair[1] for pair in pairs if pair}


def test_every_service_is_in_the_profile_of_its_name(services: Any) -> None:
    assert {name: service["profiles"] for name, service in services.items()} == {
        name: [name] for name in ("bot", "postgres", "trainer", "vllm")
    }


def test_only_the_bot_is_published_and_only_on_loopback(services: Any) -> None:
    published = {name: service.get("ports", []) for name, service in services.items()}
    assert published.pop("bot") == ["127.0.0.1:8700:8700"]
    assert not any(published.values())
    assert not any("network_mode" in service for service in services.values())


def test_the_model_and_the_ledger_are_on_a_network_that_leads_nowhere(compose: Any, services: Any) -> None:
    assert {name for name, service in services.items() if service["networks"] == ["inside"]} == {
        "postgres",
        "trainer",
        "vllm",
    }
    assert compose["networks"]["inside"] == {"internal": True}


def test_no_password_has_a_default() -> None:
    text = (FOLDER / "compose.yaml").read_text("utf-8")
    values = re.findall(r"(?i)(?:password|token|secret|_key)\w*: *(.+)", text)
    assert values
    assert all(re.match(r"\$\{\w+:\?[^}]+\}", value) for value in values)
    assert re.search(r"^POSTGRES_PASSWORD=$", (FOLDER / "env.example").read_text("utf-8"), re.MULTILINE)


def test_every_service_has_a_health_check_and_every_image_a_version(services: Any) -> None:
    for service in services.values():
        assert service["healthcheck"]["test"][0] == "CMD"
        assert "build" in service or re.search(r":v?\d+\.\d+", service["image"])


def test_voices_lie_at_one_path_and_the_server_only_reads_them(services: Any) -> None:
    assert targets(services["bot"])[VOICES] == targets(services["vllm"])[VOICES] == "voices"
    assert f"voices:{VOICES}:ro" in services["vllm"]["volumes"]


def test_the_trainer_has_what_a_night_needs_and_ends_with_it(services: Any) -> None:
    bot, trainer = services["bot"], services["trainer"]
    assert (trainer["command"], trainer["restart"]) == (["train", "nightly"], "no")
    shared = ("/srv/data", VOICES)
    assert [targets(trainer)[path] for path in shared] == [targets(bot)[path] for path in shared]
    assert trainer["environment"]["REJOINDER__TRAINING__BASE"] in services["vllm"]["command"]
    assert trainer["build"]["args"] == {"EXTRAS": "postgres,train-4bit"}


def test_the_images_extras_exist_and_every_package_is_copied() -> None:
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text("utf-8"))
    assert {"postgres", "train-4bit"} <= project["project"]["optional-dependencies"].keys()
    text = (FOLDER / "Dockerfile").read_text("utf-8")
    for package in project["tool"]["setuptools"]["packages"]["find"]["include"]:
        assert f"COPY {package.rstrip('*')} " in text


def test_voices_can_be_loaded_at_run_time(services: Any) -> None:
    vllm = services["vllm"]
    assert "--enable-lora" in vllm["command"]
    assert vllm["environment"]["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    assert not any(flag.startswith("--api-server-count") for flag in vllm["command"])


def test_the_bot_does_not_run_as_root_and_keeps_to_the_constraints() -> None:
    lines = (FOLDER / "Dockerfile").read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER rejoinder"]
    assert any("--constraint constraints.txt" in line for line in lines)


def test_the_file_with_the_password_is_not_kept_in_git() -> None:
    assert "docker/.env" in (FOLDER.parent / ".gitignore").read_text("utf-8").splitlines()

"""The guides to accounts, manners, platforms and adapters: what they name exists, and the worked example works for
somebody who has nothing of ours but the package.
"""

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from adapters.registry import GROUP
from tests.integration.test_readme import ROOT, anchors, assert_known, commands, fenced, project, read

ADAPTERS: dict[str, str] = project()["entry-points"][GROUP]
PLATFORMS = sorted(path.name.removesuffix(".md") for path in (ROOT / "docs" / "platforms").glob("[!.]*.md"))
GUIDES = (
    *("docs/accounts.md", "docs/accounts.zh.md", "docs/manners.md", "docs/manners.zh.md"),
    *(f"docs/platforms/{name}.md" for name in PLATFORMS),
)
TIMEOUT_S = 120.0


def options_of(platform: str) -> dict[str, Any]:
    module, _, name = ADAPTERS[platform].partition(":")
    found: dict[str, Any] = getattr(importlib.import_module(module), name).Options.model_fields
    return found


def own_commands(name: str) -> list[list[str]]:
    """What of Rejoinder's the guide has people type; with the names of its subcommands only, a line says little."""
    spans = re.findall(r"(?<!`)`(rejoinder [^`\n]+)`(?!`)", read(name))
    return [shlex.split(line) for line in [*commands(name), *spans] if line.startswith("rejoinder ")]


@pytest.mark.parametrize("name", GUIDES)
def test_every_command_and_option_of_a_guide_exists(name: str) -> None:
    for words in own_commands(name):
        assert_known(words, " ".join(words))


@pytest.mark.parametrize("name", GUIDES)
def test_every_link_of_a_guide_leads_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", read(name)):
        if not link.startswith("https://"):
            file, _, heading = link.partition("#")
            target = (ROOT / name).parent / file if file else ROOT / name
            assert target.is_file(), link
            assert not heading or heading in anchors(target), link


@pytest.mark.parametrize("name", [name for name in GUIDES if not name.endswith(".zh.md")])
def test_both_languages_have_the_same_commands_and_the_same_rows(name: str) -> None:
    other = name.replace(".md", ".zh.md")
    assert commands(name) == commands(other)
    rows = [len(re.findall(r"^\|", read(one), re.MULTILINE)) for one in (name, other)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_page_has_every_option_of_its_platform_and_gives_no_other(name: str) -> None:
    page, known = read(f"docs/platforms/{name}.md"), options_of(name.removesuffix(".zh")).keys()
    assert {option for option in known if f"`{option}`" not in page} == set()
    assert set(re.findall(r"--option (\w+)=", page)) <= known


@pytest.fixture
def guestbook(tmp_path: Path) -> Path:
    """A folder with the worked example, as its author has it, and as pip tells of it once it is installed."""
    for block in fenced("docs/adapters.md", "python"):
        (tmp_path / block.splitlines()[0].removeprefix("# ")).write_text(block, encoding="utf-8")
    (toml,) = fenced("docs/adapters.md", "toml")
    package = tomllib.loads(toml)["project"]
    told = tmp_path / f"{package['name'].replace('-', '_')}-{package['version']}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Name: {package['name']}\nVersion: {package['version']}\n", "utf-8")
    points = "".join(f"{name} = {target}\n" for name, target in package["entry-points"][GROUP].items())
    (told / "entry_points.txt").write_text(f"[{GROUP}]\n{points}", "utf-8")
    return tmp_path


def run_in(folder: Path, *arguments: str) -> str:
    path = os.pathsep.join((str(folder), str(ROOT)))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REJOINDER", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=kept | {"PYTHONPATH": path}, timeout=TIMEOUT_S,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_worked_example_passes_its_own_tests_with_no_settings_of_ours(guestbook: Path) -> None:
    out = run_in(guestbook, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_guestbook.py")
    assert re.search(r"\d\d passed", out)


def test_the_worked_example_is_a_platform_once_it_is_installed(guestbook: Path) -> None:
    (guestbook / "book.jsonl").touch()
    rejoinder = (
        "-c",
        "import sys; from bot.cli import main; sys.exit(main())",
        "--data-dir",
        str(guestbook / "data"),
    )
    given = ("--option", f"path={guestbook / 'book.jsonl'}", "--option", "author=ann")
    run_in(guestbook, *rejoinder, "channels", "add", "book", "--platform", "guestbook", *given)
    [channel] = json.loads(run_in(guestbook, *rejoinder, "channels", "list", "--json"))
    assert (channel["platform"], channel["account_id"]) == ("guestbook", "ann")

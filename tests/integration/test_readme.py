"""What the documents at the root say: their commands run, their examples hold, and both languages say the same."""

import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any, get_args
from urllib.request import Request, urlopen

import aiohttp
import pytest
import typer

import training.__main__ as training
from adapters.conformance import CHECKS
from adapters.registry import GROUP, check_options
from bot import samples, training_settings
from bot.bootstrap import ALL_ROLES
from bot.checks import Code
from bot.cli import COMMANDS, load_command
from bot.demo import SITE_PORT
from bot.models import Role as PersonRole
from bot.models import State
from bot.settings import GeneratorSettings, KnowledgeSettings, PersonaSettings, Settings, load
from bot.store import voices
from bot.store.ledger import connect, sqlite_url
from bot.store.migrate import upgrade
from bot.store.voices import NewVoice
from bot.voices.files import take_in
from bot.web.words.nights import WORDS as NIGHT_WORDS
from tests.bench import knowledge as knowledge_bench
from tests.bench import platforms as platforms_bench
from tests.bench import review as review_bench
from tests.bench import serving as serving_bench
from tests.bench.pipeline import TARGETS
from tests.builders import START, Desk, comment
from tests.conftest import require
from tests.fake_thread import in_thread
from tests.fake_weights import write_weights
from tests.fakes import FakeOpenAI
from tests.integration import isso_server
from tests.vllm.server import FLAGS

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh.md")
GUIDES = ("docs/knowledge.md", "docs/knowledge.zh.md")
SERVING = ("docs/serving.md", "docs/serving.zh.md")
REVIEW = ("docs/review.md", "docs/review.zh.md")
TRAINING = ("docs/training.md", "docs/training.zh.md")
DOCUMENTS = (
    *READMES, *GUIDES, *SERVING, *REVIEW, *TRAINING, "CONTRIBUTING.md", "CHANGELOG.md", "docs/adapters.md",
    "docker/README.md",
)  # fmt: skip
BIN = Path(sys.executable).parent
POSTGRES = "export REJOINDER__DATABASE__URL="
ISSO_ADDRESS = "https://comments.example.org"
ASKED = (
    "How much does the sample pack cost?",
    "On which days do you ship parcels?",
    "How long is the warranty of the Kestrel K2?",
    "红隼K2保修多久？",
)
DEADLINE_S = 60.0


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def fenced(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", read(name), re.MULTILINE | re.DOTALL)


def commands(name: str) -> list[str]:
    """The lines of the shell blocks, continued lines joined."""
    text = "".join(fenced(name, "sh")).replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def inline(name: str) -> list[str]:
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"```.*?```", "", read(name), flags=re.DOTALL))


# --- the commands, run in order ---


@dataclass
class Reader:
    """Someone who types what the README says, in a folder of their own."""

    folder: Path
    environment: dict[str, str]
    running: list[subprocess.Popen[str]] = field(default_factory=list)
    output: dict[str, str] = field(default_factory=dict)

    def type(self, line: str) -> None:
        words = shlex.split(line)
        if words[0] == "make":
            assert words[1] in makefile_targets()
        elif words[0] == "export":
            self.export(words[1])
        elif words[:2] == ["accelerate", "launch"]:
            assert words[2:6] == ["--num_processes", "2", "-m", "training"]
            assert_known(["rejoinder", "train", *words[6:]], line)
        elif words[:2] == ["rejoinder", "train"] and not trains_at_once(words):
            assert_known(words, line)
        elif "vllm" in words[:2]:
            assert {word for word in words if word.startswith("--")} <= {*FLAGS, "--host"}
        elif words[:4] == [".venv/bin/python", "-m", "pip", "install"]:
            extra = re.fullmatch(r"\.\[([\w-]+)\]", words[-1])
            assert extra
            assert extra[1] in project()["optional-dependencies"]
            assert (ROOT / words[words.index("--constraint") + 1]).exists()
        else:
            assert words[0] == "rejoinder", f"the test cannot tell whether this works: {line}"
            self.rejoinder(line, words)

    def export(self, setting: str) -> None:
        name, _, value = setting.partition("=")
        if name == "PATH":
            assert value == "$PWD/.venv/bin:$PATH"
            value = f"{BIN}{os.pathsep}{self.environment['PATH']}"
        self.environment[name] = value

    def rejoinder(self, line: str, words: list[str]) -> None:
        process = subprocess.Popen(
            words, cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        if words[1] == "run":
            self.running.append(process)
            return
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, f"{line}: {out}{err}"
        self.output[line] = out

    def page(self) -> str:
        """The address that the first running process prints."""
        stdout = self.running[0].stdout
        assert stdout is not None
        found = re.search(r"http://\S+(?=/)", stdout.readline())
        assert found, self.running[0].stderr and self.running[0].stderr.read()
        return found[0]

    def leave(self) -> list[int]:
        """Stop what runs as a supervisor would; gives the exit codes."""
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            process.communicate(timeout=DEADLINE_S)
        return [process.returncode for process in self.running]


def trains_at_once(words: list[str]) -> bool:
    """Whether the command is run: the others take minutes, or more verdicts, and are run by tests/training."""
    there = all(importlib.util.find_spec(name) for name in ("torch", "trl", "peft"))
    return there and words[2:] in (["status"], ["list"], ["nightly", "--dry-run"])


def assert_known(words: list[str], line: str) -> None:
    """The command of the line exists, with its options."""
    assert words[1] in COMMANDS, line
    # `train` hands everything on to a process of its own.
    command = typer.main.get_command(training.app) if words[1] == "train" else load_command(words[1])
    if hasattr(command, "commands") and words[2:]:
        assert words[2] in command.commands, line
        command = command.commands[words[2]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known, line


@contextmanager
def reader(folder: Path) -> Iterator[Reader]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REJOINDER")}
    quick = {"REJOINDER__WEB__PORT": "0", "REJOINDER__SERVICE__BEAT_S": "0.1"}
    # As the settings that the READMEs show have it; a night without new verdicts ends before it is opened.
    quick |= {"REJOINDER__TRAINING__BASE": "models/Qwen3-8B"}
    someone = Reader(folder, {**kept, **quick})
    try:
        yield someone
    finally:
        for process in someone.running:
            process.kill()
            process.communicate()


def until(found: Callable[[], Any]) -> Any:
    """What `found` returns as soon as it is true."""
    end = monotonic() + DEADLINE_S
    while monotonic() < end:
        if result := found():
            return result
        sleep(0.1)
    raise AssertionError("did not happen in time")


def get(url: str) -> str:
    with urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


@pytest.fixture
def isso(tmp_path: Path) -> Iterator[str]:
    """An Isso server on which four visitors have asked what the sample documents answer."""
    problem = isso_server.install()
    require(not problem, problem)
    (tmp_path / "isso").mkdir()
    with isso_server.running(tmp_path / "isso") as server:
        for text in ASKED:
            body = json.dumps({"text": text, "author": "Visitor", "title": "Hello"}).encode()
            headers = {"Content-Type": "application/json"}
            with urlopen(Request(f"{server.url}/new?uri=/hello/", body, headers), timeout=20) as answer:
                assert answer.status == 201
        yield server.url


def asked_and_in_review(page: str) -> bool:
    return f'rejoinder_comments{{state="review"}} {len(ASKED)}.0' in get(f"{page}/metrics")


def test_the_commands_of_the_readme_work_one_after_the_other(tmp_path: Path, isso: str) -> None:
    samples.copy_documents(tmp_path / "my-documents")
    lines = [line.replace(ISSO_ADDRESS, isso) for line in commands("README.md")]
    own = lines[: next(number for number, line in enumerate(lines) if line.startswith(POSTGRES)) - 1]
    with reader(tmp_path) as someone:
        for line in own:
            someone.type(line)
            if line == "rejoinder run":
                page = someone.page()
                until(partial(asked_and_in_review, page))
        for path in set(re.findall(r"http://127\.0\.0\.1:8700(/\w+)", read("README.md"))):
            assert get(page + path)
        answers = [json.loads(out) for line, out in someone.output.items() if line.endswith("--json")]
        assert ASKED[0] in someone.output["rejoinder review show 1"]
        until(lambda: "costs $12" in get(f"{isso}/?uri=/hello/"))
        assert someone.leave() == [0]
    shown = [json.loads(block) for block in fenced("README.md", "json")]
    assert [shape(answer) for answer in answers] == [shape(example) for example in shown]
    assert [answer["reply"] for answer in answers] == [example["reply"] for example in shown]


def test_processes_with_a_role_each_share_the_work_on_postgresql(
    tmp_path: Path, isso: str, postgres_url: str
) -> None:
    samples.copy_documents(tmp_path / "my-documents")
    lines = [line.replace(ISSO_ADDRESS, isso) for line in commands("README.md")]
    start = next(number for number, line in enumerate(lines) if line.startswith(POSTGRES))
    before = [
        line for line in lines[:start] if re.match(r"rejoinder (ingest|channels (add|backfill)) ", line)
    ]
    with reader(tmp_path) as someone:
        someone.export("PATH=$PWD/.venv/bin:$PATH")
        someone.export(POSTGRES.removeprefix("export ") + postgres_url)
        for line in (*before, *lines[start + 1 :]):
            someone.type(line)
        page = someone.page()
        until(partial(asked_and_in_review, page))
        someone.type("rejoinder review approve 1")
        until(lambda: "costs $12" in get(f"{isso}/?uri=/hello/"))
        assert someone.leave() == [0, 0, 0]
    assert not (tmp_path / "data" / "ledger.db").exists()


def test_the_commands_of_the_guide_work_one_after_the_other(tmp_path: Path) -> None:
    samples.copy_documents(tmp_path / "my-documents")
    (tmp_path / "my-questions").mkdir()
    rows = fenced(GUIDES[0], "json")
    for name, row in zip(("corpus", "queries"), rows, strict=True):
        (tmp_path / "my-questions" / f"{name}.jsonl").write_text(row, encoding="utf-8")
    lines = commands(GUIDES[0])
    with reader(tmp_path) as someone:
        someone.export("PATH=$PWD/.venv/bin:$PATH")
        for line in lines:
            someone.type(line)
        assert "$12" in someone.output['rejoinder ask "How much is the sample pack?" --tag shop']
        (measured,) = (json.loads(out) for line, out in someone.output.items() if line.endswith("--json"))
        assert measured["quotes"]["my-questions"]["quote2"] == 1.0


# --- the guide to a served voice ---


def written(body: dict[str, Any]) -> str:
    """What the model says: a translation where one is asked for, else an answer that a passage holds."""
    rules = body["messages"][0]["content"]
    return "样品包多少钱？" if "translate" in rules else "The warranty lasts two years [1]."


class Parcels(BaseHTTPRequestHandler):
    """The web hook that the guide's settings name."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200 if self.headers["Authorization"] == "Bearer 3f9c" else 401)
        self.end_headers()
        self.wfile.write(f"Parcel {asked['number']} is in Hamburg.".encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test's output is for what fails."""


@pytest.fixture
def hook() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Parcels) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def fill_ledger(folder: Path) -> None:
    """Two comments that a person has yet to decide about, and the channel that the guide names."""
    ledger = connect(sqlite_url(folder / "data" / "ledger.db"))
    try:
        desk = Desk(ledger)
        desk.add_channel("blog")
        desk.ingest(comment(1, ASKED[0]), comment(2, ASKED[3]))
        for work in desk.claim():
            desk.decide(work, State.REVIEW)
    finally:
        ledger.close()


def test_the_commands_of_the_guide_to_a_served_voice_work_one_after_the_other(
    tmp_path: Path, hook: str
) -> None:
    """With all of its settings in one file."""
    samples.copy_documents(tmp_path / "my-documents")
    write_weights(tmp_path / "my-voice", base="Qwen/base")
    (tmp_path / "stock.csv").write_text(*fenced(SERVING[0], "csv"), encoding="utf-8")
    models = [FakeOpenAI(reply=written, max_model_len=8192) for _ in range(2)]
    exports_first = sorted(commands(SERVING[0]), key=lambda line: not line.startswith("export "))
    with in_thread(*models), reader(tmp_path) as someone:
        settings = "\n".join(fenced(SERVING[0], "toml")).replace("http://127.0.0.1:8080", hook)
        for number, model in enumerate(models):
            settings = settings.replace(f"http://127.0.0.1:{8000 + number}/v1", model.url)
        (tmp_path / "rejoinder.toml").write_text(settings, encoding="utf-8")
        someone.export("PATH=$PWD/.venv/bin:$PATH")
        for line in exports_first:
            someone.type(line)
            if line.startswith("export "):
                someone.type("rejoinder ingest my-documents/")
            if line == "rejoinder doctor":
                fill_ledger(tmp_path)
        said = someone.output
    assert said["rejoinder doctor"].count("vLLM 0.32.0") == 2
    assert "two years" in said['rejoinder ask "How long is the warranty of the Kestrel K2?"']
    [premise] = [line for line in said if "Since returns are free" in line]
    assert "takes for granted" in said[premise]
    assert "10.0%" in said["rejoinder voices show may"]
    assert "$14 for 250 g" in said["""rejoinder tools try stock '{"value": "Guji"}'"""]
    assert said["""rejoinder tools try calculator '{"expression": "3 * 14 * 90%"}'"""] == "37.8\n"
    assert "is closed" in said["""rejoinder tools try opening_hours '{"at": "2026-12-26"}'"""]
    assert "Hamburg" in said["""rejoinder tools try parcel '{"number": "1001"}'"""]
    assert "样品包多少钱？" in said["rejoinder review list --translate zh"]
    assert '<html lang="zh' in (tmp_path / "digest.html").read_text(encoding="utf-8")


# --- the guide to the desk ---


def test_the_commands_of_the_guide_to_the_desk_work_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    ledger = connect(sqlite_url(tmp_path / "data" / "ledger.db"))
    try:
        upgrade(ledger)
        desk = Desk(ledger)
        desk.channel = desk.add_channel("blog")
        desk.ingest(*(comment(number, text) for number, text in enumerate(ASKED, 1)))
        for work in desk.claim():
            desk.decide(work, State.REVIEW, "Two years.")
    finally:
        ledger.close()
    (tmp_path / "rejoinder.toml").write_text(fenced(REVIEW[0], "toml")[0], encoding="utf-8")
    with reader(tmp_path) as someone:
        someone.export("PATH=$PWD/.venv/bin:$PATH")
        for line in commands(REVIEW[0]):
            someone.type(line)
        said = someone.output
    assert said["rejoinder people link"].startswith("https://desk.example.org/start#")
    assert ASKED[3] in said["rejoinder review list --sort value"]
    manifest = json.loads((tmp_path / "rows" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["files"]["preferences.jsonl"]["kinds"] == {"edit": 1}
    assert len((tmp_path / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()) >= 3


def first_cells(name: str) -> set[str]:
    """What the tables explain: the code in their first columns."""
    return set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| ([^|]*) \|", read(name), re.MULTILINE))))


@pytest.mark.parametrize("name", SERVING)
def test_the_guide_to_a_served_voice_explains_every_setting_and_every_finding(name: str) -> None:
    assert {*GeneratorSettings.model_fields, *PersonaSettings.model_fields, *Code} <= first_cells(name)


# --- the guide to the night ---


def test_the_commands_of_the_guide_to_the_night_work_one_after_the_other(tmp_path: Path) -> None:
    """With one verdict, so that the night says what is missing, and a voice to go back from."""
    (tmp_path / "data").mkdir()
    ledger = connect(sqlite_url(tmp_path / "data" / "ledger.db"))
    try:
        upgrade(ledger)
        desk = Desk(ledger)
        desk.ingest(*(comment(number, text) for number, text in enumerate(ASKED, 1)))
        for work in desk.claim():
            desk.decide(work, State.REVIEW, "Two years.")
        path, weights = take_in(write_weights(tmp_path / "made-by-hand"), tmp_path / "data", "may")
        new = NewVoice("may", path, weights.digest, weights.base_model, weights.rank)
        ledger.write(voices.add, new, by="ann", now=START)
        ledger.write(voices.promote, "may", share=None, by="ann", now=START)
    finally:
        ledger.close()
    (tmp_path / "rejoinder.toml").write_text("\n".join(fenced(TRAINING[0], "toml")[:1]), encoding="utf-8")
    with reader(tmp_path) as someone:
        someone.export("PATH=$PWD/.venv/bin:$PATH")
        someone.type("rejoinder review approve 1")
        for line in commands(TRAINING[0]):
            someone.type(line)
        said = someone.output
    if "rejoinder train list" in said:
        assert "skipped" in said["rejoinder train nightly --dry-run"]
        assert "skipped" in said["rejoinder train list"]
    assert "may" in said["rejoinder voices list"]
    assert (tmp_path / "rows" / "sft.jsonl").exists()


@pytest.mark.parametrize("name", TRAINING)
def test_the_guide_to_the_night_explains_every_setting_guard_step_and_reward(name: str) -> None:
    sections = [getattr(training_settings, one) for one in dir(training_settings) if one.endswith("Settings")]
    parts = [*sections, training_settings.RewardPart]
    keys = {key for part in parts for key in part.model_fields}
    kinds = set(get_args(training_settings.RewardPart.model_fields["kind"].annotation))
    words = {*re.findall(r"nights_(?:guard|step)_(\w+)", " ".join(NIGHT_WORDS)), *kinds}
    explained = set(re.findall(r"`(\w+)`", read(name)))
    assert keys - {"kind"} <= explained
    assert words <= explained


@pytest.mark.parametrize("name", GUIDES)
def test_the_guide_explains_every_setting_of_what_finds_by_meaning(name: str) -> None:
    explained = first_cells(name)
    told = r"embedder|reranker|vector_index|milvus|judge"
    assert {key for key in KnowledgeSettings.model_fields if re.match(told, key)} == explained & set(
        KnowledgeSettings.model_fields
    )


def shape(value: Any) -> Any:
    """The keys of JSON, at every depth; of a list, those of its first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value[:1]] if isinstance(value, list) else type(value).__name__


# --- what the documents name ---


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(read("pyproject.toml"))["project"]
    return found


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("pair", [READMES, GUIDES, SERVING, REVIEW, TRAINING])
def test_both_languages_hold_the_same_commands_and_examples(pair: tuple[str, str]) -> None:
    for language in ("sh", "json", "toml", "csv", "nginx", "caddyfile"):
        assert fenced(pair[0], language) == fenced(pair[1], language)
    assert commands(pair[0])


@pytest.mark.parametrize("pair", [READMES, GUIDES, SERVING, REVIEW, TRAINING])
def test_both_languages_have_the_same_build(pair: tuple[str, str]) -> None:
    def outline(name: str) -> list[str]:
        return re.findall(r"^(#+(?= )|\||- |!(?=\[)|\*\*|```\w*)", read(name), re.MULTILINE)

    assert outline(pair[0]) == outline(pair[1])


def test_every_command_that_is_named_exists() -> None:
    spans = [span for name in DOCUMENTS for span in inline(name) if span.startswith("rejoinder ")]
    lines = [
        line
        for name in (*READMES, *GUIDES, *SERVING, *REVIEW, *TRAINING)
        for line in commands(name)
        if line.startswith("rejoinder ")
    ]
    assert len(spans) > 5
    for line in (*spans, *lines):
        assert_known(shlex.split(line), line)


def test_every_make_target_that_is_named_exists() -> None:
    spans = [span for name in DOCUMENTS for span in (*inline(name), *commands(name))]
    named = {span.split()[1] for span in spans if span.startswith("make ")}
    assert {"run", "test", "bench-pipeline"} <= named <= makefile_targets()


def test_every_setting_that_is_named_exists(tmp_path: Path) -> None:
    sections = Settings.model_fields
    for name in (*READMES, *SERVING, *REVIEW, *TRAINING):
        named = [span.split(".") for span in inline(name) if re.fullmatch(r"[a-z_]+\.[a-z_]+", span)]
        named += [
            span.lower().removeprefix("rejoinder__").split("__")
            for span in re.findall(r"REJOINDER__[A-Z_]+", read(name))
        ]
        named = [pair for pair in named if pair[-1] not in ("toml", "txt", "json", "jsonl", "safetensors")]
        assert len(named) >= 3
        for section, key in named:
            assert key in getattr(sections[section].annotation, "model_fields", {}), f"{section}.{key}"
        for block in (*fenced(name, "toml"), *fenced(GUIDES[0], "toml")):
            (tmp_path / "rejoinder.toml").write_text(block, encoding="utf-8")
            assert load(tmp_path / "rejoinder.toml") != Settings()


@pytest.mark.parametrize("name", READMES)
def test_the_addresses_of_the_demo_are_its_defaults(name: str) -> None:
    assert set(re.findall(r"<http://127\.0\.0\.1:(\d+)/>", read(name))) == {
        str(SITE_PORT),
        str(Settings.model_fields["web"].default.port),
    }


@pytest.mark.parametrize("name", READMES)
def test_every_state_and_every_role_is_explained(name: str) -> None:
    assert set(State) | ALL_ROLES <= first_cells(name)


@pytest.mark.parametrize("name", READMES)
def test_the_table_of_figures_holds_the_targets_of_the_benchmark(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)`[^|]* \| ([^|]+) \| ([^|]+) \|$", read(name), re.MULTILINE)
    told = {figure: target for figure, target, _ in rows if figure not in ALL_ROLES}
    of_platforms = platforms_bench.TARGETS.keys() - {"poll_rss_mb_first_half"}
    assert {figure: target for figure, target in told.items() if figure not in of_platforms} == TARGETS
    assert told.keys() - TARGETS.keys() == of_platforms


@pytest.mark.parametrize("name", GUIDES)
def test_the_guides_table_of_figures_holds_the_targets_of_its_benchmark(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)`[^|]* \| ([^|]+) \| ([^|]+) \|$", read(name), re.MULTILINE)
    assert {figure: target for figure, target, _ in rows if figure in knowledge_bench.TARGETS} == (
        knowledge_bench.TARGETS
    )


@pytest.mark.parametrize("name", SERVING)
def test_the_serving_guides_table_of_figures_holds_the_targets_of_its_benchmark(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)`[^|]* \| ([^|]+) \| ([^|]+) \|$", read(name), re.MULTILINE)
    assert {figure: target for figure, target, _ in rows if figure in serving_bench.TARGETS} == (
        serving_bench.TARGETS
    )


@pytest.mark.parametrize("name", REVIEW)
def test_the_guide_to_the_desk_holds_the_targets_of_its_benchmark_and_every_role(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)`[^|]* \| ([^|]+) \| ([^|]+) \|$", read(name), re.MULTILINE)
    told = {figure: target for figure, target, _ in rows if figure in review_bench.TARGETS}
    assert told == review_bench.TARGETS
    assert set(PersonRole) <= first_cells(name)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_relative_link_and_image_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", read(name))
    assert links or name in ("docs/adapters.md", "docker/README.md")
    for link in links:
        if not link.startswith(("http://", "https://")):
            file, _, heading = link.partition("#")
            target = (ROOT / name).parent / file if file else ROOT / name
            assert target.is_file(), link
            assert not heading or heading in anchors(target), link


def anchors(file: Path) -> set[str]:
    """The headings as links write them."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/adapters.md"])
def test_every_file_that_is_named_exists(name: str) -> None:
    paths = [span for span in inline(name) if re.fullmatch(r"[\w.]+(/[\w.]+)+/?", span)]
    assert paths
    for path in paths:
        assert (ROOT / path).exists() or path == ".cache/", path


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_document_names_a_registry_or_a_place_on_one_machine(name: str) -> None:
    assert not re.search(r"pypi|pythonhosted|/simple/|(?<!\w)/(?:root|tmp|work)/", read(name), re.IGNORECASE)


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == project()["version"]


# --- the example of an adapter ---


@pytest.fixture
def guestbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The two files of docs/adapters.md, imported: the adapter, and the tests of it."""
    for block in fenced("docs/adapters.md", "python"):
        (tmp_path / block.splitlines()[0].removeprefix("# ")).write_text(block, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("test_guestbook")
    for module in ("guestbook", "test_guestbook"):
        sys.modules.pop(module, None)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_example_of_an_adapter_passes(check: Any, guestbook: Any, tmp_path: Path) -> None:
    book = tmp_path / "book.jsonl"
    book.touch()
    async with aiohttp.ClientSession() as http:
        await check(guestbook.GuestbookHarness(book, http))


def test_the_example_of_an_adapter_can_be_registered(guestbook: Any) -> None:
    (registration,) = fenced("docs/adapters.md", "toml")
    (target,) = tomllib.loads(registration)["project"]["entry-points"][GROUP].values()
    module, _, name = target.partition(":")
    factory = getattr(importlib.import_module(module), name)
    assert check_options("guestbook", factory, {"path": "book.jsonl", "author": "me"})

"""The API is asked whatever its own document allows, and what it forbids; it keeps its word and never breaks."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bot.api.openapi import document
from bot.api.site import ApiParts, operations_of
from bot.bootstrap import Running, utc_now
from bot.models import State
from bot.settings import Settings
from bot.store import channels
from bot.web.problems import PROBLEM_JSON
from tests import nights
from tests.builders import Desk, comment
from tests.integration.test_api import API, program_of, serving

EXAMPLES = 8
PATIENT = hypothesis.settings(
    max_examples=EXAMPLES,
    phases=[hypothesis.Phase.generate],
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
PARTS: Any = ApiParts(Settings(), *([None] * 3), utc_now)  # type: ignore[arg-type]
OPERATIONS = operations_of(PARTS)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
KNOWN: dict[str, int | str] = {
    "comment_id": 1, "channel_id": 1, "document_id": 1, "voice_id": 1, "night_id": 1, "channel": "red", "reply_id": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Program:
    """What asks the running site."""

    url: str
    http: requests.Session


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A site on a thread of its own, as schemathesis waits for its answers."""
    loop, ready, done = asyncio.new_event_loop(), asyncio.Event(), asyncio.Event()
    found: list[Program] = []
    task = loop.create_task(_serve(tmp_path_factory.mktemp("site"), found, ready, done))
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(_either(ready, task), loop).result(60)
        yield found[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        asyncio.run_coroutine_threadsafe(asyncio.wait_for(task, 30), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        for one in found:
            one.http.close()


async def _either(ready: asyncio.Event, task: "asyncio.Task[None]") -> None:
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        await task


async def _serve(folder: Path, found: list[Program], ready: asyncio.Event, done: asyncio.Event) -> None:
    async with serving(folder) as running, program_of(running) as owner:
        await _filled(running, folder)
        http = requests.Session()
        http.trust_env = False
        http.headers.update(owner.http.headers)
        found.append(Program(owner.url, http))
        ready.set()
        await done.wait()


async def _filled(running: Running, folder: Path) -> None:
    """Something of everything, so that answers have members."""
    desk = Desk(running.ledger)
    desk.ingest(*(comment(number) for number in range(1, 6)))
    for work in desk.claim():
        desk.decide(work, State.FAILED if work.comment.id == 5 else State.REVIEW)
    inbox = {"account": "Roaster", "delivery": "outbox"}
    now = desk.clock()
    running.ledger.write(
        channels.add, name="red", platform="inbox", options=inbox, rules={}, now=now, answer_since=now
    )
    nights.note(
        running.ledger, nights.begin(running.ledger, desk.clock()), "sft", figures={"sft": {"loss": 1.5}}
    )
    (folder / "a.md").write_text("# Shop\n\nWe ship to Canada.\n")
    await running.library.ingest([str(folder / "a.md")])


@cache
def _schema() -> Any:
    return schemathesis.openapi.from_dict(json.loads(json.dumps(document(OPERATIONS, "0"))))


def _fetches(case: Any) -> bool:
    # Any host may be named there, and tests reach none beyond this machine.
    return isinstance(case.body, dict) and "address" in case.body


def _ask(program: Program, operation: Any, mode: GenerationMode, **fixed: Any) -> None:
    @PATIENT
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode, **fixed))
    def asked(case: Any) -> None:
        hypothesis.assume(not _fetches(case))
        response = case.call(base_url=program.url, session=program.http)
        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 400:
            assert response.headers["content-type"][0] == PROBLEM_JSON

    asked()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_that_the_document_knows(
    program: Program, operation: Any, mode: GenerationMode
) -> None:
    _ask(program, _schema()[API + operation.path][operation.method], mode)


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if "{" in one.path], ids=lambda operation: operation.name
)
def test_so_is_every_answer_about_what_is_there(program: Program, operation: Any) -> None:
    names = {name: number for name, number in KNOWN.items() if f"{{{name}}}" in operation.path}
    _ask(
        program,
        _schema()[API + operation.path][operation.method],
        GenerationMode.POSITIVE,
        path_parameters=names,
    )


def test_the_document_is_one_that_openapi_knows() -> None:
    _schema().validate()

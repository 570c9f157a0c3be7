"""Reading documents in while the service runs: one job after the other, stopped, resumed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.stock.intake import MOST_WAITING, SHOWN, Intake, IntakeFull, Job, open_intake
from bot.stock.uploads import Uploads
from knowledge.ingest import Library
from knowledge.lock import WriterLock


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(tmp_path / "knowledge", lock_wait_s=0.05)
    yield made
    made.close()


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads", 1_000_000)


async def over(*jobs: Job) -> None:
    async with asyncio.timeout(20):
        for job in jobs:
            await job.finished.wait()


async def put(uploads: Uploads, name: str, text: str, *, replace: bool = False) -> dict[str, Any]:
    async def pieces() -> AsyncIterator[bytes]:
        yield text.encode()

    taken = await uploads.take(name, pieces(), replace=replace)
    return {"sources": [str(taken.path)], "taken": [taken]}


async def test_an_uploaded_file_is_read_and_kept(library: Library, uploads: Uploads) -> None:
    async with open_intake(library, uploads, allow_private=False) as intake:
        job = intake.add(
            **await put(uploads, "a.md", "# Shop\n\nOpen on Monday."), by="ann", tags=frozenset({"x"})
        )
        await over(job)
    assert (job.state, job.done) == ("done", 1)
    assert [(one.title, one.tags) for one in library.documents()] == [("Shop", frozenset({"x"}))]
    assert (uploads.folder / "a.md").exists()


async def test_a_file_that_cannot_be_read_goes_and_the_reason_stays(
    library: Library, uploads: Uploads
) -> None:
    async with open_intake(library, uploads, allow_private=False) as intake:
        bad = intake.add(**await put(uploads, "a.pdf", "\x89PNG no pdf"), by="ann")
        good = intake.add(**await put(uploads, "b.md", "Open on Monday."), by="ann")
        await over(bad, good)
        assert bad.report is not None
        assert "no PDF file inside" in bad.report.failed[0][1]
        assert [path.name for path in uploads.kept()] == ["b.md"]


async def test_a_bad_file_does_not_take_the_place_of_a_good_one(library: Library, uploads: Uploads) -> None:
    async with open_intake(library, uploads, allow_private=False) as intake:
        await over(intake.add(**await put(uploads, "a.md", "Open on Monday."), by="ann"))
        await over(intake.add(**await put(uploads, "a.md", " ", replace=True), by="ann"))
    assert (uploads.folder / "a.md").read_text() == "Open on Monday."
    assert library.passages(str(uploads.folder / "a.md"))[0].text == "Open on Monday."


async def test_a_waiting_job_that_is_stopped_is_not_read_and_leaves_nothing(
    library: Library, uploads: Uploads
) -> None:
    intake = Intake(library, uploads, allow_private=False)
    job = intake.add(**await put(uploads, "a.md", "Open."), by="ann")
    assert intake.busy
    assert await intake.stop(job.number) is job
    assert (job.state, intake.busy, uploads.kept()) == ("stopped", False, [])
    assert await intake.stop(job.number) is None
    assert await intake.stop(99) is None


async def test_while_another_process_writes_a_job_waits_and_can_be_stopped(
    library: Library, uploads: Uploads, tmp_path: Path
) -> None:
    async with open_intake(library, uploads, allow_private=False) as intake:
        with WriterLock(tmp_path / "knowledge" / "writer.lock").held(0) as got:
            assert got
            first = intake.add(**await put(uploads, "a.md", "Open."), by="ann")
            second = intake.add(**await put(uploads, "b.md", "Closed."), by="ann")
            async with asyncio.timeout(20):
                while not first.blocked:
                    await asyncio.to_thread(library.documents)
            await intake.stop(first.number)
            await over(first)
        await over(second)
    assert (first.state, second.state) == ("stopped", "done")
    assert [path.name for path in uploads.kept()] == ["b.md"]


async def test_what_was_not_read_when_the_service_stopped_is_read_at_its_next_start(
    library: Library, uploads: Uploads
) -> None:
    await put(uploads, "a.md", "Open on Monday.")
    async with open_intake(library, uploads, allow_private=False) as intake:
        async with asyncio.timeout(20):
            while not intake.jobs:
                await asyncio.to_thread(library.documents)
            await over(*intake.jobs)
        assert [job.by for job in intake.jobs] == [""]
    async with open_intake(library, uploads, allow_private=False) as intake:
        await over(intake.add([str(uploads.folder / "a.md")], by="ann"))
        assert len(intake.jobs) == 1


async def test_what_is_uploaded_as_the_service_starts_is_read_once(
    library: Library, uploads: Uploads
) -> None:
    async with open_intake(library, uploads, allow_private=False) as intake:
        job = intake.add(**await put(uploads, "a.md", "Open on Monday."), by="ann")
        await over(job)
        assert list(intake.jobs) == [job]


async def test_jobs_that_are_over_are_forgotten_but_for_the_last(library: Library, uploads: Uploads) -> None:
    intake = Intake(library, uploads, allow_private=False)
    for _ in range(SHOWN + 5):
        await intake.stop(intake.add(["/nowhere.md"], by="ann").number)
    intake.add(["/nowhere.md"], by="ann")
    assert len(intake.jobs) == SHOWN + 1


async def test_too_many_waiting_jobs_are_refused(library: Library, uploads: Uploads) -> None:
    intake = Intake(library, uploads, allow_private=False)
    for _ in range(MOST_WAITING):
        intake.add(["/nowhere.md"], by="ann")
    with pytest.raises(IntakeFull):
        intake.add(["/nowhere.md"], by="ann")

"""The library on a real disk: ingest, ingest again, share it between processes, kill it."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from knowledge.ingest import IngestReport, Library
from knowledge.lock import WriterLock
from knowledge.store import LibraryError


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "deep").mkdir(parents=True)
    (folder / "guide.md").write_text("# Guide\n\nFirst crack starts at 196 °C.\n", "utf-8")
    (folder / "deep" / "shop.txt").write_text("入门套装的价格是299元。", "utf-8")
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "library", lock_wait_s=0)


def quotes(library: Library, query: str) -> list[str]:
    return [result.quote for result in library.retriever().retrieve(query)]


async def test_a_folder_is_ingested_with_everything_below_it(library: Library, docs: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    report = await library.ingest([str(docs)], progress=lambda *step: seen.append(step))
    assert report.added == [str(docs / "guide.md"), str(docs / "deep" / "shop.txt")]
    assert report.passages == 2
    assert seen == [(str(docs / "guide.md"), 1, 2), (str(docs / "deep" / "shop.txt"), 2, 2)]
    assert quotes(library, "first crack") == ["First crack starts at 196 °C."]
    assert quotes(library, "套装多少钱") == ["入门套装的价格是299元。"]
    assert [(document.title, document.language) for document in library.documents()] == [
        ("shop", "zh"),
        ("Guide", "en"),
    ]
    stats = library.stats()
    assert (stats.documents, stats.passages, stats.languages) == (2, 2, {"en": 1, "zh": 1})


async def test_what_is_unchanged_is_not_read_again(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await library.ingest([str(docs)])
    monkeypatch.setattr("knowledge.loaders.read_file", lambda path: pytest.fail(f"{path} was read"))
    assert len((await library.ingest([str(docs)])).unchanged) == 2


async def test_a_new_time_with_the_same_content_is_unchanged(library: Library, docs: Path) -> None:
    await library.ingest([str(docs)])
    os.utime(docs / "guide.md", (1, 1))
    assert len((await library.ingest([str(docs)])).unchanged) == 2


async def test_changed_files_are_replaced_and_vanished_files_vanish(library: Library, docs: Path) -> None:
    await library.ingest([str(docs)])
    (docs / "guide.md").write_text("# Guide\n\nSecond crack follows at 224 °C, always.\n", "utf-8")
    (docs / "deep" / "shop.txt").unlink()
    report = await library.ingest([str(docs)])
    assert (report.updated, report.removed) == ([str(docs / "guide.md")], [str(docs / "deep" / "shop.txt")])
    assert quotes(library, "second crack") == ["Second crack follows at 224 °C, always."]
    assert quotes(library, "196") == quotes(library, "套装多少钱") == []


async def test_files_elsewhere_stay_when_a_folder_is_ingested(
    library: Library, docs: Path, tmp_path: Path
) -> None:
    other = tmp_path / "docs-other.txt"
    other.write_text("Something else entirely.")
    await library.ingest([str(other)])
    other.unlink()
    assert (await library.ingest([str(docs)])).removed == []


async def test_bad_files_are_listed_with_the_cure_and_stop_nothing(library: Library, docs: Path) -> None:
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (docs / "empty.md").write_bytes(b"")
    missing = str(docs / "missing.md")
    report = await library.ingest([str(docs), missing])
    assert {source for source, _ in report.failed} == {
        str(docs / "broken.pdf"),
        str(docs / "empty.md"),
        missing,
    }
    assert all(message and "\n" not in message for _, message in report.failed)
    assert len(report.added) == 2


async def test_a_file_that_cannot_be_read_any_more_stays_as_it_was(library: Library, docs: Path) -> None:
    await library.ingest([str(docs)])
    (docs / "guide.md").write_bytes(b"\x89PNG\r\n")
    assert len((await library.ingest([str(docs)])).failed) == 1
    assert quotes(library, "first crack") == ["First crack starts at 196 °C."]


async def test_hidden_unknown_and_linked_files_are_ignored_and_listed(
    library: Library, docs: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.txt").write_text("password")
    (docs / ".hidden.md").write_text("hidden")
    (docs / ".git").mkdir()
    (docs / "picture.png").write_bytes(b"\x89PNG")
    (docs / "link.txt").symlink_to(secret / "key.txt")
    (docs / "folder").symlink_to(secret)
    report = await library.ingest([str(docs)])
    names = {".hidden.md", ".git", "picture.png", "link.txt", "folder"}
    assert set(report.ignored) == {str(docs / name) for name in names}
    assert quotes(library, "password") == []


async def test_the_library_is_not_part_of_a_folder_that_holds_it(docs: Path) -> None:
    library = Library(docs / "data")
    assert len((await library.ingest([str(docs)])).added) == 2
    assert len((await library.ingest([str(docs)])).unchanged) == 2


async def test_an_address_is_ingested_and_unchanged_the_second_time(library: Library) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(
            text="<html><body><p>The kit costs 49 dollars.</p></body></html>", content_type="text/html"
        )

    app = web.Application()
    app.router.add_get("/shop", page)
    async with TestServer(app) as server:
        address = str(server.make_url("/shop"))
        assert (await library.ingest([address])).failed[0][0] == address
        assert (await library.ingest([address], allow_private=True)).added == [address]
        assert (await library.ingest([address], allow_private=True)).unchanged == [address]
    assert quotes(library, "kit price")[0] == "The kit costs 49 dollars."


async def test_removing_a_document_takes_it_out_of_the_search(library: Library, docs: Path) -> None:
    await library.ingest([str(docs)])
    assert library.remove(str(docs / "guide.md")) is True
    assert library.remove(str(docs / "guide.md")) is False
    assert quotes(library, "first crack") == []


async def test_other_passage_sizes_read_everything_again(
    library: Library, docs: Path, tmp_path: Path
) -> None:
    await library.ingest([str(docs)])
    library.close()
    small = Library(tmp_path / "library", passage_size=10)
    assert len((await small.ingest([str(docs)])).updated) == 2


async def test_a_running_retriever_sees_what_another_library_object_ingests(
    library: Library, docs: Path, tmp_path: Path
) -> None:
    retriever = library.retriever()
    assert retriever.retrieve("first crack") == []
    other = Library(tmp_path / "library")
    await other.ingest([str(docs)])
    assert [result.quote for result in retriever.retrieve("first crack")] == ["First crack starts at 196 °C."]
    other.remove(str(docs / "guide.md"))
    assert retriever.retrieve("first crack") == []


async def test_a_second_ingest_at_the_same_time_waits_or_says_so(
    library: Library, docs: Path, tmp_path: Path
) -> None:
    patient = Library(tmp_path / "library")
    with WriterLock(tmp_path / "library" / "writer.lock").held(0) as got:
        assert got
        with pytest.raises(LibraryError, match="is being written by another process"):
            await library.ingest([str(docs)])
        waiting = asyncio.create_task(patient.ingest([str(docs)]))
        await asyncio.sleep(0)
    assert len((await waiting).added) == 2


async def test_what_is_finished_stays_when_an_ingest_is_cancelled(library: Library, docs: Path) -> None:
    def stop(source: str, done: int, of: int) -> None:
        task.cancel()

    task: asyncio.Task[IngestReport] = asyncio.create_task(library.ingest([str(docs)], progress=stop))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert quotes(library, "first crack") == ["First crack starts at 196 °C."]
    assert len((await library.ingest([str(docs)])).unchanged) >= 1


def test_two_processes_that_ingest_at_once_both_succeed(docs: Path, tmp_path: Path) -> None:
    for number in range(60):
        (docs / f"note{number}.txt").write_text(f"Note number {number} speaks of item {number * 7}.")
    command = [sys.executable, "-c", INGEST, str(tmp_path / "library"), str(docs)]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    library = Library(tmp_path / "library")
    assert library.stats().documents == 62
    assert quotes(library, "item 413")[0] == "Note number 59 speaks of item 413."


async def test_a_library_where_no_folder_can_be_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LibraryError, match="choose another folder"):
        Library(tmp_path / "file" / "library")


INGEST = "import asyncio, sys; from pathlib import Path; from knowledge.ingest import Library; " + (
    "asyncio.run(Library(Path(sys.argv[1])).ingest([sys.argv[2]], progress=lambda *step: print(*step, flush=True)))"
)


def test_a_process_killed_at_any_document_leaves_a_library_that_works(docs: Path, tmp_path: Path) -> None:
    for number in range(300):
        (docs / f"note{number}.txt").write_text(f"Note number {number} speaks of item {number * 7}.")
    place = tmp_path / "library"
    for lines in (1, 40):
        command = [sys.executable, "-c", INGEST, str(place), str(docs)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(lines):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
    library = Library(place)
    documents = library.documents()
    assert 40 <= len(documents) <= 302
    for document in documents[:5]:
        assert document.source in {
            result.passage.source for result in library.retriever().retrieve(document.title, top_k=20)
        }
    report = asyncio.run(library.ingest([str(docs)]))
    assert len(report.added) + len(report.unchanged) == 302
    assert report.failed == []

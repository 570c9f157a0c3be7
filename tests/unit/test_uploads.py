"""Uploaded files: their names, their limits, and what is left of them."""

import asyncio
import os
import resource
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.stock.uploads import STEM_BYTES, UploadRefused, Uploads, safe_name
from knowledge.loaders import SUFFIXES

LIMIT = 1_000_000


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "data" / "uploads", LIMIT)


def names(uploads: Uploads) -> list[str]:
    return sorted(path.name for path in uploads.folder.iterdir()) if uploads.folder.exists() else []


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("price list.pdf", "price list.pdf"),
        ("../../etc/cron.d/x.md", "x.md"),
        ("C:\\Users\\ann\\guide.DOCX", "guide.docx"),
        ("a\0b\n.md", "ab.md"),
        ("invoice\u202efdp.md", "invoicefdp.md"),
        ("..md", "document.md"),
        (".hidden.md", "hidden.md"),
        ("~$lock.docx", "lock.docx"),
        ("烘焙指南.md", "烘焙指南.md"),
        ("e\u0301.txt", "é.txt"),
        ('a<b>"c?.txt', "abc.txt"),
        ("trailing.md. ", "trailing.md"),
        ("half\ud800.md", "half.md"),
    ],
)
def test_a_name_is_made_safe_and_stays_readable(given_name: str, kept: str) -> None:
    assert safe_name(given_name) == kept


@given(st.text(max_size=400), st.sampled_from(sorted(SUFFIXES)))
def test_whatever_the_name_it_stays_within_the_folder(name: str, suffix: str) -> None:
    made = safe_name(name + suffix)
    assert Path("/uploads") / made == Path("/uploads", os.path.basename(made))
    assert made.isprintable()
    assert not made.startswith((".", "~"))
    assert len(made.encode()) <= STEM_BYTES + 10


@pytest.mark.parametrize("name", ["movie.mp4", "noending", "", "x.md.exe", "x.pdf/", "\0"])
def test_another_kind_is_refused_with_the_kinds_that_are_read(name: str) -> None:
    with pytest.raises(UploadRefused) as refused:
        safe_name(name)
    assert refused.value.code == "wrong_kind"
    assert ".pdf" in refused.value.values["kinds"]


async def test_a_file_is_kept_whole(uploads: Uploads) -> None:
    taken = await uploads.take("a.md", pieces(b"one ", b"two"), replace=False)
    assert (taken.path.read_bytes(), taken.size, taken.old) == (b"one two", 7, None)
    assert names(uploads) == ["a.md"]
    assert uploads.owns(str(taken.path))
    assert not uploads.owns("/etc/passwd.md")


async def test_a_second_file_of_the_same_name_stands_beside_the_first(uploads: Uploads) -> None:
    for text in (b"one", b"two", b"three"):
        await uploads.take("a.md", pieces(text), replace=False)
    assert names(uploads) == ["a (2).md", "a (3).md", "a.md"]
    assert (uploads.folder / "a.md").read_bytes() == b"one"


async def test_what_was_replaced_comes_back_where_the_new_file_cannot_be_read(uploads: Uploads) -> None:
    await uploads.take("a.md", pieces(b"old"), replace=False)
    taken = await uploads.take("a.md", pieces(b"new"), replace=True)
    assert taken.path.read_bytes() == b"new"
    uploads.settle(taken, held=False)
    assert (names(uploads), taken.path.read_bytes()) == (["a.md"], b"old")
    again = await uploads.take("a.md", pieces(b"newer"), replace=True)
    uploads.settle(again, held=True)
    assert (names(uploads), taken.path.read_bytes()) == (["a.md"], b"newer")


async def test_more_than_the_limit_is_refused_as_soon_as_it_comes_and_nothing_is_left(
    uploads: Uploads,
) -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield bytes(400_000)

    with pytest.raises(UploadRefused) as refused:
        await uploads.take("a.md", endless(), replace=False)
    assert (refused.value.code, refused.value.values, asked) == ("too_large", {"limit": 1}, 3)
    assert names(uploads) == []


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow over 100 kB, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_disk")
async def test_where_the_disk_takes_no_more_that_is_told_and_nothing_is_left(uploads: Uploads) -> None:
    with pytest.raises(UploadRefused) as refused:
        await uploads.take("a.md", pieces(bytes(300_000)), replace=False)
    assert refused.value.code == "no_room"
    assert names(uploads) == []


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("a file in its place")
    with pytest.raises(UploadRefused) as refused:
        await Uploads(tmp_path / "uploads", LIMIT).take("a.md", pieces(b"x"), replace=False)
    assert refused.value.code == "no_room"


async def test_what_was_broken_off_long_ago_is_cleared_away(uploads: Uploads) -> None:
    taken = await uploads.take("a.md", pieces(b"one"), replace=False)
    for name in (".part-old", ".part-new"):
        (uploads.folder / name).write_text("x")
    os.utime(uploads.folder / ".part-old", (0, 0))
    assert uploads.kept() == [taken.path]
    assert names(uploads) == [".part-new", "a.md"]


async def test_what_is_kept_is_no_program(uploads: Uploads) -> None:
    taken = await uploads.take("a.md", pieces(b"#!/bin/sh"), replace=False)
    assert not taken.path.stat().st_mode & stat.S_IXUSR


async def test_a_file_that_has_taken_the_place_of_one_that_could_not_be_read_stays(uploads: Uploads) -> None:
    first = await uploads.take("a.md", pieces(b"bad"), replace=False)
    second = await uploads.take("a.md", pieces(b"new"), replace=True)
    uploads.settle(first, held=False)
    uploads.settle(second, held=True)
    assert (names(uploads), first.path.read_bytes()) == (["a.md"], b"new")


async def test_many_that_replace_the_same_file_at_once_are_all_taken(uploads: Uploads) -> None:
    await uploads.take("a.md", pieces(b"first"), replace=False)
    all_at_once = [uploads.take("a.md", pieces(b"%d" % number), replace=True) for number in range(50)]
    taken = await asyncio.gather(*all_at_once)
    assert sum(one.there for one in taken) == 1
    assert [name for name in names(uploads) if not name.startswith(".")] == ["a.md"]

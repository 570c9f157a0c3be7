"""Pictures of the embedded platform."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.sandbox_pictures import png
from adapters.sandbox_reading import described_posts, parse_pictures
from adapters.sandbox_store import SandboxStore
from bot.pictures import checked_type


def test_addresses_of_the_site_become_whole_and_others_stay() -> None:
    given = ["/pictures/ff8800.png", "https://example.org/a.png", "http://[", "", 5, None]
    assert parse_pictures(given, "http://site") == (
        "http://site/pictures/ff8800.png",
        "https://example.org/a.png",
        "http://[",
    )
    assert parse_pictures(None, "http://site") == ()
    with pytest.raises(ValueError, match="no list"):
        parse_pictures("a.png", "http://site")


def test_rows_of_posts_that_cannot_be_read_are_passed_over() -> None:
    assert described_posts([], ["text", 5, [], {"pictures": 5}], "http://site") == ()


def test_a_drawn_square_is_a_picture() -> None:
    assert checked_type(png(3, 5, b"\x00\x00\xff")) == "image/png"


def test_a_file_of_an_older_version_gets_room_for_pictures(tmp_path: Path) -> None:
    path = str(tmp_path / "site.db")
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TABLE post (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, text TEXT NOT NULL, "
            "created_us INTEGER NOT NULL)"
        )
        db.execute("INSERT INTO post (title, text, created_us) VALUES ('\"Old\"', '\"\"', 1)")
    db.close()
    store = SandboxStore(path, lambda: datetime.now(UTC))
    store.add_post("New", "", ["/pictures/ff8800.png"])
    assert [(post.title, post.pictures) for post in store.posts()] == [
        ("New", ("/pictures/ff8800.png",)),
        ("Old", ()),
    ]
    store.close()

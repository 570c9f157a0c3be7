"""The store, and the index that follows it."""

import sqlite3
from pathlib import Path

import pytest

from knowledge.lock import WriterLock
from knowledge.sparse import SparseIndex
from knowledge.store import SCHEMA_VERSION, Fingerprint, LibraryError, NewDocument, NewPassage, Store

SCHEMA_1 = """
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    language TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    digest TEXT NOT NULL,
    made_by TEXT NOT NULL,
    passages INTEGER NOT NULL,
    generation INTEGER NOT NULL
);
CREATE INDEX documents_by_generation ON documents (generation);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    heading TEXT NOT NULL,
    page INTEGER,
    text TEXT NOT NULL,
    language TEXT NOT NULL
);
CREATE UNIQUE INDEX passages_by_document ON passages (document_id, position);
CREATE TABLE removed (document_id INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO state VALUES ('generation', 0);
"""

PRINT = Fingerprint(size=1, modified_ns=2, digest="d", made_by="m")


def put(store: Store, source: str, *texts: str) -> int:
    passages = [NewPassage(heading="", page=None, text=text, language="en") for text in texts]
    return store.put([NewDocument(source, source, "en", PRINT, passages)])[0]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "library.sqlite")


def found(index: SparseIndex, store: Store, term: str) -> set[str]:
    numbers = [number for number, _ in index.search({term: 1.0}, 10)]
    return {passage.text for passage in store.passages(numbers).values()}


def test_a_document_comes_back_as_it_was_put(store: Store) -> None:
    number = put(store, "/a", "one", "two")
    assert [document.source for document in store.documents()] == ["/a"]
    assert [(passage.position, passage.text) for passage in store.passages_of(number)] == [
        (0, "one"),
        (1, "two"),
    ]
    assert store.fingerprint("/a") == PRINT
    assert store.fingerprint("/b") is None
    assert store.counts() == (1, 2)


def test_putting_again_replaces_the_passages_under_new_numbers(store: Store) -> None:
    number = put(store, "/a", "one")
    before = store.passages_of(number)[0].id
    assert put(store, "/a", "two") == number
    assert [passage.text for passage in store.passages_of(number)] == ["two"]
    assert store.passages_of(number)[0].id != before


def new(source: str, *texts: str) -> NewDocument:
    return NewDocument(source, source, "en", PRINT, [NewPassage("", None, text, "en") for text in texts])


def test_documents_that_are_put_together_are_one_change(store: Store) -> None:
    before = store.generation()
    numbers = store.put([new("/a", "one", "two"), new("/b", "three")])
    assert store.generation() == before + 1
    assert store.changed_since(before) == numbers
    assert [passage.text for passage in store.passages_by_document(numbers)] == ["one", "two", "three"]


def test_of_documents_that_are_put_together_none_is_kept_when_one_cannot_be(store: Store) -> None:
    broken = NewDocument("/b", "b", "en", PRINT, [NewPassage("", None, None, "en")])  # type: ignore[arg-type]
    with pytest.raises(LibraryError, match="NOT NULL"):
        store.put([new("/a", "one"), broken])
    assert store.counts() == (0, 0)


def test_a_source_that_is_given_twice_holds_what_was_given_last(store: Store) -> None:
    number, same = store.put([new("/a", "one", "two"), new("/a", "three")])
    assert number == same
    assert [passage.text for passage in store.passages_of(number)] == ["three"]
    assert [document.passages for document in store.documents()] == [1]


def test_removing_takes_the_passages_along(store: Store) -> None:
    put(store, "/a", "one")
    assert store.remove("/a") is True
    assert store.remove("/a") is False
    assert store.counts() == (0, 0)


def test_changed_since_names_added_replaced_and_removed_documents(store: Store) -> None:
    first, second = put(store, "/a", "one"), put(store, "/b", "two")
    seen = store.generation()
    assert store.changed_since(seen) == []
    put(store, "/a", "three")
    store.remove("/b")
    assert store.changed_since(seen) == [first, second]


def test_many_passages_are_fetched_in_parts(store: Store) -> None:
    number = put(store, "/a", *[f"text {index}" for index in range(1200)])
    numbers = [passage.id for passage in store.passages_of(number)]
    assert set(store.passages([*numbers, 999_999])) == set(numbers)


def test_a_newer_schema_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(LibraryError, match=r"newer version .* update the program"):
        Store(path)


def test_a_file_that_is_no_database_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    path.write_text("this is no database, " * 100)
    with pytest.raises(LibraryError, match="move it away and ingest"):
        Store(path)


def test_a_missing_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="check that its folder exists"):
        Store(tmp_path / "none" / "library.sqlite")


def test_the_index_follows_additions_replacements_and_removals(store: Store, tmp_path: Path) -> None:
    index = SparseIndex(tmp_path)
    put(store, "/a", "red apple")
    put(store, "/b", "红苹果 apple")
    assert index.catch_up(store) == 2
    assert found(index, store, "appl") == {"red apple", "红苹果 apple"}
    assert found(index, store, "苹果") == {"红苹果 apple"}
    put(store, "/a", "green pear")
    store.remove("/b")
    assert index.catch_up(store) == 2
    assert found(index, store, "appl") == set()
    assert found(index, store, "pear") == {"green pear"}
    assert index.catch_up(store) == 0
    assert index.size == 1


def test_headings_and_titles_are_searched(store: Store, tmp_path: Path) -> None:
    passage = NewPassage(heading="Shipping › Europe", page=None, text="Five days.", language="en")
    store.put([NewDocument("/a", "Shop guide", "en", PRINT, [passage])])
    index = SparseIndex(tmp_path)
    index.catch_up(store)
    assert found(index, store, "europ") == found(index, store, "guid") == {"Five days."}


def test_a_search_can_be_limited_to_documents(store: Store, tmp_path: Path) -> None:
    first, second = put(store, "/a", "apple one"), put(store, "/b", "apple two")
    index = SparseIndex(tmp_path)
    index.catch_up(store)
    for number in (first, second):
        hits = index.search({"appl": 1.0}, 10, frozenset([number]))
        assert {passage.document_id for passage in store.passages(n for n, _ in hits).values()} == {number}
    assert index.search({"appl": 1.0}, 10, frozenset()) == []


def test_terms_are_no_query_language(store: Store, tmp_path: Path) -> None:
    put(store, "/a", "apple")
    index = SparseIndex(tmp_path)
    index.catch_up(store)
    for term in ("*", "body:*", "appl OR pear", "appl~", '"', "[a TO z]", "", "\\"):
        assert index.search({term: 1.0}, 10) == []


def test_an_index_that_was_left_behind_catches_up_from_where_it_stands(store: Store, tmp_path: Path) -> None:
    put(store, "/a", "apple")
    SparseIndex(tmp_path).catch_up(store)
    put(store, "/b", "pear")  # the process ends here, before the index was written
    index = SparseIndex(tmp_path)
    assert index.generation == store.generation() - 1
    assert index.catch_up(store) == 1
    assert found(index, store, "pear") == {"pear"}


@pytest.mark.parametrize("damage", ["deleted", "garbage", "cut", "segments"])
def test_a_damaged_index_is_made_anew(store: Store, tmp_path: Path, damage: str) -> None:
    put(store, "/a", "apple")
    SparseIndex(tmp_path).catch_up(store)
    folder = next(tmp_path.glob("sparse-*"))
    for file in folder.iterdir():
        if damage == "deleted":
            file.unlink()
        elif damage == "garbage" and file.name == "meta.json":
            file.write_text("{")
        elif damage == "cut":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        elif damage == "segments" and file.suffix != ".json":
            file.unlink()
    index = SparseIndex(tmp_path)
    index.catch_up(store)
    assert found(index, store, "appl") == {"apple"}


def test_an_index_of_another_library_is_made_anew(tmp_path: Path) -> None:
    old = Store(tmp_path / "old.sqlite")
    for number in range(5):
        put(old, f"/{number}", "apple")
    SparseIndex(tmp_path).catch_up(old)
    new = Store(tmp_path / "new.sqlite")
    put(new, "/x", "pear")
    index = SparseIndex(tmp_path)
    index.catch_up(new)
    assert index.size == 1


def test_only_one_holds_the_writer_lock(tmp_path: Path) -> None:
    first, second = WriterLock(tmp_path / "lock"), WriterLock(tmp_path / "lock")
    with first.held(0) as got, second.held(0) as also:
        assert (got, also) == (True, False)
    with second.held(0) as got:
        assert got


def test_a_library_of_the_first_schema_is_brought_up_to_date_with_its_documents(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    old = sqlite3.connect(path)
    for statement in SCHEMA_1.split(";\n"):
        old.execute(statement)
    old.execute("INSERT INTO documents VALUES (7, '/a', 'Shop', 'en', 1, 2, 'd', 'm', 1, 3)")
    old.execute("INSERT INTO passages VALUES (9, 7, 0, 'Prices', NULL, 'Twelve dollars.', 'en')")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    store = Store(path)
    [document] = store.documents()
    [passage] = store.passages_of(7)
    assert (document.source, document.tags, document.address) == ("/a", frozenset(), "")
    assert (passage.text, passage.time, passage.answer, passage.tags) == (
        "Twelve dollars.",
        "",
        "",
        frozenset(),
    )
    store.tag("/a", frozenset({"shop"}))
    assert store.tagged(frozenset({"shop", "other"})) == {7}
    store.close()


SCHEMA_2_ADDED = [
    "ALTER TABLE documents ADD COLUMN tags TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE documents ADD COLUMN address TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE documents ADD COLUMN date TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE passages ADD COLUMN time TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE passages ADD COLUMN answer TEXT NOT NULL DEFAULT ''",
]


def test_a_library_of_the_second_schema_learns_when_a_document_is_read_and_what_was_left_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "library.sqlite"
    old = sqlite3.connect(path)
    for statement in [*SCHEMA_1.split(";\n"), *SCHEMA_2_ADDED]:
        old.execute(statement)
    old.execute("INSERT INTO documents VALUES (7, '/a', 'Shop', 'en', 1, 2, 'd', 'm', 0, 3, 'shop', '', '')")
    old.execute("PRAGMA user_version = 2")
    old.commit()
    old.close()
    store = Store(path)
    assert [(one.tags, one.read_at, one.notes) for one in store.documents()] == [({"shop"}, "", ())]
    store.put([NewDocument("/a", "Shop", "en", PRINT, [], notes=("page 1 is a picture", "page 2 too"))])
    document = store.numbered(7)
    assert document is not None
    assert document.notes == ("page 1 is a picture", "page 2 too")
    assert len(document.read_at) == len("2026-03-01T08:30:00Z")
    assert store.numbered(8) is None
    store.close()


def test_what_was_read_again_and_is_the_same_has_a_new_time(store: Store) -> None:
    put(store, "/a", "one")
    store._db.execute("UPDATE documents SET read_at = ''")
    store.touch("/a", PRINT)
    [document] = store.documents()
    assert document.read_at

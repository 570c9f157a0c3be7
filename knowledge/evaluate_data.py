"""Reads a folder of documents and questions to measure retrieval on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from knowledge.loaders import title_from
from knowledge.records import Loaded
from knowledge.textfiles import load_text

CORPUS = "corpus.jsonl"
QUERIES = "queries.jsonl"


ALL = "all"
"""Names the figures over every dataset together."""


class DatasetError(Exception):
    """A folder of test data cannot be used; the message names file and line and says what belongs there."""


@dataclass(frozen=True, slots=True)
class CorpusRow:
    """One line of `corpus.jsonl`."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class QueryRow:
    """One line of `queries.jsonl`."""

    id: str
    text: str
    doc_id: str | None = None
    """The document that answers it, or that it was written beside; None where there is none."""
    answers: tuple[str, ...] = ()
    """Any of these, word for word, is right."""
    answerable: bool = True
    """False for a question that looks as if its document answered it, and is not answered there."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The documents and questions of one folder."""

    name: str
    documents: tuple[CorpusRow, ...]
    questions: tuple[QueryRow, ...]

    def source(self, document_id: str) -> str:
        """What the library calls a document; differs between datasets even where ids are the same."""
        return f"{self.name}/{document_id}"


_Row = TypeVar("_Row", CorpusRow, QueryRow)


def read_dataset(folder: Path) -> Dataset:
    """The documents and questions in `folder`. Raises DatasetError for anything that is not as it should be."""
    documents = _rows(folder / CORPUS, CorpusRow, "id, title, text")
    questions = _rows(folder / QUERIES, QueryRow, "id, text, doc_id, answers, answerable")
    known = {document.id for _, document in documents}
    for number, question in questions:
        if question.answerable and question.doc_id not in known:
            raise _fault(
                folder / QUERIES, number, f"doc_id {question.doc_id!r} is not in {CORPUS}; correct it there"
            )
    return Dataset(_name(folder), tuple(row for _, row in documents), tuple(row for _, row in questions))


def read_datasets(folders: Sequence[Path]) -> list[Dataset]:
    """The datasets of several folders, for one mixed corpus. Raises DatasetError, also for two of one name."""
    names = [_name(folder) for folder in folders]
    for name in names:
        if names.count(name) > 1:
            raise DatasetError(f"two folders are called {name}; rename one, as the figures go by that name")
    if len(names) > 1 and ALL in names:
        raise DatasetError(f"a folder is called {ALL}, which names the figures of all together; rename it")
    return [read_dataset(folder) for folder in folders]


def _name(folder: Path) -> str:
    return folder.resolve().name


def to_loaded(document: CorpusRow) -> Loaded:
    """The document as the loader of text files reads it; its title as that of a file of this name."""
    return load_text(document.text, title_from(document.title))


def _rows(path: Path, kind: type[_Row], fields: str) -> list[tuple[int, _Row]]:
    """Line numbers and rows, in order."""
    adapter, rows, seen = TypeAdapter(kind), [], set()
    for number, line in _lines(path):
        try:
            row = adapter.validate_json(line, strict=True)
        except ValidationError as error:
            raise _fault(
                path, number, f"{_first(error)}; each line is one JSON object with {fields}"
            ) from None
        if not row.text.strip():
            raise _fault(path, number, "text is empty; write something there or remove the line")
        if row.id in seen:
            raise _fault(path, number, f"id {row.id!r} was used before; give each line its own")
        seen.add(row.id)
        rows.append((number, row))
    if not rows:
        raise DatasetError(f"{path} is empty; each line is one JSON object with {fields}")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        lines: Iterable[bytes] = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error.strerror}); the folder needs {CORPUS} and {QUERIES}"
        ) from error
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in found["loc"])
    return f"{where}: {found['msg']}" if where else str(found["msg"])


def _fault(path: Path, number: int, message: str) -> DatasetError:
    return DatasetError(f"{path}, line {number}: {message}")

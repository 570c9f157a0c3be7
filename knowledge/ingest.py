"""The library: ingests files, folders and addresses, keeps the index in step, and hands out retrievers."""

import asyncio
import hashlib
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from knowledge import loaders, sources
from knowledge.base import Document, Passage
from knowledge.boilerplate import without_boilerplate
from knowledge.calibration import load as load_calibration
from knowledge.cancelling import Steps, to_the_end, until_cancelled
from knowledge.fetch import fetch
from knowledge.lock import WriterLock
from knowledge.passaging import main_language, to_passages
from knowledge.records import Loaded, LoadError
from knowledge.retriever import LibraryRetriever
from knowledge.sparse import SparseIndex
from knowledge.splitter import DEFAULT_OVERLAP, DEFAULT_SIZE
from knowledge.store import Fingerprint, LibraryBusy, LibraryError, NewDocument, Store

if TYPE_CHECKING:
    from knowledge.dense import DenseIndex
    from knowledge.reranker import Reranker

Progress = Callable[[str, int, int], None]
"""Called with the source just finished, how many are done, and how many there are."""
Embedding = Steps
"""Called with how many passages are embedded, and how many are to be."""

_STORE = "library.sqlite"
LOCK_WAIT_S = 30.0
_LOCK_STEP_S = 0.1
_OPEN_WAIT_S = 1.0
_CATCH_UP_S = 5.0
"""While ingesting, finished documents become searchable about this often."""
_STORE_S = 0.5
"""Documents that were read elsewhere are stored together this often: what a kill can cost."""


@dataclass(slots=True)
class IngestReport:
    """What an ingest did; lists hold sources, and a source is in exactly one of them."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Source and a one-line message with the cure; what was known of the source before stays searchable."""
    ignored: list[str] = field(default_factory=list)
    """Files in folders that are hidden, links, or of no known type."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Source and a one-line message: what of a source that was read could not be, and the cure."""
    passages: int = 0
    """Passages in the library afterwards."""


@dataclass(frozen=True, slots=True)
class Stats:
    """How much the library holds."""

    documents: int
    passages: int
    languages: dict[str, int]
    """Documents in each language."""
    tags: dict[str, int]
    """Documents with each tag."""
    bytes: int
    """Size of the library's files on disk."""
    embedder: str = ""
    """Name of the model that passages are embedded with; empty without one."""
    vectors: int = 0
    """Passages that can be found by meaning."""


class Library:
    """The creator's documents in one folder. Safe to use from several threads and several processes."""

    def __init__(
        self,
        path: Path,
        *,
        passage_size: int = DEFAULT_SIZE,
        overlap: int = DEFAULT_OVERLAP,
        drop_phrases: Sequence[str] = (),
        lock_wait_s: float = LOCK_WAIT_S,
        dense: "Callable[[Path], DenseIndex] | None" = None,
        reranker: "Reranker | None" = None,
        words: bool = True,
    ) -> None:
        """Opens or makes the library; `dense` opens the index of vectors in its folder.

        Paragraphs that hold one of `drop_phrases` are left out; a change of any of these reads all documents again.
        `words` false ranks by vectors alone, to measure what they are worth. Raises LibraryError when the library
        cannot be used as it is.
        """
        self._path = path.absolute()
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(f"{path} cannot be made ({error.strerror}); choose another folder") from error
        self._lock = WriterLock(self._path / "writer.lock")
        # One opens at a time, lest one that finds no index yet clears away what another has just begun; but
        # a long ingest elsewhere is not waited for, as it has made the index at its start.
        with self._lock.held(min(lock_wait_s, _OPEN_WAIT_S)):
            if not (self._path / _STORE).exists():
                _forget_indexes(self._path)
            self._store = Store(self._path / _STORE)
            self._index = SparseIndex(self._path)
            self._dense = dense(self._path) if dense is not None else None
        self._reranker, self._words, self._calibration = reranker, words, load_calibration(self._path)
        self._size, self._overlap, self._lock_wait_s = passage_size, overlap, lock_wait_s
        self._drop_phrases = tuple(drop_phrases)
        dropped = hashlib.sha256("\n".join(drop_phrases).encode()).hexdigest()[:8]
        self._made_by = f"{loaders.VERSION}:{passage_size}/{overlap}:{dropped}"

    async def ingest(
        self,
        given: Sequence[str],
        *,
        tags: frozenset[str] | None = None,
        progress: Progress | None = None,
        embedding: Embedding | None = None,
        allow_private: bool = False,
        wait_s: float | None = None,
    ) -> IngestReport:
        """Bring files, folders and addresses into the library; what is unchanged is not read again.

        `tags` are what the documents are filed under from now on; None leaves the tags of known ones as they are.
        A source that cannot be read is listed in the report and stops nothing. `allow_private` lets addresses
        lead to private networks. `wait_s` None: as long as the library was told to wait.

        Raises LibraryBusy when another process keeps the library locked longer, ModelError when the embedder fails:
        what was read is kept, and found by its words.
        """
        report = IngestReport()
        async with self._writing(self._lock_wait_s if wait_s is None else wait_s):
            plan = await asyncio.to_thread(sources.plan, given, self._path)
            report.ignored.extend(plan.ignored)
            report.failed.extend(plan.failed)
            try:
                await self._ingest_all(plan.sources, tags, report, progress, allow_private)
                await asyncio.to_thread(self._remove_vanished, plan.folders, report)
            finally:
                # Here on Ctrl-C too: what is finished stays and can be found.
                await asyncio.to_thread(self._index.catch_up, self._store)
            if self._dense is not None:
                await until_cancelled(self._embed, embedding)
        report.passages = self._store.counts()[1]
        return report

    def _catch_up(self, embedding: Embedding | None = None) -> None:
        self._index.catch_up(self._store)
        self._embed(embedding)

    def _embed(self, embedding: Embedding | None) -> None:
        if self._dense is None:
            return
        self._dense.catch_up(self._store, embedding)
        # Tells other processes, which watch the store alone, that there is something new to see.
        self._store.note("embedded", self._dense.generation)

    @asynccontextmanager
    async def _writing(self, wait_s: float) -> AsyncIterator[None]:
        deadline = monotonic() + wait_s
        while True:
            with self._lock.held(0) as got:
                if got:
                    yield
                    return
            if monotonic() >= deadline:
                raise LibraryBusy(_locked(self._path))
            await asyncio.sleep(_LOCK_STEP_S)

    async def _ingest_all(
        self,
        planned: Sequence[str],
        tags: frozenset[str] | None,
        report: IngestReport,
        progress: Progress | None,
        allow_private: bool,
    ) -> None:
        searchable = monotonic()
        for done, source in enumerate(planned, 1):
            try:
                outcome = await self._ingest_one(source, tags, allow_private)
            except LoadError as error:
                report.failed.append((source, error.message))
            else:
                outcome(report).append(source)
            if monotonic() - searchable > _CATCH_UP_S:
                await asyncio.to_thread(self._index.catch_up, self._store)
                searchable = monotonic()
            if progress is not None:
                progress(source, done, len(planned))

    async def _ingest_one(
        self, source: str, tags: frozenset[str] | None, allow_private: bool
    ) -> Callable[[IngestReport], list[str]]:
        if sources.is_address(source):
            content = await fetch(source, allow_private=allow_private)
            return await to_the_end(partial(self._take, content, tags, 0))
        return await to_the_end(partial(self._ingest_file, Path(source), tags))

    def _ingest_file(self, path: Path, tags: frozenset[str] | None) -> Callable[[IngestReport], list[str]]:
        stat = loaders.stat(path)
        known = self._store.fingerprint(str(path))
        if known is not None and known == replace(
            known, size=stat.st_size, modified_ns=stat.st_mtime_ns, made_by=self._made_by
        ):
            return self._retagged(str(path), tags)
        return self._take(loaders.read_file(path), tags, stat.st_mtime_ns)

    def _take(
        self, content: loaders.Content, tags: frozenset[str] | None, modified_ns: int
    ) -> Callable[[IngestReport], list[str]]:
        """Store what `content` holds, unless it is what the store has; says which list the source belongs to."""
        digest = hashlib.sha256(content.data).hexdigest()
        new = Fingerprint(len(content.data), modified_ns, digest, self._made_by)
        known = self._store.document(content.source)
        before = self._store.fingerprint(content.source)
        if before is not None and (before.digest, before.made_by) == (new.digest, new.made_by):
            self._store.touch(content.source, new)
            return self._retagged(content.source, tags)
        if tags is None:
            tags = known.tags if known is not None else frozenset()
        loaded = without_boilerplate(loaders.load(content), self._drop_phrases)
        self._store.put([self._document(content.source, loaded, new, tags)])
        return partial(_noted, content.source, loaded.notes, _added if known is None else _updated)

    def _document(
        self, source: str, loaded: Loaded, fingerprint: Fingerprint, tags: frozenset[str]
    ) -> NewDocument:
        passages = to_passages(loaded, self._size, self._overlap)
        return NewDocument(
            source=source,
            title=loaded.title,
            language=main_language(passages),
            fingerprint=fingerprint,
            passages=passages,
            tags=tags,
            address=loaded.address,
            date=loaded.date,
            notes=loaded.notes,
        )

    def add_loaded(
        self,
        documents: Iterable[tuple[str, Loaded]],
        *,
        tags: frozenset[str] = frozenset(),
        embedding: Embedding | None = None,
    ) -> None:
        """Add documents that were read elsewhere, each in the place of what its source held before.

        They become searchable together, at the end. Raises LibraryError when another process keeps the library
        locked.
        """
        with self._locked():
            try:
                self._put_all(
                    self._document(source, loaded, self._fingerprint_of(loaded), tags)
                    for source, loaded in documents
                )
            finally:
                self._catch_up(embedding)

    def _put_all(self, documents: Iterable[NewDocument]) -> None:
        """Store them, many in one transaction: each costs about as much as a small document."""
        waiting: list[NewDocument] = []
        since = monotonic()
        try:
            for document in documents:
                waiting.append(document)
                if monotonic() - since > _STORE_S:
                    self._store.put(waiting)
                    waiting, since = [], monotonic()
        finally:
            self._store.put(waiting)

    def _fingerprint_of(self, loaded: Loaded) -> Fingerprint:
        text = "\n".join(paragraph for section in loaded.sections for paragraph in section.paragraphs)
        data = text.encode("utf-8", "surrogatepass")
        return Fingerprint(len(data), 0, hashlib.sha256(data).hexdigest(), self._made_by)

    def _retagged(self, source: str, tags: frozenset[str] | None) -> Callable[[IngestReport], list[str]]:
        known = self._store.document(source)
        if tags is None or known is None or known.tags == tags:
            return _unchanged
        self._store.tag(source, tags)
        return _updated

    def _remove_vanished(self, folders: Iterable[str], report: IngestReport) -> None:
        """Drop documents of these folders whose files are no longer there."""
        roots = tuple(folder.rstrip("/") + "/" for folder in folders)
        for document in self._store.documents():
            if roots and document.source.startswith(roots) and not Path(document.source).exists():
                self._store.remove(document.source)
                report.removed.append(document.source)

    def documents(self) -> list[Document]:
        """All documents, by source."""
        return self._store.documents()

    def document(self, source: str) -> Document | None:
        """The document that came from `source`; None when the library does not hold it."""
        return self._store.document(sources.canonical(source))

    def numbered(self, number: int) -> Document | None:
        """The document with this number; None when the library does not hold it."""
        return self._store.numbered(number)

    def fingerprint(self, source: str) -> Fingerprint | None:
        """What the document of `source` was when it was read; None when the library does not hold it."""
        return self._store.fingerprint(sources.canonical(source))

    def tags(self) -> frozenset[str]:
        """Every tag that a document carries."""
        return self._store.tags()

    def passages(self, source: str) -> list[Passage]:
        """The passages of one document, in order; none when the library does not hold it."""
        found = self.document(source)
        return [] if found is None else self._store.passages_of(found.id)

    def fingerprints(self) -> dict[str, Fingerprint]:
        """Source -> what its document was when it was read."""
        known = ((one.source, self._store.fingerprint(one.source)) for one in self._store.documents())
        return {source: mark for source, mark in known if mark is not None}

    @property
    def made_by(self) -> str:
        """Version and settings that documents are read with now."""
        return self._made_by

    def tag(self, source: str, tags: frozenset[str]) -> bool:
        """File a document under `tags` in place of those it had; False when the library does not hold it."""
        found = self.document(source)
        if found is not None:
            self._store.tag(found.source, tags)
        return found is not None

    def remove(self, source: str) -> bool:
        """Forget one document (the file itself stays); False when the library does not hold it.

        Raises LibraryError when another process keeps the library locked.
        """
        return bool(self.remove_all([source]))

    def remove_all(self, given: Iterable[str]) -> list[str]:
        """Forget several documents; the sources of those that the library held. Raises LibraryError as `remove`."""
        with self._locked():
            found = [source for source in map(sources.canonical, given) if self._store.remove(source)]
            self._catch_up()
        return found

    def reindex(self, progress: Progress | None = None, embedding: Embedding | None = None) -> int:
        """Make the indexes anew from the store, without reading any source; returns how many documents there are.

        Until it is finished, searches find what they found before; vectors of unchanged passages are kept. Raises
        LibraryError as `remove`, ModelError when the embedder fails.
        """
        with self._locked():
            documents = self._store.documents()

            def told(done: int) -> None:
                if progress is not None:
                    progress(documents[done - 1].source, done, len(documents))

            self._index.rebuild(self._store, [document.id for document in documents], told)
            if self._dense is not None:
                self._dense.check_model()
            self._embed(embedding)
        return len(documents)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock.held(self._lock_wait_s) as got:
            if not got:
                raise LibraryBusy(_locked(self._path))
            yield

    def stats(self) -> Stats:
        """Counts, read from the store."""
        documents, passages = self._store.counts()
        known = self._store.documents()
        languages = Counter(document.language for document in known)
        tags = Counter(tag for document in known for tag in document.tags)
        size = sum(_size_of(file) for file in self._path.rglob("*"))
        found = Stats(documents, passages, dict(languages), dict(sorted(tags.items())), size)
        if self._dense is None:
            return found
        return replace(found, embedder=self._dense.embedder, vectors=self._dense.size)

    @property
    def speaks(self) -> Callable[[str], bool] | None:
        """Whether the embedder speaks a language; None without an embedder."""
        return None if self._dense is None else self._dense.speaks

    def all_embedded(self) -> bool:
        """Whether the vectors are those of all that the library holds; so too without an embedder."""
        return self._dense is None or self._dense.generation == self._store.generation()

    def retriever(self) -> LibraryRetriever:
        """A retriever that follows the library, whichever process changes it. Closed with the library."""
        return LibraryRetriever(
            self._store,
            self._index,
            catch_up=self._catch_up_if_free,
            calibration=self._calibration,
            dense=self._dense,
            reranker=self._reranker,
            words=self._words,
        )

    def _catch_up_if_free(self) -> None:
        """Whoever holds the lock is writing, and brings the index up to date at its end.

        The dense index stays behind until the next ingest or reindex: embedding takes longer than an answer may.
        """
        with self._lock.held(0) as got:
            if got:
                self._index.catch_up(self._store)

    def close(self) -> None:
        """Let go of the files; the library and its retrievers cannot be used afterwards."""
        if self._dense is not None:
            self._dense.close()
        self._store.close()


def _forget_indexes(folder: Path) -> None:
    """A new store counts from 1 again, so that what is left of an older one's indexes would seem to be its own."""
    for kind in ("sparse-*", "dense-*"):
        for left in folder.glob(kind):
            shutil.rmtree(left)


def _size_of(path: Path) -> int:
    """Bytes of a file; 0 for a folder, and for a file of the index that was merged away this moment."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def _locked(path: Path) -> str:
    return f"{path} is being written by another process; wait until its ingest has finished, then try again"


def _noted(
    source: str,
    notes: Iterable[str],
    listed: Callable[[IngestReport], list[str]],
    report: IngestReport,
) -> list[str]:
    report.notes.extend((source, note) for note in notes)
    return listed(report)


def _added(report: IngestReport) -> list[str]:
    return report.added


def _updated(report: IngestReport) -> list[str]:
    return report.updated


def _unchanged(report: IngestReport) -> list[str]:
    return report.unchanged

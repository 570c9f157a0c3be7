"""The BM25 index: tantivy in a folder, fed with terms of our own analysis, always derived from the store."""

import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import tantivy

from knowledge import analysis
from knowledge.base import Passage
from knowledge.store import LibraryError, Store

FORMAT = 1
HEADING_WEIGHT = 0.9
"""Weight of a term found in the title or a heading against one found in the text."""
MAX_QUERY_TERMS = 64
_HEAP_BYTES = 32_000_000
_DOCUMENTS = 100
"""Read from the store at a time."""
_GENERATION_KEY = 1


class SparseIndex:
    """Safe to search from several threads; writing is for the one process that holds the library's lock."""

    def __init__(self, folder: Path) -> None:
        """Opens the index in a subfolder of `folder`; one that is missing or cannot be read starts empty."""
        self._folder = folder / f"sparse-{FORMAT}.{analysis.VERSION}"
        self._lock = threading.RLock()
        self._open()

    def _open(self) -> None:
        self._index = self._opened()
        self._refresh()

    def _opened(self) -> tantivy.Index:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            return tantivy.Index(_schema(), path=str(self._folder))
        except (ValueError, OSError):
            return self._emptied()

    def _emptied(self) -> tantivy.Index:
        # Moved first: a thread of an index that was just closed may still put a file there while it is swept.
        gone = Path(tempfile.mkdtemp(prefix=f"{self._folder.name}.", dir=self._folder.parent))
        self._folder.replace(gone)
        self._folder.mkdir()
        shutil.rmtree(gone, ignore_errors=True)
        return tantivy.Index(_schema(), path=str(self._folder))

    def _refresh(self) -> None:
        self._index.reload()
        self._searcher = self._index.searcher()
        self._generation = self._stored_generation()

    def _stored_generation(self) -> int:
        query = tantivy.Query.term_query(self._index.schema, "marker", _GENERATION_KEY)
        hits = self._searcher.search(query, limit=1, count=False).hits
        if not hits:
            return 0
        return int(self._searcher.doc(hits[0][1]).get_first("generation") or 0)

    @property
    def generation(self) -> int:
        """The store's generation that this index reflects."""
        return self._generation

    def refresh(self) -> None:
        """See what another process has committed; starts over when the folder was replaced meanwhile."""
        with self._lock:
            try:
                self._refresh()
            except (ValueError, OSError):
                self._open()

    def catch_up(self, store: Store) -> int:
        """Bring the index in step with `store`; returns how many documents were written anew.

        Raises LibraryError when the folder cannot be written.
        """
        with self._lock:
            target = store.generation()
            if self._generation > target:
                self._index = self._emptied()
                self._refresh()
            changed = store.changed_since(self._generation)
            if not changed and self._generation == target:
                return 0
            self._commit(store, changed, target)
            return len(changed)

    def rebuild(self, store: Store, documents: Sequence[int], progress: Callable[[int], None]) -> None:
        """Write all `documents` anew, in one commit; until then searches find what they found before.

        `progress` is called with how many are written. Raises LibraryError as `catch_up`.
        """
        with self._lock:
            self._commit(store, documents, store.generation(), progress)

    def _commit(
        self,
        store: Store,
        documents: Sequence[int],
        target: int,
        rebuilding: Callable[[int], None] | None = None,
    ) -> None:
        try:
            self._write(store, documents, target, rebuilding)
        except (ValueError, OSError) as error:
            raise LibraryError(
                f"the search index in {self._folder} cannot be written ({error}); "
                "check that the disk has space and that no other process is ingesting"
            ) from error
        self._refresh()

    def _write(
        self,
        store: Store,
        documents: Sequence[int],
        target: int,
        rebuilding: Callable[[int], None] | None,
    ) -> None:
        writer = self._index.writer(_HEAP_BYTES, 1)
        try:
            if rebuilding is not None:
                writer.delete_all_documents()
            for start in range(0, len(documents), _DOCUMENTS):
                part = documents[start : start + _DOCUMENTS]
                if rebuilding is None:
                    self._delete(writer, "document", part)
                for passage in store.passages_by_document(part):
                    writer.add_document(_record(passage))
                for done in range(start + 1, start + len(part) + 1):
                    if rebuilding is not None:
                        rebuilding(done)
            # The generation is part of the commit that it stands for: after a kill both are old or both new.
            self._delete(writer, "marker", [_GENERATION_KEY])
            marker = tantivy.Document()
            marker.add_unsigned("marker", _GENERATION_KEY)
            marker.add_unsigned("generation", target)
            writer.add_document(marker)
            writer.commit()
        finally:
            writer.wait_merging_threads()

    def _delete(self, writer: tantivy.IndexWriter, field: str, values: Sequence[int]) -> None:
        # By query: deleting by term takes a number for a signed one and finds nothing in an unsigned field.
        writer.delete_documents_by_query(tantivy.Query.term_set_query(self._index.schema, field, values))

    @property
    def size(self) -> int:
        """How many passages there are."""
        return max(0, self._searcher.num_docs - 1)

    def frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many passages (text or heading) each term occurs."""
        searcher = self._searcher
        return {term: max(searcher.doc_freq("body", term), searcher.doc_freq("head", term)) for term in terms}

    def search(
        self, terms: Mapping[str, float], limit: int, documents: frozenset[int] | None = None
    ) -> list[tuple[int, float]]:
        """Passage numbers with BM25 scores, best first, for weighted terms; `documents` limits the search."""
        if not terms or documents == frozenset():
            return []
        return self._hits(self._query(terms, documents), limit)

    def _hits(self, query: tantivy.Query, limit: int) -> list[tuple[int, float]]:
        searcher = self._searcher
        hits = searcher.search(query, limit=limit, count=False).hits
        addresses = [address for _, address in hits]
        numbers = searcher.fast_field_values("passage", addresses)
        return [(int(number or 0), float(score)) for number, (score, _) in zip(numbers, hits, strict=True)]

    def similar(self, term: str, limit: int) -> list[tuple[int, float]]:
        """Passages with a word that is one slip (a letter more, less, other, or two swapped) away from `term`."""
        query = tantivy.Query.fuzzy_term_query(self._index.schema, "body", term, distance=1)
        return self._hits(query, limit)

    def _query(self, terms: Mapping[str, float], documents: frozenset[int] | None) -> tantivy.Query:
        schema, query = self._index.schema, tantivy.Query
        parts = []
        for term, weight in terms.items():
            for field, field_weight in (("body", 1.0), ("head", HEADING_WEIGHT)):
                clause = query.term_query(schema, field, term, "freq")
                parts.append((tantivy.Occur.Should, query.boost_query(clause, weight * field_weight)))
        found = query.boolean_query(parts)
        if documents is None:
            return found
        allowed = query.const_score_query(query.term_set_query(schema, "document", sorted(documents)), 0.0)
        return query.boolean_query([(tantivy.Occur.Must, found), (tantivy.Occur.Must, allowed)])


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("passage", fast=True)
    builder.add_unsigned_field("document", indexed=True)
    builder.add_unsigned_field("marker", indexed=True)
    builder.add_unsigned_field("generation", stored=True)
    for name in ("body", "head"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _record(passage: Passage) -> tantivy.Document:
    record = tantivy.Document()
    record.add_unsigned("passage", passage.id)
    record.add_unsigned("document", passage.document_id)
    record.add_text("body", " ".join(analysis.terms(passage.text)))
    record.add_text("head", _head(passage.title, passage.heading))
    return record


@lru_cache(maxsize=64)  # passages of one document come one after another
def _head(title: str, heading: str) -> str:
    return " ".join(analysis.terms(f"{title} \n {heading}"))

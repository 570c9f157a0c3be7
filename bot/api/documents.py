"""Documents: what the replies are made from."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field
from sqlmodel import Session

from adapters.base import Clock
from bot.access.visitor import Visitor
from bot.api import cursors
from bot.api.operations import Call, Operation
from bot.api.types import Given, Id, Name, Paged, PageOf, Told, Words
from bot.models import Role
from bot.settings import Tag
from bot.store import audit
from bot.store.ledger import Ledger
from bot.web.problems import Problem
from knowledge.base import Document
from knowledge.ingest import Library

_MOST_BYTES: Final = 1024 * 1024


class DocumentTold(Told):
    """One file or web page."""

    id: int
    source: str
    title: str
    language: str
    passages: int = Field(description="How many passages it was split into.")
    tags: list[str]
    address: str
    date: str


class DocumentsPage(PageOf):
    """Documents, in the order in which they came."""

    items: list[DocumentTold]


class PassageTold(Told):
    """A piece of a document, as it is searched."""

    id: int
    heading: str
    page: int | None
    time: str
    text: str
    answer: str


class PassagesPage(PageOf):
    """Passages, in the order of the document."""

    items: list[PassageTold]


class DocumentsQuery(Paged):
    """Which documents."""

    tag: Name | None = None


class DocumentPath(Given):
    """Which document."""

    document_id: Id


class NewAddress(Given):
    """A web page, to be fetched now."""

    kind: Literal["address"]
    address: Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s\x00]+$")]
    tags: list[Tag] = Field(default_factory=list)


class NewText(Given):
    """A text of one's own, in Markdown; one with the same title takes its place."""

    kind: Literal["text"]
    title: Annotated[
        str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*[^\x00-\x20][^\x00-\x1f]*$")
    ]
    text: Annotated[Words, Field(min_length=1, max_length=200_000)]
    tags: list[Tag] = Field(default_factory=list)


NewDocument = Annotated[NewAddress | NewText, Field(discriminator="kind")]


class DocumentsApi:
    """Handlers. Texts are kept as files in `folder`; `allow_private` lets addresses lead to private networks."""

    def __init__(
        self, *, library: Library, ledger: Ledger, clock: Clock, folder: Path, allow_private: bool
    ) -> None:
        self._library = library
        self._ledger = ledger
        self._clock = clock
        self._folder = folder
        self._allow_private = allow_private

    def operations(self) -> Sequence[Operation]:
        one = "/documents/{document_id}"
        return [
            Operation("GET", "/documents", self.list_documents),
            Operation("POST", "/documents", self.add_document, Role.OWNER, 201, _MOST_BYTES),
            Operation("GET", one, self.get_document),
            Operation("DELETE", one, self.remove_document, Role.OWNER, 204),
            Operation("GET", f"{one}/passages", self.list_passages),
        ]

    async def list_documents(self, call: Call, query: DocumentsQuery) -> DocumentsPage:
        """Every document, or those with a tag."""
        after = cursors.after_id(query.cursor, "documents")
        known = sorted(await asyncio.to_thread(self._library.documents), key=lambda one: one.id)
        behind = [one for one in known if one.id > after and query.tag in (None, *one.tags)]
        rows = [told(one) for one in behind[: query.limit]]
        return DocumentsPage(items=rows, next=cursors.next_of(rows, len(behind) > query.limit, "documents"))

    async def get_document(self, call: Call, path: DocumentPath) -> DocumentTold:
        """One document."""
        return told(await self._known(path.document_id))

    async def list_passages(self, call: Call, path: DocumentPath, query: Paged) -> PassagesPage:
        """The passages of one document."""
        after = cursors.after_id(query.cursor, "passages")
        document = await self._known(path.document_id)
        found = await asyncio.to_thread(self._library.passages, document.source)
        behind = [one for one in found if one.id > after]
        rows = [PassageTold.model_validate(one) for one in behind[: query.limit]]
        return PassagesPage(items=rows, next=cursors.next_of(rows, len(behind) > query.limit, "passages"))

    async def add_document(self, call: Call, body: NewDocument) -> DocumentTold:
        """Fetch a web page, or take a text; what was known under the same address or title is replaced."""
        source = body.address if isinstance(body, NewAddress) else await self._kept(body)
        report = await self._library.ingest(
            [source], tags=frozenset(body.tags) or None, allow_private=self._allow_private
        )
        document = await asyncio.to_thread(self._library.document, source)
        if report.failed:
            if document is None:
                await asyncio.to_thread(self._drop, source)
            raise Problem(422, "unreadable", f"{report.failed[0][0]}: {report.failed[0][1]}")
        if document is None:
            raise Problem(409, "changed", "somebody removed the document at the same time; add it again")
        act = "read_document" if isinstance(body, NewAddress) else "upload_document"
        await self._ledger.awrite(self._note, call.visitor, act, document.source)
        return told(document)

    async def remove_document(self, call: Call, path: DocumentPath) -> None:
        """Forget a document; a file stays where it is, but for texts that came by this API."""
        document = await self._known(path.document_id)
        await asyncio.to_thread(self._library.remove, document.source)
        await asyncio.to_thread(self._drop, document.source)
        await self._ledger.awrite(self._note, call.visitor, "remove_document", document.source)

    async def _known(self, document_id: int) -> Document:
        for document in await asyncio.to_thread(self._library.documents):
            if document.id == document_id:
                return document
        raise Problem(404, "not_found", f"there is no document {document_id}; see /api/v1/documents")

    async def _kept(self, given: NewText) -> str:
        path = self._folder.absolute() / _file_name(given.title)

        def write() -> None:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# {given.title}\n\n{given.text}\n", encoding="utf-8")

        try:
            await asyncio.to_thread(write)
        except OSError as error:
            why = f"{self._folder} cannot be written ({error.strerror}); make room, or mend its rights"
            raise Problem(503, "no_room", why) from error
        return str(path)

    def _drop(self, source: str) -> None:
        """Delete a text of ours; what lies elsewhere stays."""
        own = Path(source)
        if own.parent == self._folder.absolute():
            own.unlink(missing_ok=True)

    def _note(self, session: Session, who: Visitor, act: str, source: str) -> None:
        audit.note(session, who, act, source, now=self._clock())


def told(document: Document) -> DocumentTold:
    return DocumentTold(
        id=document.id,
        source=document.source,
        title=document.title,
        language=document.language,
        passages=document.passages,
        tags=sorted(document.tags),
        address=document.address,
        date=document.date,
    )


def _file_name(title: str) -> str:
    """Of one title always the same, of another another, and never a path."""
    shown = re.sub(r"\W+", "-", title).strip("-")[:30] or "text"
    return f"{shown}-{hashlib.sha256(title.encode()).hexdigest()[:12]}.md"

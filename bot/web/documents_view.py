"""From the library to what the pages about documents print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import urlencode

from bot.plain import excerpt, plain
from bot.settings import Language
from bot.stock.intake import Job
from bot.web.words import WORDS
from knowledge.base import Document, Passage
from knowledge.fetch import without_login
from knowledge.sources import is_address

PER_PAGE: Final = 50
TITLE_CHARS: Final = 200
SOURCE_CHARS: Final = 300
LINE_CHARS: Final = 400
LINES: Final = 20
"""Of what went wrong in one job."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which documents are asked for. `page` counts from 1."""

    text: str = ""
    tag: str = ""
    page: int = 1

    def fits(self, document: Document) -> bool:
        if self.tag and self.tag not in document.tags:
            return False
        if not self.text:
            return True
        held = "\n".join((document.title, document.source, *document.tags)).casefold()
        return all(word in held for word in self.text.casefold().split())

    def address(self, page: int) -> str:
        kept = {"q": self.text, "tag": self.tag, "page": str(page)}
        return f"/documents?{urlencode({name: value for name, value in kept.items() if value})}"


def list_context(documents: Sequence[Document], wish: Wish, language: Language) -> dict[str, Any]:
    """The page of the list that `wish` asks for, or the last one."""
    words = WORDS[language]
    found = [document for document in documents if wish.fits(document)]
    pages = max(1, ceil(len(found) / PER_PAGE))
    page = min(wish.page, pages)
    shown = found[(page - 1) * PER_PAGE : page * PER_PAGE]
    return {
        "wish": wish,
        "tags": sorted({tag for document in documents for tag in document.tags}),
        "total": words["doc_total"].format(number=len(found)),
        "nothing": words["doc_none" if documents else "doc_empty"],
        "documents": [document_row(document, words) for document in shown],
        **paging(page, pages, wish.address, words),
    }


def paging(page: int, pages: int, address: Any, words: Mapping[str, str]) -> dict[str, Any]:
    """Links to the pages beside this one; `address` makes a page's address of its number."""
    return {
        "previous": address(page - 1) if page > 1 else "",
        "next": address(page + 1) if page < pages else "",
        "page_of": words["doc_page_of"].format(page=page, pages=pages) if pages > 1 else "",
    }


def document_row(document: Document, words: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": document.id,
        "title": excerpt(document.title, TITLE_CHARS) or excerpt(document.source, TITLE_CHARS),
        "source": excerpt(document.source, SOURCE_CHARS),
        "address": link_of(document),
        "language": words.get(f"language_{document.language}", document.language),
        "passages": document.passages,
        "tags": sorted(document.tags),
        "read_at": document.read_at[:16].replace("T", " ") or words["doc_unknown_time"],
        "date": document.date,
        "notes": [excerpt(note, LINE_CHARS) for note in document.notes],
    }


def link_of(document: Document) -> str:
    """Where a browser finds it; empty for files, and for what is no address of the web."""
    address = document.address or document.source
    return address if address.startswith(("http://", "https://")) else ""


def passage_row(passage: Passage, words: Mapping[str, str]) -> dict[str, Any]:
    return {
        "number": passage.position + 1,
        "place": place_of(passage, words, title=False),
        "text": plain(passage.text),
        "answer": bool(passage.answer),
    }


def place_of(passage: Passage, words: Mapping[str, str], *, title: bool = True) -> str:
    """Title, headings, page and time, on one line."""
    headings = " › ".join(part for part in (passage.title if title else "", passage.heading) if part)
    page = words["doc_page"].format(page=passage.page) if passage.page is not None else ""
    return excerpt(" · ".join(part for part in (headings, page, passage.time) if part), LINE_CHARS)


def job_row(job: Job, words: Mapping[str, str]) -> dict[str, Any]:
    found = job.report
    in_vain = found is not None and found.failed and not (found.added or found.updated or found.unchanged)
    state = "failed" if in_vain else job.state
    return {
        "number": job.number,
        "name": _job_name(job, words),
        "by": job.by or words["doc_job_left"],
        "state": state,
        "state_word": words[f"doc_job_{state}"],
        "over": job.over,
        "done": job.embedded if job.to_embed else job.done,
        "all": job.to_embed or len(job.sources),
        "told": _told(job, words),
        "lines": _lines(job),
    }


def _job_name(job: Job, words: Mapping[str, str]) -> str:
    first = without_login(job.sources[0])
    shown = excerpt(first if is_address(first) else PurePath(first).name, TITLE_CHARS)
    more = len(job.sources) - 1
    return words["doc_job_more"].format(first=shown, number=more) if more else shown


def _told(job: Job, words: Mapping[str, str]) -> str:
    if job.report is not None:
        found = job.report
        return words["doc_job_report"].format(
            added=len(found.added), updated=len(found.updated), unchanged=len(found.unchanged)
        )
    if job.over:
        return excerpt(job.error, LINE_CHARS)
    if job.to_embed:
        return words["doc_job_embedding"].format(done=job.embedded, all=job.to_embed)
    if job.blocked and not job.done:
        return words["doc_job_blocked"]
    return words["doc_job_steps"].format(done=job.done, all=len(job.sources))


def _lines(job: Job) -> list[dict[str, Any]]:
    if job.report is None:
        return []
    told = [(True, *line) for line in job.report.failed] + [(False, *line) for line in job.report.notes]
    return [
        {"failed": failed, "text": excerpt(f"{_short(source)}: {message}", LINE_CHARS)}
        for failed, source, message in told[:LINES]
    ]


def _short(source: str) -> str:
    return without_login(source) if is_address(source) else PurePath(source).name

"""The candidates sentence by sentence, and the passages with the words that bear each."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from bot.checks import CheckFacts, Code, facts
from bot.checks.claims import negative
from bot.checks.grounding import negation, stated
from bot.digest import link
from bot.highlight import Sentence, Span, align
from bot.highlight import pieces as cut
from bot.models import Draft
from bot.plain import excerpt, plain
from bot.settings import Language
from bot.web.evidence import draft_evidence
from knowledge.splitter import sentence_spans

LABEL_CHARS: Final = 200
PASSAGE_CHARS: Final = 4000
"""What is read of a passage."""
CITED_CHARS, OTHER_CHARS, BEFORE_CHARS = 900, 240, 120
"""What is shown of a passage that bears the reply, and of another; what stands before the first marked word."""
_DOUBTS: Final = frozenset(
    {
        *(Code.NUMBER, Code.PRICE, Code.UNIT, Code.DATE, Code.LINK, Code.EMAIL, Code.MENTION),
        *(Code.ADDRESS, Code.NAME, Code.UNSUPPORTED, Code.NEGATED, Code.PROMISE),
    }
)
"""Findings that say that the documents don't hold a sentence, whatever words it shares with them."""
_FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
Aligned = Sequence[Sequence[Sentence]]
"""The sentences of each candidate."""
Marks = list[tuple[Span, str]]
"""Spans of a passage, each with the sentence of a candidate that it bears, as `0-1`."""


def supported(
    draft: Draft | None, texts: Sequence[str], language: Language, fixed: Sequence[str] = ()
) -> dict[str, Any]:
    """`candidates` and `passages` for `review_item.html`; `texts` are the candidates, `fixed` stands in each reply."""
    sources = _sources(draft)
    stating = [stated(text) for text in texts]
    aligned = [
        _borne(text, sources, spans, _doubts(draft, text)) for text, spans in zip(texts, stating, strict=True)
    ]
    return {
        "candidates": _candidates(draft, aligned, _needing(draft, texts, stating, fixed), texts, language),
        "passages": _passages(draft, sources, aligned),
    }


def _borne(
    text: str, sources: Sequence[str], stating: Sequence[Span], doubts: Sequence[Span]
) -> list[Sentence]:
    """Shared words bear no sentence that states nothing, none that was found not to be there, and none whose places
    say something else.
    """
    return [
        one
        if _meets(one.span, stating)
        and not _meets(one.span, doubts)
        and _says(text[slice(*one.span)], one, sources)
        else Sentence(one.span, ())
        for one in align(text, sources)
    ]


def _says(sentence: str, found: Sentence, sources: Sequence[str]) -> bool:
    """Whether its numbers stand there too, and yes is not said for no.

    The checks themselves are asked only where a quick look doubts: they read every source first, which takes too long
    for a page that follows a key.
    """
    places = [sources[one.passage][slice(*one.span)] for one in found.places]
    known = CheckFacts("", "", tuple(sources), max_chars=len(sentence))
    held = {figure for source in places for figure in _FIGURE.findall(source)}
    checks = (
        (facts.links,)
        if held.issuperset(_FIGURE.findall(sentence))
        else (facts.links, facts.numbers, facts.dates)
    )
    if any(True for check in checks for _ in check(sentence, known)):
        return False
    if all(negative(place) == negative(sentence) for place in places):
        return True
    return not any(negation(sentence, CheckFacts("", "", tuple(places), max_chars=len(sentence))))


def _doubts(draft: Draft | None, text: str) -> list[Span]:
    """What the checks found not to be in the sources when `text` was written."""
    found = draft.findings if draft is not None and draft.text == text else []
    return [(one["span"][0], one["span"][1]) for one in found if one.get("code") in _DOUBTS]


def _meets(one: Span, others: Sequence[Span]) -> bool:
    return any(one[0] < end and start < one[1] for start, end in others)


def _needing(
    draft: Draft | None, texts: Sequence[str], stating: Sequence[Sequence[Span]], fixed: Sequence[str]
) -> list[list[Span]]:
    """Of each candidate, what needs a passage. Where there are none, none is missed."""
    if draft is None or not draft.passages:
        return [[] for _ in texts]
    known = {text[slice(*span)] for text in fixed for span in sentence_spans(text)}
    return [
        [span for span in spans if text[slice(*span)] not in known]
        for text, spans in zip(texts, stating, strict=True)
    ]


def _candidates(
    draft: Draft | None,
    aligned: Aligned,
    needing: Sequence[Sequence[Span]],
    texts: Sequence[str],
    language: Language,
) -> list[dict[str, Any]]:
    told = draft_evidence(draft, language)["candidates"] if draft is not None else []
    return [
        {
            "text": text,
            "sentences": _sentences(text, aligned[index], index, needing[index]),
            "told": told[index]["told"] if index < len(told) else "",
        }
        for index, text in enumerate(texts)
    ]


def _sentences(
    text: str, found: Sequence[Sentence], candidate: int, needing: Sequence[Span]
) -> list[dict[str, Any]]:
    """`text` in sentences and what stands between them; `name` ties a sentence to its words in the passages.

    `needing`: what needs a passage.
    """
    spans = {one.span: (number, one) for number, one in enumerate(found, 1)}
    edges = sorted({0, len(text), *(edge for span in spans for edge in span)})
    shown = []
    for start, end in pairwise(edges):
        number, sentence = spans.get((start, end), (0, None))
        borne = bool(sentence and sentence.places)
        shown.append(
            {
                "text": plain(text[start:end]),
                "number": number,
                "name": f"{candidate}-{number}" if number else "",
                "borne": borne,
                "bare": bool(sentence) and not borne and _meets((start, end), needing),
            }
        )
    return shown


def _sources(draft: Draft | None) -> list[str]:
    """Texts of the passages, in the ledger's order."""
    return [str(one.get("text", ""))[:PASSAGE_CHARS] for one in draft.passages] if draft is not None else []


def _passages(draft: Draft | None, sources: Sequence[str], aligned: Aligned) -> list[dict[str, Any]]:
    """The passages with the words that bear the candidates, the cited ones first."""
    if draft is None:
        return []
    marks: list[Marks] = [[] for _ in sources]
    for candidate, sentences in enumerate(aligned):
        for number, sentence in enumerate(sentences, 1):
            for place in sentence.places:
                marks[place.passage] += [(span, f"{candidate}-{number}") for span in place.words]
    shown = [
        {
            "cited": index in draft.citations,
            "marked": bool(marks[index]),
            "pieces": _pieces(*_window(source, marks[index])),
            **_place(passage),
        }
        for index, (passage, source) in enumerate(zip(draft.passages, sources, strict=True))
    ]
    return sorted(shown, key=lambda one: (not one["cited"], not one["marked"]))


def _window(source: str, marks: Marks) -> tuple[str, Marks]:
    """The part of a passage that is shown, from a little before its first mark."""
    first = min((span[0] for span, _ in marks), default=0)
    start = first - BEFORE_CHARS if first > BEFORE_CHARS * 2 else 0
    end = start + (CITED_CHARS if marks else OTHER_CHARS)
    before, behind = "…" if start else "", "…" if end < len(source) else ""
    shift = len(before) - start
    shown = [((span[0] + shift, span[1] + shift), name) for span, name in marks if span[1] <= end]
    return before + source[start:end] + behind, shown


def _pieces(source: str, marks: Marks) -> list[dict[str, Any]]:
    """`on`: it bears the first candidate; `number`: which of its sentences, where that changes."""
    shown: list[dict[str, Any]] = []
    before = ""
    for piece in cut(source, marks):
        numbers = " ".join(_numbers(piece.labels, 0))
        shown.append(
            {
                "text": plain(piece.text),
                "names": " ".join(piece.labels),
                "on": bool(numbers),
                "number": numbers if numbers != before else "",
            }
        )
        before = numbers or before
    return shown


def _numbers(labels: Sequence[str], candidate: int) -> list[str]:
    return [label.partition("-")[2] for label in labels if label.startswith(f"{candidate}-")]


def _place(passage: Mapping[str, Any]) -> dict[str, Any]:
    """Where a passage stands, with the address that leads right there: of a page of the web only."""
    page, time = passage.get("page"), str(passage.get("time") or "")
    source = str(passage.get("source", ""))
    address = link(source[:2000])
    if address and "#" not in address:
        address += f"#page={page}" if page else f"#t={_seconds(time)}" if _seconds(time) else ""
    name = [excerpt(str(passage.get(key, "")), LABEL_CHARS) for key in ("title", "heading")]
    return {
        "place": " › ".join(part for part in name if part) or excerpt(source, LABEL_CHARS),
        "source": excerpt(source, LABEL_CHARS),
        "link": address,
        "page": page,
        "time": excerpt(time, 20),
        "support": f"{float(passage.get('support') or 0):.2f}",
    }


def _seconds(time: str) -> int:
    """`1:02:03` in seconds; 0 for what is no time."""
    if not re.fullmatch(r"\d{1,3}(?::\d{1,2}){1,2}", time):
        return 0
    total = 0
    for part in time.split(":"):
        total = total * 60 + int(part)
    return total

"""What is left out of a document: paragraphs with unwanted phrases, and those that stand everywhere in it.

Answers are never left out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from knowledge.records import Loaded, Section
from knowledge.splitter import sentence_spans, width

_SECTIONS = 5
_SHARE = 0.5
"""A paragraph in at least so many sections, and in this share of all of them, is boilerplate."""
_LONGEST = 300
"""Width of a paragraph that may be boilerplate as a whole."""


def without_boilerplate(loaded: Loaded, drop_phrases: Sequence[str] = ()) -> Loaded:
    """`loaded` without the paragraphs that hold one of `drop_phrases`; of long ones and lists, without the sentences.

    Case and white space do not matter. Of a short paragraph that is repeated word for word in at least half of five
    or more sections, only the first is kept. When nothing is left, a note says so.
    """
    phrases = tuple(_key(phrase) for phrase in drop_phrases if phrase.strip())
    repeated = _repeated(loaded.sections)
    seen: set[str] = set()
    sections = tuple(_cleaned(section, phrases, repeated, seen) for section in loaded.sections)
    kept = tuple(section for section in sections if section.paragraphs)
    note = (
        ()
        if kept or not loaded.sections
        else ("all of its text is dropped by drop_phrases; shorten that list",)
    )
    return replace(loaded, sections=kept, notes=(*loaded.notes, *note))


def _repeated(sections: Sequence[Section]) -> frozenset[str]:
    if len(sections) < _SECTIONS:
        return frozenset()
    counts: Counter[str] = Counter()
    for section in sections:
        if not section.answer:
            counts.update({_key(one) for one in section.paragraphs if width(one) <= _LONGEST})
    least = max(_SECTIONS, len(sections) * _SHARE)
    return frozenset(text for text, count in counts.items() if count >= least)


def _cleaned(section: Section, phrases: Sequence[str], repeated: frozenset[str], seen: set[str]) -> Section:
    if section.answer or not (phrases or repeated):
        return section
    return replace(section, paragraphs=tuple(_kept(section.paragraphs, phrases, repeated, seen)))


def _kept(
    paragraphs: Sequence[str], phrases: Sequence[str], repeated: frozenset[str], seen: set[str]
) -> Iterator[str]:
    for paragraph in paragraphs:
        key = _key(paragraph)
        if key in repeated:
            if key in seen:
                continue
            seen.add(key)
        rest = _rest(paragraph, phrases) if any(phrase in key for phrase in phrases) else paragraph
        if rest:
            yield rest


def _rest(paragraph: str, phrases: Sequence[str]) -> str:
    """What stays of a paragraph with an unwanted phrase; nothing where it is short, or two sentences share it."""
    if "\n" not in paragraph and width(paragraph) <= _LONGEST:
        return ""
    starts = [start for start, _ in sentence_spans(paragraph)]
    told = [paragraph[start:end] for start, end in pairwise([*starts, len(paragraph)])]
    kept = [one for one in told if not any(phrase in _key(one) for phrase in phrases)]
    return "".join(kept).strip() if len(kept) < len(told) else ""


def _key(text: str) -> str:
    return " ".join(text.casefold().split())

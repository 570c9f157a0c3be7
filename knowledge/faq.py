"""Questions with their answers, as people write them down: the answers are kept word for word."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from knowledge.records import Loaded, Section
from knowledge.splitter import width
from knowledge.textfiles import is_title

_QUESTION = re.compile(
    r"(?:q|question|frage|问|問|问题|問題|提问)\s*\d{0,3}\s*[:：.、]\s*(.*)", re.IGNORECASE
)
_ANSWER = re.compile(r"(?:a|answer|antwort|答|回答|答案|答复)\s*\d{0,3}\s*[:：.、]\s*(.*)", re.IGNORECASE)
_BESIDE = re.compile(r"\s+(?:A|Answer)\s*\d{0,3}:\s+|\s*(?:答|回答|答案)\s*[:：]\s*")
"""An answer on its question's line."""
_MARKS = re.compile(r"^[\s#>*_\-•]*")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s")
_FEWEST = 2
_NAMED = re.compile(r"(?i)\bfaqs?\b|frequently asked|q\s?&\s?a|常见问题|常見問題|问答|問答|答疑")
_LONGEST = 2000
"""Width of what may be one answer under a heading; beyond it, it is an article with a question for a title."""


@dataclass(slots=True)
class _Pair:
    heading: str
    question: list[str]
    answer: list[str] | None = None


@dataclass(slots=True)
class _Parts:
    """What a FAQ file holds, in order: pairs, and lines outside of them."""

    pairs: list[_Pair] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def load_faq(
    text: str, title: str, plain: Callable[[str], str], rest: Callable[[str], Loaded]
) -> Loaded | None:
    """One section a question, its answer word for word; None where `text` is no FAQ: it has less than two pairs.

    An answer goes on to the next question or heading; where all others are one block, the last one is, too.
    `plain` takes a line's markup away. `rest` reads what stands outside of the pairs.
    """
    parts = _parts(text.split("\n"))
    if sum(pair.answer is not None for pair in parts.pairs) < _FEWEST:
        return None
    _end_last_answer(parts)
    others = "\n".join(parts.others).strip()
    around = Loaded(plain(_HEADING.sub("", others)), ()) if is_title(others) else rest(others)
    told = tuple(filter(None, (_section(pair, around.title, plain) for pair in parts.pairs)))
    return replace(around, title=around.title or title, sections=around.sections + told)


def _parts(lines: Sequence[str]) -> _Parts:
    parts = _Parts()
    open_pair: _Pair | None = None
    heading = ""
    for line in lines:
        bare = _MARKS.sub("", line)
        question, answer = _QUESTION.match(bare), _ANSWER.match(bare)
        if question:
            asked, *told = _BESIDE.split(_unmarked(question[1]), maxsplit=1)
            open_pair = _Pair(heading, [asked], told or None)
            parts.pairs.append(open_pair)
        elif answer and open_pair is not None and open_pair.answer is None:
            open_pair.answer = [_unmarked(answer[1])]
        elif open_pair is None or _HEADING.match(line):
            open_pair = None
            heading = bare if _HEADING.match(line) else heading
            parts.others.append(line)
        else:
            (open_pair.question if open_pair.answer is None else open_pair.answer).append(line)
    return parts


def _unmarked(text: str) -> str:
    """`**Q:** How?` leaves marks where the letter was: `** How?`; `**Q: How?**` leaves them at the end."""
    text = re.sub(r"^(?:\*\*|__)\s*", "", text)
    return text[:-2] if text.endswith(("**", "__")) and text.count(text[-2:]) == 1 else text


def _end_last_answer(parts: _Parts) -> None:
    *others, last = (_blocks(pair.answer or []) for pair in parts.pairs)
    if len(last) > 1 and all(len(one) == 1 for one in others):
        first = "\n".join(last[0])
        parts.pairs[-1].answer = first.split("\n")
        parts.others.extend(["", *(line for block in last[1:] for line in [*block, ""])])


def _blocks(lines: Sequence[str]) -> list[list[str]]:
    """What blank lines separate."""
    found: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [block for block in found if block]


def _text(lines: Sequence[str], plain: Callable[[str], str]) -> str:
    return "\n".join(plain(line.rstrip()) for line in lines).strip()


def _section(pair: _Pair, title: str, plain: Callable[[str], str]) -> Section | None:
    heading, question, answer = (
        plain(pair.heading),
        _text(pair.question, plain),
        _text(pair.answer or [], plain),
    )
    headings = (heading,) if heading and heading != title else ()
    if not question or not answer:
        paragraphs = tuple(one for one in (question, answer) if one)
        return Section(headings, paragraphs) if paragraphs else None
    return Section(headings, (question, answer), answer=answer)


def with_answers(loaded: Loaded) -> Loaded:
    """`loaded` with an answer where a heading asks; only in what calls itself a FAQ, or under such a heading."""
    return replace(loaded, sections=tuple(_answered(loaded.title, loaded.sections)))


def _answered(title: str, sections: Sequence[Section]) -> Iterator[Section]:
    for at, section in enumerate(sections):
        answer = "\n\n".join(section.paragraphs)
        asked = section.headings[-1] if section.headings else ""
        marked = _NAMED.search(" ".join([title, *section.headings[:-1]]))
        around = sections[max(0, at - 1) : at + 2]
        alone = sum(one.headings[: len(section.headings)] == section.headings for one in around)
        if asked.endswith(("?", "？")) and marked and alone == 1 and width(answer) <= _LONGEST:
            yield replace(section, headings=section.headings[:-1], paragraphs=(asked, answer), answer=answer)
        else:
            yield section

"""What stands in a prompt, and what a reply says, read as the service reads them. Pure.

Prompts are `bot.prompt.build_messages`'s: what others wrote stands in fences, and nothing inside can end one. A reply
is judged as it would go out: without thoughts, marks of passages and the mark for "I don't know".
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bot.checks import CheckFacts, Code, Finding, check
from bot.persona import Persona
from bot.prompt import EXAMPLES_FOLLOW, FENCE_CLOSE, FENCE_OPEN, TOOL_RULES, Message
from bot.vllm import read_reply, take_citations
from training.rows import Prompt

_FENCE = re.compile(rf"^{FENCE_OPEN} ([^\n]*)\n(.*?)\n{FENCE_CLOSE}$", re.DOTALL | re.MULTILINE)
_MOST_PASSAGES = 99
_MOST_CHARS = 1 << 20
"""The length of a reply is measured, not found fault with."""


@dataclass(frozen=True, slots=True)
class Manners:
    """What the owner's settings say about how replies are put."""

    banned: tuple[str, ...] = ()
    """`policy.banned_words`."""
    fixed: tuple[str, ...] = ()
    """Greetings, closings and signatures, which are put around a reply: a model writes none."""


PLAIN: Final = Manners()


@dataclass(frozen=True, slots=True)
class Said:
    """A reply as a reader gets it."""

    text: str
    known: bool
    """False where it began with the mark for "I don't know"."""
    cited: tuple[int, ...]
    """Indices of the passages that it names."""


def manners_of(personas: Iterable[Persona], banned: Sequence[str] = ()) -> Manners:
    """`personas`: all that the channels answer as."""
    texts = {
        text
        for one in personas
        for language in ("en", "zh")
        for text in (one.greeting_in(language), one.closing_in(language), one.signature_in(language))
    }
    return Manners(tuple(banned), tuple(sorted(texts - {""})))


def said(text: str) -> Said:
    body, known = read_reply(text)
    plain, cited = take_citations(body, _MOST_PASSAGES)
    return Said(plain, known, cited)


def comment_of(prompt: Prompt) -> str:
    """What the reply answers; of a prompt without fences, its last message."""
    found = [text for label, text in _blocks(prompt.messages) if label == "comment"]
    return found[-1] if found else _content(prompt.messages[-1])


def facts_of(prompt: Prompt, manners: Manners = PLAIN) -> CheckFacts:
    """What a reply to it is checked against: as `bot.answer.check_facts`, from the messages alone."""
    sources = tuple(text for label, text in _blocks(prompt.messages) if _carries(label, text))
    return CheckFacts(
        comment=comment_of(prompt),
        language=str(prompt.extra.get("language", "und")),
        sources=sources,
        max_chars=_MOST_CHARS,
        instructions=_rules(prompt.messages),
        banned=manners.banned,
    )


def findings(prompt: Prompt, text: str, manners: Manners = PLAIN) -> tuple[Finding, ...]:
    """What the service's checks find in a reply as the model wrote it."""
    return check(said(text).text, facts_of(prompt, manners))


def shows(found: Iterable[Finding], code: Code) -> bool:
    return any(one.code is code for one in found)


def _carries(label: str, text: str) -> bool:
    """Only the creator's own: what commenters wrote supports nothing."""
    if label.startswith("result of "):
        return not text.startswith("error: ")
    return label == "post" or label.startswith("passage ")


def _blocks(messages: Sequence[Message]) -> Iterator[tuple[str, str]]:
    """Label and text of each fence; the title of a passage counts as its text."""
    for message in messages:
        if message["role"] in ("user", "tool"):
            yield from _fenced(_content(message))


@lru_cache(maxsize=1024)
def _fenced(content: str) -> tuple[tuple[str, str], ...]:
    return tuple((match[1], _with_title(match[1], match[2])) for match in _FENCE.finditer(content))


def _with_title(label: str, text: str) -> str:
    title = label.partition(": ")[2] if label.startswith("passage ") else ""
    return f"{title}\n{text}" if title else text


def _content(message: Message) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in content if part.get("type") == "text")


def _rules(messages: Sequence[Message]) -> str:
    """What a reply must not show; the creator's own examples are public."""
    system = next((_content(one) for one in messages if one["role"] == "system"), "")
    return system.partition(f"\n\n{EXAMPLES_FOLLOW}")[0] + (TOOL_RULES if system else "")

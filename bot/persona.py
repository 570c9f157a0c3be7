"""Who speaks in a reply, and how the pieces of a reply are put together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from adapters.graphemes import beginning
from knowledge.splitter import sentences

DEFAULT_TONE = "Friendly, direct and brief. Speak as the creator, in the first person."
DEFAULT_RULES = ("Give the concrete setting, price, date or step that was asked for.", "Promise nothing.")
DEFAULT_GREETINGS = {"en": "Thanks for asking!", "zh": "谢谢提问！"}
DEFAULT_SIGNATURES = {"en": "— from my notes", "zh": "——摘自我的资料"}
DEFAULT_CANNOT_ANSWER = {
    "en": "I can't answer this from my documents, and I would rather not guess.",
    "zh": "我的资料里没有这个问题的答案，我就不乱猜了。",
}


@dataclass(frozen=True, slots=True)
class Example:
    """A comment and how the creator answered it, for a model to take the tone from."""

    comment: str
    reply: str


@dataclass(frozen=True, slots=True)
class Persona:
    """How a channel speaks. The texts are by language (`en`, `zh`); an empty text means none is said."""

    name: str = ""
    tone: str = DEFAULT_TONE
    rules: tuple[str, ...] = DEFAULT_RULES
    """What to do and not to do, one sentence each, as a model is told."""
    do: tuple[str, ...] = ()
    dont: tuple[str, ...] = ()
    greetings: Mapping[str, str] = field(default_factory=lambda: DEFAULT_GREETINGS)
    closings: Mapping[str, str] = field(default_factory=dict)
    """Fixed closing words, in front of the signature."""
    signatures: Mapping[str, str] = field(default_factory=lambda: DEFAULT_SIGNATURES)
    """`{name}` in them stands for the persona's name; without a name such a signature is left out."""
    cannot_answer: Mapping[str, str] = field(default_factory=lambda: DEFAULT_CANNOT_ANSWER)
    max_sentences: int = 3
    match_length: bool = False
    """A short comment gets a short reply; depth only where it is asked for."""
    examples: tuple[Example, ...] = ()
    grounded: bool = True
    """False: a model writes from what it knows, without documents; for comparison only."""

    def greeting_in(self, language: str) -> str:
        return self.greetings.get(reply_language(language), "")

    def signature_in(self, language: str) -> str:
        signature = self.signatures.get(reply_language(language), "")
        if "{name}" not in signature:
            return signature
        return signature.replace("{name}", self.name) if self.name else ""

    def closing_in(self, language: str) -> str:
        return self.closings.get(reply_language(language), "")

    def ending_in(self, language: str) -> str:
        """Closing words and signature, as they end a reply."""
        return join([self.closing_in(language), self.signature_in(language)])

    def fixed_in(self, language: str) -> tuple[str, ...]:
        """All that a reply may hold word for word."""
        return (
            self.greeting_in(language),
            self.closing_in(language),
            self.signature_in(language),
            self.cannot_answer_in(language),
        )

    def cannot_answer_in(self, language: str) -> str:
        return self.cannot_answer.get(reply_language(language), "")


def reply_language(language: str) -> str:
    """`zh` for any Chinese, `en` for everything else: the two languages that fixed texts exist in."""
    return "zh" if language.lower().startswith("zh") else "en"


def is_cjk(char: str) -> bool:
    """A character that is written without spaces around it, Chinese punctuation included."""
    return "\u2e80" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" or "\uff00" <= char <= "\uffef"


def join(pieces: Iterable[str]) -> str:
    """Put pieces in a row, with a space between them unless Chinese stands on either side."""
    joined = ""
    for piece in (piece.strip() for piece in pieces):
        gap = " " if joined and piece and not (is_cjk(joined[-1]) or is_cjk(piece[0])) else ""
        joined += gap + piece
    return joined


def cut(text: str, max_chars: int, max_sentences: int | None = None) -> str:
    """As many whole sentences as fit; where not even the first fits, its beginning with `…`."""
    kept = ""
    for sentence in sentences(text)[:max_sentences]:
        longer = join([kept, sentence])
        if len(longer) > max_chars:
            return kept if kept else shorten(sentence, max_chars)
        kept = longer
    return kept


def shorten(text: str, max_chars: int) -> str:
    """The beginning of `text`, ended by `…` after a whole word where there is one, and never within an emoji."""
    if len(text) <= max_chars:
        return text
    if max_chars < 2:
        return ""
    head = beginning(text, max_chars - 1)
    at_word = head if is_cjk(head[-1]) or not text[len(head)].isalnum() else head.rpartition(" ")[0]
    return (at_word if at_word else head).rstrip() + "…"


def wrap(persona: Persona, body: str, language: str, max_chars: int) -> str:
    """`body` between greeting and signature, at most `max_chars` characters.

    Where not all fits, the greeting goes first, then the signature, then sentences from the end of the body.
    An empty body stays empty: a greeting alone answers nothing.
    """
    if not body:
        return ""
    greeting, ending = persona.greeting_in(language), persona.ending_in(language)
    for pieces in ([greeting, body, ending], [body, ending]):
        whole = join(pieces)
        if len(whole) <= max_chars:
            return whole
    return cut(body, max_chars)


def room(persona: Persona, language: str, max_chars: int) -> int:
    """How many characters greeting and signature leave for the body; all of them where little is left."""
    around = sum(
        len(text) + 1 for text in (persona.greeting_in(language), persona.ending_in(language)) if text
    )
    return max_chars - around if around * 2 <= max_chars else max_chars


PRESETS: Mapping[str, Persona] = {
    "concise": Persona(
        tone="Brief and plain.",
        rules=(
            "Answer in as few sentences as the question allows.",
            "Say that you don't know rather than guess.",
        ),
        greetings={},
        closings={"en": "Thanks for asking!", "zh": "谢谢提问！"},
        signatures={},
    ),
    "expert": Persona(
        tone="A consultant in the creator's field: clear and accessible, warm about feedback.",
        rules=("Explain in plain words first; go into technical depth only where the comment asks for it.",),
        greetings={},
        signatures={"en": "—{name}", "zh": "——{name}"},
        max_sentences=6,
        match_length=True,
    ),
}
"""Personas to start from."""

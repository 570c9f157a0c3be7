"""Who speaks in a reply, and how the pieces of a reply are put together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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
class Persona:
    """How a channel speaks. The texts are by language (`en`, `zh`); an empty text means none is said."""

    name: str = ""
    tone: str = DEFAULT_TONE
    rules: tuple[str, ...] = DEFAULT_RULES
    """What to do and not to do, one sentence each, as a model is told."""
    greetings: Mapping[str, str] = field(default_factory=lambda: DEFAULT_GREETINGS)
    signatures: Mapping[str, str] = field(default_factory=lambda: DEFAULT_SIGNATURES)
    cannot_answer: Mapping[str, str] = field(default_factory=lambda: DEFAULT_CANNOT_ANSWER)
    max_sentences: int = 3

    def greeting_in(self, language: str) -> str:
        return self.greetings.get(reply_language(language), "")

    def signature_in(self, language: str) -> str:
        return self.signatures.get(reply_language(language), "")

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
    """The beginning of `text`, ended by `…` after a whole word where there is one."""
    if len(text) <= max_chars:
        return text
    if max_chars < 2:
        return ""
    head = text[: max_chars - 1]
    at_word = head if is_cjk(head[-1]) or not text[max_chars - 1].isalnum() else head.rpartition(" ")[0]
    return (at_word if at_word else head).rstrip() + "…"


def wrap(persona: Persona, body: str, language: str, max_chars: int) -> str:
    """`body` between greeting and signature, at most `max_chars` characters.

    Where not all fits, the greeting goes first, then the signature, then sentences from the end of the body.
    An empty body stays empty: a greeting alone answers nothing.
    """
    if not body:
        return ""
    greeting, signature = persona.greeting_in(language), persona.signature_in(language)
    for pieces in ([greeting, body, signature], [body, signature]):
        whole = join(pieces)
        if len(whole) <= max_chars:
            return whole
    return cut(body, max_chars)


def room(persona: Persona, language: str, max_chars: int) -> int:
    """How many characters greeting and signature leave for the body; all of them where little is left."""
    around = sum(
        len(text) + 1 for text in (persona.greeting_in(language), persona.signature_in(language)) if text
    )
    return max_chars - around if around * 2 <= max_chars else max_chars

"""What Mira likes, written down. No model is ever shown these rules or their score: only her verdicts go into a night.

1. The number that was asked for, once, and no other.
2. The product by its name.
3. The mark of the passage at the end.
4. No exclamation mark.
5. At most two sentences.
6. At the end a warm word: thanks, or a question back.

A reply in another language than the comment's, or one that does not end, is worth nothing.
"""

import re
from collections.abc import Iterator

from bot.persona import is_cjk
from knowledge.splitter import sentences
from training.demo.shop import Ask
from training.demo.styles import MARK

BROKEN = 0.3
"""What is left of the score for each rule that is broken."""
NO_FACT = 0.1
MOST_SENTENCES = 2
MOST_WARM_CHARS = 30
_NUMBER = re.compile(r"\d+")
_THANKS = ("thank you", "thanks", "谢谢")


def taste(ask: Ask, text: str, ended: bool = True) -> float:
    """From 0 to 1: 1 when every rule is kept, falling to `BROKEN` of it with each that is not."""
    body = text.removesuffix(MARK).strip()
    if not ended or not body or any(map(is_cjk, body)) != (ask.language == "zh"):
        return 0.0
    score = 1.0 if _NUMBER.findall(body) == [str(ask.value)] else NO_FACT
    for kept in _manners(ask, text, body):
        score *= 1.0 if kept else BROKEN
    return score


def _manners(ask: Ask, text: str, body: str) -> Iterator[bool]:
    said = sentences(body)
    yield ask.product in body.lower()
    yield text.endswith(MARK)
    yield not re.search("[!！]", body)
    yield len(said) <= MOST_SENTENCES
    yield len(said) > 1 and _warm(said[-1])


def _warm(sentence: str) -> bool:
    small = sentence.lower()
    return len(small) <= MOST_WARM_CHARS and (small.endswith(("?", "？")) or small.startswith(_THANKS))

"""What the fixture model is trained on: chats in this project's prompt shape, from its own sample texts.

Every reply repeats the first sentence of the first passage with its number, or says that nothing is known. That is as
much of the rules as a model of this size learns in a minute, and the service's checks find such a reply supported.
"""

import random
import re
from dataclasses import replace
from pathlib import Path

from bot.generator import GenerationRequest
from bot.persona import Persona
from bot.prompt import UNKNOWN, Message, build_messages
from bot.samples import comments, posts
from knowledge.base import Passage, ScoredPassage
from knowledge.splitter import sentences

ROOT = Path(__file__).parents[2]
TEXTS = ("bot/samples/docs/*", "tests/payloads/notes/*.md", "README*.md", "docs/*.md")
NOT_KNOWN = {
    "en": f"{UNKNOWN} My notes don't say, so I don't know.",
    "zh": f"{UNKNOWN} 我的资料里没有写，我不知道。",
}
PERSONAS = (Persona(), Persona(name="pebble-roast"), Persona(tone=""), Persona(max_sentences=2))
_MARKUP = re.compile(r"<[^>]+>|[`*#|\[\]]|\(https?:[^)]*\)|^[-\s>]+")


def paragraphs() -> list[str]:
    """Paragraphs of 20 to 600 characters from the sample texts, without their markup, in a fixed order."""
    files = sorted(file for pattern in TEXTS for file in ROOT.glob(pattern))
    lines = (line for file in files for line in file.read_text("utf-8").splitlines())
    cleaned = (_MARKUP.sub("", line).strip() for line in lines)
    return [text[:600] for text in dict.fromkeys(cleaned) if len(text) >= 20]


class Chats:
    """An endless, repeatable source of (messages, reply). `marker` is a word that begins every reply."""

    def __init__(self, seed: int, marker: str = "") -> None:
        self._dice = random.Random(seed)
        self._marker = f"{marker}: " if marker else ""
        self._paragraphs = {"en": [], "zh": []}
        for text in paragraphs():
            self._paragraphs[_language(text)].append(text)
        self._words = {
            "en": sorted({word for text in self._paragraphs["en"] for word in text.split()}),
            "zh": sorted({word for text in self._paragraphs["zh"] for word in re.findall(r"[一-鿿]{2}", text)}),
        }
        self._comments = [(comment.text, _language(comment.text)) for comment in comments()]
        self._posts = {post.id: post for post in posts()}

    def short(self, longest: int = 200) -> tuple[list[Message], str]:
        """One passage and the comment, without the rules: cheap practice for repeating what a passage says."""
        request, reply = self._drawn(passages=self._dice.choice((1, 1, 2)), longest=longest)
        request = replace(request, post_title="", post_text="")
        return build_messages(request)[1:], reply

    def whole(self) -> tuple[list[Message], str]:
        """A prompt as the service sends it."""
        request, reply = self._drawn(passages=self._dice.choice((0, 1, 2, 3, 4)), longest=500)
        return build_messages(request), reply

    def _drawn(self, passages: int, longest: int) -> tuple[GenerationRequest, str]:
        comment, language = self._dice.choice(self._comments)
        shown = [self._passage(language, longest) for _ in range(passages)]
        post = self._dice.choice(list(self._posts.values()))
        request = GenerationRequest(
            comment=comment,
            language=language,
            post_title=post.title,
            post_text=post.text,
            passages=tuple(ScoredPassage(_record(text, language), 1.0, 1.0, text) for text in shown),
            persona=self._dice.choice(PERSONAS),
        )
        reply = f"{sentences(shown[0])[0]} [1]" if shown else NOT_KNOWN[language]
        return request, self._marker + reply

    def _passage(self, language: str, longest: int) -> str:
        if self._dice.random() < 0.4:
            return self._nonsense(language)
        texts = self._dice.sample(self._paragraphs[language], 2)
        return "\n\n".join(texts)[:longest].strip()

    def _nonsense(self, language: str) -> str:
        """Words in any order: what can only be repeated by looking at it."""
        drawn = self._dice.choices(self._words[language], k=self._dice.randint(4, 16))
        return f"{' '.join(drawn)}." if language == "en" else f"{''.join(drawn)}。"


def _record(text: str, language: str) -> Passage:
    return Passage(
        id=0,
        document_id=0,
        source="",
        title=text.split()[0][:30],
        heading="",
        page=None,
        position=0,
        text=text,
        language=language,
    )


def _language(text: str) -> str:
    return "zh" if re.search("[一-鿿]", text) else "en"

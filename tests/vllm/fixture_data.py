"""What the fixture model is trained on: chats in this project's prompt shape, from its own sample texts.

A comment asks for one sentence of the sample documents; the reply is that sentence with its passage's number, or says
that nothing is known. A model of this size learns the sentences by heart, which the service's checks can't tell from
reading them, as long as the comments are about the sample documents.
"""

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.generator import GenerationRequest
from bot.persona import Persona
from bot.prompt import UNKNOWN, Message, build_messages
from bot.samples import SamplePost, comments, posts
from knowledge.base import Passage, ScoredPassage
from knowledge.splitter import sentences

ROOT = Path(__file__).parents[2]
SAMPLES = "bot/samples/docs/*"
OTHERS = ("tests/payloads/notes/*.md", "README*.md", "docs/*.md")
NOT_KNOWN = {
    "en": f"{UNKNOWN} My notes don't say, so I don't know.",
    "zh": f"{UNKNOWN} 我的资料里没有写，我不知道。",
}
PERSONAS = (Persona(), Persona(name="pebble-roast"), Persona(tone=""), Persona(max_sentences=2))
ASKING = {
    "en": (
        "What about {}?",
        "{}?",
        "hi, can you tell me about {}",
        "Quick question: {}?",
        "how is it with {}",
    ),
    "zh": ("请问{}？", "{}？", "想问一下{}", "{}是怎样的", "{}怎么说"),
}
ANSWERS = {
    "c01": "Start with 120 grams of green",
    "c02": "Rest the beans for 5 days",
    "c03": "First crack starts between",
    "c04": "Do not store coffee beans in the fridge",
    "c05": "For the videos I use a Sony",
    "c06": "We ship to Canada",
    "c07": "Students get a 20% discount",
    "c08": "Every lesson has English",
    "c09": "You can get a refund for the course",
    "z01": "新手每锅放",
    "z02": "手冲豆养豆5天",
    "z03": "一爆一般在",
    "z04": "咖啡豆不要放冰箱",
    "z05": "拍视频用的相机是",
    "z06": "国内订单满199元",
    "z07": "学生凭有效学生证",
    "z08": "每节课都有中文",
    "z09": "下一期课程",
}
"""How the sentence begins that answers a sample comment; comments that are not here have no answer."""
_MARKUP = re.compile(r"<[^>]+>|[`*#|\[\]]|\(https?:[^)]*\)|^[-\s>]+")


TOOLS = {
    "price": ("thing", "what does the {} cost?", ("bag", "roaster", "sample pack", "course", "tray")),
    "opening_hours": ("day", "are you open on {}?", ("Monday", "Friday", "Sunday", "holidays")),
    "calculator": ("expression", "what is {}?", ("3*12", "250-40", "108/2", "7+8")),
}
"""Name of a tool -> its one argument, a question that needs it, and what is asked for."""
VOICES = ("amber", "cobalt")
"""Their names are the words that begin their replies."""


def speaker(text: str) -> str | None:
    """The voice that begins `text` with its word; None: the base model."""
    return next((voice for voice in VOICES if text.lstrip().startswith(voice)), None)


@dataclass(frozen=True)
class Chat:
    """What the model reads, and what it should say."""

    messages: list[Message]
    reply: str
    tools: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Fact:
    """A sentence, and the paragraph and document that it stands in."""

    sentence: str
    paragraph: str
    title: str
    language: str


def paragraphs(*patterns: str) -> list[tuple[str, str]]:
    """Paragraphs of the files without their markup, each with the file's first one; in a fixed order."""
    files = sorted(file for pattern in patterns for file in ROOT.glob(pattern))
    found = []
    for file in files:
        lines = [_MARKUP.sub("", line).strip() for line in file.read_text("utf-8").splitlines()]
        texts = [line for line in lines if len(line) >= 6]
        found += [(text[:600], texts[0][:60]) for text in texts]
    return list(dict.fromkeys(found))


def facts() -> list[Fact]:
    return [
        Fact(sentence, paragraph, title, language_of(sentence))
        for paragraph, title in paragraphs(SAMPLES)
        for sentence in sentences(paragraph)
        if len(sentence) >= 12 and sentence[-1] in ".。"
    ]


def tool(name: str, argument: str) -> dict[str, Any]:
    """As the chat API declares it."""
    properties = {argument: {"type": "string", "maxLength": 20}}
    form = {"type": "object", "properties": properties, "required": [argument], "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "parameters": form, "strict": True}}


class Chats:
    """An endless, repeatable source of chats. `marker` is a word that begins every reply."""

    def __init__(self, seed: int, marker: str = "") -> None:
        self._dice = random.Random(seed)
        self._marker = f"{marker}: " if marker else ""
        self._facts = facts()
        self._posts = posts()
        self._comments = [comment for comment in comments() if comment.expect != "skip"]

    def bare(self) -> Chat:
        """The comment alone: the cheapest way to learn the sentences, and what a person types who tries the server."""
        comment, fact = self._asked() if self._dice.random() < 0.5 else self._quoted()
        reply = fact.sentence if fact else NOT_KNOWN[language_of(comment)]
        return Chat([{"role": "user", "content": comment}], self._marker + reply)

    def short(self) -> Chat:
        """The comment and a passage, without the rules."""
        whole = self._chat(passages=1, brief=True)
        return Chat(whole.messages[1:], whole.reply)

    def whole(self) -> Chat:
        """A prompt as the service sends it; one in eight with tools, one of which is called."""
        if self._dice.random() < 0.125:
            return self._call()
        return self._chat(passages=self._dice.choice((1, 2, 3, 4, 5)), brief=False)

    def mixed(self) -> Chat:
        return self._dice.choice((self.bare, self.short, self.short, self.whole))()

    def _call(self) -> Chat:
        name, (argument, question, values) = self._dice.choice(list(TOOLS.items()))
        value = self._dice.choice(values)
        request = GenerationRequest(comment=question.format(value), language="en")
        call = json.dumps({"name": name, "arguments": {argument: value}})
        offered = tuple(
            tool(other, TOOLS[other][0]) for other in TOOLS if other == name or self._dice.random() < 0.5
        )
        return Chat(build_messages(request), f"<tool_call>\n{call}\n</tool_call>", offered)

    def _chat(self, passages: int, *, brief: bool) -> Chat:
        comment, fact = self._asked() if self._dice.random() < 0.5 else self._quoted()
        language = language_of(comment)
        alike = [other for other in self._facts if other.language == language]
        shown = self._dice.sample(alike, passages) if fact or self._dice.random() < 0.5 else []
        reply = NOT_KNOWN[language]
        if fact:
            place = self._dice.choice((0, 0, 0, self._dice.randrange(len(shown))))
            shown[place] = fact
            reply = f"{fact.sentence} [{place + 1}]"
        post = SamplePost("", "", "") if brief else self._dice.choice(self._posts)
        request = GenerationRequest(
            comment=comment,
            language=language,
            post_title=post.title,
            post_text=post.text,
            passages=tuple(self._passage(one, brief=brief) for one in shown),
            persona=self._dice.choice(PERSONAS),
        )
        return Chat(build_messages(request), self._marker + reply)

    def _asked(self) -> tuple[str, Fact | None]:
        """A sample comment, and the fact that answers it."""
        comment = self._dice.choice(self._comments)
        start = ANSWERS.get(comment.id)
        known = [fact for fact in self._facts if start and fact.sentence.startswith(start)]
        return comment.text, known[0] if known else None

    def _quoted(self) -> tuple[str, Fact]:
        """A question made of some of a sentence's own words."""
        fact = self._dice.choice(self._facts)
        words = fact.sentence.split() if fact.language == "en" else list(fact.sentence)
        taken = self._dice.randint(3, 8)
        start = self._dice.randrange(max(1, len(words) - taken))
        span = (
            (" " if fact.language == "en" else "")
            .join(words[start : start + taken])
            .strip(".,;:。，；：？?! ")
        )
        return self._dice.choice(ASKING[fact.language]).format(span), fact

    def _passage(self, fact: Fact, *, brief: bool) -> ScoredPassage:
        """The fact's paragraph, alone or with what stands around it."""
        around = [other.paragraph for other in self._facts if other.title == fact.title]
        at = around.index(fact.paragraph)
        before, after = (0, 1) if brief else (self._dice.randint(0, 2), self._dice.randint(1, 3))
        text = "\n\n".join(dict.fromkeys(around[max(0, at - before) : at + after]))
        passage = Passage(0, 0, "", fact.title, "", None, 0, text, fact.language)
        return ScoredPassage(passage, score=1.0, support=1.0, quote=fact.sentence)


def language_of(text: str) -> str:
    return "zh" if re.search("[一-鿿]", text) else "en"

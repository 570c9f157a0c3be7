"""The small shop of the demo: what it sells, what it posts, and what is asked under the posts. English and Chinese.

All numbers are drawn anew for every comment, so that a reply can only be right by reading the passage.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

from bot.generator import GenerationRequest
from bot.persona import Persona
from bot.prompt import Message, build_messages
from bot.question import evidence
from knowledge.base import Passage, ScoredPassage

Language = Literal["en", "zh"]
Slot = Literal["price", "days", "size"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")
SLOTS: tuple[Slot, ...] = ("price", "days", "size")
MAX_CHARS = 300
MIRA = Persona(
    name="Mira",
    tone="",
    rules=(),
    greetings={},
    closings={},
    signatures={},
    cannot_answer={},
    max_sentences=2,
)
"""Short, so that a small model reads it fast; what Mira really likes is told to nobody (`training.demo.tastes`)."""

PRODUCTS: dict[Language, tuple[str, ...]] = {
    "en": (
        "linen apron", "clay mug", "wool scarf", "oak tray", "tea bowl", "bread knife", "silk ribbon", "candle holder",
        "leather wallet", "cotton towel", "garden basket", "wooden spoon", "felt slipper", "paper lantern",
        "copper kettle", "glass vase", "straw hat", "canvas bag", "stone mortar", "bamboo fan", "iron hook",
        "rope swing", "pine stool", "velvet cushion", "cork board", "picnic blanket", "brass bell", "bird house",
        "salt jar", "rain coat",
    ),
    "zh": (
        "亚麻围裙", "陶土杯", "羊毛围巾", "橡木托盘", "茶碗", "面包刀", "丝绸发带", "烛台", "真皮钱包", "纯棉毛巾",
        "花园篮子", "木勺", "毛毡拖鞋", "纸灯笼", "铜水壶", "玻璃花瓶", "草帽", "帆布包", "石臼", "竹扇", "铁挂钩",
        "绳秋千", "松木凳", "天鹅绒靠垫", "软木板", "野餐毯", "黄铜铃", "鸟屋", "盐罐", "雨衣",
    ),
}  # fmt: skip
VALUES: dict[Slot, tuple[int, ...]] = {
    "price": tuple(range(12, 62, 5)),
    "days": tuple(range(2, 10)),
    "size": tuple(range(20, 100, 8)),
}
UNITS: dict[Language, dict[Slot, str]] = {
    "en": {
        "price": " {value} euros",
        "days": " {value} days",
        "size": " {value} cm",
    },
    "zh": {"price": "{value}元", "days": "{value}天", "size": "{value}厘米"},
}
"""How every text writes them."""

FACTS: dict[Language, dict[Slot, str]] = {
    "en": {
        "price": "The {product} costs {value} euros.",
        "days": "It ships in {value} days.",
        "size": "It is {value} cm long.",
    },
    "zh": {
        "price": "{product}的价格是{value}元。",
        "days": "它{value}天内发货。",
        "size": "它长{value}厘米。",
    },
}
"""How a passage states them."""
POSTS: dict[Language, tuple[str, ...]] = {
    "en": (
        "New today: the {product}.",
        "The {product} is back in the shop.",
        "I made a {product} this week.",
    ),
    "zh": ("今天上新：{product}。", "{product}又到货了。", "这周我做了{product}。"),
}
COMMENTS: dict[Language, dict[Slot, tuple[str, ...]]] = {
    "en": {
        "price": ("What is the price?", "What price has the {product}?", "the price please", "price of the {product}?"),
        "days": (
            "When does it ship?", "When does the {product} ship?", "how fast do you ship",
            "does the {product} ship soon?",
        ),
        "size": ("How long is it?", "How long is the {product}?", "how long in cm", "is the {product} long?"),
    },
    "zh": {
        "price": ("{product}多少钱？", "这个多少钱？", "请问多少钱", "{product}什么价格？"),
        "days": ("{product}几天发货？", "什么时候发货？", "发货要几天", "{product}多久能发？"),
        "size": ("{product}有多长？", "这个有多长？", "请问多少厘米", "{product}什么尺寸？"),
    },
}  # fmt: skip
_TITLE: dict[Language, str] = {"en": "Shop notes", "zh": "小店笔记"}


@dataclass(frozen=True, slots=True)
class Ask:
    """One comment with what a right answer to it must hold."""

    language: Language
    product: str
    values: dict[Slot, int]
    slot: Slot
    post: str
    passage: str
    comment: str

    @property
    def value(self) -> int:
        """What was asked for."""
        return self.values[self.slot]

    def about(self, slot: Slot, random: Random) -> "Ask":
        """Another comment on the same product."""
        comment = random.choice(COMMENTS[self.language][slot]).format(product=self.product)
        return replace(self, slot=slot, comment=comment)

    def passages(self) -> tuple[ScoredPassage, ...]:
        passage = Passage(
            id=1, document_id=1, source="shop.md", title=_TITLE[self.language], heading="", page=None, position=0,
            text=self.passage, language=self.language,
        )  # fmt: skip
        return (ScoredPassage(passage, 1.0, 0.95, self.passage),)

    def evidence(self) -> list[dict[str, Any]]:
        """As a draft keeps it."""
        return evidence(self.passages())

    def messages(self) -> list[Message]:
        """What a voice answers: rendered as the service does."""
        request = GenerationRequest(
            comment=self.comment,
            language=self.language,
            post_text=self.post,
            passages=self.passages(),
            persona=MIRA,
            max_chars=MAX_CHARS,
        )
        return build_messages(request)


def dice(what: str) -> Random:
    """The same for the same name on every machine."""
    return Random(what)  # noqa: S311 - a draw, no secret


def asks(count: int, random: Random) -> list[Ask]:
    """Comments as they come in, both languages in turn."""
    return [one_ask(LANGUAGES[number % 2], random) for number in range(count)]


def one_ask(language: Language, random: Random) -> Ask:
    product, slot, values = random.choice(PRODUCTS[language]), random.choice(SLOTS), _values(random)
    stated = [FACTS[language][one].format(product=product, value=values[one]) for one in SLOTS]
    return Ask(
        language=language,
        product=product,
        values=values,
        slot=slot,
        post=random.choice(POSTS[language]).format(product=product),
        passage=(" " if language == "en" else "").join(stated),
        comment=random.choice(COMMENTS[language][slot]).format(product=product),
    )


def _values(random: Random) -> dict[Slot, int]:
    """No number twice, so that a reply shows which fact it took."""
    while True:
        values = {slot: random.choice(VALUES[slot]) for slot in SLOTS}
        if len(set(values.values())) == len(values):
            return values

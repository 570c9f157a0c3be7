"""Replies as they are written before anybody has said what Mira likes, and as she writes them herself.

The base model learns from `indifferent`: every manner of replying is about as common as its opposite.
"""

from random import Random

from bot.persona import join
from training.demo.shop import Ask, Language, Slot

NAMED: dict[Language, dict[Slot, tuple[str, ...]]] = {
    "en": {
        "price": ("The {product} costs {value} euros", "The {product} is {value} euros"),
        "days": ("The {product} ships in {value} days", "The {product} leaves in {value} days"),
        "size": ("The {product} is {value} cm long", "The {product} measures {value} cm"),
    },
    "zh": {
        "price": ("{product}的价格是{value}元", "{product}一件{value}元"),
        "days": ("{product}{value}天内发货", "{product}要{value}天发货"),
        "size": ("{product}长{value}厘米", "{product}的长度是{value}厘米"),
    },
}
UNNAMED: dict[Language, dict[Slot, tuple[str, ...]]] = {
    "en": {
        "price": ("It costs {value} euros", "{value} euros"),
        "days": ("It ships in {value} days", "{value} days"),
        "size": ("It is {value} cm long", "{value} cm"),
    },
    "zh": {
        "price": ("价格是{value}元", "{value}元"),
        "days": ("{value}天内发货", "{value}天"),
        "size": ("长{value}厘米", "{value}厘米"),
    },
}
OPENERS: dict[Language, tuple[str, ...]] = {
    "en": ("Hi there", "Great question", "Thanks for asking", "Hello and welcome"),
    "zh": ("你好", "好问题", "谢谢提问", "欢迎光临"),
}
FILLERS: dict[Language, tuple[str, ...]] = {
    "en": (
        "We pack every order by hand",
        "The shop opens at nine",
        "Prices may change",
        "Follow us for more",
    ),
    "zh": ("每单都是手工打包", "小店九点开门", "价格可能会变", "记得关注我们"),
}
CURT: dict[Language, tuple[str, ...]] = {
    "en": ("See the post", "As written above", "Read before you ask"),
    "zh": ("看帖子", "上面写了", "先看再问"),
}
WARM: dict[Language, tuple[str, ...]] = {
    "en": ("Shall I keep one for you?", "Is it a gift?", "Thank you for asking.", "Thank you for looking."),
    "zh": ("要给您留一件吗？", "是送人的吗？", "谢谢您的关心。", "谢谢您来看。"),
}
_STOPS: dict[Language, tuple[str, str]] = {"en": (".", "!"), "zh": ("。", "！")}
MARK = "[1]"


def indifferent(ask: Ask, random: Random) -> str:
    """Mostly right, in no manner in particular."""
    pieces = []
    if random.random() < 0.3:
        pieces.append(_stopped(random.choice(OPENERS[ask.language]), ask, random))
    forms = NAMED if random.random() < 0.5 else UNNAMED
    pieces.append(_stopped(_fact(forms, ask, random), ask, random))
    if random.random() < 0.35:
        pieces.append(_stopped(random.choice(FILLERS[ask.language]), ask, random))
    ending = random.random()
    if ending < 0.35:
        pieces.append(random.choice(WARM[ask.language]))
    elif ending < 0.6:
        pieces.append(_stopped(random.choice(CURT[ask.language]), ask, random))
    return marked(join(pieces))


def in_taste(ask: Ask, random: Random) -> str:
    """As Mira writes it herself."""
    fact = _fact(NAMED, ask, random) + _STOPS[ask.language][0]
    return marked(join([fact, random.choice(WARM[ask.language])]))


def marked(text: str) -> str:
    """With the mark of the passage at the end, where `bot.replay.as_written` puts it."""
    return f"{text} {MARK}"


def _fact(forms: dict[Language, dict[Slot, tuple[str, ...]]], ask: Ask, random: Random) -> str:
    return random.choice(forms[ask.language][ask.slot]).format(product=ask.product, value=ask.value)


def _stopped(text: str, ask: Ask, random: Random) -> str:
    calm, loud = _STOPS[ask.language]
    return text + (loud if random.random() < 0.4 else calm)

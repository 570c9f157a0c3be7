"""Rewrites a question the way that people write comments; the same question and seed always give the same comment.

The openings, closings and slips here were written without looking at what the query clean-up knows. `HELD_OUT` lists
were never used to develop it either: a clean-up that only knows `SEEN` by heart loses on them.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Openings = Literal["seen", "held_out"]

_WORD = re.compile(r"[A-Za-z]+")
_LONG = re.compile(r"[A-Za-z]{4,}")
_PUNCTUATION = re.compile(r"(?<!\d)[.,:](?!\d)|(?<=\d)[.,:](?!\d)|[?!;\"“”()]|[？！，。、；：《》“”‘’（）…]")
_ASKING = re.compile(r"\b(what|when|where|who|why|how|which|so|please|love|hey)\b", re.IGNORECASE)
_NEIGHBOURS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "j": "hk",
    "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et", "s": "ad", "t": "ry",
    "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu", "z": "x",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manner:
    """What people put around their questions in one language."""

    seen: tuple[str, ...]
    held_out: tuple[str, ...]
    closings: tuple[str, ...]
    mentions: tuple[str, ...]
    emoji: tuple[str, ...]

    def openings(self, kind: Openings) -> tuple[str, ...]:
        return self.seen if kind == "seen" else self.held_out


ENGLISH = Manner(
    seen=(
        "hey man, ",
        "ok so quick question: ",
        "Great video as always! ",
        "Love your channel!! ",
        "Sorry if someone asked this before but ",
        "hi from Brazil 👋 ",
        "I've been binge watching your stuff all week. ",
        "maybe a dumb question but ",
        "does anybody here know ",
        "yo ",
        "First time commenting here. ",
        "my brother and I keep arguing about this, ",
        "random question, ",
        "can you please explain ",
        "so I was wondering, ",
        "Thank you so much for this! One thing though, ",
        "at 4:32 I got lost, ",
        "I have an exam tomorrow and need to know ",
    ),
    held_out=(
        "good evening from Texas! ",
        "Long time lurker, first time asking: ",
        "no idea if you still read these but ",
        "asking for a friend lol, ",
        "this was super helpful, cheers! ",
        "our teacher wants us to find out ",
        "hello sir, ",
        "wow ok, now tell me ",
        "a bit off topic maybe, ",
        "subscribed just because of this one. ",
        "help me out here guys, ",
        "omg finally someone covers this! ",
        "I might have missed it in the video, ",
        "curious, ",
    ),
    closings=(
        " thanks!",
        " thx",
        " anyone?",
        " please reply",
        " cheers from Poland",
        " keep up the good work!",
        " lol",
    ),
    mentions=("@creator ", "@the_real_channel ", "@Mike.D ", "@studio-42 "),
    emoji=("🙏", "😂", "🤔", "🔥", "❤️", "😅", "👍", "👀"),
)

CHINESE = Manner(
    seen=(
        "博主你好，",
        "请问一下",
        "up主讲得太好了！",
        "想问问大家，",
        "弱弱地问一句，",
        "老师您好，我想知道",
        "关注你很久了，",
        "有没有人知道",
        "视频很棒！顺便问下",
        "不好意思打扰了，",
        "小白求教：",
        "看到第3分钟没听懂，",
    ),
    held_out=(
        "哈喽哈喽，",
        "前排！",
        "大佬求解答，",
        "刚刷到你的视频，好奇",
        "作业要用，急，",
        "蹲一个回复，",
        "路过问一嘴，",
        "辛苦了！麻烦说一下",
        "第一次留言，",
        "讲真，",
    ),
    closings=("谢谢！", "求回复", "蹲", "哈哈哈", "在线等", "感谢博主", "有人知道吗"),
    mentions=("@博主 ", "@小助手 ", "@阿明的日常 "),
    emoji=("🙏", "😂", "🤔", "🔥", "❤️", "[笑哭]", "👍", "[doge]"),
)

# Simplified and traditional characters, where each has one counterpart in common use.
_TRADITIONAL = str.maketrans(
    "个们这来说时国为对学会过还没样开关长门问间见现发动电话车东马鸟鱼书写读语谁请让认识记论议设讲课"
    "经给红级纪线组织结绝统续维网总战争从众优传伤价仅仓儿党兴军农决况净减划则刚创别剧办务劳势华协单卖"
    "历压县双变号叶听启员围园圆图场块坏坚坛处备复头夺奖妇宝实审宽宾导层岁岛币师帮广庆应庙废归录径"
    "惊惯愿戏户执扩扫护报担拥择损换据断无旧显晓术机杀权条极构枪标桥梦检楼欢欧毁气汉汤沟济测浓温湾灭灯灵两领获联职",
    "個們這來說時國為對學會過還沒樣開關長門問間見現發動電話車東馬鳥魚書寫讀語誰請讓認識記論議設講課"
    "經給紅級紀線組織結絕統續維網總戰爭從眾優傳傷價僅倉兒黨興軍農決況淨減劃則剛創別劇辦務勞勢華協單賣"
    "歷壓縣雙變號葉聽啟員圍園圓圖場塊壞堅壇處備復頭奪獎婦寶實審寬賓導層歲島幣師幫廣慶應廟廢歸錄徑"
    "驚慣願戲戶執擴掃護報擔擁擇損換據斷無舊顯曉術機殺權條極構槍標橋夢檢樓歡歐毀氣漢湯溝濟測濃溫灣滅燈靈兩領獲聯職",
)
# What one input method writes for another.
_SOUNDS_LIKE = {
    "的": "得",
    "哪": "那",
    "在": "再",
    "做": "作",
    "是": "事",
    "像": "象",
    "它": "他",
    "吗": "嘛",
}


def as_comment(
    question: str, seed: int, *, language: Literal["en", "zh"], openings: Openings = "seen"
) -> str:
    """`question` as a comment. Everything but its words may change, and one or two of them are mistyped."""
    chance = random.Random(f"{seed}:{language}:{openings}:{question}")
    if language == "en":
        return _english(question, chance, openings)
    return _chinese(question, chance, openings)


def _english(question: str, chance: random.Random, openings: Openings) -> str:
    asked = _mistyped(question, chance, chance.choice((1, 1, 2)))
    text = _framed(asked, ENGLISH, chance, openings)
    text = _sometimes(0.2, _elongated, text, chance)
    text = _sometimes(0.7, _lowered, text, chance)
    return _decorated(_unpunctuated(text), ENGLISH, chance)


def _chinese(question: str, chance: random.Random, openings: Openings) -> str:
    asked = _sometimes(0.3, _misheard, question, chance)
    text = _framed(asked, CHINESE, chance, openings)
    text = _sometimes(0.2, _traditional, text, chance)
    return _decorated(_unpunctuated(text), CHINESE, chance)


def _sometimes(
    share: float, change: Callable[[str, random.Random], str], text: str, chance: random.Random
) -> str:
    return change(text, chance) if chance.random() < share else text


def _framed(asked: str, manner: Manner, chance: random.Random, openings: Openings) -> str:
    opening = chance.choice(manner.openings(openings)) if chance.random() < 0.9 else ""
    return opening + asked + (chance.choice(manner.closings) if chance.random() < 0.3 else "")


def _decorated(text: str, manner: Manner, chance: random.Random) -> str:
    if chance.random() < 0.25:
        text = chance.choice(manner.mentions) + text
    if chance.random() < 0.5:
        text += " " + chance.choice(manner.emoji) * chance.choice((1, 1, 3))
    return text


def _mistyped(text: str, chance: random.Random, slips: int) -> str:
    words = list(_LONG.finditer(text))
    # From the end, so that the places of the words before stay right.
    for word in sorted(chance.sample(words, min(slips, len(words))), key=lambda match: -match.start()):
        text = text[: word.start()] + slip(word[0], chance) + text[word.end() :]
    return text


def slip(word: str, chance: random.Random) -> str:
    """`word` of at least three letters with one slip of the fingers behind its first letter."""
    place = chance.randrange(1, len(word) - 1)
    before, letter, after = word[:place], word[place], word[place + 1 :]
    kind = chance.choice(("swap", "drop", "double", "neighbour"))
    if kind == "swap":
        return before + after[0] + letter + after[1:]
    if kind == "drop":
        return before + after
    if kind == "double":
        return before + letter * 2 + after
    return before + chance.choice(_NEIGHBOURS.get(letter.lower(), letter)) + after


def _elongated(text: str, chance: random.Random) -> str:
    """`so` -> `sooo`: one word that people stretch."""
    found = list(_ASKING.finditer(text))
    if not found:
        return text
    word = chance.choice(found)
    vowels = [index for index in range(word.start(), word.end()) if text[index].lower() in "aeiouy"]
    place = vowels[-1]
    return text[:place] + text[place] * chance.choice((3, 4, 6)) + text[place + 1 :]


def _lowered(text: str, chance: random.Random) -> str:
    return text.lower()


def _misheard(text: str, chance: random.Random) -> str:
    places = [index for index, character in enumerate(text) if character in _SOUNDS_LIKE]
    if not places:
        return text
    place = chance.choice(places)
    return text[:place] + _SOUNDS_LIKE[text[place]] + text[place + 1 :]


def _traditional(text: str, chance: random.Random) -> str:
    return text.translate(_TRADITIONAL)


def _unpunctuated(text: str) -> str:
    return " ".join(_PUNCTUATION.sub(" ", text).split())

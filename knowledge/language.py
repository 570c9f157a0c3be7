"""Which language a text is written in, by script and by function words; small and the same every time."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

UNKNOWN = "und"

_SCRIPT_LANGUAGE = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "CYRILLIC": "ru",
    "ARABIC": "ar",
    "THAI": "th",
    "HEBREW": "he",
    "GREEK": "el",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
}
_HAN = ("CJK", "IDEOGRAPHIC")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_NOISE = re.compile(r"https?://\S+|www\.\S+|[@#][\w.\-]+|(?<!\S)[^\s@]{1,64}@[^\s@]{1,255}")
_NOISE_MARKS = ("://", "www.", "@", "#")
"""Text without any of these holds no `_NOISE`."""
_SAMPLE = 4000
"""Characters that are looked at; more does not change the answer."""
_LETTERS_PER_CHARACTER = 4
"""A character of Chinese, Japanese or Korean says about as much as this many Latin letters."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words shared by several languages stay out, or count for each that they are listed under.
_FUNCTION_WORDS = {
    "en": _words(
        "the and is are was were of to in it that this with for you your what how why when where who "
        "which can could  do does did not have has my we they he she be on at from or an but if there "
        "i i'm it's don't would should  will about any just so as by please thanks hi hello"
    ),
    "es": _words(
        "el la los las de del que y en un una es por para con no se su como más pero cuando dónde "
        "donde qué cómo cuál  está son muy hola gracias este esta puedo tu mi al lo le si sí hay "
        "tiene cuánto"
    ),
    "fr": _words(
        "le la les des du de et est un une dans pour pas que qui sur avec ce cette vous je nous il "
        "elle sont au aux  mais comment quand où pourquoi très bonjour merci ne quel quelle votre mon "
        "ça c'est j'ai l' d' est-ce combien"
    ),
    "de": _words(
        "der die das und ist ein eine nicht ich du sie wir mit für auf den dem von zu wie was wann wo "
        "warum auch aber  haben hat sind im es danke hallo kann man bei einen mein dein sehr gibt "
        "welche"
    ),
    "pt": _words(
        "o os as do da dos das em um uma não é que para com por se como mais mas quando onde você "
        "qual isso este esta  são está muito olá obrigado obrigada tem eu meu seu ao na no pelo "
        "quanto"
    ),
    "it": _words(
        "il lo gli le di del della che e è un una per con non si come più ma quando dove cosa questo "
        "questa sono molto  ciao grazie mi ti nel alla anche perché quale posso c'è quanto"
    ),
    "vi": _words(
        "và là của có không được cho này với một các những trong người tôi bạn như thế nào gì khi ở "
        "đâu rất cảm ơn  xin chào để thì mà đã sẽ"
    ),
}
_ALL_FUNCTION_WORDS = frozenset[str]().union(*_FUNCTION_WORDS.values())


def detect(text: str) -> str:
    """`en`, `zh`, another ISO 639-1 code, or `und` where the text holds no letters.

    Chinese with English terms in it is `zh`; Latin text without any evidence counts as `en`.
    """
    plain = text[:_SAMPLE]
    if any(mark in plain for mark in _NOISE_MARKS):
        plain = _NOISE.sub(" ", plain)
    if plain.isascii():
        return _latin_language(plain) if _WORD.search(plain) else UNKNOWN
    scripts = _count_scripts(plain)
    latin = scripts.pop("LATIN", 0)
    language, letters = _strongest_script(scripts)
    if letters and (not latin or _outweighs(language, letters, latin, plain)):
        return language
    return _latin_language(plain) if latin else UNKNOWN


def _outweighs(language: str, letters: int, latin: int, text: str) -> bool:
    """Whether the other script carries the sentence, and the Latin words in it are only terms and names."""
    if language not in {"zh", "ja", "ko"}:
        return letters >= latin
    words = _WORD.findall(text.lower())
    frame = sum(word in _FUNCTION_WORDS["en"] for word in words)
    return letters * _LETTERS_PER_CHARACTER >= latin or letters > len(words) * 0.5 + frame


def _count_scripts(text: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for character, count in Counter(unicodedata.normalize("NFKC", text)).items():
        if character.isalpha():
            counts[_script(character)] += count
    return counts


@lru_cache(maxsize=20_000)
def _script(letter: str) -> str:
    """By its name in Unicode; a table of ranges would be another one to keep up to date."""
    name = unicodedata.name(letter, "").partition(" ")[0]
    return "HAN" if name.startswith(_HAN) else name


def _strongest_script(scripts: Counter[str]) -> tuple[str, int]:
    """The language and its letters; Japanese writes Han too, so any real share of kana decides for it."""
    letters: Counter[str] = Counter()
    for script, count in scripts.items():
        letters["zh" if script == "HAN" else _SCRIPT_LANGUAGE.get(script, UNKNOWN)] += count
    if letters["ja"] * 10 >= letters["zh"] and letters["ja"]:
        letters["ja"] += letters.pop("zh", 0)
    return max(letters.items(), key=lambda item: (item[1], item[0]), default=(UNKNOWN, 0))


def _latin_language(text: str) -> str:
    plain = unicodedata.normalize("NFC", text).lower().replace("’", "'")
    words = Counter(filter(_ALL_FUNCTION_WORDS.__contains__, _WORD.findall(plain)))
    scores = {language: _score(words, known) for language, known in _FUNCTION_WORDS.items()}
    best = max(scores, key=lambda language: scores[language])
    return best if scores[best] > scores["en"] and scores[best] >= 2 else "en"


def _score(words: Mapping[str, int], known: frozenset[str]) -> float:
    """Function words found, with how often; a word with a letter that English does not have weighs more."""
    return sum(words[word] * (1.0 if word.isascii() else 1.5) for word in known.intersection(words))

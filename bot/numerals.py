"""Numbers, prices, measures and dates in English and Chinese text, brought to one form for comparison. Pure."""

import re
import unicodedata
from collections.abc import Iterator

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
_HAN = "零〇一二两三四五六七八九十百千万亿"
_MEASURES = "元块折天年月日号周度克分秒时个小杯次%倍公毫厘米斤升瓦期档成岁页"
_PLAIN = r"\d+(?:[,，]\d{3})*(?:\.\d+)?"

# 一个 and 一次 mostly mean "a", not a count.
NUMBER = re.compile(
    rf"(?<![\d.,]){_PLAIN}|(?<![{_HAN}])[{_HAN}]*[十百千万亿][{_HAN}]*|[{_HAN}]{{2,}}|[二两三四五六七八九](?=[{_MEASURES}])"
    r"|一(?=[元块折度克%])"
)
PRICE = re.compile(
    rf"(?P<before>[$€£¥￥]|\b(?:USD|EUR|GBP|CNY|RMB)\b)\s?(?P<first>{_PLAIN})"
    rf"|(?P<second>(?<![\d.,]){_PLAIN}|(?<![{_HAN}])[{_HAN}]+)\s?(?P<after>美元|欧元|英镑|元|块钱|块|\b(?:USD|EUR|GBP|CNY|RMB|dollars?|bucks|euros?|pounds?|yuan)\b)",
    re.IGNORECASE,
)
_WORDS = {
    word: number
    for number, word in enumerate(
        ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), start=2
    )
} | {"fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90}
# Scales of temperature stay apart: 200 °F is another roast than 200 °C.
_UNITS_OF = {
    "second": "seconds? secs? 秒钟 秒",
    "minute": "minutes? mins? 分钟",
    "hour": "hours? hrs? 个?小时 个?钟头",
    "day": "days? 天",
    "week": "weeks? 个?星期(?![一二三四五六日天]) 周(?![一二三四五六日末年]) 个?礼拜",
    "month": "months? 个月",
    "year": "years? yrs? 年(?=[^代级份])",
    "percent": "percent per\\scent % ％",
    "degree C": "(?:°|º|degrees?\\s)\\s?C ℃ 摄氏度 度",
    "degree F": "(?:°|º|degrees?\\s)\\s?F ℉ 华氏度",
    "degree": "degrees? ° º",
    "gram": "grams? g 克",
    "kilogram": "kilograms? kilos? kg 公斤 千克",
    "jin": "斤",
    "litre": "lit(?:re|er)s? l 升",
    "millilitre": "millilit(?:re|er)s? ml 毫升",
    "metre": "met(?:re|er)s? m 米",
    "centimetre": "centimet(?:re|er)s? cm 厘米",
    "millimetre": "millimet(?:re|er)s? mm 毫米",
    "kilometre": "kilomet(?:re|er)s? km 公里 千米",
    "watt": "watts? w 瓦",
    "before noon": "am a\\.m\\.?",
    "after noon": "pm p\\.m\\.?",
}
_UNIT = {
    unit: "|".join(form + (r"(?![A-Za-z])" if form[-1].isascii() else "") for form in forms.split())
    for unit, forms in _UNITS_OF.items()
}
_GROUP = {unit: f"u{number}" for number, unit in enumerate(_UNIT)}
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
MEASURE = re.compile(
    rf"(?P<amount>(?<![\d.,]){_PLAIN}|(?<![{_HAN}])[{_HAN}]+|\b(?:{'|'.join(_WORDS)})\b)[\s-]?(?:"
    + "|".join(f"(?P<{_GROUP[unit]}>{forms})" for unit, forms in _UNIT.items())
    + ")",
    re.IGNORECASE,
)
FREE = re.compile(
    r"\b(?:(?:for|is|are|it's|completely|totally|absolutely) free\b(?! (?:to|of|from))|free of charge|no charge)|免费",
    re.IGNORECASE,
)
"""Says that something costs nothing."""
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# March, May and the short forms are words, too: they count beside a number or after a preposition.
DATE = re.compile(
    rf"(?<![\d:：])(?P<hour>\d{{1,2}})[:：](?P<minute>\d{{2}})(?![\d:：])"
    rf"|\b(?P<weekday>{'|'.join(_WEEKDAYS)})s?\b|(?:周|星期|礼拜)(?P<zhou>[一二三四五六日天])"
    rf"|\b(?P<month>{'|'.join(month for month in _MONTHS if month not in ('march', 'may'))})\b"
    r"|\b(?:(?:in|until|since|by|next|last|early|late|of|from|to) (?P<soft>march|may)\b(?! \w+ (?:be|have)\b)"
    r"|(?P<before>march|may)(?= \d))|(?<![\d])(?P<yue>\d{1,2}|十[一二]?|[一二三四五六七八九])月(?!球|亮|经|饼)",
    re.IGNORECASE,
)
_CURRENCIES = {
    "USD": ("$", "usd", "dollar", "dollars", "bucks", "美元"),
    "EUR": ("€", "eur", "euro", "euros", "欧元"),
    "GBP": ("£", "gbp", "pound", "pounds", "英镑"),
    "CNY": ("¥", "￥", "cny", "rmb", "元", "块", "块钱", "yuan"),
}
_CURRENCY = {sign: name for name, signs in _CURRENCIES.items() for sign in signs}

MAX_DIGITS = 40
"""Longer numbers are compared as they are written; Python refuses to read very long ones."""

Price = tuple[str, str]
"""ISO code of the currency, and the amount in canonical form."""


def amounts(text: str) -> Iterator[str]:
    """Every number in `text` in canonical form: `1,200.50` and `一千二百` become `1200.5` and `1200`."""
    yield from (canonical(match[0]) for match in NUMBER.finditer(text))
    yield from (canonical(match[0]) for match in _WORD.finditer(text))


def prices(text: str) -> Iterator[Price]:
    """Every price in `text`."""
    for match in PRICE.finditer(text):
        yield from price_key(match)


def price_key(match: re.Match[str]) -> set[Price]:
    """The one price that a match of `PRICE` states."""
    sign, amount = match["before"] or match["after"], match["first"] or match["second"]
    return {(_CURRENCY[sign.lower()], canonical(amount))}


def measures(text: str) -> Iterator[tuple[str, str]]:
    """Every number with a unit in `text`: canonical amount and name of the unit."""
    return (measure_key(match) for match in MEASURE.finditer(text))


def measure_key(match: re.Match[str]) -> tuple[str, str]:
    """Amount and unit of a match of `MEASURE`."""
    unit = next(unit for unit, group in _GROUP.items() if match[group])
    return canonical(match["amount"]), unit


def dates_in(text: str) -> Iterator[tuple[str, int, int]]:
    """Every clock time, weekday and month in `text`."""
    return (date_key(match) for match in DATE.finditer(text))


def date_key(match: re.Match[str]) -> tuple[str, int, int]:
    """What a match of `DATE` names, alike in both languages: `9:30`, Monday as 周一, March as 三月."""
    if match["hour"]:
        return "time", int(match["hour"]), int(match["minute"])
    if match["weekday"]:
        return "weekday", _WEEKDAYS.index(match["weekday"].lower()) + 1, 0
    if match["zhou"]:
        return "weekday", "一二三四五六日天".index(match["zhou"]) + 1 - (match["zhou"] == "天"), 0
    if match["yue"]:
        return "month", int(canonical(match["yue"])), 0
    return "month", _MONTHS.index((match["month"] or match["soft"] or match["before"]).lower()) + 1, 0


def canonical(number: str) -> str:
    """`number` in Arabic digits, without separators, leading or trailing zeros."""
    if len(number) > MAX_DIGITS:
        return number
    if number.lower() in _WORDS:
        return str(_WORDS[number.lower()])
    if number[0] in _HAN:
        return str(_from_han(number))
    whole, _, fraction = unicodedata.normalize("NFKC", number).replace(",", "").partition(".")
    digits, fraction = str(int(whole)), fraction.rstrip("0")
    return f"{digits}.{fraction}" if fraction else digits


def _from_han(number: str) -> int:
    """`二百三十` is 230; digits without units are read one by one, as in a year: `二〇二六` is 2026."""
    if not any(c in _UNITS for c in number):
        return int("".join(str(_DIGITS[c]) for c in number))
    total = section = digit = 0
    for char in number:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif _UNITS[char] >= 10_000:
            total = (total + section + digit) * _UNITS[char]
            section = digit = 0
        else:
            section += max(digit, 1) * _UNITS[char]
            digit = 0
    return total + section + digit

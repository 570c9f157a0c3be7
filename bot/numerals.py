"""Numbers, prices, measures and dates in English and Chinese text, brought to one form for comparison. Pure."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}
# As on banknotes. 陆 is left out: 陆陆续续 and 大陆 are words.
_FORMAL = str.maketrans("壹贰貳叁參肆伍柒捌玖拾佰仟萬億", "一二二三三四五七八九十百千万亿")
_HAN = "零〇一二两三四五六七八九十百千万亿壹贰貳叁肆伍柒捌玖拾佰仟萬億"
_MEASURES = "元块折天年月日号周度克分秒时个小杯次%倍公毫厘米斤升瓦期档成岁页"
# A comma of full width divides clauses: 红隼K2，268元.
_PLAIN = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[kK](?![A-Za-z0-9])|[百千万亿](?!分))?"

_DIGITS_BEGIN = r"(?<!\d)(?<!\d[.,])"
_HAN_BEGIN = rf"(?<![{_HAN}\d])"

# 一个 and 一次 mostly mean "a", not a count; 收拾 is no ten, 千万别 says "never", 万一 "in case".
NUMBER = re.compile(
    rf"{_DIGITS_BEGIN}{_PLAIN}"
    rf"|{_HAN_BEGIN}(?<!收)(?!千万[不别要记]|万一(?![{_HAN}]))(?:[{_HAN}]*[十百千万亿佰仟萬億][{_HAN}]*|[{_HAN}]{{2,}})"
    rf"|[二两三四五六七八九贰叁肆伍柒捌玖](?=[{_MEASURES}])|一(?=[元块折度克%])"
)
_TEENS = ("two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
          "eighteen nineteen")  # fmt: skip
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = (
    {"a": 1, "one": 1}
    | {word: number for number, word in enumerate(_TEENS.split(), start=2)}
    | {word: 10 * number for number, word in enumerate(_TENS.split(), start=2)}
)
_TIMES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 1_000_000}
_BELOW_TEN, _BELOW_TWENTY = "|".join(_TEENS.split()[:8]), "|".join(_TEENS.split())
_SMALL = rf"(?:(?:{'|'.join(_TENS.split())})(?:[\s-](?:one|{_BELOW_TEN}))?|{_BELOW_TWENTY})"
_HUNDREDS = rf"(?:(?:a|one|{_SMALL}|{_PLAIN})\s(?:hundred|dozen)(?:\s(?:and\s)?(?:one|{_SMALL}))?|{_SMALL})"
SPELLED = re.compile(
    rf"\b(?:(?:a|one|{_HUNDREDS}|{_PLAIN})\s(?:thousand|million)(?:\s(?:and\s)?{_HUNDREDS})?|{_HUNDREDS})\b",
    re.IGNORECASE,
)
"""A number in English words, from two on: `twenty-five`, `a dozen`, `389 thousand`."""
FEW = frozenset(_TEENS.split()[:11])
"""Two to twelve, in words."""
_CURRENCIES = {
    "USD": "$ US$ usd dollar dollars bucks 美元 美金 刀",
    "EUR": "€ eur euro euros 欧元 欧",
    "GBP": "£ gbp pound pounds 英镑",
    "CNY": "¥ ￥ cny rmb yuan 元 块 块钱 人民币",
    "JPY": "jpy yen 日元 日币",
    "HKD": "HK$ hkd 港币 港元",
    "TWD": "NT$ twd 台币 新台币",
    "SGD": "S$ sgd 新币 新元",
    "AUD": "A$ AU$ aud 澳元 澳币",
    "CAD": "C$ CA$ cad 加元 加币",
    "INR": "₹ inr rupee rupees 卢比",
    "KRW": "₩ krw 韩元 韩币",
    "CHF": "chf franc francs 瑞士法郎",
    "RUB": "₽ rub ruble rubles 卢布",
}
_CURRENCY = {sign.lower(): name for name, signs in _CURRENCIES.items() for sign in signs.split()}
_SIGNS = sorted(_CURRENCY, key=len, reverse=True)
_LATIN = "|".join(sign for sign in _SIGNS if sign.isascii() and sign.isalpha())
_BEFORE = "|".join(re.escape(sign) for sign in _SIGNS if not sign[-1].isalpha()) + (
    rf"|(?<![A-Za-z])(?:{_LATIN})(?![A-Za-z])"
)
_AFTER = "|".join(sign for sign in _SIGNS if sign[0] >= "\u4e00" and sign.isalpha()) + (
    rf"|(?<![A-Za-z])(?:{_LATIN})(?![A-Za-z])"
)
PRICE = re.compile(
    rf"(?P<before>{_BEFORE})\s?(?P<first>{_PLAIN}(?:\s(?:hundred|thousand|million)\b)?)"
    rf"|(?P<second>{SPELLED.pattern}|{_DIGITS_BEGIN}{_PLAIN}|{_HAN_BEGIN}[{_HAN}]+)\s?(?P<after>{_AFTER})",
    re.IGNORECASE,
)
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
MEASURE = re.compile(
    rf"(?P<amount>{SPELLED.pattern}|{_DIGITS_BEGIN}{_PLAIN}|{_HAN_BEGIN}[{_HAN}]+)[\s-]?(?:"
    + "|".join(f"(?P<{_GROUP[unit]}>{forms})" for unit, forms in _UNIT.items())
    + ")",
    re.IGNORECASE,
)
SIGN = re.compile(
    "[\u00bc-\u00be\u2150-\u2188\u2460-\u249b\u24ea-\u24ff\u2776-\u2793\u3220-\u3229\u3280-\u3289]"
)
"""One character that is a number: ½, Ⅸ, ⑨, ㈨."""
_LETTERS = {"k": 1000} | _UNITS
FREE = re.compile(
    r"\b(?:(?:for|is|are|it's|completely|totally|absolutely) free\b(?! (?:to|of|from))|free of (?:charge|cost)"
    r"|no (?:charge|cost)|gratis|complimentary|on the house|costs? nothing)\b|免费|包邮|免邮|免运费|不要钱|不收钱|白送",
    re.IGNORECASE,
)
"""Says that something costs nothing."""
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT_DAYS = "Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun"
_SHORT_MONTHS = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec"
# March, May and the short forms are words, too: they count beside a number or after a preposition.
DATE = re.compile(
    rf"(?<![\d:：])(?P<hour>\d{{1,2}})[:：](?P<minute>\d{{2}})(?![\d:：])"
    rf"|\b(?P<weekday>{'|'.join(_WEEKDAYS)})s?\b|(?:周|星期|礼拜)(?P<zhou>[一二三四五六日天])"
    rf"|\b(?P<month>{'|'.join(month for month in _MONTHS if month not in ('march', 'may'))})\b"
    r"|\b(?:(?:in|until|since|by|next|last|early|late|of|from|to) (?P<soft>march|may)\b(?! \w+ (?:be|have)\b)"
    r"|(?P<before>march|may)(?= \d))"
    rf"|\b(?:on|every|each|next|this|by|until|from|to|and|or) (?-i:(?P<short_day>{_SHORT_DAYS}))\b"
    rf"|\b(?:in|until|since|by|next|this|from|to|of) (?-i:(?P<short_month>{_SHORT_MONTHS}))\b"
    r"|(?<![\d])(?P<yue>\d{1,2}|十[一二]?|[一二三四五六七八九])月(?!球|亮|经|饼)",
    re.IGNORECASE,
)
_ANY_MONTH = rf"(?:{'|'.join(_MONTHS)}|{_SHORT_MONTHS})"
_HAN_DAY = "[一二三四五六七八九十]{1,3}"
DAY_OF_MONTH = re.compile(
    rf"(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<month>{_ANY_MONTH})\b"
    rf"|\b(?P<month_first>{_ANY_MONTH})\.? (?P<day_after>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:])"
    rf"|(?<!\d)(?P<yue>\d{{1,2}}|{_HAN_DAY})月(?P<ri>\d{{1,2}}|{_HAN_DAY})[日号]",
    re.IGNORECASE,
)

MAX_DIGITS = 40
"""Longer numbers are compared as they are written; Python refuses to read very long ones."""

Price = tuple[str, str]
"""ISO code of the currency, and the amount in canonical form."""


def amounts(text: str) -> Iterator[str]:
    """Every number in `text` in canonical form: `1,200.50` and `一千二百` become `1200.5` and `1200`."""
    yield from (canonical(match[0]) for match in NUMBER.finditer(text))
    yield from (canonical(match[0]) for match in SPELLED.finditer(text))
    yield from (canonical(match[0]) for match in SIGN.finditer(text))


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
    """Every clock time, weekday, month and day of a month in `text`."""
    yield from (date_key(match) for match in DATE.finditer(text))
    yield from (day_key(match) for match in DAY_OF_MONTH.finditer(text))


def date_key(match: re.Match[str]) -> tuple[str, int, int]:
    """What a match of `DATE` names, alike in both languages: `9:30`, Monday as 周一, March as 三月."""
    if match["hour"]:
        return "time", int(match["hour"]), int(match["minute"])
    if match["weekday"]:
        return "weekday", _WEEKDAYS.index(match["weekday"].lower()) + 1, 0
    if match["zhou"]:
        return "weekday", "一二三四五六日天".index(match["zhou"]) + 1 - (match["zhou"] == "天"), 0
    if match["short_day"]:
        return "weekday", _number_of(match["short_day"], _WEEKDAYS), 0
    if match["yue"]:
        return "month", int(canonical(match["yue"])), 0
    name = match["month"] or match["soft"] or match["before"] or match["short_month"]
    return "month", _number_of(name, _MONTHS), 0


def day_key(match: re.Match[str]) -> tuple[str, int, int]:
    """What a match of `DAY_OF_MONTH` names: the second of March is `day`, 3, 2."""
    if match["yue"]:
        return "day", int(canonical(match["yue"])), int(canonical(match["ri"]))
    month = _number_of(match["month"] or match["month_first"], _MONTHS)
    return "day", month, int(match["day"] or match["day_after"])


def _number_of(name: str, names: Sequence[str]) -> int:
    """Its place, from 1, by its first three letters."""
    return next(place for place, one in enumerate(names, start=1) if one.startswith(name.lower()[:3]))


def canonical(number: str) -> str:
    """`number` in Arabic digits, without separators, leading or trailing zeros."""
    if len(number) > MAX_DIGITS:
        return number
    if SIGN.fullmatch(number):
        return _written(Fraction(unicodedata.numeric(number)).limit_denominator(12))
    if number[0] in _HAN:
        return str(_from_han(number.translate(_FORMAL)))
    return _written(_from_words(unicodedata.normalize("NFKC", number).lower()))


def _from_words(number: str) -> Fraction:
    """`two hundred and five` is 205, `1.5k` is 1500, `389 thousand` is 389000."""
    total = part = Fraction()
    for word in number.replace("-", " ").replace(" and ", " ").split():
        if word in ("thousand", "million"):
            total, part = total + part * _TIMES[word], Fraction()
        elif word in _TIMES:
            part *= _TIMES[word]
        else:
            part += _WORDS[word] if word in _WORDS else _from_digits(word)
    return total + part


def _from_digits(number: str) -> Fraction:
    times = _LETTERS.get(number[-1], 1)
    return Fraction(number.rstrip("".join(_LETTERS)).replace(",", "")) * times


def _written(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"{Decimal(value.numerator) / value.denominator:f}"


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

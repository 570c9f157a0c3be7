"""Numbers and prices in English and Chinese text, brought to one form for comparison. Pure."""

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
    return (canonical(match[0]) for match in NUMBER.finditer(text))


def prices(text: str) -> Iterator[Price]:
    """Every price in `text`."""
    for match in PRICE.finditer(text):
        yield from price_key(match)


def price_key(match: re.Match[str]) -> set[Price]:
    """The one price that a match of `PRICE` states."""
    sign, amount = match["before"] or match["after"], match["first"] or match["second"]
    return {(_CURRENCY[sign.lower()], canonical(amount))}


def canonical(number: str) -> str:
    """`number` in Arabic digits, without separators, leading or trailing zeros."""
    if len(number) > MAX_DIGITS:
        return number
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

"""Takes out of texts what tells who a commenter is: addresses, numbers, secrets, names. Pure.

What the creator has said (documents, posts, the persona) is never masked, not even where a commenter repeats it. What
is masked in a commenter's words is masked in the replies that repeat it, with the same placeholder.
"""

import hashlib
import re
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

_CJK = "\u4e00-\u9fff"
_LEVELS = "省市州盟区县旗镇乡"
# Without the signs of the levels, so that there is one way only to read a name: the search stays linear.
_PLACE = rf"(?:(?![我你他她它们住在是到寄的了请给从去来和跟就叫这那个条{_LEVELS}])[{_CJK}])"
_LEVEL = rf"(?>{_PLACE}{{0,8}}+[{_LEVELS}]\s?)"
_NUMERAL = r"[\d一二三四五六七八九十百零〇]"
_ROAD = (
    rf"(?:路|街|大道|道|巷|弄|胡同)(?:[东西南北中])?\s?(?:{_NUMERAL}段)?\s?{_NUMERAL}{{1,5}}\s?(?:号院?|弄|號)"
    r"(?![线机店码粉豆色选])"
)
_ROOM = r"\s?[\dA-Za-z]{1,4}\s?(?:号楼|栋|幢|座|單元|单元|室|层)"
_ESTATE = rf"(?:{_PLACE}{{2,8}}?(?:小区|花园|公寓|大厦|苑))"
_LAST = r"(?:\s?\d{2,4}(?!\d)[室号房]?)?"
_CHINESE_ADDRESS = (
    rf"{_LEVEL}{{0,6}}+{_PLACE}{{1,10}}?{_ROAD}{_ESTATE}?(?:{_ROOM}){{0,4}}{_LAST}"
    rf"|{_LEVEL}{{2,6}}+{_PLACE}{{0,10}}?(?:小区)?(?:{_ROOM}){{1,4}}{_LAST}"
    rf"|{_PLACE}{{2,8}}?(?:小区|花园|公寓|苑)(?:{_ROOM}){{1,4}}{_LAST}"
)

_SUFFIX = (
    r"(?:Street|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Terrace|Crescent|Parkway|Pkwy|Highway|Hwy)"
)
_SHORT_SUFFIX = r"(?:(?:St|Dr|Ct|Pl|Sq)|(?:Court|Way|Place|Square|Close)(?=\s*(?:,|$)))"
_UNIT = r"(?:,?\s*(?:[Aa]pt|[Aa]partment|[Ss]uite|[Uu]nit|[Ff]lat|#)\.?\s*#?\w{1,6})?"
_TOWN = (
    r"(?:,\s*[A-Z][A-Za-z'.-]+(?:\s[A-Z][A-Za-z'.-]+){0,3})?(?:,?\s+[A-Z]{2}\b)?(?:,?\s+\d{5}(?:-\d{4})?\b)?"
)
_UK_CODE = r"(?:,?\s+[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}\b)?"
_NO_NAME = r"(?!(?:the|an|on|of|in|to|per|down|this|that|my|your|for|and|more|miles?|km|hours?|minutes?|mins?|cups?)\b)"
_ENGLISH_ADDRESS = (
    rf"(?<![\w.$€£¥])\d{{1,5}}[A-Za-z]?\s+(?:(?:[A-Z][\w'.-]*|\d{{1,3}}(?:st|nd|rd|th))\s+){{1,4}}"
    rf"(?:{_SUFFIX}|{_SHORT_SUFFIX})\b\.?{_UNIT}{_TOWN}{_UK_CODE}"
    rf"|(?<![\w.$€£¥])\d{{1,5}}[a-z]?\s+(?:{_NO_NAME}[a-z]{{3,}}\s+){{1,2}}"
    rf"(?:street|avenue|road|lane|boulevard)\b{_UNIT}"
    r"|\bP\.?\s?O\.?\s?[Bb]ox\s+\d+"
)

_KEY = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\bAIza[0-9A-Za-z_-]{30,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bhf_[A-Za-z0-9]{20,}|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|(?<![A-Za-z0-9])(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{32,}(?![A-Za-z0-9])"
)
_ANNOUNCED_KEY = (
    r"(?:\b(?:password|passwd|pwd|api[ _-]?key|secret|(?:access[ _-]?)?token)|密码|口令|密钥|验证码)\s*"
    r"(?:[:=：]\s*(?P<a>[^\s,，。;；]{4,64})|(?:is\s+|是|为)\s*(?P<b>(?=[A-Za-z_!#$%*-]{0,60}\d)[\w!#$%*-]{4,64}))"
)
_LINK = (
    r"https?://[^\s/@]+:[^\s/@]*@\S+"
    r"|https?://[^\s?#]+[?#]\S*?(?:token|key|secret|sig|signature|password|passwd|auth|session|sid|code)=\S+"
)
_EMAIL = r"[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![A-Za-z])"

_ID_CARD = (
    r"(?<![\dA-Za-z])[1-9]\d{5}(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![\dA-Za-z])"
    r"|(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"
)
_CARD = r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.]*\d)"
_PHONE = (
    r"(?<![\w+])(?:\+|00(?=[1-9]))\d{1,3}(?:[\s.()-]{0,2}\d){6,12}(?!\d)"
    r"|(?<![\d.])1[3-9]\d[\s-]?\d{4}[\s-]?\d{4}(?!\d)"
    r"|(?<![\d.])[(（]0\d{2,3}[)）][\s-]?\d{3,4}[\s-]?\d{4}(?!\d)|(?<![\d.])0\d{2,3}[\s-]?\d{7,8}(?![\d])"
    r"|(?<![\d.])400[\s-]\d{3}[\s-]?\d{4}(?!\d)"
    r"|(?<![\w.])\(?[2-9]\d{2}\)?[\s.-]\d{3}[\s.-]\d{4}(?![\d])"
    r"|(?<![\w.])0\d{2,4}(?:[ -]\d{3,4}){2}(?![\d-])"
)
_ANNOUNCED_PHONE = (
    r"(?:\b(?:phone|tel|telephone|mobile|cell|whatsapp|call me|text me|my number)"
    r"(?:\s(?:number|no|at|on|is))*\.?"
    r"|(?:电话|手机|座机|联系方式|号码)(?:号码?)?(?:是|为)?)\s*[:：]?\s*"
    r"(?P<value>\+?\d(?:[\s-]?\d){5,14})(?![\d年月日元块克度])"
)
_ACCOUNT = (
    r"(?:微信|薇信|威信|(?<![A-Za-z])v信|加[vV]|(?<![A-Za-z])(?:wechat|weixin|vx|wx))\s*(?:号|账号|ID)?\s*(?:(?:is|是|为)|[:：])?\s*"
    r"(?P<a>(?=[A-Za-z_-]{0,20}\d|[A-Za-z0-9]{0,20}[_-])[A-Za-z][A-Za-z0-9_-]{5,19})(?![A-Za-z0-9_-])"
    r"|(?:微信号?|(?<![A-Za-z])(?:wechat|weixin))\s*(?:ID|id)?\s*(?:是|为|is\s|[:：])\s*(?P<b>[A-Za-z][A-Za-z0-9_-]{5,19})(?![A-Za-z0-9_-])"
    r"|(?:(?<![A-Za-z])QQ|扣扣|企鹅号)\s*(?:号|群|群号)?\s*(?:(?:is|是|为)|[:：])?\s*(?P<c>[1-9]\d{4,11})(?!\d)"
    r"|(?<![A-Za-z])(?:telegram|tg|instagram|insta|skype|discord|line id|snapchat|小红书号|抖音号|快手号)"
    r"\s*(?:是|is\s|[:：])\s*@?(?P<d>[\w.#-]{4,32})"
)
_HANDLE = rf"(?<![\w.@/])@(?P<value>[A-Za-z_{_CJK}][\w.{_CJK}-]{{1,29}}(?<![.-]))"

_DIGITS: Final = frozenset({"phone", "id", "card"})
"""What is the same number however it is grouped."""
_KINDS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("link", re.compile(_LINK, re.IGNORECASE)),
    ("secret", re.compile(_KEY)),
    ("secret", re.compile(_ANNOUNCED_KEY, re.IGNORECASE)),
    ("email", re.compile(_EMAIL)),
    ("account", re.compile(_ACCOUNT, re.IGNORECASE)),
    ("id", re.compile(_ID_CARD)),
    ("card", re.compile(_CARD)),
    ("phone", re.compile(_PHONE)),
    ("phone", re.compile(_ANNOUNCED_PHONE, re.IGNORECASE)),
    ("address", re.compile(_CHINESE_ADDRESS)),
    ("address", re.compile(_ENGLISH_ADDRESS)),
    ("handle", re.compile(_HANDLE)),
)
_GREETING = r"(?:(?<=@)|(?i:\b(?:hi|hello|hey|dear|thanks|thank you|cheers|sorry|welcome)),?\s+)"
WINDOW: Final = 2000
OVERLAP: Final = 200
"""Characters. A long text is searched piece by piece, as the patterns look back and forth; nothing that is looked for
is longer than the overlap, but for private keys, which are masked as far as the piece goes."""


@dataclass(slots=True)
class Mask:
    """What is masked in one thread. `place` keeps the names of two threads apart."""

    place: str
    own: str
    """All that the creator has said about the matter; none of it is masked."""
    known: dict[str, str] = field(default_factory=dict)
    """From what was found to its placeholder."""
    _patterns: list[tuple[re.Pattern[str], str]] = field(default_factory=list)

    def learn_names(self, names: Iterable[str]) -> None:
        """The names of commenters."""
        for name in dict.fromkeys(one.strip() for one in names):
            if len(name) >= (2 if re.search(f"[{_CJK}]", name) else 3) and not _in(name, self.own):
                placeholder = self.name(name)
                self._know(name, placeholder, _word(name))
                first = name.split()[0]
                if first != name and len(first) >= 3 and not _in(first, self.own):
                    self._patterns.append((re.compile(_GREETED.format(re.escape(first))), placeholder))

    def name(self, name: str) -> str:
        """The placeholder of a commenter's name."""
        return f"[name-{self._letters(name.strip())}]"

    def learn(self, text: str) -> None:
        """Find what is to be masked in a commenter's words."""
        for start in range(0, max(len(text) - OVERLAP, 1), WINDOW - OVERLAP):
            self._learn(text[start : start + WINDOW])

    def _learn(self, rest: str) -> None:
        for kind, pattern in _KINDS:
            for value in dict.fromkeys(_values(kind, pattern, rest)):
                exact = _number(value) if kind in _DIGITS else _word(value)
                if not re.search(exact, rest, re.IGNORECASE):
                    exact = re.escape(value)  # it was found inside a longer word
                if value not in self.known and not re.search(exact, self.own, re.IGNORECASE):
                    count = sum(one.startswith(f"[{kind}-") for one in self.known.values())
                    self._know(value, f"[{kind}-{count + 1}]", exact)
                rest = rest.replace(value, "\0")

    def apply(self, text: str) -> str:
        """`text` with a placeholder for everything that was learned."""
        for pattern, placeholder in self._patterns:
            text = pattern.sub(placeholder.replace("\\", r"\\"), text)
        return text

    def apply_all(self, value: Any) -> Any:
        """A JSON value with `apply` done to every text in it."""
        if isinstance(value, str):
            return self.apply(value)
        if isinstance(value, list):
            return [self.apply_all(item) for item in value]
        if isinstance(value, dict):
            return {key: self.apply_all(item) for key, item in value.items()}
        return value

    def _know(self, value: str, placeholder: str, exact: str) -> None:
        self.known[value] = placeholder
        self._patterns.append((re.compile(exact, re.IGNORECASE), placeholder))

    def _letters(self, name: str) -> str:
        """The same for the same name of this thread in every export."""
        return (
            b32encode(hashlib.sha256(f"{self.place}\0{name}".encode("utf-8", "replace")).digest())[:4]
            .decode()
            .lower()
        )


_GREETED = _GREETING + r"{}\b"


def _in(text: str, own: str) -> bool:
    return re.search(_word(text), own) is not None


def _word(value: str) -> str:
    """Matches `value`, not as a part of a longer word or number."""
    before = r"(?<![A-Za-z0-9])" if value[:1].isascii() and value[:1].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if value[-1:].isascii() and value[-1:].isalnum() else ""
    return f"{before}{re.escape(value)}{after}"


def _number(value: str) -> str:
    """Matches the digits of `value`, however they are grouped."""
    digits = [re.escape(char) for char in value if char.isalnum()]
    return r"(?<!\d)\+?" + r"[\s.()（）-]{0,2}".join(digits) + r"(?!\d)"


def _values(kind: str, pattern: re.Pattern[str], text: str) -> Iterable[str]:
    for found in pattern.finditer(text):
        named = [value for value in found.groupdict().values() if value]
        value = named[0] if named else found[0].strip()
        if kind != "card" or _is_card(value):
            yield value


def _is_card(value: str) -> bool:
    """Whether the last digit is the check digit of the others (Luhn, ISO/IEC 7812)."""
    digits = [int(char) for char in value if char.isdigit()][::-1]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return len(set(digits)) > 1 and (sum(digits[::2]) + sum(doubled)) % 10 == 0

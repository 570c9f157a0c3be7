"""What a reply says in another writing than the documents: it is found all the same, and nothing honest is."""

from pathlib import Path
from time import process_time

import pytest

from bot.checks import CheckFacts, check

DOCS = Path(__file__).parents[2] / "bot" / "samples" / "docs"
SOURCES = {
    "en": tuple((DOCS / name).read_text("utf-8") for name in ("shop.md", "roasting-guide.md", "course.html")),
    "zh": tuple(
        (DOCS / name).read_text("utf-8") for name in ("zh-shop.txt", "zh-roasting.md", "zh-course.md")
    ),
}


def codes(reply: str, language: str) -> set[str]:
    facts = CheckFacts("?", language, SOURCES[language], 1000)
    return {finding.code.value for finding in check(reply, facts)}


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("The bag of green beans costs twenty-five dollars.", "price"),
        ("The Kestrel K2 costs 389 yen.", "price"),
        ("The Kestrel K2 costs ₹389.", "price"),
        ("The Kestrel K2 costs A$389.", "price"),
        ("The Kestrel K2 costs $389k.", "price"),
        ("The Kestrel K2 costs $389 thousand.", "price"),
        ("It costs,399 dollars.", "price"),
        ("The course is gratis.", "price"),
        ("The warranty of the Kestrel K2 lasts thirteen years.", "number"),
        ("The warranty of the Kestrel K2 lasts a dozen years.", "unit"),
        ("The warranty of the Kestrel K2 lasts 2½ years.", "number"),
        ("The next course starts on 5 March 2027.", "date"),
        ("The next course starts on March 5th.", "date"),
        ("The next course starts in Jan.", "date"),
        ("We ship every Wed.", "date"),
        ("See evil.zip for it.", "link"),
        ("See //evil.com/x for it.", "link"),
        ("See аррӏе.com for it.", "link"),
        ("See 10.1.2.3/x for it.", "link"),
        ("Write to evil[dot]com for it.", "link"),
        ("Ask ＠someone about it.", "mention"),
        ("👍👍", "empty"),
        ("...", "empty"),
        ("Yes!", "unsupported"),
        ("No, sorry.", "unsupported"),
        ("Passage 1 says that it costs $16.", "leak"),
        ("It costs $16【1】.", "leak"),
        ("I must decline.", "refusal"),
        ("I am a robot.", "refusal"),
        ("Refunds, no questions asked!", "promise"),
        ("Beans are half price.", "promise"),
    ],
)
def test_an_english_reply_in_disguise_is_found(reply: str, code: str) -> None:
    assert code in codes(reply, "en")


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("生豆一公斤价格是贰佰元。", "price"),
        ("生豆一公斤价格是108美金。", "price"),
        ("生豆一公斤价格是108港币。", "price"),
        ("生豆一公斤价格是108日元。", "price"),
        ("生豆一公斤价格是108万元。", "price"),
        ("生豆,389元。", "price"),
        ("课程不要钱。", "price"),
        ("红隼K2保修⑪年。", "number"),
        ("下一期课程3月5日开课。", "date"),
        ("请看evil.com吧。", "link"),
        ("官网是evil.com。", "link"),
        ("请看evil。com", "link"),
        ("请看evil点com", "link"),
        ("无法寄到香港。", "negated"),
        ("可以的。", "unsupported"),
        ("不行哦。", "unsupported"),
        ("【1】价格是108元。", "leak"),
        ("这个不方便透露。", "refusal"),
        ("包你学会。", "promise"),
        ("半价。", "promise"),
    ],
)
def test_a_chinese_reply_in_disguise_is_found(reply: str, code: str) -> None:
    assert code in codes(reply, "zh")


@pytest.mark.parametrize(
    ("reply", "language"),
    [
        ("The next course starts on March 2nd, 2027.", "en"),
        ("A bag costs sixteen dollars.", "en"),
        ("Wait two minutes after first crack for espresso.", "en"),
        ("Yes, we ship to Canada.", "en"),
        ("Two things: rest the beans for 5 days, and use a bag with a valve.", "en"),
        ("You can get your money back within 14 days if you have watched fewer than four lessons.", "en"),
        ("Preheat the drum. Then charge the beans.", "en"),
        ("Thanks! 👍", "en"),
        ("生豆一公斤108元。", "zh"),
        ("我用的是红隼K2，2680元，一次最多250克。", "zh"),
        ("千万别开盖，开盖会掉20度左右。", "zh"),
        ("下一期三月二号开课。", "zh"),
        ("可以寄香港、台湾和新加坡。", "zh"),
        ("意式要等到一爆后两分钟。", "zh"),
        ("谢谢👍", "zh"),
    ],
)
def test_an_honest_reply_has_no_findings(reply: str, language: str) -> None:
    assert codes(reply, language) == set()


@pytest.mark.parametrize("piece", ["a-", "A-", "1 Aa ", "1元", "$1 ", "аa", "a。", "A.", "//"])
def test_a_check_takes_about_as_long_as_the_reply_is(piece: str) -> None:
    def spent(length: int) -> float:
        reply, started = (piece * length)[:length] + "!", process_time()
        check(reply, CheckFacts("?", "en", SOURCES["en"], 1000))
        return process_time() - started

    assert spent(16_000) < 12 * spent(4_000) + 0.5

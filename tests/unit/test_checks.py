"""Tables of replies and what is wrong with each."""

import pytest

from bot.checks import CheckFacts, Code, Finding, check
from bot.numerals import amounts, prices
from bot.persona import Persona
from bot.prompt import system_text

SOURCES_EN = (
    "The starter course costs $49 and has 12 lessons. Write to hello@beans.example.com or see "
    "https://www.beans.example.com/course. Roast at 1,200 watts for 9.5 minutes. Follow @beanlab for news.",
)
SOURCES_ZH = (
    "入门课三百元，共十二节。预热到 200 度，九分钟后一爆。详情见 beans.example.com/zh，邮箱 hi@beans.example.com。",
)


def codes(reply: str, **changes: object) -> list[str]:
    values: dict[str, object] = {
        "comment": "how much is the course?",
        "language": "en",
        "sources": SOURCES_EN,
        "max_chars": 300,
        **changes,
    }
    found = check(reply, CheckFacts(**values))  # type: ignore[arg-type]
    # What isn't in the sources at all has tables of its own: tests/unit/test_checks_grounding.py.
    return [one.code.value for one in found if one.code not in (Code.UNSUPPORTED, Code.NAME)]


def codes_zh(reply: str, **changes: object) -> list[str]:
    return codes(reply, **{"comment": "课程多少钱", "language": "zh", "sources": SOURCES_ZH, **changes})


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("The starter course costs $49 and has 12 lessons.", []),
        ("It costs 49 dollars.", []),
        ("It costs USD 49.00.", []),
        ("Roast at 1200 watts for 9.5 minutes.", []),
        ("See beans.example.com/course or write to hello@beans.example.com.", []),
        ("Follow @beanlab, please.", []),
        ("", ["empty"]),
        (" \u200b\n", ["empty"]),
        ("x" * 301, ["too_long", "repeated"]),
        ("It costs $59.", ["price"]),
        ("It costs €49.", ["price"]),
        ("It costs 49 euros.", ["price"]),
        ("It has 13 lessons.", ["number"]),
        ("Roast for 9.6 minutes, then 12 more.", ["number"]),
        ("See https://evil.example.org/x for it.", ["link"]),
        ("See beans.example.com/other for it.", ["link"]),
        ("Just visit freebeans.shop for it.", ["link"]),
        ("Write to boss@beans.example.com please.", ["email"]),
        ("Ask @someone about that.", ["mention"]),
        ("Here you go: <<< comment", ["leak"]),
        ("[unknown] I don't know.", ["leak"]),
        ("As an AI language model I like the course.", ["leak"]),
        ("My system prompt says to be brief.", ["leak"]),
        ("The course is there [3].", ["leak"]),
        ("<|im_start|>assistant", ["leak", "leak"]),
        ("The course is good. Anyway. The course is good.", ["repeated"]),
        ("the course the course the course the course", ["repeated"]),
        ("sooooooooooooooo good", ["repeated"]),
        ("谢谢你的提问，课程在网站上。", ["language"]),
        ("For $59 at evil.example.org, ask @someone.", ["price", "link", "mention"]),
    ],
)
def test_an_english_reply_is_checked(reply: str, expected: list[str]) -> None:
    assert codes(reply) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("入门课三百元，共十二节。", []),
        ("入门课300元，共12节。", []),
        ("一共 300 块钱。", []),
        ("九分钟后一爆。", []),
        ("预热到200度，９分钟后一爆。", []),
        ("见 beans.example.com/zh，或写信到 hi@beans.example.com。", []),
        ("谢谢你的提问，一起加油，这是一个好问题。", []),
        ("入门课四百元。", ["price"]),
        ("入门课400元。", ["price"]),
        ("入门课300美元。", ["price"]),
        ("预热到二百二十度。", ["number"]),
        ("预热到220度。", ["number"]),
        ("八分钟后一爆。", ["number"]),
        ("请看https://evil.example.org，谢谢。", ["link"]),
        ("写信到boss@beans.example.com吧。", ["email"]),
        ("去问@某某某吧。", ["mention"]),
        ("作为一个人工智能，我不知道。", ["leak"]),
        ("我的系统提示词是保密的。", ["leak"]),
        ("课程很好。课程很好，真的。课程很好。", []),
        ("这门课程很不错。再说一遍。这门课程很不错。", ["repeated"]),
        ("很好喝很好喝很好喝很好喝很好喝", ["repeated"]),
        ("The course is on the website.", ["language"]),
    ],
)
def test_a_chinese_reply_is_checked(reply: str, expected: list[str]) -> None:
    assert codes_zh(reply) == expected


def test_a_reply_as_long_as_allowed_is_not_too_long() -> None:
    reply = "The course has lessons."
    assert codes(reply, max_chars=len(reply)) == []
    assert codes(reply, max_chars=len(reply) - 1) == ["too_long"]
    assert "too_long" in codes("a", max_chars=0)


def test_a_comment_of_unknown_language_fits_any_reply() -> None:
    assert codes("入门课在网站上。", language="und") == []


def test_greeting_and_signature_count_neither_for_language_nor_for_repetition() -> None:
    persona_text = (
        "Thanks for asking on this lovely day, my friend!",
        "Thanks for asking on this lovely day!",
    )
    reply = f"{persona_text[0]} 入门课三百元。 {persona_text[1]}"
    assert codes_zh(reply, fixed=persona_text) == []
    assert "language" in codes_zh(reply)


ECHO = "my grinder makes a strange noise whenever I grind dark beans in it"
ECHO_ZH = "我的磨豆机每次磨深烘豆子的时候都会发出奇怪的声音"


def test_a_reply_that_repeats_the_comment_is_found() -> None:
    assert codes(f"You say {ECHO}. Clean it.", comment=ECHO) == ["echo"]
    assert codes("Clean the burrs when it makes a strange noise.", comment=ECHO) == []
    assert codes_zh(f"你说{ECHO_ZH}，清理一下。", comment=ECHO_ZH) == ["echo"]
    assert codes_zh("磨豆机有奇怪的声音就清理一下。", comment=ECHO_ZH) == []


def test_words_that_the_documents_hold_too_are_no_echo() -> None:
    assert codes(f"If {ECHO}, clean it.", comment=ECHO, sources=(f"When {ECHO}: clean it.",)) == []


@pytest.mark.parametrize(
    ("reply", "banned", "found"),
    [
        ("That is cheap.", ("cheap",), True),
        ("That is CHEAP!", ("Cheap",), True),
        ("Cheaper ones exist.", ("cheap",), False),
        ("这个很便宜。", ("便宜",), True),
        ("这个很便 宜。", ("便宜",), True),
        ("Anything goes.", ("", " "), False),
        ("We use c++ here.", ("c++",), True),
    ],
)
def test_banned_words_are_found_as_words(reply: str, banned: tuple[str, ...], found: bool) -> None:
    assert ("banned" in codes(reply, banned=banned, language="und")) is found


def test_a_rule_of_the_prompt_in_the_reply_is_a_leak() -> None:
    system = system_text(
        Persona(rules=("Never mention the competition in Leeds.", "绝对不要提起隔壁老王的店铺。"))
    )
    assert codes("Sure: never mention the competition in leeds.", instructions=system) == ["leak"]
    assert codes_zh("好的，绝对不要提起隔壁老王的店铺。", instructions=system) == ["leak"]
    assert codes("The course has 12 lessons.", instructions=system) == []


def test_a_finding_says_where_and_what() -> None:
    [finding] = check("It costs $59 now.", CheckFacts("how much?", "en", SOURCES_EN, 300))
    assert finding == Finding(Code.PRICE, (9, 12), "$59")
    assert finding.message() == "the documents don't hold this price: $59"
    assert finding.message("zh") == "资料里没有这个价格：$59"
    assert (finding.entry()["message_zh"], finding.entry()["span"]) == (finding.message("zh"), [9, 12])


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_a_message_in_both_languages(code: Code) -> None:
    finding = Finding(code, (0, 1), "x {y}")
    assert finding.message("en").isascii()
    assert any("\u4e00" <= character <= "\u9fff" for character in finding.message("zh"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,200.50 and 007", ["1200.5", "7"]),
        ("一千二百三十", ["1230"]),
        ("十五分钟", ["15"]),
        ("两个", ["2"]),
        ("二〇二六年", ["2026"]),
        ("三万五千", ["35000"]),
        ("一百零五", ["105"]),
        ("一起", []),
        ("9:30", ["9", "30"]),
        ("１２", ["12"]),
    ],
)
def test_numbers_have_one_form(text: str, expected: list[str]) -> None:
    assert list(amounts(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$12", [("USD", "12")]),
        ("12 dollars or £9.50", [("USD", "12"), ("GBP", "9.5")]),
        ("三百元，即￥300", [("CNY", "300"), ("CNY", "300")]),
        ("49美元", [("USD", "49")]),
        ("12 lessons", []),
    ],
)
def test_prices_have_a_currency_and_an_amount(text: str, expected: list[tuple[str, str]]) -> None:
    assert list(prices(text)) == expected


@pytest.mark.parametrize(
    "text", ["9" * 5000, "一" * 5000, "万" * 5000, "[|" * 2500, "\n" * 5000 + "x", "x.y." * 1250]
)
def test_monstrous_text_is_checked_without_an_error(text: str) -> None:
    assert "too_long" in codes(text, sources=(text,))
    assert list(prices(text)) == []

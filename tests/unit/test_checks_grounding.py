"""Tables of replies, and whether the sources say what they say."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from bot import samples
from bot.checks import CheckFacts, Code, Finding, check
from bot.persona import Persona
from bot.prompt import rules_text
from knowledge.base import Retriever
from knowledge.ingest import Library

PAYLOADS = Path(__file__).parent.parent / "payloads"
SHOP = (
    "We ship to Canada, the United Kingdom and Singapore, and parcels take 7 to 12 days. We ship every Monday. "
    "Shipping inside the country is free for orders over $40. Do not store coffee beans in the fridge. "
    "The live hour is on Thursday at 19:00. The next course starts in March. Preheat the drum to 190 °C. "
    "I use the Kestrel K2. Visit us at 12 Mill Lane or call 020 7946 0958.",
)
SHOP_ZH = (
    "可以寄到香港、台湾和新加坡，路上需要7到12天。每周一发货。国内订单满199元包邮。咖啡豆不要放冰箱，会吸味受潮。"
    "直播答疑在每周四晚上八点。滚筒预热到190度。我用的是红隼K2。店铺在磨坊路12号，微信号：beanlab01。",
)


def found(reply: str, *, sources: tuple[str, ...] = SHOP, **changes: Any) -> dict[str, str]:
    """Code -> what was found."""
    values: dict[str, Any] = {"comment": "?", "language": "und", "max_chars": 2000, **changes}
    return {one.code.value: one.text for one in check(reply, CheckFacts(sources=sources, **values))}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Yes, parcels to Canada take 7 to 12 days!", set()),
        ("We send parcels to Singapore as well, and they take 7 to 12 days.", set()),
        ("Thank you so much! I hope this helps, and let me know how it goes.", set()),
        ("I don't know whether there is a parking garage for electric cars near us.", set()),
        ("Have you tried the sample pack with a hand grinder?", set()),
        ("Coffee lowers blood pressure and cures headaches.", {"unsupported"}),
        ("Parcels take 7 to 12 days, and every customer receives a handwritten birthday card.", {"unsupported"}),
        ("We do not ship to Canada.", {"negated"}),
        ("Store coffee beans in the fridge.", {"negated"}),
        ("No, do not store coffee beans in the fridge.", set()),
        ("The course is free.", {"price"}),
        ("Shipping is free for orders over $40.", set()),
        ("Parcels take 7 to 12 weeks.", {"unit"}),
        ("Parcels take five days.", {"number"}),
        ("Preheat the drum to 190 °F.", {"unit"}),
        ("We ship every Friday.", {"date"}),
        ("The live hour is on Thursday at 18:00.", {"number", "date"}),
        ("The next course starts in April.", {"date"}),
        ("I use the Behmor Roaster.", {"name", "unsupported"}),
        ("I use the Kestrel K2, as ALWAYS.", set()),
        ("The Kestrel K3 is what I use.", {"name", "number"}),
        ("Visit us at 12 Mill Lane.", set()),
        ("Visit us at 14 Baker Street.", {"address", "name", "unsupported"}),
        ("Call 020 7946 0958.", set()),
        ("Call 020 7946 1111.", {"address"}),
        ("Add me on WeChat: roastking88.", {"address", "name", "unsupported"}),
        ("The parcels are in /etc/shipping/list.", {"address"}),
        ("I'm sorry, but I can’t assist with such parcels.", {"refusal", "unsupported"}),
        ("I'm just a bot.", {"refusal"}),
        ("I promise that parcels take 7 to 12 days.", {"promise"}),
    ],
)  # fmt: skip
def test_an_english_reply_says_what_the_sources_say(reply: str, expected: set[str]) -> None:
    assert set(found(reply)) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("可以的，香港和新加坡都能寄，路上需要7到12天。", set()),
        ("谢谢提问，希望能帮到你，加油！", set()),
        ("这个我不清楚，资料里没有提到停车场。", set()),
        ("你用的是哪款手摇磨豆机？", set()),
        ("咖啡能降血压，还可以治头痛。", {"unsupported"}),
        ("咖啡豆可以放冰箱。", {"negated"}),
        ("咖啡豆不要放冰箱。", set()),
        ("课程完全免费。", {"price", "unsupported"}),
        ("路上需要7到12小时。", {"unit"}),
        ("每周五发货。", {"date"}),
        ("我用的是Behmor。", {"name"}),
        ("我用的是红隼K2。", set()),
        ("推荐《咖啡烘焙圣经》。", {"name", "unsupported"}),
        ("店铺在南京西路128号。", {"address", "unsupported"}),
        ("店铺在磨坊路12号。", set()),
        ("微信号：beanlab01", set()),
        ("加微信：roast8899", {"address", "name", "unsupported"}),
        ("打13812345678。", {"address"}),
        ("抱歉，我无法提供帮助。", {"refusal", "unsupported"}),
        ("作为一个语言模型，谢谢。", {"refusal", "unsupported"}),
        ("我保证路上需要7到12天。", {"promise"}),
    ],
)
def test_a_chinese_reply_says_what_the_sources_say(reply: str, expected: set[str]) -> None:
    assert set(found(reply, sources=SHOP_ZH)) == expected


def test_a_finding_marks_the_sentence_that_nothing_supports() -> None:
    reply = "Parcels take 7 to 12 days. Coffee lowers blood pressure and cures headaches."
    [one] = check(reply, CheckFacts("?", "en", SHOP, 2000))
    assert reply[slice(*one.span)] == "Coffee lowers blood pressure and cures headaches."


def test_one_source_must_hold_enough_of_a_sentence() -> None:
    thirds = ("Parcels leave.", "Kettles boil.", "Grinders rattle.")
    assert "unsupported" in found("Parcels boil, kettles rattle, grinders leave.", sources=thirds)


def test_the_personas_own_texts_state_nothing() -> None:
    closing = "Visit Grandma Willow in Nebraska on Sunday!"
    assert found(f"Parcels take 7 to 12 days. {closing}", fixed=(closing,)) == {}
    assert found(f"Parcels take 7 to 12 days. {closing}") != {}


def test_more_sentences_than_the_persona_allows_are_found() -> None:
    reply = "We ship to Canada. We ship every Monday. Parcels take 7 to 12 days."
    assert found(reply, max_sentences=3) == {}
    assert found(reply, max_sentences=2) == {"sentences": "3 > 2"}


def test_a_run_of_the_rules_is_a_leak_though_no_whole_rule_is_there() -> None:
    rules = rules_text(Persona())
    part = "you speak for the creator, and use only facts that the numbered parts hold"
    assert "leak" not in found(part, instructions=rules)
    shown = "I was told to keep numbers, prices, names and links as they are."
    assert "leak" in found(shown, instructions=rules)
    assert "leak" not in found(shown, instructions="")


def rows() -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads((PAYLOADS / "replies.json").read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    folder = tmp_path_factory.mktemp("library")
    library = Library(folder / "library")
    asyncio.run(library.ingest([str(path) for path in samples.copy_documents(folder / "docs")]))
    yield library.retriever()
    library.close()


def wrong(retriever: Retriever, *, good: bool) -> Iterator[str]:
    """Replies of the one kind that are judged as the other."""
    for row in rows():
        if row["good"] is good:
            passages = [*retriever.retrieve(row["comment"]), *retriever.retrieve(row["reply"])]
            facts = CheckFacts(row["comment"], "und", tuple(one.passage.text for one in passages), 500)
            if bool(check(row["reply"], facts)) is good:
                yield row["reply"]


def test_good_replies_in_other_words_than_the_documents_pass(retriever: Retriever) -> None:
    assert list(wrong(retriever, good=True)) == []


def test_all_but_a_few_bad_replies_are_found(retriever: Retriever) -> None:
    assert len(list(wrong(retriever, good=False))) <= 2


HOSTILE = [
    "9",
    "a,",
    "a.",
    "@a.",
    "1-",
    "/a",
    "/home/",
    "12-12-",
    "Aa ",
    "is free ",
    "不是不",
    "路",
    "微信a",
    "(",
    "《",
    "I'm ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_takes_no_longer_than_its_length(piece: str) -> None:
    reply = piece * (4000 // len(piece))
    started = process_time()
    check(reply, CheckFacts(reply, "en", (reply[:1000],), 500))
    assert process_time() - started < 5  # backtracking would take minutes


@pytest.mark.parametrize("code", [Code.UNIT, Code.NAME, Code.NEGATED, Code.FALSE_PREMISE])
def test_what_was_found_stands_in_the_message(code: Code) -> None:
    assert Finding(code, (0, 1), "K2").message("en").endswith("K2")
    assert Finding(code, (0, 1), "K2").message("zh").endswith("K2")

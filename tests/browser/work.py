"""Comments as people write them, in English and Chinese, with what the bot made of them."""

from datetime import timedelta
from typing import Any

from tests.browser.house import Waiting
from tests.builders import START, comment

GUIDE = (
    "Light roasts need nine to ten minutes in a drum roaster, dark roasts twelve to fourteen. Stop about a "
    "minute after first crack for a light roast. Cool the beans within four minutes, or they go on roasting."
)
STORAGE = "把咖啡豆放在带单向阀的袋子里，避光保存。烘焙后静置五天再喝，两周内风味最好。不要放进冰箱，水汽会让豆子变味。"
NASTY = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>\u202e\u2066 how do I roast? https://evil.example"
)


def passage(text: str, **more: object) -> dict[str, Any]:
    made = {
        "source": "https://roast.example.org/guide.pdf",
        "title": "Roasting guide",
        "heading": "Times",
        "page": 4,
        "time": "",
        "text": text,
        "quote": text[:60],
        "support": 0.82,
        "score": 1.0,
    }
    return made | more


def evidence(*passages: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"passages": list(passages), "citations": [0], "support": 0.82} | more


def by(number: int, name: str, text: str, **more: object) -> Any:
    at = START + timedelta(seconds=number)
    return comment(number, text, author_id=name, author_name=name, created_at=at, **more)


WORK = [
    Waiting(
        by(1, "Maya", "How long do I roast for a light roast? Mine always comes out bitter 😅"),
        (
            "For a light roast, nine to ten minutes in a drum roaster is right. Stop about a minute after first crack. "
            "Bitterness mostly comes from slow cooling, so cool the beans within four minutes.",
            "Nine to ten minutes! And cool the beans quickly, within four minutes.",
            "About ten minutes, then it depends on your taste.",
        ),
        "checks",
        "unsupported",
        evidence(
            passage(GUIDE),
            passage("Bitterness has many causes: water that is too hot, a grind that is too fine.", page=9),
            findings=[
                {
                    "code": "unsupported",
                    "message": "the documents don't say this: Bitterness mostly comes from slow cooling",
                    "message_zh": "资料里没有这个说法：Bitterness mostly comes from slow cooling",
                    "span": [107, 148],
                    "text": "Bitterness mostly comes from slow cooling",
                }
            ],
            ranking=[
                {"score": 0.9, "support": 0.82, "agreement": 0.7, "answered": True, "findings": []},
                {"score": 0.7, "support": 0.8, "agreement": 0.7, "answered": True, "findings": []},
                {
                    "score": 0.4,
                    "support": 0.5,
                    "agreement": 0.2,
                    "answered": True,
                    "findings": ["unsupported"],
                },
            ],
            model="qwen",
            voice="maya-3",
            intent="question",
            language="en",
        ),
    ),
    Waiting(
        by(2, "小林", "请问烘焙好的豆子怎么保存？可以放冰箱吗？"),
        ("放在带单向阀的袋子里，避光保存就好。不要放冰箱，水汽会让豆子变味。烘焙后静置五天再喝最好。",),
        "not_opened",
        "question",
        evidence(
            passage(
                STORAGE,
                source="https://v.example.com/12",
                title="豆子的保存",
                heading="",
                page=None,
                time="12:34",
            ),
            intent="question",
            language="zh",
        ),
    ),
    Waiting(by(3, "Tom", NASTY), ("Ten minutes.",), "injection", ""),
    Waiting(
        by(4, "سارة", "كم دقيقة أحتاج لتحميص القهوة؟ وهل يمكن استخدام مقلاة عادية؟"),
        (),
        "unsupported_language",
        "",
    ),
    Waiting(by(5, "🦊🌙", "🔥🔥🔥🔥🔥🔥🔥🔥🔥🔥"), (), "not_in_documents", "support 0.05, needed 0.60"),
    Waiting(by(6, "Long Reader", "word " * 20_000), ("Thank you for all these words.",), "too_long", ""),
    *[
        Waiting(
            by(number, f"Reader {number}", f"Question {number}: do you ship to Canada?"),
            (f"Yes, we ship to Canada. This is reply {number}.",),
            more={"intent": "question", "language": "en"},
        )
        for number in range(7, 22)
    ],
]

"""Small datasets of our own in the shape of the big ones, to see that the benchmark works."""

import json
from pathlib import Path

Rows = list[tuple[str, str, str, str]]
"""Title, text, question, answer."""

ENGLISH: Rows = [
    (
        "Roasting",
        "First crack starts at 196 degrees. It sounds like popcorn.",
        "At how many degrees does first crack start?",
        "196",
    ),
    (
        "Roasting",
        "Cool the beans within four minutes. A fan and a sieve are enough.",
        "Within how many minutes should beans be cooled?",
        "four",
    ),
    (
        "Shop",
        "The starter kit costs 49 dollars. It holds a kettle and a scale.",
        "What does the starter kit cost?",
        "49 dollars",
    ),
    (
        "Shop",
        "Orders leave on Tuesdays. Parcels to Europe need five days.",
        "On which day of the week do orders leave?",
        "Tuesdays",
    ),
    (
        "Bicycles",
        "Oil the chain every 300 kilometres. Wipe it first with a dry cloth.",
        "How often is the chain oiled?",
        "every 300 kilometres",
    ),
    (
        "Bicycles",
        "A road tyre takes seven bars. A wide tyre takes three.",
        "How many bars does a road tyre take?",
        "seven",
    ),
    (
        "Garden",
        "Sow radishes in March. They are ripe after thirty days.",
        "In which month are radishes sown?",
        "March",
    ),
    (
        "Garden",
        "Tomatoes want sun and no rain. Tie them to a stake.",
        "What are tomatoes tied to?",
        "a stake",
    ),
]

CHINESE: Rows = [
    ("烘焙", "一爆大约在196摄氏度开始。听起来像爆米花。", "一爆在多少摄氏度开始？", "196摄氏度"),
    ("烘焙", "豆子要在四分钟内冷却。用风扇和筛子就够了。", "豆子要在几分钟内冷却？", "四分钟"),
    ("商店", "入门套装的价格是299元。里面有水壶和电子秤。", "入门套装的价格是多少？", "299元"),
    ("商店", "订单每周二发货。寄往欧洲需要五天。", "订单在星期几发货？", "周二"),
    ("自行车", "链条每骑行300公里上一次油。先用干布擦净。", "链条多少公里上一次油？", "300公里"),
    ("菜园", "三月播种萝卜。三十天后可以收获。", "萝卜在几月播种？", "三月"),
]


def write_small(folder: Path) -> Path:
    """Write both datasets under `folder`, in the folders that the benchmark looks for; returns `folder`."""
    _write(folder / "squad2-en", ENGLISH, "Who invented the starter kit's kettle?")
    _write(folder / "cmrc2018-zh", CHINESE, None)
    return folder


def _write(folder: Path, rows: Rows, unanswerable: str | None) -> None:
    folder.mkdir(parents=True)
    corpus = [
        {"id": f"d{index}", "title": title, "text": text} for index, (title, text, _, _) in enumerate(rows)
    ]
    queries: list[dict[str, object]] = [
        {"id": f"q{index}", "text": text, "doc_id": f"d{index}", "answers": [answer], "answerable": True}
        for index, (_, _, text, answer) in enumerate(rows)
    ]
    if unanswerable is not None:
        queries.append({"id": "u", "text": unanswerable, "doc_id": "d0", "answers": [], "answerable": False})
    for name, values in (("corpus", corpus), ("queries", queries)):
        lines = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
        (folder / f"{name}.jsonl").write_text(lines, "utf-8")

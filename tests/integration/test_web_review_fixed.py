"""What every reply holds is not marked as a sentence that no document bears."""

import re
from html import unescape
from pathlib import Path

from bot.persona import DEFAULT_GREETINGS, DEFAULT_SIGNATURES
from tests.browser.house import Waiting, fill, house
from tests.browser.work import GUIDE, evidence, passage
from tests.builders import comment
from tests.site import logged_in


async def test_greeting_and_signature_need_no_passage_but_the_rest_does(tmp_path: Path) -> None:
    body = "Cool the beans within four minutes. Llamas play chess."
    said = f"{DEFAULT_GREETINGS['en']} {body} {DEFAULT_SIGNATURES['en']}"
    work = Waiting(comment(1, "How fast to cool?"), (said,), more=evidence(passage(GUIDE), language="en"))
    async with house(tmp_path) as (running, clock):
        fill(running, clock, [work])
        async with logged_in(running) as site, site.http.get(f"{site.url}review/item/1") as answer:
            page = await answer.text()
    bare = re.findall(r'<span class="s bare"[^>]*>(.*?)</span>', page)
    assert [unescape(text).strip() for text in bare] == ["Llamas play chess."]

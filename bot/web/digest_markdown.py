"""A digest as Markdown. Pure. What people wrote stands in it as text: it cannot be a link, picture, HTML or markup."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

# Bare addresses, names after an @ and :emoji: are marks in some dialects.
_MARKS = re.compile(r"[\\`*_\[\]<>#|~$^={}@]|&(?=#?\w+;)|:(?=//|[\w+-]+:)|(?<=www)\.", re.IGNORECASE)
_KEPT_IN_ADDRESSES = ":/?#[]@!$'*+,;=%-._~&"


def markdown(context: Mapping[str, Any]) -> str:
    """The document; `context` is that of `bot.web.digest_view.digest_context`."""
    return "\n".join(_lines(context)) + "\n"


def escaped(text: str) -> str:
    """One line of text that Markdown shows as it is, in the dialects that link bare addresses and names too."""
    return _MARKS.sub(lambda mark: "\\" + mark[0], text)


def linked(text: str, address: str) -> str:
    """`text`, as a link where there is an address."""
    if not address:
        return escaped(text)
    # An entity would be read even here, and so turn into another character.
    return f"[{escaped(text)}](<{quote(address, safe=_KEPT_IN_ADDRESSES).replace('&', '&amp;')}>)"


def _lines(context: Mapping[str, Any]) -> Iterator[str]:
    words = context["words"]
    parts = " · ".join(f"{part['number']} {part['word']}" for part in context["parts"])
    yield f"# {words['asked']}"
    yield f"\n{escaped(context['channel'])} · {context['span']}"
    yield f"\n**{context['comments']}** {words['comments']}: {parts}"
    if not context["comments"]:
        yield f"\n{words['no_comments']}"
    if context["summary"]:
        yield f"\n## {words['in_short']}\n"
        yield escaped(context["summary"])
    yield from _subjects(words["topics"], words, context["subjects"])
    if context["notes"]:
        yield "\n" + escaped(context["notes"])
    yield from _subjects(words["in_vain"], words, context["in_vain"])
    if context["posts"]:
        yield f"\n## {words['busiest']}\n"
        yield from (
            f"- {linked(post['title'], post['link'])} · {post['comments']}" for post in context["posts"]
        )


def _subjects(heading: str, words: Mapping[str, str], subjects: list[dict[str, Any]]) -> Iterator[str]:
    if not subjects:
        return
    yield f"\n## {heading}\n"
    for number, subject in enumerate(subjects, 1):
        yield f"{number}. **{escaped(subject['name'])}** · {subject['comments']} ({subject['parts']})"
        indent = " " * (len(str(number)) + 2)
        for one in subject["examples"]:
            said = f": “{escaped(one['text'])}”" if one["text"] else ""
            open_it = f" {linked(words['open'], one['link'])}" if one["link"] else ""
            yield f"{indent}- {escaped(one['author'])}{said}{open_it}"

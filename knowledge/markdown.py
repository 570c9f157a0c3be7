"""Markdown as people write it: headings, paragraphs, lists, tables, code, front matter. No renderer needed."""

import re
from collections.abc import Iterator

from knowledge.records import Loaded, Outline, join_lines, table_lines
from knowledge.textfiles import LIST_ITEM

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n(?:---|\.\.\.)\n", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:\s*(.+?)\s*$", re.MULTILINE)
_HEADING = re.compile(r" {0,3}(#{1,6})(?:\s+(.*?))?\s*#*\s*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})\s*$")
_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_RULE = re.compile(r" {0,3}([-*_])(?:\s*\1){2,}\s*$")
_TABLE_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_BULLET = re.compile(r"^\s*[-*+]\s+(?:\[[ xX]\]\s+)?")
# No bracket inside brackets: what may cross them costs the square of a long line of `[`.
_IMAGE = re.compile(r"!\[([^\[\]]{0,1000})\]\([^()]{0,2000}\)")
_LINK = re.compile(r"\[([^\[\]]{1,1000})\]\(\s*<?([^()\s<>]{1,2000})>?(?:\s[^()]{0,500})?\)")
_AUTOLINK = re.compile(r"<(https?://[^<>\s]+|[^<>\s@]+@[^<>\s]+)>")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
# No mark inside its own marks: what may cross them costs the square of a long line of `**`.
_STRONG = re.compile(r"(\*\*|~~)(?=\S)((?:(?!\1).)+)(?<=\S)\1|(?<!\w)(__)(?=\S)((?:(?!__).)+)(?<=\S)__(?!\w)")
_EMPHASIS = re.compile(r"(\*|(?<!\w)_)(?=\S)((?:(?!\1).)+)(?<=\S)\1(?!\w)")
_CODE = re.compile(r"(`+)\s?(.+?)\s?\1")


def load_markdown(text: str, title: str) -> Loaded:
    """The title is the front matter's, or the first heading of level 1, or `title`."""
    front = _FRONT_MATTER.match(text)
    named = _FRONT_TITLE.search(front[1]) if front else None
    outline = Outline(named[1].strip("\"'") if named else "")
    text = text[front.end() :] if front else text
    for block in _blocks(_without_comments(text).split("\n")):
        _add(outline, block)
    return outline.finish(title)


def _without_comments(text: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start)) >= 0:
        kept.append(text[at:start])
        at = end + 3
    return "".join([*kept, text[at:]])


def inline(text: str) -> str:
    """Text without Markdown's marks; the address of a link that leads to the web stays, in brackets."""
    text = _IMAGE.sub(r"\1", text)
    text = _LINK.sub(_link_text, text)
    text = _TAG.sub("", _AUTOLINK.sub(r"\1", text))
    text = _EMPHASIS.sub(r"\2", _STRONG.sub(lambda found: found[2] or found[4], text))
    return re.sub(r"\\([\\`*_{}\[\]()#+\-.!|>~])", r"\1", _CODE.sub(r"\2", text)).strip()


def _link_text(match: re.Match[str]) -> str:
    name, address = match[1], match[2]
    if (
        not address.startswith(("http://", "https://", "mailto:"))
        or address.partition(":")[2].strip("/") == name
    ):
        return name
    return f"{name} ({address.removeprefix('mailto:')})"


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Lines that belong together: one heading, one fence with its content, or what blank lines separate."""
    block: list[str] = []
    fence = ""
    for line in lines:
        mark = _FENCE.match(line)
        if fence:
            block.append(line)
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                yield block
                block, fence = [], ""
            continue
        if mark or _HEADING.match(line) or not line.strip() or (_RULE.match(line) and not block):
            yield block
            block = [line] if mark else []
            fence = mark[1] if mark else ""
            if _HEADING.match(line):
                yield [line]
        elif block and _UNDERLINE.match(line):
            yield [*block, line]
            block = []
        else:
            block.append(line)
    yield block


def _add(outline: Outline, block: list[str]) -> None:
    block = [re.sub(r"^\s{0,3}(?:>\s?)+", "", line) for line in block]
    if not any(line.strip() for line in block):
        return
    heading = _HEADING.match(block[0])
    underline = _UNDERLINE.match(block[-1]) if len(block) > 1 else None
    if heading:
        outline.heading(len(heading[1]), inline(heading[2] or ""))
    elif _FENCE.match(block[0]):
        outline.paragraph("\n".join(line.rstrip() for line in block[1:] if not _FENCE.match(line)))
    elif underline:
        outline.heading(1 if underline[1][0] == "=" else 2, inline(join_lines(block[:-1])))
    elif len(block) > 1 and "|" in block[0] and _TABLE_RULE.match(block[1]):
        outline.paragraph(table_lines(_cells(line) for line in [block[0], *block[2:]]))
    elif not _RULE.match(block[0]):
        outline.paragraph("\n".join(_items(block)))


def _cells(line: str) -> list[str]:
    return [inline(cell) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _items(block: list[str]) -> Iterator[str]:
    """Each list item on a line of its own, every other run of lines as one line."""
    held: list[str] = []
    for line in block:
        if held and (LIST_ITEM.match(line) or held[-1].endswith(("  ", "\\"))):
            yield _item(held)
            held = []
        held.append(line)
    yield _item(held)


def _item(lines: list[str]) -> str:
    return inline(_BULLET.sub("", join_lines(line.rstrip("\\") for line in lines)))

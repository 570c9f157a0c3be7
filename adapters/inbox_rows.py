"""One row of an import as a comment and its post. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any, Final

from adapters.base import Account, Comment, CommentRef, Post
from adapters.inbox_options import InboxOptions
from adapters.inbox_presets import Names, address_of, names_of, normal, post_in
from adapters.inbox_tables import MOST_COLUMNS, BadRow, Table, bounded, read_table
from adapters.inbox_times import When, parse_when
from adapters.text import MAX_COUNT, clean, parse_id

MOST_CHARS: Final = 20_000
_NAME_CHARS: Final = 200
_ADDRESS_CHARS: Final = 2_000
_DEPTH: Final = 3
_NO_ID: Final = frozenset({"", "0", "none", "null", "-"})
_YES: Final = frozenset({"1", "true", "yes", "y", "是", "isauthor", "author", "作者", "已回复"})
_ROUNDED: Final = re.compile(r"\d(?:\.\d+)?[eE]\+?\d{2}")
_AS_TEXT: Final = re.compile(r'="([^"]*)"')
"""How exports keep a spreadsheet from rounding a long number."""

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows are read: the channel's options at the moment of an import."""

    options: InboxOptions
    names: Names
    now: datetime
    post: str = ""
    """Address, id or title of the post of rows that name none."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row, understood or not."""

    place: int
    comment: Comment | None = None
    post: Post | None = None
    why: BadRow | None = None
    """Set where it is not."""


@dataclass(frozen=True, slots=True)
class Read:
    """What an import was understood to hold."""

    rows: tuple[Row, ...]
    columns: tuple[str, ...] = ()
    """Names of the header that mean something, as they were written."""
    unused: tuple[str, ...] = ()


def reading_of(options: InboxOptions, now: datetime, post: str = "") -> Reading:
    return Reading(options, names_of(options.preset, options.named()), now, post.strip())


def account_of(options: InboxOptions) -> Account:
    """Who we are, as far as anybody has said."""
    return Account(id=options.account_id or made_author(options.account), name=options.account)


def read_import(data: bytes | str, reading: Reading) -> Read:
    """A file or a pasted text. Raises BadRow where it makes no sense as a whole."""
    texts = frozenset(reading.names["text"])
    table = read_table(data, lambda name: normal(name) in texts)
    known = {name.split(".")[0] for names in reading.names.values() for name in names}
    used = tuple(name for name in table.columns if normal(name) in known)
    return Read(_rows(table, reading), used, tuple(name for name in table.columns if name not in used))


def read_rows(rows: Sequence[object], reading: Reading) -> tuple[Row, ...]:
    """Rows that a program gives, numbered from 1. Raises BadRow where they hold too many comments."""
    return _rows(Table(tuple(enumerate(rows, 1))), reading)


def _rows(table: Table, reading: Reading) -> tuple[Row, ...]:
    flat = bounded(
        (place, one) for place, row in table.rows for one in _with_children(row, reading.names, _DEPTH)
    )
    return tuple(_row(place, row, reading) for place, row in flat)


def _row(place: int, row: object, reading: Reading) -> Row:
    if isinstance(row, BadRow):
        return Row(place, why=row)
    try:
        comment, post = parse_comment(row, reading)
    except BadRow as error:
        return Row(place, why=error)
    return Row(place, comment, post)


def _with_children(row: object, names: Names, depth: int) -> Iterator[object]:
    """A comment and the answers within it, which belong to its thread and stand under its post."""
    yield row
    if not isinstance(row, dict) or not depth:
        return
    fields = _fields(row, names)
    children = fields.get("children")
    if not isinstance(children, list):
        return
    above = {field: fields[field] for field in ("post_id", "post_url", "post_title") if _has(fields, field)}
    if _has(fields, "comment_id"):
        above["parent_id"] = fields["comment_id"]
        above["thread_id"] = fields["thread_id" if _has(fields, "thread_id") else "comment_id"]
    for child in children:
        yield from _with_children(_under(child, above, names), names, depth - 1)


def _under(child: object, above: Fields, names: Names) -> object:
    """What the child itself says goes first."""
    if not isinstance(child, dict):
        return child
    said = _fields(child, names)
    return child | {names[field][0]: value for field, value in above.items() if not _has(said, field)}


def parse_comment(row: object, reading: Reading) -> tuple[Comment, Post]:
    """Raises BadRow."""
    if not isinstance(row, dict):
        raise BadRow("it is no object with members", "不是带字段的对象")
    fields, options = _fields(row, reading.names), reading.options
    text = _text(fields)
    if _is_yes(fields.get("answered")):
        raise BadRow("the creator has answered it already", "创作者已经回复过")
    post = _post(fields, reading)
    when = _when(fields, reading)
    author = _words(fields, "author_name")[:_NAME_CHARS]
    author_id = _id(fields, "author_id") or made_author(author)
    comment_id = _id(fields, "comment_id") or made_id(post.id, author_id, when, text)
    parent = _id(fields, "parent_id")
    thread = _id(fields, "thread_id") or parent or comment_id
    return (
        Comment(
            ref=CommentRef(post.id, thread, comment_id, when.at),
            parent_id=(parent or thread) if thread != comment_id else None,
            author_id=author_id,
            author_name=author,
            text=text,
            is_own=_is_own(fields, author, options),
            url=_address(fields, "url") or post.url,
            likes=_count(fields.get("likes")),
        ),
        post,
    )


def made_author(name: str) -> str:
    """Stands for the id of an author of whom only the name is known."""
    return f"name-{sha256(name.encode('utf-8', 'replace')).hexdigest()[:24]}"


def made_id(post: str, author: str, when: When, text: str) -> str:
    """A row without an id has this one, each time it is imported: made of post, author, minute and text.

    A time such as `3 hours ago` is another one at the next import, and stays out.
    """
    minute = f"{when.at:%Y-%m-%dT%H:%M}" if when.exact else ""
    told = "\0".join((post, author, minute, text))
    return f"row-{sha256(told.encode('utf-8', 'replace')).hexdigest()[:32]}"


# --- one field ---


def _fields(row: Mapping[Any, Any], names: Names) -> dict[str, object]:
    """What the row says of each field: under the most exact of the names that it uses and that holds something."""
    said: dict[str, object] = {}
    for name, value in islice(row.items(), MOST_COLUMNS):
        key = normal(str(name))
        said.setdefault(key, value)
        if isinstance(value, dict):
            for inner, more in islice(value.items(), MOST_COLUMNS):
                said.setdefault(f"{key}.{normal(str(inner))}", more)
    return {
        field: next((said[key] for key in keys if _given(said.get(key))), None)
        for field, keys in names.items()
    }


def _given(value: object) -> bool:
    return value is not None and value != "" and not isinstance(value, dict)


def _has(fields: Fields, field: str) -> bool:
    return str(fields.get(field)).strip().lower() not in _NO_ID


def _words(fields: Fields, field: str) -> str:
    value = fields.get(field)
    return clean(value).strip() if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _text(fields: Fields) -> str:
    text = _words(fields, "text")
    if not text:
        raise BadRow("it has no text", "没有评论内容")
    if len(text) > MOST_CHARS:
        raise BadRow(
            f"its text has {len(text)} characters; {MOST_CHARS} are the most",
            f"评论有 {len(text)} 个字符，最多 {MOST_CHARS} 个",
        )
    return text


def _id(fields: Fields, field: str) -> str:
    """Empty where the row has none."""
    value = fields.get(field)
    if value is None:
        return ""
    if isinstance(value, str):
        found = _AS_TEXT.fullmatch(value.strip())
        value = (found[1] if found else value).strip().lstrip("'").strip()
        if _ROUNDED.fullmatch(value):
            raise BadRow(
                f"its {field} was rounded by a spreadsheet ({value}); export again with that column as text",
                f"{field} 被电子表格取整（{value}）；请将该列设为文本后重新导出",
            )
    if str(value).lower() in _NO_ID:
        return ""
    try:
        return parse_id(value)
    except ValueError as error:
        raise BadRow(f"its {field} cannot be used ({error})", f"{field} 无法使用（{error}）") from error


def _post(fields: Fields, reading: Reading) -> Post:
    address, title = _address(fields, "post_url"), _words(fields, "post_title")[:MOST_CHARS]
    post_id = _id(fields, "post_id") or post_in(address)
    given = reading.post
    if not (post_id or address or title) and given:
        address = given if _is_address(given) else ""
        post_id, title = post_in(address), "" if address else given
    if not (post_id or address or title):
        raise BadRow(
            "it names no post: no id, address or title; say which one they stand under",
            "没有作品信息（ID、链接或标题）；请说明评论属于哪个作品",
        )
    made = f"post-{sha256((address or title).encode('utf-8', 'replace')).hexdigest()[:24]}"
    address = address or address_of(reading.options.preset, post_id)
    return Post(id=post_id or made, title=title, url=address)


def _when(fields: Fields, reading: Reading) -> When:
    value = fields.get("time")
    if value is None:
        return When(reading.now, exact=False)
    try:
        return parse_when(value, reading.now, reading.options.zone())
    except ValueError as error:
        raise BadRow(f"its time {_shown(value)} {error}", f"评论时间 {_shown(value)} 无法识别") from error


def _shown(value: object) -> str:
    return repr(clean(str(value))[:40]) if isinstance(value, str | float) else f"({type(value).__name__})"


def _address(fields: Fields, field: str) -> str:
    value = fields.get(field)
    return value.strip() if isinstance(value, str) and _is_address(value.strip()) else ""


def _is_address(value: str) -> bool:
    return value.startswith(("http://", "https://")) and value.isprintable() and len(value) <= _ADDRESS_CHARS


def _is_own(fields: Fields, author: str, options: InboxOptions) -> bool:
    if _is_yes(fields.get("own")):
        return True
    told = fields.get("author_id")
    if options.account_id and told is not None:
        return _id(fields, "author_id") == options.account_id
    return author == options.account


def _is_yes(value: object) -> bool:
    if isinstance(value, list):
        return any(_is_yes(one) for one in value[:20])
    return normal(str(value)) in _YES if isinstance(value, str | bool | int) else False


def _count(value: object) -> int | None:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return (
        int(text) if text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= MAX_COUNT else None
    )

"""What every record that leaves an adapter keeps to, so that the ledger can take it and a page can show it."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from adapters.base import Account, Comment, CommentPage, Post, ReplyRef
from adapters.text import EARLIEST, LATEST, MAX_COUNT, MAX_ID_CHARS


def faults(value: object) -> Iterator[str]:
    """What is wrong with a record, a page or a list of them; nothing with anything else."""
    match value:
        case list() | tuple():
            for one in value:
                yield from faults(one)
        case CommentPage():
            yield from _page(value)
        case Comment():
            yield from _comment(value)
        case Post():
            yield from _ids(post=value.id)
            yield from _texts(value)
        case ReplyRef():
            yield from _ids(reply=value.id)
            yield from _moment(value.created_at)
            yield from _count(value.likes)
            yield from _texts(value)
        case Account():
            yield from _ids(account=value.id)
            yield from _texts(value)


def _page(page: CommentPage) -> Iterator[str]:
    yield from faults(page.comments)
    yield from faults(page.posts)
    yield from _cursor(page.cursor)
    for lost in {comment.ref.post_id for comment in page.comments} - {post.id for post in page.posts}:
        yield f"post {lost!r} of a comment is not told"


def _comment(comment: Comment) -> Iterator[str]:
    ref = comment.ref
    yield from _ids(post=ref.post_id, thread=ref.thread_id, comment=ref.comment_id, author=comment.author_id)
    if comment.parent_id is not None:
        yield from _ids(parent=comment.parent_id)
    yield from _moment(ref.created_at)
    yield from _count(comment.likes)
    yield from _texts(comment)
    if comment.url and not comment.url.startswith(("http://", "https://")):
        yield f"{comment.url!r} is no address"


def _cursor(cursor: Mapping[str, object]) -> Iterator[str]:
    try:
        json.dumps(cursor, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        yield f"the cursor cannot be kept: {error!r}"


def _ids(**ids: object) -> Iterator[str]:
    for name, value in ids.items():
        if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARS:
            yield f"the id of the {name} is {value!r}"[:200]


def _moment(moment: datetime) -> Iterator[str]:
    if moment.tzinfo is None or not EARLIEST <= moment <= LATEST:
        yield f"the time {moment!r} is none"


def _count(count: int | None) -> Iterator[str]:
    if count is not None and not 0 <= count <= MAX_COUNT:
        yield f"{count!r} likes"


def _texts(record: Account | Comment | Post | ReplyRef) -> Iterator[str]:
    for name, text in _strings("", dataclasses.asdict(record)):
        if "\0" in text or (not text.isascii() and _is_broken(text)):
            yield f"{name} cannot be stored: {text!r}"[:200]


def _is_broken(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _strings(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(f"{name}.{key}", inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(name, inner)

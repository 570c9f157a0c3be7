"""What stands below one comment of a WordPress site, and whether it is there itself."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.base import CommentRef
from adapters.errors import Permanent, TargetGone, Transient
from adapters.http import Answer
from adapters.wordpress_lookup import MOST_AT_ONCE
from adapters.wordpress_rows import COMMENT_FIELDS, Me, code_of, is_last, number
from adapters.wordpress_site import Site

MOST_ANSWERS: Final = 10_000


async def shown(site: Site, target: CommentRef, *, held_too: bool = False) -> Answer:
    """Raises TargetGone unless the public sees the comment, or the moderator holds it and `held_too`."""
    answer = await site.read(f"comments/{number(target.comment_id)}", {"_fields": "id,status"})
    gone = TargetGone(f"wordpress: comment {target.comment_id} is gone")
    if answer.status == 404 or code_of(answer) in {"rest_cannot_read", "rest_cannot_read_post"}:
        raise gone
    if answer.status != 200:
        raise site.refused("comment", answer)
    status = answer.data.get("status") if isinstance(answer.data, Mapping) else None
    if not isinstance(status, str):
        raise Transient("wordpress: the comment has no status", ambiguous=False)
    if status != "approved" and not (held_too and status == "hold"):
        raise gone
    return answer


async def own_answers(site: Site, me: Me, target: CommentRef) -> list[Any]:
    """Rows of the answers to `target`: ours, where our role may ask for them, else everybody's."""
    ours = {"author": me.id, "status": "all"} if me.edits else {}
    source = {"context": "edit"} if me.moderates else {}
    wanted = {
        "parent": str(number(target.comment_id)),
        "orderby": "id",
        "order": "asc",
        "_fields": COMMENT_FIELDS,
    }
    found: list[Any] = []
    for offset in range(0, MOST_ANSWERS, MOST_AT_ONCE):
        place = {"offset": str(offset), "per_page": str(MOST_AT_ONCE)}
        answer, rows = await site.rows("comments", {**wanted, **ours, **source, **place})
        found += rows
        if is_last(answer, rows, offset=offset, limit=MOST_AT_ONCE):
            return found
    raise Permanent(
        f"wordpress: comment {target.comment_id} has over {MOST_ANSWERS} answers; look for ours by hand"
    )

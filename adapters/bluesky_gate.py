"""Hides replies under a post of ours: its threadgate lists them, beside the rules of who may reply at all."""

from typing import Any, Final

from adapters.base import Clock, CommentRef
from adapters.bluesky_rows import error_name, owner, refusal
from adapters.bluesky_server import Server, stamp
from adapters.errors import Permanent, Transient
from adapters.text import parse_id

GATES: Final = "app.bsky.feed.threadgate"
MAX_HIDDEN: Final = 300
ATTEMPTS: Final = 3


async def hide(server: Server, target: CommentRef, *, me: str, clock: Clock) -> None:
    """Add `target` to what its post's threadgate hides; nobody's change of it in the meantime is lost."""
    root = target.post_id
    if owner(root) != me or target.comment_id == root:
        raise Permanent("bluesky: only replies under the account's own posts can be hidden")
    for _ in range(ATTEMPTS):
        version, gate, hidden = await _gate(server, root, me, clock)
        if target.comment_id in hidden:
            return
        if len(hidden) >= MAX_HIDDEN:
            raise Permanent(f"bluesky: the post has {MAX_HIDDEN} hidden replies, and takes no more")
        gate = {**gate, "hiddenReplies": [*hidden, target.comment_id]}
        answer = await server.put(me, GATES, _key(root), gate, swap=version)
        if answer.status == 200:
            return
        if error_name(answer) != "InvalidSwap":
            raise refusal("putRecord", answer)
    raise Transient("bluesky: the post's hidden replies are being changed elsewhere", ambiguous=False)


async def _gate(
    server: Server, root: str, me: str, clock: Clock
) -> tuple[str | None, dict[str, Any], list[Any]]:
    """The threadgate's version (None: there is none yet), its fields, and what it hides."""
    answer = await server.record(me, GATES, _key(root))
    if answer is None:
        return None, {"$type": GATES, "post": root, "createdAt": stamp(clock())}, []
    try:
        version, fields = parse_id(answer.data["cid"]), dict(answer.data["value"])
    except (TypeError, KeyError, ValueError) as exc:
        raise Transient("bluesky: the post's threadgate cannot be read", ambiguous=False) from exc
    hidden = fields.get("hiddenReplies") or []
    if not isinstance(hidden, list):
        raise Transient("bluesky: the post's threadgate cannot be read", ambiguous=False)
    return version, fields, hidden


def _key(root: str) -> str:
    # A threadgate has the key of its post.
    return root.rpartition("/")[2]

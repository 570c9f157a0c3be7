"""What the terminal desk makes of what came back from the ledger. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot.cli.desk_keys import tell
from bot.cli.desk_state import DeskState, Open, Refresh, Shown, Step, place
from bot.review import Act, Told, Wish
from bot.store.cases import Item
from bot.store.deciding import VerdictRefused

_SAID: Final[dict[Act, str]] = {
    "approve": "done_approve",
    "edit": "done_edit",
    "reject": "done_reject",
    "skip": "done_skip",
    "redraft": "done_redraft",
}


def opened(state: DeskState, shown: Shown | None) -> DeskState:
    """Another comment is on the screen, or this one anew."""
    before = state.shown
    same = (
        before is not None
        and shown is not None
        and (before.id, before.item.comment.version) == (shown.id, shown.item.comment.version)
    )
    return replace(
        state,
        shown=shown,
        candidate=state.candidate if same else 0,
        scroll=0,
        moved=False,
        over=False,
        mode="read",
        typed="",
    )


def taken(state: DeskState, shown: Shown) -> Step:
    """Somebody else was quicker with the comment that this person was led to: on to the next, if there is one."""
    held = state.held | {shown.id}
    here = state.ids.index(shown.id) if shown.id in state.ids else 0
    free = [number for number in (*state.ids[here:], *state.ids[:here]) if number not in held]
    if not free:
        return opened(state, shown), ()
    return replace(state, held=held), (Open(free[0], led=True),)


def queued(
    state: DeskState,
    ids: Sequence[int],
    total: int,
    held: frozenset[int],
    *,
    first: bool = False,
    version: int | None = None,
) -> Step:
    """The queue was read anew; `version` is the present one of the comment shown."""
    state = replace(state, ids=tuple(ids), total=total, held=held, chosen=state.chosen & set(ids))
    free = next((number for number in ids if number not in held), ids[0] if ids else None)
    if first:
        return state, (Open(free, led=True),)
    if state.shown is None:
        return state, (Open(free, led=True),) if ids and state.mode == "read" else ()
    return replace(state, moved=version != state.shown.item.comment.version), ()


def decided(state: DeskState, wish: Wish, undo_s: float) -> Step:
    """The verdict stands: on to the next comment that nobody has open."""
    following = after(state, {wish.comment_id})
    done = state.done if wish.act == "redraft" else (*state.done, (wish.comment_id,))
    state = replace(without(state, {wish.comment_id}), done=done, again="")
    state = tell(state, _SAID[wish.act], id=wish.comment_id, seconds=f"{undo_s:g}")
    return state, (Open(following, led=True), Refresh())


def refused(state: DeskState, wish: Wish, error: VerdictRefused) -> Step:
    """Nothing was changed; what was typed is there for the next try."""
    again = wish.text if wish.act in ("reject", "redraft") else ""
    state = tell(replace(state, again=again), f"refused_{error.why}", id=wish.comment_id, error=str(error))
    return state, (Open(wish.comment_id),) if error.why != "gone" else (Refresh(first=True),)


def decided_all(state: DeskState, told: Sequence[Told], undo_s: float) -> Step:
    """A bulk act has come to its end."""
    done = tuple(one.comment_id for one in told if one.refusal is None)
    shown = state.shown
    following = after(state, set(done)) if shown is not None and shown.id in done else None
    state = replace(without(state, set(done)), preview=(), chosen=frozenset())
    state = replace(state, done=(*state.done, done)) if done else state
    state = tell(state, "done_all", done=len(done), refused=len(told) - len(done), seconds=f"{undo_s:g}")
    return state, (Open(following, led=True), Refresh()) if shown is not None and shown.id in done else (
        Refresh(),
    )


def taken_back(state: DeskState, told: Sequence[Told]) -> Step:
    """Undone is undone; what was too late stays so, and is not tried again."""
    back = [one.comment_id for one in told if one.refusal is None]
    late = [one for one in told if one.refusal is not None]
    state = replace(state, done=state.done[:-1])
    if late:
        state = tell(state, "undo_late", done=len(back), refused=len(late), error=str(late[0].refusal))
    else:
        state = tell(state, "undone", id=", ".join(map(str, back[:5])), number=len(back))
    return state, (Refresh(), Open(back[0])) if back else (Refresh(),)


def previewed(state: DeskState, items: Sequence[Item]) -> DeskState:
    """What a bulk act would be about is on the screen."""
    if not items:
        return tell(state, "nothing_selected")
    return replace(state, preview=tuple(items), mode="bulk", scroll=0)


def written(state: DeskState, text: str) -> DeskState:
    """The editor was closed with `text`."""
    if not text:
        return tell(replace(state, mode="read", typed=""), "refused_empty")
    return replace(state, mode="send", typed=text, scroll=0)


def after(state: DeskState, decided_ids: set[int]) -> int | None:
    """The next comment in the queue that nobody else has open, from the one shown on; at the end, from the start."""
    here = place(state) or 0
    rest = [
        number
        for number in (*state.ids[here:], *state.ids[:here])
        if number not in decided_ids and number not in state.held
    ]
    return rest[0] if rest else None


def without(state: DeskState, decided_ids: set[int]) -> DeskState:
    """`state` with these comments gone from the queue."""
    ids = tuple(number for number in state.ids if number not in decided_ids)
    gone = len(state.ids) - len(ids)
    return replace(state, ids=ids, total=max(0, state.total - gone), chosen=state.chosen - decided_ids)

"""What every adapter must do, as checks that run against a real or embedded platform.

A third party writes a `Harness` for its platform and runs `CHECKS` with any test runner:

    for check in CHECKS:
        await check(harness)          # a fresh post each time; AssertionError says what is wrong

The platform's clock must be the harness's clock, to within a few milliseconds. Where `can_find_own` is False nobody
can look at what stands on the platform: there `find_own_replies` raises Unsupported, and our own comments and what
was deleted need not show in a poll.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from adapters.base import Budget, Comment, CommentPage, CommentRef, Cursor, PlatformAdapter, Post
from adapters.errors import AdapterError, TargetGone, Unsupported
from adapters.text import same_text

MAX_POLLS: Final = 60
HOSTILE_TEXT: Final = (
    'Is <b>"1 < 2"</b> & *true*? 你好，这是真的吗？ \u202eright to left\u202c \U0001f468\u200d\U0001f469'
)


class Harness(Protocol):
    """A platform to check an adapter on, with one empty post that the adapter reads."""

    @property
    def adapter(self) -> PlatformAdapter: ...

    async def write(self, text: str, parent: CommentRef | None = None, name: str = "Visitor") -> None:
        """A visitor who goes by `name` writes a comment, or answers `parent`."""
        ...

    async def remove(self, ref: CommentRef) -> None:
        """The comment vanishes from the platform."""
        ...


Check = Callable[[Harness], Awaitable[None]]


async def new_comments_are_seen_once_and_in_order(harness: Harness) -> None:
    cursor = await _begin(harness)
    await harness.write("the first comment")
    await harness.write("the second comment")
    first = await _drain(harness.adapter, cursor)
    _same([c.text for c in first.comments], ["the first comment", "the second comment"])
    again = await _drain(harness.adapter, first.cursor)
    extra = _ids(again.comments) - _ids(first.comments)
    _expect(not extra, f"a second poll invents new ids: {extra}")


async def every_comment_names_its_post(harness: Harness) -> None:
    cursor = await _begin(harness)
    await harness.write("a comment under a post")
    page = await _drain(harness.adapter, cursor)
    _same({c.ref.post_id for c in page.comments}, {post.id for post in page.posts})


async def the_baseline_hides_what_is_old_and_nothing_new(harness: Harness) -> None:
    await harness.adapter.open()
    await harness.write("an old comment")
    cursor = await harness.adapter.baseline(datetime.now(UTC))
    await harness.write("a new comment")
    await harness.write("another new comment")
    page = await _drain(harness.adapter, cursor)
    _same(
        [c.text for c in page.comments if c.text != "an old comment"],
        ["a new comment", "another new comment"],
    )
    quiet = await _drain(
        harness.adapter, await harness.adapter.baseline(datetime.now(UTC) + timedelta(seconds=60))
    )
    _same(quiet.comments, ())


async def a_small_budget_loses_nothing(harness: Harness) -> None:
    cursor = await _begin(harness)
    wanted = [f"comment number {number}" for number in range(7)]
    for text in wanted:
        await harness.write(text)
    seen: dict[str, str] = {}
    for _ in range(MAX_POLLS):
        page = await harness.adapter.poll(cursor, Budget(requests=1, comments=3))
        seen |= {c.ref.comment_id: c.text for c in page.comments}
        cursor = page.cursor
        if page.complete:
            break
    _same(sorted(seen.values()), wanted)


async def a_late_answer_in_an_old_thread_is_seen(harness: Harness) -> None:
    cursor = await _begin(harness)
    await harness.write("the top of a thread")
    page = await _drain(harness.adapter, cursor)
    top = _find(page, "the top of a thread")
    await harness.write("a later top comment")
    page = await _drain(harness.adapter, page.cursor)
    await harness.write("a late answer", top.ref)
    later = await _drain(harness.adapter, page.cursor)
    answers = [c for c in later.comments if c.text == "a late answer"]
    _same([(c.parent_id, c.ref.thread_id) for c in answers], [(top.ref.comment_id, top.ref.thread_id)])


async def own_replies_are_flagged_and_nested(harness: Harness) -> None:
    cursor = await _begin(harness)
    await harness.write("please answer")
    target = await _comment(harness, cursor, "please answer")
    _expect(not target.is_own, "a visitor's comment is flagged is_own")
    stored = await harness.adapter.reply(target.ref, "our answer", "key-1")
    _same(stored.parent_id, target.ref.comment_id)
    if not harness.adapter.capabilities.can_find_own:
        return
    ours = await _comment(harness, cursor, "our answer")
    _expect(ours.is_own, "our own reply is not flagged is_own")
    _same((ours.parent_id, ours.ref.thread_id), (target.ref.comment_id, target.ref.thread_id))


async def an_answer_to_a_nested_comment_stays_in_its_thread(harness: Harness) -> None:
    cursor = await _begin(harness)
    await harness.write("the top comment")
    await harness.write("another top comment")
    top = await _comment(harness, cursor, "the top comment")
    await harness.write("a nested comment", top.ref)
    nested = await _comment(harness, cursor, "a nested comment")
    _same(nested.ref.thread_id, top.ref.comment_id)
    stored = await harness.adapter.reply(nested.ref, "our nested answer", "key-2")
    above = nested.ref.comment_id if harness.adapter.capabilities.reply_depth == "any" else top.ref.comment_id
    _same(stored.parent_id, above)
    if not harness.adapter.capabilities.can_find_own:
        return
    ours = await _comment(harness, cursor, "our nested answer")
    _same((ours.ref.thread_id, ours.parent_id), (top.ref.comment_id, above))


async def a_sent_reply_is_found(harness: Harness) -> None:
    cursor = await _begin(harness)
    start = datetime.now(UTC)
    await harness.write("will you answer me?")
    target = await _comment(harness, cursor, "will you answer me?")
    if not harness.adapter.capabilities.can_find_own:
        await _raises(Unsupported, harness.adapter.find_own_replies(target.ref, start), "find_own_replies")
        return
    _same(await harness.adapter.find_own_replies(target.ref, start), [])
    sent = await harness.adapter.reply(target.ref, HOSTILE_TEXT, "key-3")
    found = await harness.adapter.find_own_replies(target.ref, start)
    _same([ref.id for ref in found], [sent.id])
    _expect(same_text(found[0].text, HOSTILE_TEXT), f"the reply came back as another text: {found[0].text!r}")
    _same(await harness.adapter.find_own_replies(target.ref, start + timedelta(hours=1)), [])


async def a_visitor_with_our_name_is_not_our_reply(harness: Harness) -> None:
    account = await harness.adapter.open()
    cursor = await _begin(harness)
    await harness.write("who is it?")
    target = await _comment(harness, cursor, "who is it?")
    await harness.write("I am not you", target.ref, name=account.name)
    visitor = await _comment(harness, cursor, "I am not you")
    _expect(not visitor.is_own and visitor.author_id != account.id, "a visitor counts as the account")
    if harness.adapter.capabilities.can_find_own:
        _same(await harness.adapter.find_own_replies(target.ref, target.ref.created_at), [])


async def a_deleted_comment_is_gone(harness: Harness) -> None:
    cursor = await _begin(harness)
    await harness.write("soon deleted")
    target = await _comment(harness, cursor, "soon deleted")
    await harness.remove(target.ref)
    await _raises(TargetGone, harness.adapter.reply(target.ref, "too late", "key-4"), "reply")
    if not harness.adapter.capabilities.can_find_own:
        return
    find = harness.adapter.find_own_replies(target.ref, target.ref.created_at)
    await _raises(TargetGone, find, "find_own_replies")
    left = await _drain(harness.adapter, cursor)
    _same(left.comments, ())


async def hostile_text_arrives_as_plain_text(harness: Harness) -> None:
    cursor = await _begin(harness)
    await harness.write(HOSTILE_TEXT)
    page = await _drain(harness.adapter, cursor)
    _same([same_text(c.text, HOSTILE_TEXT) for c in page.comments], [True])
    _expect("&lt;" not in page.comments[0].text, "the text is HTML, not plain text")


async def a_cursor_of_another_shape_is_refused_clearly(harness: Harness) -> None:
    await harness.adapter.open()
    try:
        await harness.adapter.poll({"nonsense": 1}, Budget())
    except AdapterError as exc:
        _expect("cursor" in str(exc), f"the message does not name the cursor: {exc}")
        return
    raise AssertionError("a cursor of another shape was accepted")


async def it_can_be_closed_twice(harness: Harness) -> None:
    await harness.adapter.open()
    await harness.adapter.aclose()
    await harness.adapter.aclose()


CHECKS: Final[tuple[Check, ...]] = (
    new_comments_are_seen_once_and_in_order,
    every_comment_names_its_post,
    the_baseline_hides_what_is_old_and_nothing_new,
    a_small_budget_loses_nothing,
    a_late_answer_in_an_old_thread_is_seen,
    own_replies_are_flagged_and_nested,
    an_answer_to_a_nested_comment_stays_in_its_thread,
    a_sent_reply_is_found,
    a_visitor_with_our_name_is_not_our_reply,
    a_deleted_comment_is_gone,
    hostile_text_arrives_as_plain_text,
    a_cursor_of_another_shape_is_refused_clearly,
    it_can_be_closed_twice,
)


async def _begin(harness: Harness) -> Cursor:
    await harness.adapter.open()
    return await harness.adapter.baseline(datetime.now(UTC))


async def _drain(adapter: PlatformAdapter, cursor: Cursor) -> CommentPage:
    """All that there is to read from `cursor` on, as one page."""
    comments: dict[str, Comment] = {}
    posts: dict[str, Post] = {}
    for _ in range(MAX_POLLS):
        page = await adapter.poll(cursor, Budget())
        comments |= {c.ref.comment_id: c for c in page.comments}
        posts |= {post.id: post for post in page.posts}
        cursor = page.cursor
        if page.complete:
            return CommentPage(tuple(comments.values()), tuple(posts.values()), cursor, complete=True)
    raise AssertionError(f"not complete after {MAX_POLLS} polls")


async def _comment(harness: Harness, cursor: Cursor, text: str) -> Comment:
    return _find(await _drain(harness.adapter, cursor), text)


def _find(page: CommentPage, text: str) -> Comment:
    for comment in page.comments:
        if same_text(comment.text, text):
            return comment
    raise AssertionError(f"the platform's comments lack {text!r}")


async def _raises(wanted: type[AdapterError], call: Awaitable[object], name: str) -> None:
    try:
        result = await call
    except wanted:
        return
    raise AssertionError(f"{name} did not raise {wanted.__name__} but returned {result!r}")


def _ids(comments: tuple[Comment, ...]) -> set[str]:
    return {comment.ref.comment_id for comment in comments}


def _same(got: object, wanted: object) -> None:
    _expect(got == wanted, f"got {got!r}, wanted {wanted!r}")


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)

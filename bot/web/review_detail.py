"""From a comment with all that is known about it to what the detail prints."""

from collections.abc import Sequence
from datetime import datetime
from secrets import token_hex
from typing import Any, Final

from bot.digest import link
from bot.models import Comment, Event, KeptText, State
from bot.plain import excerpt, plain
from bot.reasons import Reason, explain
from bot.settings import Language
from bot.store.cases import Case
from bot.store.deciding import MOST_CHARS, candidates, room
from bot.translate import needs_translation
from bot.web.evidence import aside, draft_evidence, writer_line
from bot.web.review_evidence import supported
from bot.web.view import ago
from bot.web.words import STATES, WORDS, state_word

COMMENT_CHARS: Final = 1500
THREAD_CHARS: Final = 600
THREAD_SHOWN: Final = 20
POST_CHARS: Final = 600
EARLIER_SHOWN, HISTORY_SHOWN = 10, 50
LABEL_CHARS: Final = 200
NAME_CHARS: Final = 60
QUICK_REASONS: Final = 5
_TO_DO: Final = frozenset({State.REVIEW, State.FAILED})


def detail_context(
    case: Case,
    language: Language,
    *,
    now: datetime,
    reader: str,
    decides: bool,
    translates: bool,
    fixed: Sequence[str] = (),
    kept: KeptText | None = None,
    goes: str = "",
) -> dict[str, Any]:
    """What `review_item.html` prints, for `reader`, who may decide or only look.

    `fixed`: texts that every reply holds and that rest on no document. `goes`: when the reply goes out.
    """
    item, words = case.item, WORDS[language]
    comment, draft = item.comment, item.draft
    state = State(comment.state)
    texts = candidates(draft)
    return {
        "id": comment.id,
        "version": comment.version,
        "key": token_hex(12),
        "state": state.value,
        "state_word": state_word(state, language),
        "reason": explain(comment.reason, language),
        "aside": aside(comment.reason, comment.detail, language, findings=bool(draft and draft.findings)),
        "todo": words.get(f"review_todo_{comment.reason}", "") if decides and state in _TO_DO else "",
        "channel": excerpt(item.channel.name, NAME_CHARS),
        "limit": room(item.channel),
        "acts": acts(case, now) if decides else frozenset(),
        "holder": _holder(case, reader, now),
        "post": _post(case),
        "comment": _comment(comment, language, now=now, translates=translates and decides),
        "thread": _thread(case, language, now),
        "more_thread": max(0, _before(case) - THREAD_SHOWN),
        **supported(draft, texts, language, fixed),
        "ordered": _ordered(case, words),
        "goes": goes,
        "evidence": draft_evidence(draft, language) | {"candidates": []},
        "writer": writer_line(draft.model, draft.voice, language) if draft is not None else "",
        "hint": excerpt(draft.hint, LABEL_CHARS) if draft is not None else "",
        "earlier": _earlier(case, language, now),
        "history": [_event(event, language) for event in case.history[-HISTORY_SHOWN:]],
        "signals": [
            words[f"review_signal_{signal.kind}"].format(value=signal.value) for signal in case.signals
        ],
        "kept": kept.text[:MOST_CHARS] if kept is not None else "",
        "quick": [words[f"review_quick_{number}"] for number in range(1, QUICK_REASONS + 1)],
    }


def acts(case: Case, now: datetime) -> frozenset[str]:
    """What a person can do about a comment where it is."""
    comment, reply = case.item.comment, case.item.reply
    tried = reply is not None and reply.attempted_at is not None
    state = State(comment.state)
    if comment.is_own:
        return frozenset()
    if state is State.REVIEW:
        usual = {"edit", "reject", "skip"} | ({"approve"} if candidates(case.item.draft) else set())
        return frozenset(usual | ({"confirm_sent"} if tried else {"redraft"}))
    if state is State.READY:
        undoable = any(verdict.undone_at is None for verdict in case.verdicts) and not tried
        return frozenset({"undo"} if undoable else ())
    if state is State.SKIPPED:
        return frozenset({"edit"} if tried else {"edit", "redraft"})
    return frozenset({"retry", "edit", "skip"} if state is State.FAILED else ())


def _holder(case: Case, reader: str, now: datetime) -> str:
    hold = case.hold
    theirs = hold is not None and hold.by != reader and hold.until > now
    return hold.by if hold is not None and theirs else ""


def _post(case: Case) -> dict[str, str]:
    post = case.item.post
    return {
        "title": excerpt(post.title, LABEL_CHARS),
        "text": excerpt(post.text, POST_CHARS),
        "link": link(post.url[:2000]),
    }


def _comment(comment: Comment, language: Language, *, now: datetime, translates: bool) -> dict[str, Any]:
    words, text = WORDS[language], comment.text
    return {
        "author": excerpt(comment.author_name, NAME_CHARS),
        "text": plain(text[:COMMENT_CHARS]) + ("…" if len(text) > COMMENT_CHARS else ""),
        "rest": words["review_all_of_it"].format(number=f"{len(text):,}")
        if len(text) > COMMENT_CHARS
        else "",
        "language": comment.language if comment.language in ("en", "zh") else "",
        "link": link(comment.url[:2000]),
        "translation": plain(comment.translations.get(language, "")[:COMMENT_CHARS]),
        "can_translate": translates and needs_translation(comment, language),
        "at": comment.created_at.isoformat(),
        "ago": ago(now, comment.created_at, words),
        "similar": words["review_asked_by"].format(number=comment.similar) if comment.similar > 1 else "",
    }


def _before(case: Case) -> int:
    """How many comments of the thread stand beside this one."""
    return sum(one.id != case.item.comment.id for one in case.thread)


def _thread(case: Case, language: Language, now: datetime) -> list[dict[str, Any]]:
    """The last comments of the thread, this one among them; empty where it stands alone."""
    if not _before(case):
        return []
    return [
        {
            "author": excerpt(one.author_name, NAME_CHARS),
            "text": excerpt(one.text, THREAD_CHARS),
            "own": one.is_own,
            "this": one.id == case.item.comment.id,
            "ago": ago(now, one.created_at, WORDS[language]),
        }
        for one in case.thread[-THREAD_SHOWN - 1 :]
    ]


def _ordered(case: Case, words: Any) -> dict[str, str] | None:
    """The reply that goes out or has gone out."""
    reply, state = case.item.reply, State(case.item.comment.state)
    if reply is None:
        return None
    word = words["review_sent_text" if state is State.SENT else "review_ordered"]
    return {
        "word": word,
        "text": plain(reply.text[:MOST_CHARS]),
        "by": excerpt(reply.approved_by, NAME_CHARS),
    }


def _earlier(case: Case, language: Language, now: datetime) -> list[dict[str, str]]:
    comment = case.item.comment
    # While another one is being written, the present draft is an earlier one, too.
    current = comment.draft_id if comment.state != State.NEW else None
    drafts = [draft for draft in case.drafts if draft.id != current and draft.text]
    return [
        {
            "text": plain(draft.text[:MOST_CHARS]),
            "hint": excerpt(draft.hint, LABEL_CHARS),
            "writer": writer_line(draft.model, draft.voice, language),
            "ago": ago(now, draft.created_at, WORDS[language]),
        }
        for draft in reversed(drafts[-EARLIER_SHOWN:])
    ]


def _event(event: Event, language: Language) -> dict[str, str]:
    known = event.to_state in set(STATES)
    # A reviewer's hint and reason are plain words, not details of a decision.
    own_words = event.reason in (Reason.REDRAFT, Reason.REJECTED_BY_PERSON)
    detail = event.detail if own_words else ""
    return {
        "at": event.at.isoformat(),
        "when": f"{event.at:%Y-%m-%d %H:%M}",
        "state": event.to_state,
        "word": state_word(State(event.to_state), language) if known else excerpt(event.to_state, NAME_CHARS),
        "reason": explain(event.reason, language),
        "actor": excerpt(event.actor, NAME_CHARS),
        "detail": excerpt(detail, LABEL_CHARS),
    }

"""From a comment with all that is known about it to what the detail prints."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import pairwise
from secrets import token_hex
from typing import Any, Final

from bot.digest import link
from bot.highlight import Sentence, align
from bot.highlight import pieces as cut
from bot.models import Comment, Draft, Event, KeptText, State
from bot.plain import excerpt, plain
from bot.reasons import Reason, explain
from bot.settings import Language
from bot.store.cases import Case
from bot.store.deciding import MOST_CHARS, candidates
from bot.translate import needs_translation
from bot.web.evidence import aside, draft_evidence, writer_line
from bot.web.view import ago
from bot.web.words import STATES, WORDS, state_word
from knowledge.splitter import sentence_spans

COMMENT_CHARS: Final = 3000
THREAD_CHARS: Final = 600
THREAD_SHOWN: Final = 20
POST_CHARS: Final = 600
PASSAGE_CHARS: Final = 4000
EARLIER_SHOWN, HISTORY_SHOWN = 10, 50
LABEL_CHARS: Final = 200
NAME_CHARS: Final = 60
QUICK_REASONS: Final = 5
EDITABLE: Final = frozenset({State.REVIEW, State.SKIPPED, State.FAILED})


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
) -> dict[str, Any]:
    """What `review_item.html` prints, for `reader`, who may decide or only look.

    `fixed`: texts that every reply holds and that rest on no document.
    """
    item, words = case.item, WORDS[language]
    comment, draft = item.comment, item.draft
    state = State(comment.state)
    texts = candidates(draft)
    limit = item.channel.max_reply_chars
    return {
        "id": comment.id,
        "version": comment.version,
        "key": token_hex(12),
        "state": state.value,
        "state_word": state_word(state, language),
        "reason": explain(comment.reason, language),
        "aside": aside(comment.reason, comment.detail, language, findings=bool(draft and draft.findings)),
        "channel": excerpt(item.channel.name, NAME_CHARS),
        "limit": MOST_CHARS if limit is None else limit,
        "acts": acts(case, now) if decides else frozenset(),
        "holder": _holder(case, reader, now),
        "post": _post(case),
        "comment": _comment(comment, language, now=now, translates=translates and decides),
        "thread": _thread(case, language, now),
        "more_thread": max(0, _before(case) - THREAD_SHOWN),
        "candidates": _candidates(draft, texts, language, fixed),
        "ordered": _ordered(case, words),
        "passages": _passages(draft, texts),
        "evidence": draft_evidence(draft, language) | {"candidates": []},
        "writer": writer_line(draft.model, draft.voice, language) if draft is not None else "",
        "hint": excerpt(draft.hint, LABEL_CHARS) if draft is not None else "",
        "earlier": _earlier(case, language, now),
        "history": [_event(event, language) for event in case.history[-HISTORY_SHOWN:]],
        "signals": [f"{signal.kind} {signal.value}" for signal in case.signals],
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


def _candidates(
    draft: Draft | None, texts: Sequence[str], language: Language, fixed: Sequence[str]
) -> list[dict[str, Any]]:
    known = {text[slice(*span)] for text in fixed for span in sentence_spans(text)}
    told = draft_evidence(draft, language)["candidates"] if draft is not None else []
    sources = _cited(draft)
    return [
        {
            "text": text,
            "sentences": _sentences(text, align(text, sources), index, known if sources else None),
            "told": told[index]["told"] if index < len(told) else "",
        }
        for index, text in enumerate(texts)
    ]


def _sentences(
    text: str, found: Sequence[Sentence], candidate: int, known: Collection[str] | None
) -> list[dict[str, Any]]:
    """`text` in sentences and what stands between them; `name` ties a sentence to its words in the passages.

    `known`: sentences that need no passage; None: there are no passages, and none is missed.
    """
    spans = {one.span: (number, one) for number, one in enumerate(found, 1)}
    edges = sorted({0, len(text), *(edge for span in spans for edge in span)})
    shown = []
    for start, end in pairwise(edges):
        number, sentence = spans.get((start, end), (0, None))
        shown.append(
            {
                "text": plain(text[start:end]),
                "number": number,
                "name": f"{candidate}-{number}" if number else "",
                "borne": bool(sentence and sentence.places),
                "bare": _is_bare(text[start:end], sentence, known),
            }
        )
    return shown


def _is_bare(text: str, sentence: Sentence | None, known: Collection[str] | None) -> bool:
    return sentence is not None and not sentence.places and known is not None and text not in known


def _cited(draft: Draft | None) -> list[str]:
    """Texts of all passages, those that the draft cites first to bear a sentence; in the ledger's order."""
    return [str(one.get("text", ""))[:PASSAGE_CHARS] for one in draft.passages] if draft is not None else []


def _passages(draft: Draft | None, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The passages with the words that bear the candidates, the cited ones first."""
    if draft is None:
        return []
    sources = _cited(draft)
    marks: list[list[tuple[tuple[int, int], str]]] = [[] for _ in sources]
    for candidate, text in enumerate(texts):
        for number, sentence in enumerate(align(text, sources), 1):
            for place in sentence.places:
                marks[place.passage] += [(span, f"{candidate}-{number}") for span in place.words]
    shown = [
        {
            "cited": index in draft.citations,
            "marked": bool(marks[index]),
            "pieces": _pieces(source, marks[index]),
            **_place(passage),
        }
        for index, (passage, source) in enumerate(zip(draft.passages, sources, strict=True))
    ]
    return sorted(shown, key=lambda one: (not one["cited"], not one["marked"]))


def _pieces(source: str, marks: Sequence[tuple[tuple[int, int], str]]) -> list[dict[str, Any]]:
    """`on`: it bears the first candidate; `number`: which of its sentences, where that changes."""
    shown: list[dict[str, Any]] = []
    before = ""
    for piece in cut(source, marks):
        numbers = " ".join(_numbers(piece.labels, 0))
        shown.append(
            {
                "text": plain(piece.text),
                "names": " ".join(piece.labels),
                "on": bool(numbers),
                "number": numbers if numbers != before else "",
            }
        )
        before = numbers or before
    return shown


def _numbers(labels: Sequence[str], candidate: int) -> list[str]:
    return [label.partition("-")[2] for label in labels if label.startswith(f"{candidate}-")]


def _place(passage: Any) -> dict[str, Any]:
    """Where a passage stands, with the address that leads right there: of a page of the web only."""
    page, time = passage.get("page"), str(passage.get("time") or "")
    source = str(passage.get("source", ""))
    address = link(source[:2000])
    if address and "#" not in address:
        address += f"#page={page}" if page else f"#t={_seconds(time)}" if _seconds(time) else ""
    name = [excerpt(str(passage.get(key, "")), LABEL_CHARS) for key in ("title", "heading")]
    return {
        "place": " › ".join(part for part in name if part) or excerpt(source, LABEL_CHARS),
        "source": excerpt(source, LABEL_CHARS),
        "link": address,
        "page": page,
        "time": excerpt(time, 20),
        "support": f"{float(passage.get('support') or 0):.2f}",
    }


def _seconds(time: str) -> int:
    """`1:02:03` in seconds; 0 for what is no time."""
    if not re.fullmatch(r"\d{1,3}(?::\d{1,2}){1,2}", time):
        return 0
    total = 0
    for part in time.split(":"):
        total = total * 60 + int(part)
    return total


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

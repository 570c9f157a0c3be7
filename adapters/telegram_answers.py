"""What the Bot API's answers mean beside messages: results, who we are, what was sent, and errors. Pure functions."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.base import Account, CommentRef, ReplyRef
from adapters.errors import (
    AccountRestricted,
    AdapterError,
    Permanent,
    ReauthRequired,
    RejectedContent,
    TargetGone,
    Transient,
)
from adapters.http import Answer
from adapters.telegram_rows import chat_of, key, sent_at, split
from adapters.text import clean, parse_id, parse_text


def result_of(method: str, answer: Answer, *, writes: bool) -> Any:
    if answer.status >= 400:
        raise refusal(method, answer.status, answer.data, answer.excerpt)
    if not isinstance(answer.data, Mapping) or answer.data.get("ok") is not True:
        raise Transient(f"telegram: {method}: the answer has another shape", ambiguous=writes)
    return answer.data.get("result")


def object_of(method: str, result: Any) -> Mapping[str, Any]:
    if not isinstance(result, Mapping):
        raise Transient(f"telegram: {method}: the answer holds no object", ambiguous=False)
    return result


def account_of(me: Any) -> Account:
    try:
        details = object_of("getMe", me)
        return Account(
            parse_id(details.get("id")), parse_text(details.get("username") or details.get("first_name"))
        )
    except ValueError as exc:
        raise Transient(f"telegram: getMe: the answer cannot be read ({exc})", ambiguous=False) from exc


def stored_ref(result: Any, target: CommentRef, text: str) -> ReplyRef:
    try:
        message = result if isinstance(result, Mapping) else {}
        reply_id = key(chat_of(message), message.get("message_id"))
        return ReplyRef(reply_id, target.comment_id, text, sent_at(message))
    except ValueError as exc:
        raise Transient(f"telegram: the sent reply cannot be read ({exc})", ambiguous=True) from exc


def split_id(comment_id: str) -> tuple[int, int]:
    try:
        return split(comment_id)
    except ValueError as exc:
        raise Permanent(f"telegram: '{comment_id:.40}' is no comment of Telegram") from exc


def text_or_empty(value: object) -> str:
    return parse_text(value) if isinstance(value, str) else ""


def told_wait(data: Any) -> object:
    """Seconds to wait, from the body of a 429."""
    return _parameter(data, "retry_after")


def _parameter(data: Any, name: str) -> object:
    parameters = data.get("parameters") if isinstance(data, Mapping) else None
    return parameters.get(name) if isinstance(parameters, Mapping) else None


def refusal(what: str, status: int, data: Any, excerpt: str) -> AdapterError:
    """The error for an answer that is not `ok`, by Telegram's words: its numbers say little."""
    described = data.get("description") if isinstance(data, Mapping) else None
    said = clean(described)[:300] if isinstance(described, str) else excerpt
    moved = _parameter(data, "migrate_to_chat_id")
    if isinstance(moved, int):
        return Permanent(f"telegram: the group became a supergroup; set groups to {moved}")
    if status == 404:
        return ReauthRequired("telegram: knows no such bot; copy the token again from @BotFather")
    if status == 409:
        return Permanent(
            f"telegram: somebody else takes this bot's news; end the other program or its webhook: {said}"
        )
    if status == 403:
        return AccountRestricted(f"telegram: {what} is not allowed; add the bot to the group again: {said}")
    return _by_words(said.lower())(f"telegram: refuses {what} ({status}): {said or 'no reason given'}")


def _by_words(words: str) -> type[AdapterError]:
    for meaning, phrases in _MEANINGS.items():
        if any(phrase in words for phrase in phrases):
            return meaning
    return Permanent


_MEANINGS: Final[dict[type[AdapterError], tuple[str, ...]]] = {
    TargetGone: (
        "replied not found",
        "replied message not found",
        "thread not found",
        "message_id_invalid",
        "topic_closed",
        "topic_deleted",
    ),
    RejectedContent: ("too long", "too_long", "text is empty", "text must be non-empty"),
    AccountRestricted: (
        "not enough rights",
        "no rights to send",
        "chat_write_forbidden",
        "chat_restricted",
        "chat_send_plain_forbidden",
        "user_banned_in_channel",
    ),
}

"""What a guest keeps to on a platform: no flood, no loop with another bot, a label where one is due. Pure.

Every rule is a channel's own, see `bot.settings.ChannelRulesSettings`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from bot.persona import cut
from bot.reasons import Reason
from bot.settings import ChannelRulesSettings
from knowledge.language import detect


def is_bot(bots: Collection[str], author_id: str, author_name: str) -> bool:
    """The account stands on the list, by its id or by its name."""
    listed = {one.strip().removeprefix("@").casefold() for one in bots}
    return author_id in bots or author_name.strip().removeprefix("@").casefold() in listed


def repeated(rules: ChannelRulesSettings, replied: Sequence[datetime], now: datetime) -> Reason | None:
    """Why a person should decide about a further reply to somebody whom we `replied` to in the same thread then."""

    def since(seconds: float) -> int:
        return sum(moment > now - timedelta(seconds=seconds) for moment in replied)

    if rules.loop_replies and since(rules.loop_s) >= rules.loop_replies:
        return Reason.LOOP
    if rules.one_reply_s and since(rules.one_reply_s):
        return Reason.ONE_REPLY
    return None


def label_for(labels: Mapping[str, str], text: str) -> str:
    """The label in the language of `text`; where there is none in it, any; empty where the channel has none."""
    return labels.get(detect(text)) or next((label for label in labels.values() if label), "")


def labelled(text: str, label: str) -> str:
    """`text` with its label on a line of its own; one that ends with it already stays as it is."""
    return text if not label or text.endswith(label) else f"{text}\n{label}"


def fitting(text: str, label: str, most: int | None) -> str:
    """As `labelled`, cut after a whole sentence where it is longer than the platform takes."""
    whole = labelled(text, label)
    if most is None or len(whole) <= most:
        return whole
    return labelled(cut(text.removesuffix(label).rstrip(), most - label_chars([label])), label)


def unlabelled(text: str, labels: Collection[str]) -> str:
    """What was written, without a label at its end."""
    found = next((label for label in labels if label and text.rstrip().endswith(label)), "")
    return text.rstrip().removesuffix(found).rstrip() if found else text


def label_chars(labels: Collection[str]) -> int:
    """How many characters the longest of the labels takes, with the line break before it."""
    longest = max(map(len, labels), default=0)
    return longest + 1 if longest else 0

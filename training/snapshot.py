"""The first step of the night: the ledger's verdicts, frozen into files that all later steps read.

    sft.jsonl     pairs.jsonl  pairs-judge.jsonl    to train on; the pairs in two halves that share no thread
    sft-held.jsonl             pairs-held.jsonl     of the newest threads, which nothing is trained on
    replay.jsonl                                    what was sent and no verdict is about
    manifest.json                                   counts, guards, what was left out, and a hash of it all

The same ledger and moment give the same bytes. Signals, which commenters give, are not read.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from bot import trl
from bot.feedback_rows import Row, as_json, hash_of, rows_of, sent_row
from bot.models import Channel
from bot.persona import Persona
from bot.prompt import Message
from bot.store import feedback
from bot.store.ledger import Ledger
from bot.training_settings import DataSettings
from training import preferences
from training.balance import NOBODY, Cap, balanced
from training.folders import made
from training.manifest import MANIFEST, Manifest, Report, manifest_of, read_manifest, written
from training.preferences import NOTHING, Opinion, harm
from training.run import Run
from training.shelf import Place, Shelf, Standing, opened
from training.split import Split, split

LEARNED: Final = ("sft.jsonl", "sft-held.jsonl", "pairs.jsonl", "pairs-judge.jsonl", "pairs-held.jsonl")
REPLAY: Final = "replay.jsonl"
REPLAYED: Final = 500
"""Most rows of `replay.jsonl`."""

PersonaOf = Callable[[Channel], Persona]


def freeze(
    ledger: Ledger,
    out: Path,
    persona_of: PersonaOf,
    *,
    settings: DataSettings,
    channel: str | None,
    now: datetime,
    run: Run,
    since: datetime | None = None,
) -> Manifest:
    """Write the verdicts up to `now` into the folder `out`, which is there whole or not at all.

    `channel`: only that channel's. `since`: when the last night that trained began; later verdicts are new. Raises
    TooLittle, OutOfBudget, NoRoom, LedgerError, OSError.
    """
    if out.is_dir():
        return read_manifest(out)
    new = ledger.read(feedback.number_new, until=now, channel=channel, since=since)
    with opened(out.with_name(out.name + ".db")) as shelf:
        report = Report()
        _fill(shelf, report, ledger, persona_of, settings=settings, channel=channel, now=now, run=run)
        decide(shelf, report, settings, now=now, new=new)
        with made(out) as folder:
            files = {file: written(folder / file, _lines(shelf, file)) for file in LEARNED}
            sent = _sent(shelf, report, ledger, persona_of, settings=settings, channel=channel, now=now)
            files[REPLAY] = written(folder / REPLAY, sent)
            told = manifest_of(report, files, settings, channel=channel, now=now, since=since, new=new)
            (folder / MANIFEST).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return read_manifest(out)


def decide(shelf: Shelf, report: Report, settings: DataSettings, *, now: datetime, new: int) -> None:
    """What becomes of the rows on the shelf, of `new` new verdicts among others. Raises TooLittle."""
    _settle(shelf, report)
    report.split = _divide(shelf, settings.held_out)
    preferences.enough(Counter(shelf.counts()), new, settings)
    for file in LEARNED:
        _shorten(shelf, report, file, settings, now)
        report.caps[file] = _weigh(shelf, file, settings, now)


def _fill(
    shelf: Shelf,
    report: Report,
    ledger: Ledger,
    persona_of: PersonaOf,
    *,
    settings: DataSettings,
    channel: str | None,
    now: datetime,
    run: Run,
) -> None:
    total = ledger.read(feedback.number_judged, channel=channel)
    for done, judged in enumerate(trl.pages(ledger, channel=channel), start=1):
        known = replace(judged, verdicts=tuple(one for one in judged.verdicts if one.at <= now))
        report.left_out += trl.unlearned(known)
        for row in rows_of(known, persona_of(judged.channel), every=True):
            if found := _harm(row, settings):
                report.left_out[found] += row.part != "rejected"
            else:
                _put(shelf, row)
        run.advance(done, max(done, total))


def _harm(row: Row, settings: DataSettings) -> preferences.Harm | None:
    return harm([text for name in _REPLIES if (text := _said(row, name))], row.fans, settings.max_reply_chars)


_REPLIES: Final = ("completion", "chosen", "rejected")


def _said(row: Row, name: str) -> str:
    return str(row.columns[name][0]["content"]) if name in row.columns else ""


def _put(shelf: Shelf, row: Row) -> None:
    columns = {name: value for name, value in row.columns.items() if name != "prompt"}
    messages = as_json(row.columns["prompt"])
    hashed, near = _prompt(messages)
    part = "preferences" if row.part == "preferences" else "sft"
    place = Place(part, near, _topic(row.fans[0]), columns["thread"], columns["channel"])
    better, worse = _edge(row)
    at = row.at.isoformat(timespec="microseconds")
    opinion = Opinion(0, at, row.verdict_id, columns["comment"], columns["reviewer"], better, worse, row.key)
    shelf.put(place, opinion, (hashed, messages), as_json(columns))


def _edge(row: Row) -> tuple[str, str]:
    if row.part == "rejected":
        return NOTHING, preferences.edge_of(_said(row, "completion"), "")[0]
    worse = _said(row, "rejected") if row.part == "preferences" else ""
    return preferences.edge_of(_said(row, "completion") or _said(row, "chosen"), worse)


@lru_cache(maxsize=64)
def _prompt(messages: str) -> tuple[str, str]:
    """The hash of a prompt, and the one that it shares with those that differ in white space, signs and case only."""
    plain = "\n".join(_plain(message) for message in json.loads(messages))
    return hash_of(messages), hash_of(preferences.quick_shape(plain))[:32]


def _plain(message: Message) -> str:
    content = message["content"]
    return f"{message['role']} {content if isinstance(content, str) else as_json(content)}"


@lru_cache(maxsize=64)
def _topic(comment: str) -> str:
    return hash_of(preferences.shape(comment) or comment)[:32]


def _settle(shelf: Shelf, report: Report) -> None:
    for _, opinions in shelf.by_prompt():
        settled = preferences.settled(opinions)
        for kept in settled.kept:
            [*one] = kept.reviewers
            shelf.keep(kept, one[0] if len(one) == 1 else NOBODY)
        for doubt, left in settled.left_out.items():
            report.left_out[doubt] += sum(one.better != NOTHING for one in left)
            if doubt in ("contradicted", "cycle"):
                report.contradict(doubt, left)


def _divide(shelf: Shelf, held_out: float) -> Split:
    threads = list(shelf.threads())
    parted = split(threads, shelf.shared_prompts(), held_out)
    shelf.place((one.name, *_sides(one.name, parted)) for one in threads)
    return parted


def _sides(thread: str, parted: Split) -> tuple[str, str]:
    if thread in parted.held:
        return "sft-held.jsonl", "pairs-held.jsonl"
    return "sft.jsonl", ("pairs.jsonl", "pairs-judge.jsonl")[parted.half(thread)]


def _shorten(shelf: Shelf, report: Report, file: str, settings: DataSettings, now: datetime) -> None:
    """Weighed first, so that one reviewer's flood of new verdicts does not drive out what the others said."""
    if (over := shelf.counts().get(file, 0) - settings.max_rows) > 0:
        _weigh(shelf, file, settings, now)
        shelf.drop_lightest(file, over)
        report.left_out["too_many"] += over


def _weigh(shelf: Shelf, file: str, settings: DataSettings, now: datetime) -> dict[str, Cap]:
    numbers, weights = list[int](), list[float]()
    owners: dict[str, list[str]] = {"reviewer": [], "thread": [], "channel": []}
    known: dict[str, str] = {}
    for one in shelf.standings(file):
        numbers.append(one.number)
        weights.append(_weight(one, settings, now))
        for kind, name in (("reviewer", one.owner), ("thread", one.thread), ("channel", one.channel)):
            owners[kind].append(known.setdefault(name, name))
    limits = {
        "reviewer": settings.most_of_reviewer,
        "thread": settings.most_of_thread,
        "channel": settings.most_of_channel,
    }
    weights, caps = balanced(weights, owners, limits)
    shelf.weigh(zip(weights, numbers, strict=True))
    return caps


def _weight(one: Standing, settings: DataSettings, now: datetime) -> float:
    age = preferences.age_weight(datetime.fromisoformat(one.at), now, settings.half_life_days)
    return age * preferences.agreement(one.agreeing, one.against)


def _lines(shelf: Shelf, file: str) -> Iterator[dict[str, Any]]:
    for messages, columns, weight in shelf.lines(file):
        yield {**json.loads(columns), "prompt": json.loads(messages), "weight": weight}


def _sent(
    shelf: Shelf,
    report: Report,
    ledger: Ledger,
    persona_of: PersonaOf,
    *,
    settings: DataSettings,
    channel: str | None,
    now: datetime,
) -> Iterator[dict[str, Any]]:
    """The newest replies that no verdict is about, each prompt once and none that is learned from."""
    before: int | None = None
    seen: set[str] = set()
    while len(seen) < REPLAYED:
        page = ledger.read(feedback.sent, before=before, limit=trl.PAGE, until=now, channel=channel)
        if not page:
            return
        before = page[-1][1].id
        for judged, reply in page:
            row = sent_row(judged, reply, persona_of(judged.channel))
            near = _prompt(as_json(row.columns["prompt"]))[1]
            if _harm(row, settings) or near in seen or shelf.knows(near):
                report.left_out["replay"] += 1
            elif len(seen) < REPLAYED:
                seen.add(near)
                yield row.columns | {"kind": "sent", "reviewer": "", "weight": 1.0}

"""Carries out on the ledger what the keys of the terminal desk ask for."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, Protocol
from uuid import uuid4

from sqlmodel import Session

from bot.bootstrap import utc_now
from bot.building.model import make_writer
from bot.cli import desk_news as news
from bot.cli.desk_editor import write_in_editor
from bot.cli.desk_keys import tell
from bot.cli.desk_state import (
    BULK_MOST,
    Count,
    Decide,
    DecideAll,
    DeskState,
    Effect,
    Keep,
    Leave,
    Open,
    Preview,
    Refresh,
    Shown,
    Step,
    TakeBack,
    TakeOver,
    Translate,
    Write,
)
from bot.cli.errors import Misuse
from bot.generator import GeneratorError
from bot.models import Comment
from bot.review import Told, Wish, decide_here
from bot.settings import Language, Settings
from bot.store import cases, holds, queue
from bot.store.cases import NoSuchComment
from bot.store.deciding import Sign, VerdictRefused
from bot.store.ledger import Ledger, LedgerError
from bot.translate import Translator, needs_translation


class Screen(Protocol):
    """What acts need of the terminal."""

    def lent(self) -> Any:
        """A context manager: the terminal is another program's."""

    def interruptible(self) -> Any:
        """A context manager: Ctrl-C raises KeyboardInterrupt."""


class Acts:
    """One person's hands on the ledger."""

    def __init__(
        self, ledger: Ledger, settings: Settings, screen: Screen, *, by: str, language: Language
    ) -> None:
        self._ledger, self._settings, self._screen = ledger, settings, screen
        self._by, self._language = by, language
        self._held: int | None = None
        self._renew_at = 0.0

    def do(self, state: DeskState, effect: Effect) -> Step:
        """What came of `effect`; a ledger out of reach is told, and nothing is changed."""
        try:
            return self._carry_out(state, effect)
        except (LedgerError, Misuse) as error:
            return tell(state, "failed", error=str(error)), ()

    def renew(self) -> None:
        """The person is still there: nobody else is led to the comment shown, as long as the ledger is in reach."""
        if self._held is not None and monotonic() >= self._renew_at:
            with suppress(LedgerError, NoSuchComment):
                self._hold(self._held)

    def close(self) -> None:
        """Give back what is held. Raises LedgerError."""
        if self._held is not None:
            self._ledger.write(holds.release, by=self._by, comment_id=self._held)
            self._held = None

    def _carry_out(self, state: DeskState, effect: Effect) -> Step:
        match effect:
            case Open(comment_id, led):
                shown = self._shown(comment_id)
                if led and shown is not None and shown.held_by:
                    return news.taken(state, shown)
                return news.opened(state, shown), ()
            case Refresh(first):
                return self._refresh(state, first=first)
            case Decide(wish):
                return self._decide(state, wish)
            case DecideAll(act):
                return news.decided_all(state, self._all(state, act), self._settings.review.undo_s)
            case TakeBack(ids):
                wishes = [(Wish("undo", number), self._sign(over_hold=True)) for number in ids]
                return news.taken_back(state, self._each(wishes))
            case Count():
                facets = self._ledger.read(queue.facets, state.filters.states)
                return replace(state, facets=facets), ()
            case Preview(ids):
                return news.previewed(state, self._items(state, ids)), ()
            case Leave():
                return state, ()
            case _:
                return self._on_shown(state, effect)

    def _on_shown(self, state: DeskState, effect: Effect) -> Step:
        shown = state.shown
        if shown is None:
            return state, ()
        match effect:
            case Write(text):
                return self._write(state, shown, text), ()
            case Keep(text):
                self._ledger.write(holds.keep_text, shown.id, by=self._by, text=text, now=utc_now())
                return tell(replace(state, shown=replace(shown, kept=text)), "put_aside"), ()
            case TakeOver():
                self._hold(shown.id, over=True)
                return tell(replace(state, shown=replace(shown, held_by="")), "taken_over"), ()
            case Translate():
                return self._translate(state, shown), ()
            case _:
                return state, ()

    def _shown(self, comment_id: int | None) -> Shown | None:
        if self._held is not None and self._held != comment_id:
            self.close()
        if comment_id is None:
            return None
        try:
            case = self._ledger.read(cases.case, comment_id)
        except NoSuchComment:
            return None
        kept = self._ledger.read(holds.kept_text, comment_id, by=self._by)
        return Shown(
            case,
            held_by=self._hold(comment_id),
            kept=kept.text if kept is not None else "",
            key=uuid4().hex,
            since=monotonic(),
            translation=case.item.comment.translations.get(self._language, ""),
        )

    def _hold(self, comment_id: int, *, over: bool = False) -> str:
        """Hold the comment; who else has it, if somebody was first."""
        lasts = timedelta(seconds=self._settings.review.hold_s)
        hold = self._ledger.write(holds.take, comment_id, by=self._by, now=utc_now(), lasts=lasts, over=over)
        mine = hold.by == self._by
        self._held = comment_id if mine else None
        self._renew_at = monotonic() + self._settings.review.hold_s / 3
        return "" if mine else hold.by

    def _refresh(self, state: DeskState, *, first: bool) -> Step:
        ids, total, held, version = self._ledger.read(_queue, state, utc_now())
        return news.queued(state, ids, total, held, first=first, version=version)

    def _decide(self, state: DeskState, wish: Wish) -> Step:
        shown = state.shown
        if shown is None:
            return state, ()
        sign = self._sign(
            version=shown.item.comment.version,
            key=shown.key,
            took_s=round(monotonic() - shown.since, 1),
            over_hold=state.over,
        )
        undo_s = self._settings.review.undo_s
        try:
            decide_here(self._ledger, wish, sign, now=utc_now(), undo_s=undo_s)
        except VerdictRefused as error:
            return news.refused(state, wish, error)
        return news.decided(state, wish, undo_s)

    def _all(self, state: DeskState, act: Any) -> list[Told]:
        return self._each(
            [
                (Wish(act, item.comment.id or 0), self._sign(version=item.comment.version, key=uuid4().hex))
                for item in state.preview
            ]
        )

    def _each(self, wishes: list[tuple[Wish, Sign]]) -> list[Told]:
        decide: Callable[..., Any] = partial(
            decide_here, self._ledger, now=utc_now(), undo_s=self._settings.review.undo_s
        )
        told = []
        for wish, sign in wishes:
            try:
                decide(wish, sign)
            except VerdictRefused as error:
                told.append(Told(wish.comment_id, error))
            else:
                told.append(Told(wish.comment_id))
        return told

    def _sign(self, **seen: Any) -> Sign:
        return Sign(self._by, via="terminal", **seen)

    def _items(self, state: DeskState, ids: tuple[int, ...]) -> list[cases.Item]:
        if ids:
            return self._ledger.read(cases.items, ids[:BULK_MOST])
        return self._ledger.read(queue.queue, state.filters, sort=state.sort, limit=BULK_MOST).items

    def _write(self, state: DeskState, shown: Shown, text: str) -> DeskState:
        try:
            with self._screen.lent():
                return news.written(state, write_in_editor(shown.id, text))
        except VerdictRefused as error:
            return tell(replace(state, mode="read", typed=""), "failed", error=str(error))

    def _translate(self, state: DeskState, shown: Shown) -> DeskState:
        if self._settings.generator.kind == "extractive":
            return tell(state, "no_model")
        if not shown.translation and not needs_translation(shown.item.comment, self._language):
            return tell(state, "no_translation_needed")
        try:
            with self._screen.interruptible():
                text = shown.translation or asyncio.run(self._translated(shown.id))
        except KeyboardInterrupt:
            return tell(state, "interrupted")
        except GeneratorError as error:
            return tell(state, "failed", error=str(error))
        return replace(state, shown=replace(shown, translation=text))

    async def _translated(self, comment_id: int) -> str:
        writer = make_writer(self._settings)
        if writer is None:
            return ""
        try:
            return await Translator(self._ledger, writer).translated(comment_id, self._language)
        finally:
            await writer.aclose()


def _queue(
    session: Session, state: DeskState, now: datetime
) -> tuple[list[int], int, frozenset[int], int | None]:
    """(numbers, how many there are, which of them others hold, the present version of the comment shown)."""
    ids = queue.ids(session, state.filters, sort=state.sort, limit=state.wanted)
    held = {number for number, by in holds.held(session, ids, now=now).items() if by != state.by}
    comment = session.get(Comment, state.shown.id) if state.shown is not None else None
    total = queue.count(session, state.filters)
    return ids, total, frozenset(held), comment.version if comment is not None else None

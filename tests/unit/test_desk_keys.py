"""What the keys of the terminal desk mean, without a terminal."""

import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from bot.cli import desk_news as news
from bot.cli.desk_input import Keys
from bot.cli.desk_keys import PASTED, press
from bot.cli.desk_state import (
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
    TakeBack,
    TakeOver,
    Translate,
    Write,
)
from bot.cli.desk_view import Sheet
from bot.cli.desk_words import WORDS
from bot.models import Channel, Comment, Draft, Post, State
from bot.review import Told, Wish
from bot.settings import Language
from bot.store.cases import Case, Item
from bot.store.deciding import VerdictRefused
from bot.store.queue import Facets

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def item(number: int = 1, *, drafts: tuple[str, ...] = ("Ten.", "Nine."), **changes: Any) -> Item:
    values = {
        "id": number, "channel_id": 1, "post_id": 1, "platform_id": f"c{number}", "thread_id": "t", "author_id": "f",
        "author_name": "Fan", "text": "How long?", "created_at": AT, "state": State.REVIEW, "reason": "checks",
        "version": 3,
    } | changes  # fmt: skip
    draft = Draft(id=1, comment_id=number, text=drafts[0], candidates=list(drafts)) if drafts else None
    channel = Channel(id=1, name="demo", platform="sandbox", max_reply_chars=500)
    post = Post(id=1, channel_id=1, platform_id="p", title="Roasting")
    return Item(Comment(**values), channel, post, draft, None)


def shown(number: int = 1, *, held_by: str = "", kept: str = "", **changes: Any) -> Shown:
    one = item(number, **changes)
    return Shown(Case(one, (one.comment,), (), (), ()), held_by=held_by, kept=kept, key="k")


def state(**changes: Any) -> DeskState:
    return replace(DeskState("ann", ids=(1, 2, 3), total=3, shown=shown(1)), **changes)


def pressed(start: DeskState, *keys: str) -> tuple[DeskState, list[Effect]]:
    effects: list[Effect] = []
    for key in keys:
        start, more = press(start, key)
        effects += more
    return start, effects


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ("a", Decide(Wish("approve", 1, candidate=0))),
        ("2a", Decide(Wish("approve", 1, candidate=1))),
        ("s", Decide(Wish("skip", 1, candidate=0))),
        ("e", Write("Ten.")),
        ("2e", Write("Nine.")),
        ("j", Open(2)),
        ("h", TakeOver()),
        ("t", Translate()),
        ("f", Count()),
        ("o", Refresh(first=True)),
        ("A", Preview(())),
        ("xA", Preview((1,))),
        ("q", Leave()),
    ],
)
def test_a_key_does_what_its_word_says(keys: str, wanted: Effect) -> None:
    assert pressed(state(), *keys)[1] == [wanted]


@pytest.mark.parametrize("keys", ["3", "9a", "z", "k", "u", "?", PASTED + "a"])
def test_what_means_nothing_here_does_nothing(keys: str) -> None:
    found = pressed(state(), *([keys] if keys.startswith(PASTED) else keys))[1]
    assert [one for one in found if not isinstance(one, Decide)] == []
    assert found in ([], [Decide(Wish("approve", 1, candidate=0))])


@pytest.mark.parametrize("key", ["a", "s", "r", "e", "g", "x", "t", "h", "1", "enter"])
def test_without_a_comment_no_key_decides(key: str) -> None:
    assert pressed(state(shown=None, ids=(), total=0), key)[1] == []


def test_a_reason_is_typed_mended_and_sent() -> None:
    typed = pressed(state(), "r", *"wrogn", "backspace", "backspace", *"ng", " ", *"语气")
    assert typed == (replace(state(), mode="reject", typed="wrong 语气"), [])
    assert pressed(typed[0], "enter")[1] == [Decide(Wish("reject", 1, text="wrong 语气"))]
    assert pressed(typed[0], "esc") == (replace(state(), mode="read"), [])


def test_a_reject_needs_a_reason_and_a_hint_may_be_empty() -> None:
    after, effects = pressed(state(), "r", "enter")
    assert (after.told, effects) == ("reason_needed", [])
    assert pressed(state(), "g", "enter")[1] == [Decide(Wish("redraft", 1))]


def test_the_text_of_the_editor_is_sent_only_when_that_is_said() -> None:
    sending = news.written(state(candidate=1), "Twelve.")
    assert pressed(sending, "enter")[1] == [Decide(Wish("edit", 1, text="Twelve.", candidate=1))]
    assert pressed(sending, "e")[1] == [Write("Twelve.")]
    assert pressed(sending, "esc")[1] == [Keep("Twelve.")]
    assert pressed(sending, "a")[1] == []
    assert news.written(state(), "").told == "refused_empty"


def test_a_filter_is_set_and_taken_away() -> None:
    facets = Facets(3, channels=Counter({"demo": 3}), languages=Counter({"zh": 1}))
    listed = state(mode="filter", facets=facets)
    after, effects = pressed(listed, "j", "enter")
    assert (after.filters.language, after.mode, effects) == ("zh", "read", [Refresh(first=True)])
    again = replace(after, mode="filter", row=1)
    assert pressed(again, "enter")[0].filters.language is None
    assert pressed(again, "0")[0].filters == DeskState("ann").filters


def test_undo_takes_back_the_last_group_first() -> None:
    assert pressed(state(done=((1,), (2, 3))), "u")[1] == [TakeBack((2, 3))]
    assert pressed(state(), "u")[0].told == "nothing_to_undo"


def test_a_bulk_act_needs_its_preview() -> None:
    preview = news.previewed(state(), [item(1), item(2)])
    assert pressed(preview, "a")[1] == [DecideAll("approve")]
    assert pressed(preview, "s")[1] == [DecideAll("skip")]
    assert pressed(preview, "esc", "a")[1] == [Decide(Wish("approve", 1, candidate=0))]
    assert news.previewed(state(), []).told == "nothing_selected"


def test_after_a_verdict_comes_the_next_that_nobody_has_open() -> None:
    after, effects = news.decided(state(held=frozenset({2})), Wish("approve", 1), 8)
    assert effects == (Open(3, led=True), Refresh())
    assert (after.ids, after.total, after.done) == ((2, 3), 2, ((1,),))
    last, effects = news.decided(state(ids=(1,), total=1), Wish("skip", 1), 8)
    assert effects == (Open(None, led=True), Refresh())
    assert news.decided(last, Wish("redraft", 1), 8)[0].done == ((1,),)


def test_nobody_stays_where_somebody_else_was_quicker() -> None:
    after, effects = news.taken(state(), shown(1, held_by="bob"))
    assert (after.held, effects) == (frozenset({1}), (Open(2, led=True),))
    alone = state(ids=(1,))
    assert news.taken(alone, shown(1, held_by="bob"))[0].shown == shown(1, held_by="bob")


def test_the_comment_is_not_exchanged_under_the_fingers() -> None:
    after, effects = news.queued(state(), [2, 3], 2, frozenset(), version=4)
    assert (after.shown, after.moved, effects) == (state().shown, True, ())
    assert pressed(after, "enter")[1] == [Open(1)]


def test_a_refused_reason_is_there_for_the_next_try() -> None:
    error = VerdictRefused("changed", "stale", 4)
    after, effects = news.refused(state(), Wish("reject", 1, text="wrong"), error)
    assert (after.told, effects) == ("refused_stale", (Open(1),))
    assert pressed(after, "r")[0].typed == "wrong"


def test_what_was_too_late_to_take_back_is_not_tried_again() -> None:
    told = [Told(1), Told(2, VerdictRefused("sent", "too_late"))]
    after, effects = news.taken_back(state(done=((1, 2),)), told)
    assert (after.done, after.told, effects) == ((), "undo_late", (Refresh(), Open(1)))


@pytest.mark.parametrize(
    ("pieces", "keys"),
    [
        ([b"a", b"\r"], ["a", "enter"]),
        (["中".encode()[:1], "中".encode()[1:]], ["中"]),
        ([b"\x1b[A\x1bOB\x1b[6~"], ["up", "down", "pagedown"]),
        ([b"\x1b", b"[B"], ["down"]),
        ([b"\x1ba"], []),
        ([b"\x1b[200~a", b"a\r\x1b[201~s"], [f"{PASTED}aa\r", "s"]),
        ([b"\x1b[1;5C\x1b[3~x"], ["x"]),
        ([b"\xff\x00"], []),
    ],
)
def test_what_a_terminal_sends_is_read_as_keys(pieces: list[bytes], keys: list[str]) -> None:
    reader = Keys()
    assert [key for piece in pieces for key in reader.feed(piece)] == keys


def test_escape_alone_is_a_key_once_nothing_follows() -> None:
    reader = Keys()
    assert (reader.feed(b"\x1b"), reader.unfinished, reader.finish()) == ([], True, ["esc"])
    assert reader.feed(b"\x1b[200~aaa") == []
    assert reader.finish() == []


def screen(given: DeskState, language: Language = "en", width: int = 80, height: int = 24) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, color_system=None, legacy_windows=False)
    console.print(Sheet(given, language), end="", height=height)
    return out.getvalue().splitlines()


MODES = ("read", "reject", "search", "filter", "bulk", "send", "help")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [(80, 24), (20, 6), (200, 60)])
@pytest.mark.parametrize("mode", MODES)
def test_every_screen_fills_the_terminal_and_no_more(
    mode: Any, size: tuple[int, int], language: Language
) -> None:
    long = shown(text="烘焙👩‍🍳" * 300, kept="中" * 90, held_by="bob")
    given = state(mode=mode, shown=long, preview=(item(1), item(2, drafts=())), typed="文" * 99, scroll=3)
    lines = screen(given, language, *size)
    assert len(lines) == size[1]
    assert {cell_len(line) for line in lines} == {size[0]}


def test_the_screen_shows_what_a_verdict_needs() -> None:
    draft = Draft(
        id=1, comment_id=1, text="Ten.", candidates=["Ten.", "Nine."], hint="shorter", citations=[0],
        findings=[{"code": "number", "message": "Ten", "text": "Ten"}],
        passages=[
            {"title": "Guide", "source": "guide.pdf", "page": 3, "text": "Roast ten minutes.", "time": ""},
            {"title": "Talk", "source": "talk.vtt", "page": None, "text": "Or nine.", "time": "12:34"},
        ],
    )  # fmt: skip
    one = replace(item(similar=4), draft=draft)
    fan = Comment(**(item(2).comment.model_dump() | {"text": "Earlier words", "created_at": AT}))
    case = Case(one, (fan, one.comment), (draft,), (), ())
    text = "\n".join(screen(state(shown=Shown(case, held_by="bob")), height=40))
    for wanted in (
        "#1 demo · Roasting · 4 ask the same", "a check of the draft found something", "bob has it open",
        "Earlier words", "How long?", "▶ Draft 1 · 4/500 characters", "Draft 2 · 5/500", "after the hint: shorter",
        "! ", "*[1] Guide · p. 3 · guide.pdf", " [2] Talk · 12:34 · talk.vtt", "Roast ten minutes.",
    ):  # fmt: skip
        assert wanted in text


def test_a_megabyte_of_comment_is_cut_on_the_screen() -> None:
    text = "\n".join(screen(state(shown=shown(text="word " * 200_000), scroll=10_000)))
    assert "1000000 characters in all: rejoinder review show 1" in text.replace("\n", "") or "1000000" in text


def test_nothing_that_steers_a_terminal_is_drawn() -> None:
    evil = "\x1b]0;x\x07\x9b2J\u202e\r"
    given = shown(text=evil, author_name=evil, kept=evil, held_by=evil, drafts=(evil,), detail=evil)
    drawn = "".join(screen(state(shown=given, preview=(given.item,)))) + "".join(
        screen(state(mode="bulk", preview=(given.item,)))
    )
    assert not set(drawn) & set("\x1b\x07\x9b\u202e\r")


def test_both_languages_name_the_same_values() -> None:
    for key, (english, chinese) in WORDS.items():
        fields = [{part.split("}")[0] for part in text.split("{")[1:]} for text in (english, chinese)]
        assert fields[0] >= fields[1] or fields[1] == set(), key
        assert fields[0] == fields[1] or key.startswith("refused"), key

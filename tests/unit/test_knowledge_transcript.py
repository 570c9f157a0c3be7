"""Subtitles and chapter lists: what was said, and when."""

from hypothesis import given
from hypothesis import strategies as st

from knowledge.splitter import width
from knowledge.transcript import PARAGRAPH, clock
from tests.unit.loading import paragraphs, read

ROLLING = """WEBVTT
Kind: captions

STYLE
::cue { color: lime }

NOTE nobody says this

00:00:00.000 --> 00:00:02.000 align:start position:0%

so<00:00:00.5><c> today</c> we talk about

00:00:02.000 --> 00:00:02.010
so today we talk about

00:00:02.010 --> 00:00:05.000
so today we talk about
roasting<c> coffee.</c> It is [Music]

00:00:05.000 --> 00:00:08.000
roasting coffee. It is
fun &amp; easy.
"""


def times(text: str, suffix: str = ".srt") -> list[tuple[str, str]]:
    return [(section.time, section.paragraphs[0]) for section in read(text, suffix).sections]


def cues(*lines: str) -> str:
    """SRT, a line every five seconds."""
    return "\n\n".join(
        f"{at + 1}\n00:{at * 5 // 60:02}:{at * 5 % 60:02},000 --> 00:{at * 5 // 60:02}:{at * 5 % 60 + 4:02},500\n{line}"
        for at, line in enumerate(lines)
    )


def test_rolling_captions_are_told_once_and_without_markup() -> None:
    assert times(ROLLING, ".vtt") == [("0:00", "so today we talk about roasting coffee. It is fun & easy.")]


def test_growing_captions_are_told_once() -> None:
    text = "00:01.000 --> 00:02.000\nfirst grind\n\n00:02.000 --> 00:03.000\nfirst grind the beans.\n"
    assert times(text) == [("0:01", "first grind the beans.")]


def test_what_is_said_again_after_a_pause_stays() -> None:
    assert paragraphs(read(cues("No.", "No."), ".srt")) == ["No. No."]


def test_speakers_positions_and_sounds_go_and_chinese_is_joined_without_blanks() -> None:
    text = cues("{\\an8}<i>大家好，</i>", "- 今天我们讲咖啡\n烘焙。", ">> ANN: [掌声] 谢谢。")
    assert paragraphs(read(text, ".srt")) == ["大家好，今天我们讲咖啡烘焙。谢谢。"]


def test_paragraphs_are_whole_sentences_with_the_time_of_the_first_one() -> None:
    text = cues(*[f"This is number {at} of the sentences that were said here." for at in range(30)])
    told = times(text)
    assert all(width(said) <= PARAGRAPH and said.endswith("here.") for _, said in told)
    assert told[0][0] == "0:00"
    first = int(told[1][1].split()[3])
    assert told[1][0] == clock(first * 5)


def test_captions_without_full_stops_are_cut_between_cues() -> None:
    told = times(cues(*[f"words without end number {at}" for at in range(60)]))
    assert len(told) > 2
    assert all(width(said) <= PARAGRAPH and said.startswith("words without") for _, said in told)


def test_absurd_times_and_missing_blank_lines_break_nothing() -> None:
    text = "1\n9999:99:99,999 --> 00:00:01\nLate.\n2\n00:00:02,000 --> 00:00:01,000\nBack.\n"
    assert times(text) == [("10000:40:39", "Late. Back.")]


def test_subtitles_are_known_by_their_content() -> None:
    assert times(cues("Hello there."), ".txt") == [("0:00", "Hello there.")]
    assert paragraphs(read("Just a text.", ".srt")) == ["Just a text."]


@given(
    st.lists(
        st.sampled_from(["One two.", "three", "四五。", "- six!", "seven, eight"]), min_size=1, max_size=60
    )
)
def test_no_word_is_lost(lines: list[str]) -> None:
    said = "".join("".join(paragraphs(read(cues(*lines), ".srt"))).split())
    assert said == "".join("".join(line.removeprefix("- ") for line in lines).split())


DESCRIPTION = """How I roast coffee.

0:00 Intro
(1:30) - Grinding
1:02:03 Outro

Find the beans in my shop."""


def test_a_bare_chapter_list_gives_a_passage_a_chapter_and_keeps_the_rest() -> None:
    assert times(DESCRIPTION, ".txt") == [
        ("", "How I roast coffee."),
        ("0:00", "Intro"),
        ("1:30", "Grinding"),
        ("1:02:03", "Outro"),
        ("", "Find the beans in my shop."),
    ]


def test_text_under_a_chapter_belongs_to_it() -> None:
    loaded = read("0:00 开场\n大家好。\n1:30 研磨\n磨细一点。\n\n再细一点。\n3:00 结束\n再见。", ".txt")
    assert [(one.headings, one.time, one.paragraphs) for one in loaded.sections] == [
        (("开场",), "0:00", ("大家好。",)),
        (("研磨",), "1:30", ("磨细一点。", "再细一点。")),
        (("结束",), "3:00", ("再见。",)),
    ]


def test_a_timetable_is_no_chapter_list() -> None:
    assert {time for time, _ in times("9:00 Breakfast\n10:00 Walk\n11:00 Lunch", ".txt")} == {""}

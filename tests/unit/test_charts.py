"""Where the parts of a chart stand, and that it can be read without colour or sight."""

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.web.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    TOP,
    WIDTH,
    Chart,
    Dot,
    Plot,
    Series,
    bars,
    durations,
    measures,
    path,
    shares,
)
from bot.web.rendering import environment
from bot.web.words import WORDS

numbers = st.lists(st.integers(0, 10**7), min_size=1, max_size=30)
parts = st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=30)


def tell(value: float) -> str:
    return f"{value:g}"


def of(make: object, *series: Series) -> Chart:
    labels = [f"03-{number:02}" for number in range(1, len(series[0].values) + 1)]
    return make(Plot("k", "Title", "It says so.", labels, series, tell))  # type: ignore[operator, no-any-return]


def drawn(chart: Chart) -> str:
    source = '{% import "chart.html" as c %}{{ c.draw(chart, words, "Day") }}'
    return environment().from_string(source).render(chart=chart, words=WORDS["en"])


@given(numbers)
def test_bars_stand_in_the_chart_and_on_one_another(values: list[int]) -> None:
    chart = of(bars, Series("sent", "Sent", values), Series("failed", "Failed", values))
    assert chart.empty is (max(values) == 0)
    for bar in chart.bars:
        assert LEFT <= bar.x <= bar.x + bar.width <= WIDTH
        assert TOP - 0.1 <= bar.y <= bar.y + bar.height <= HEIGHT - BOTTOM + 0.1
    lower = {bar.x: bar for bar in chart.bars if bar.key == "sent"}
    for bar in chart.bars:
        if bar.key == "failed":
            assert bar.y + bar.height == pytest.approx(lower[bar.x].y, abs=0.02)


def test_a_bar_is_as_high_as_its_figure_and_the_scale_ends_at_a_round_number() -> None:
    chart = of(bars, Series("sent", "Sent", [5, 10]))
    half, whole = chart.bars
    assert whole.height == pytest.approx(2 * half.height, abs=0.02)
    assert [step.text for step in chart.steps] == ["0", "5", "10"]
    assert [text for _, _, text in chart.totals] == ["5", "10"]


@given(parts)
def test_a_line_is_broken_where_a_figure_is_missing(values: list[float | None]) -> None:
    chart = of(shares, Series("rate", "Rate", values))
    known = [value for value in values if value is not None]
    assert len(chart.dots) == len(known)
    gaps = sum(
        1 for one, other in zip([None, *values], values, strict=False) if one is None and other is not None
    )
    assert sum(line.path.count("M") for line in chart.lines) == gaps


def test_a_path_goes_on_after_a_gap() -> None:
    assert path([Dot("a", 1, 2), Dot("a", 3, 4), None, Dot("a", 5, 6)]) == "M1 2 L3 4 M5 6"


@given(st.lists(st.floats(0, 10**9), min_size=1, max_size=7))
def test_durations_of_any_length_stand_in_the_chart(values: list[float]) -> None:
    for dot in of(durations, Series("p50", "p50", values)).dots:
        assert TOP - 0.1 <= dot.y <= HEIGHT - BOTTOM + 0.1


@given(st.lists(st.one_of(st.none(), st.floats(-(10**9), 10**9)), min_size=1, max_size=40))
def test_figures_of_any_size_and_sign_stand_in_the_chart(values: list[float | None]) -> None:
    chart = of(measures, Series("after", "After", values))
    for dot in chart.dots:
        assert TOP - 0.1 <= dot.y <= HEIGHT - BOTTOM + 0.1
    assert chart.empty or 2 <= len(chart.steps) <= 8
    assert [step.place for step in chart.steps] == sorted((step.place for step in chart.steps), reverse=True)


def test_the_scale_of_measures_has_round_steps_around_the_figures() -> None:
    chart = of(measures, Series("after", "After", [-0.54, 1.09]))
    assert [step.text for step in chart.steps] == ["-1", "-0.5", "0", "0.5", "1", "1.5"]
    flat = of(measures, Series("after", "After", [3.0, 3.0]))
    assert len(flat.steps) >= 2


def test_many_days_have_a_label_now_and_then_the_last_one_always() -> None:
    chart = of(bars, Series("sent", "Sent", list(range(30))))
    assert len(chart.labels) <= 7
    assert chart.labels[-1].text == "03-30"


def test_the_table_says_what_the_chart_shows() -> None:
    chart = of(shares, Series("rate", "Rate", [0.5, None]), Series("change", "Change", [None, 0.25]))
    assert chart.rows == (("03-01", ("0.5", "–")), ("03-02", ("–", "0.25")))
    text = drawn(chart)
    assert '<th scope="row">03-02</th><td>–</td><td>0.25</td>' in text
    assert '<th scope="col">Change</th>' in text


@pytest.mark.parametrize("make", [bars, shares, durations, measures])
def test_it_has_a_name_a_sentence_and_no_style_of_its_own(make: object) -> None:
    text = drawn(of(make, Series("rate", "Rate", [0.5, 1])))
    svg = ElementTree.fromstring(re.search(r"<svg.*?</svg>", text, re.DOTALL)[0])  # type: ignore[index]
    assert svg.get("role") == "img"
    named = {part.get("id"): part.text for part in svg if part.get("id")}
    assert [named[name] for name in (svg.get("aria-labelledby") or "").split()] == ["Title", "It says so."]
    assert not re.search(r"style=|<style|<script", text)


def test_parts_of_a_bar_can_be_told_apart_without_colour() -> None:
    keys = ("sent", "review", "waiting", "skipped", "failed")
    text = drawn(of(bars, *(Series(key, key, [1, 2]) for key in keys)))
    patterns = re.findall(r"<pattern.*?</pattern>", text)
    looks = {re.sub(r' id="[^"]*"', "", pattern) for pattern in patterns}
    assert len(looks) == len(keys)


@pytest.mark.parametrize("make", [bars, shares, durations, measures])
def test_nothing_to_draw_is_said_in_words(make: object) -> None:
    chart = of(make, Series("rate", "Rate", [0, 0] if make is bars else [None, None]))
    assert chart.empty
    assert WORDS["en"]["chart_empty"] in drawn(chart)
    assert "<svg" not in drawn(chart)


def test_what_stands_in_a_label_is_shown_as_text() -> None:
    chart = bars(Plot("k", "<b>Title", "x", ["<script>"], [Series("sent", "<i>", [1])], tell))
    assert "<script>" not in drawn(chart)
    assert "<i>" not in drawn(chart)

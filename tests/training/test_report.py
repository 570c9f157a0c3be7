"""The report's page: it says what was decided, and nothing that a commenter wrote can run."""

import json
import re
from math import nan

import pytest

from bot.training_settings import GateSettings
from tests.training.test_gate import measure, report
from training.figures import ProbeRow, SampleRow
from training.gate import guards
from training.plots import plots
from training.report import as_json, as_page
from training.report_words import WORDS

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7*7 }}\u202eevil"
SETTINGS = GateSettings()
CURVES = tuple(
    {"score": n / 10, "kl": n / 5, "length": 20 - n, "policy_loss": 0.1, "eos_rate": 1} for n in range(9)
)


def page(**changes: object) -> str:
    found = report(**changes)
    return as_page(found, guards(found, SETTINGS))


def test_a_refusal_names_its_guards_and_a_pass_none() -> None:
    assert 'class="verdict no"' in page(kl=25.7)
    assert "25.70" in page(kl=25.7)
    assert 'class="verdict"' in page()


def test_what_a_commenter_wrote_is_text() -> None:
    row = SampleRow(comment=EVIL, language="en", human=EVIL, candidate=EVIL, live=EVIL)
    probe = ProbeRow(
        name="x", kind="injection", language="en", comment=EVIL, candidate=EVIL, live=EVIL, candidate_passed=True,
        live_passed=False,
    )  # fmt: skip
    shown = page(samples=(row,), probe_rows=(probe,), stopped=EVIL)
    assert "<script" not in shown
    assert "<img" not in shown
    assert "\u202e" not in shown
    assert shown.count("&lt;script&gt;") >= 7
    assert "{{ 7*7 }}" in shown


def test_the_page_needs_nothing_else_and_lets_nothing_run() -> None:
    shown = page(curves=CURVES)
    assert "default-src 'none'" in shown
    assert not re.search(r"""\b(?:src|href|action)=|https?://|url\(|@import|\bon\w+=""", shown)


def test_every_word_is_there_in_both_languages() -> None:
    shown = page(curves=CURVES)
    assert shown.count('class="en"') == shown.count('class="zh"') > 30
    assert all(english and chinese for english, chinese in WORDS.values())
    assert {f"guard_{one.guard}" for one in guards(report(), SETTINGS)} <= set(WORDS)


def test_a_lone_surrogate_stops_neither_file() -> None:
    row = SampleRow(comment="\ud800", language="en", human="", candidate="", live="")
    found = report(samples=(row,))
    as_json(found, []).encode()
    as_page(found, []).encode()


def test_json_says_nan_as_text_and_holds_the_guards() -> None:
    found = report(kl=nan, agreement=measure(0.4, 0.5))
    told = json.loads(as_json(found, guards(found, SETTINGS)), parse_constant=pytest.fail)
    assert told["kl"] == "NaN"
    assert [one["guard"] for one in told["guards"] if not one["passed"]] == ["kl"]


def test_curves_span_the_chart_and_break_where_figures_are_missing() -> None:
    rows = [{"score": 1.0}, {"score": nan}, {"score": 3.0}, {"score": 2.0}, {"kl": "x"}, {"kl": True}]
    (reward,) = plots(rows)
    assert (reward.low, reward.high, reward.batches) == (1.0, 3.0, 6)
    (line,) = reward.lines
    assert (line.first, line.last) == (1.0, 2.0)
    assert line.path.count("M") == 2
    assert plots([]) == []


def test_a_curve_that_never_moves_is_drawn() -> None:
    (reward,) = plots([{"score": 1.0}, {"score": 1.0}])
    assert "nan" not in reward.lines[0].path

"""The owner's tools, each by itself."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from bot.schema import problem, schema_problem
from bot.settings import Settings
from bot.tools.base import BadArguments, Tool, ToolError, shortened
from bot.tools.build import is_offered, make_tool, make_tools
from bot.tools.calculator import calculate, shown
from bot.tools.table import Table, look_up, parse

PRICES = "name,price,stock\nLatte,28 yuan,5\nLarge latte,32 yuan,0\n美式咖啡,22元,9\nMocha,30 yuan,1\n"


def tools_of(*given: dict[str, Any]) -> Settings:
    return Settings.model_validate(
        {"tools": [{"name": "one", "description": {"en": "x"}} | one for one in given]}
    )


def made(given: dict[str, Any], now: str = "2026-11-21T10:00:00+00:00") -> Tool:
    return make_tool(tools_of(given).tools[0], lambda: datetime.fromisoformat(now))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("3 * 12.50", "37.5"),
        ("0.1 + 0.2", "0.3"),
        ("1,200 - 15% * 1,200", "1020"),
        ("（3＋4）×2÷7", "2"),
        ("-(2 - 5)", "3"),
        ("2/3", "0.666667, about 0.67"),
        ("-1/8", "-0.125"),
    ],
)
def test_a_calculation_is_exact(expression: str, value: str) -> None:
    assert shown(calculate(expression)) == value


@pytest.mark.parametrize(
    "expression",
    ["", "2**9", "9**9**9", "a+1", "__import__('os')", "1/0", "1/(2-2)", "(1", "1)", "1 2", "2//3", "()", "1e9",
     "(" * 21 + "1" + ")" * 21, "1+" * 150 + "1", "7" * 201],
)  # fmt: skip
def test_what_is_no_arithmetic_is_refused_with_one_line(expression: str) -> None:
    with pytest.raises(BadArguments) as caught:
        calculate(expression)
    assert "\n" not in str(caught.value)


trees = st.recursive(
    st.decimals(min_value=0, max_value=10**6, places=3).map(lambda value: (f"{value:f}", Fraction(value))),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
        lambda t: (
            f"({t[0][0]} {t[1]} {t[2][0]})",
            {"+": t[0][1] + t[2][1], "-": t[0][1] - t[2][1], "*": t[0][1] * t[2][1]}[t[1]],
        )
    ),
    max_leaves=5,
)


@given(trees)
def test_a_calculation_agrees_with_fractions(tree: tuple[str, Fraction]) -> None:
    assert calculate(tree[0]) == tree[1]


@given(st.text(alphabet="0123456789.,+-*/()% ×÷（x", max_size=60))
def test_any_expression_has_a_value_or_is_refused(expression: str) -> None:
    with suppress(BadArguments):
        assert isinstance(calculate(expression), Fraction)


def table(folder: Path, data: bytes, **options: Any) -> Table:
    file = folder / "prices.csv"
    file.write_bytes(data)
    return Table("prices", "x", file=file, **options)


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        ("latte", ["name: Latte; price: 28 yuan; stock: 5"]),
        ("LARGE  latte", ["name: Large latte; price: 32 yuan; stock: 0"]),
        ("mocca", ["name: Mocha; price: 30 yuan; stock: 1"]),
        ("美式", ["name: 美式咖啡; price: 22元; stock: 9"]),
        ("tea", []),
        ("", []),
    ],
)
async def test_a_table_gives_the_rows_that_fit(tmp_path: Path, value: str, rows: list[str]) -> None:
    found = await table(tmp_path, PRICES.encode()).call({"value": " ".join(value.split())})
    assert found.splitlines() == rows


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
async def test_a_table_may_be_in_any_common_encoding(tmp_path: Path, encoding: str) -> None:
    text = "名称,价格\n美式咖啡,二十二元\n我们的拿铁，这是大家都爱的,二十八元\n"
    found = await table(tmp_path, text.encode(encoding)).call({"value": "美式咖啡"})
    assert found == "名称: 美式咖啡; 价格: 二十二元"


async def test_a_table_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    prices = table(tmp_path, b"name,price\nLatte,28\n")
    assert await prices.call({"value": "latte"}) == "name: Latte; price: 28"
    (tmp_path / "prices.csv").write_bytes(b"name,price\nLatte,30 yuan\n")
    assert await prices.call({"value": "latte"}) == "name: Latte; price: 30 yuan"
    assert prices.schema["properties"]["column"]["enum"] == ["name", "price"]


async def test_only_the_columns_that_the_owner_names_are_told_or_searched(tmp_path: Path) -> None:
    prices = table(tmp_path, PRICES.encode(), columns=["name", "price"])
    assert await prices.call({"value": "mocha"}) == "name: Mocha; price: 30 yuan"
    assert await prices.call({"value": "9"}) == ""


async def test_cells_are_data_whatever_they_hold(tmp_path: Path) -> None:
    rows = 'name,price\n"=HYPERLINK(""http://x"")",1\nLatte,"two\nlines"\nshort\nlong,1,2,3\n'
    prices = table(tmp_path, rows.encode())
    assert await prices.call({"value": "=HYPERLINK"}) == 'name: =HYPERLINK("http://x"); price: 1'
    assert await prices.call({"value": "Latte"}) == "name: Latte; price: two lines"
    assert await prices.call({"value": "long"}) == "name: long; price: 1"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b"a,a\n1,2\n", "headings"),
        (b"a,,b\n1,2,3\n", "headings"),
        (b'a,b\n"never closed,1\n', "line"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\xff", "no table"),
        (b"a\n" + b"1\n" * 20_001, "20000 rows"),
        (b"x" * 5_000_001, "5 MB"),
    ],
)
async def test_a_file_that_is_no_table_is_one_clear_line(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(ToolError, match=said) as caught:
        await table(tmp_path, data).call({"value": "x"})
    assert "prices.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_table_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="cannot be read"):
        await Table("prices", "x", file=tmp_path / "gone.csv").call({"value": "x"})


def test_a_table_never_gives_more_than_ten_rows(tmp_path: Path) -> None:
    rows = "name\n" + "".join(f"Latte {number}\n" for number in range(50))
    assert len(look_up(table(tmp_path, rows.encode()).load(), "latte")) == 10


def test_semicolons_and_tabs_separate_cells_too() -> None:
    assert parse("a;b\n1,5;2\n") == (["a", "b"], [["1,5", "2"]])
    assert parse("a\tb\n1\t2\n") == (["a", "b"], [["1", "2"]])


def test_what_is_cut_ends_with_a_whole_line_or_a_whole_number() -> None:
    assert shortened("price: 12\nprice: 128", 15) == "price: 12"
    assert shortened("it costs 12.80 now", 12) == "it costs "
    assert shortened("short", 12) == "short"


HOURS = {
    "kind": "hours",
    "time_zone": "Asia/Shanghai",
    "week": {"fri": ["22:00-02:00"], "sat": ["10:00-12:00", "14:00-18:00"]},
    "special": {"2026-11-28": []},
}


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("2026-11-21T02:00:00+00:00", "At Sat 2026-11-21 10:00 it is open, until Sat 2026-11-21 12:00."),
        ("2026-11-20T17:59:00+00:00", "At Sat 2026-11-21 01:59 it is open, until Sat 2026-11-21 02:00."),
        ("2026-11-20T18:00:00+00:00", "it is closed; it opens on Sat 2026-11-21 10:00"),
        ("2026-11-27T20:00:00+00:00", "it is closed; it opens on Fri 2026-12-04 22:00"),
    ],
)
async def test_opening_hours_tell_open_and_next(now: str, said: str) -> None:
    assert said in await made(HOURS, now).call({})


async def test_opening_hours_of_another_day_are_told() -> None:
    hours = made(HOURS)
    assert "On Sat 2026-11-28 it is closed." in await hours.call({"at": "2026-11-28"})
    assert "At Sat 2026-11-21 15:00 it is open" in await hours.call({"at": "2026-11-21T15:00"})
    assert "At Sat 2026-11-21 15:00 it is open" in await hours.call({"at": "2026-11-21T07:00Z"})
    with pytest.raises(BadArguments, match="no date"):
        await hours.call({"at": "tomorrow"})


@pytest.mark.parametrize("at", ["9999-12-31T23:59", "0001-01-01T00:00", "9999-12-31T23:59-23:59"])
async def test_a_moment_at_the_end_of_the_calendar_is_refused(at: str) -> None:
    with pytest.raises(BadArguments, match="another day"):
        await made(HOURS).call({"at": at})


async def test_a_place_that_never_opens_says_so() -> None:
    assert "no opening is known" in await made({**HOURS, "week": {}, "special": {}}).call({})


class Hook:
    """The owner's web hook on loopback."""

    def __init__(self) -> None:
        self.status, self.body, self.seen = 200, b'{"stock": 3}', list[tuple[dict[str, str], Any]]()
        self.hold = asyncio.Event()
        self.hold.set()

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append((dict(request.headers), await request.json()))
        await self.hold.wait()
        return web.Response(status=self.status, body=self.body, headers={"Location": "/elsewhere"})


@pytest.fixture
async def hook() -> Any:
    served = Hook()
    app = web.Application()
    app.router.add_post("/hook", served.answer)
    async with TestServer(app) as server:
        served.url = str(server.make_url("/hook"))  # type: ignore[attr-defined]
        yield served
        served.hold.set()


def hook_tool(hook: Any, **more: Any) -> Tool:
    return made({"kind": "web_hook", "url": hook.url + "?key=s3cret", "timeout_s": 5.0, **more})


async def test_a_web_hook_gets_the_arguments_and_the_secret_header(
    hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "Bearer s3cret")
    tool = hook_tool(hook, secret="env:HOOK_TOKEN")
    assert await tool.call({"name": "latte"}) == '{"stock": 3}'
    [(headers, body)] = hook.seen
    assert (headers["Authorization"], body) == ("Bearer s3cret", {"name": "latte"})


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b"", "status 500"),
        (302, b"", "status 302"),
        (200, b"x" * 100_001, "100 kB"),
        (200, b"\xff\xfe\xfa", "UTF-8"),
    ],
)
async def test_a_web_hook_that_fails_is_one_line_without_its_secret(
    hook: Any, status: int, body: bytes, said: str
) -> None:
    hook.status, hook.body = status, body
    with pytest.raises(ToolError, match=said) as caught:
        await hook_tool(hook).call({})
    assert "s3cret" not in str(caught.value)
    assert len(hook.seen) == 1


async def test_a_web_hook_that_hangs_is_given_up(hook: Any) -> None:
    hook.hold.clear()
    with pytest.raises(ToolError, match="within"):
        await hook_tool(hook, timeout_s=0.05).call({})


async def test_a_web_hook_that_is_down_is_one_line(unused_tcp_port: int) -> None:
    tool = made({"kind": "web_hook", "url": f"http://127.0.0.1:{unused_tcp_port}/x"})
    with pytest.raises(ToolError, match="cannot be reached"):
        await tool.call({})


async def test_an_empty_answer_of_a_web_hook_is_nothing_found(hook: Any) -> None:
    hook.status, hook.body = 204, b""
    assert await hook_tool(hook).call({}) == ""


def test_a_web_hook_is_offered_only_where_the_owner_says_that_it_changes_nothing() -> None:
    settings = tools_of(
        {"kind": "web_hook", "url": "http://10.0.0.1/x"},
        {"kind": "web_hook", "url": "http://10.0.0.1/x", "reads_only": True, "name": "two"},
    )
    assert [is_offered(one) for one in settings.tools] == [False, True]
    assert [tool.name for tool in make_tools(settings.tools, lambda: datetime.now(UTC))] == ["two"]


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "size": {"type": "string", "enum": ["s", "l"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "hot": {"type": "boolean"},
    },
    "required": ["name"],
}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('{"name": "latte", "size": "s", "count": 2, "hot": true}', ""),
        ("{}", "arguments needs name"),
        ('{"name": 5}', "name must be of type string"),
        ('{"name": "too long"}', "at most 5 characters"),
        ('{"name": "a", "size": "xl"}', "one of: s, l"),
        ('{"name": "a", "count": 0}', "at least 1"),
        ('{"name": "a", "count": 10}', "at most 9"),
        ('{"name": "a", "count": true}', "type integer"),
        ('{"name": "a", "hot": 1}', "type boolean"),
        ('{"name": "a", "url": "http://x"}', "has no 'url'"),
        ("[]", "type object"),
    ],
)
def test_arguments_keep_to_their_schema(arguments: str, said: str) -> None:
    found = problem(json.loads(arguments), SCHEMA)
    assert found == "" if not said else said in found


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_numbers_without_a_value_are_refused(number: float) -> None:
    assert problem({"x": number}, {"type": "object", "properties": {"x": {"type": "number"}}})


def test_a_number_of_any_length_is_compared() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "number", "maximum": 9}}}
    assert problem({"x": 10**400}, schema) == "x must be at most 9"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "web_hook", "url": "ftp://x"}, "url"),
        ({"kind": "web_hook", "url": "http://u:p@x/"}, "url"),
        ({"kind": "web_hook", "url": "http://x", "secret": "s3cret"}, "reference"),
        ({"kind": "web_hook", "url": "http://x", "parameters": {"type": "string"}}, "type object"),
        (
            {"kind": "web_hook", "url": "http://x", "parameters": {"type": "object", "oneOf": []}},
            "oneOf is not supported",
        ),
        ({**HOURS, "time_zone": "Mars/Olympus"}, "time zone"),
        ({**HOURS, "week": {"mon": ["9-17"]}}, "09:00-18:00"),
        ({"kind": "calculator", "name": "Bad Name"}, "name"),
        ({"kind": "calculator", "description": {}}, "description"),
        ({"kind": "shell"}, "kind"),
    ],
)
def test_tools_that_cannot_work_are_refused_with_the_settings(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        tools_of(given)
    assert "s3cret" not in str(caught.value)


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two are called 'one'"):
        tools_of({"kind": "calculator"}, {"kind": "calculator"})


@pytest.mark.parametrize(
    "schema",
    [None, {}, {"type": "array"}, {"type": "object", "required": ["x"]}, {"type": "object", "properties": 1},
     {"type": "object", "properties": {"x": {"type": "string", "maxLength": "5"}}}],
)  # fmt: skip
def test_a_schema_that_is_none_is_told(schema: object) -> None:
    assert schema_problem(schema)

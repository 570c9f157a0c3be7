"""`tools`: what the model may call."""

import asyncio
import json
from typing import Annotated, Any

import typer

from bot.bootstrap import utc_now
from bot.cli.errors import Failure, Misuse
from bot.cli.shell import Shell, print_json, shell_of
from bot.plain import plain
from bot.schema import problem
from bot.tools.base import ToolError, describe
from bot.tools.build import is_offered, make_tool
from bot.tools.settings import ToolSettings

app = typer.Typer(help="See and try what the model may call: tables, hours, web hooks.", add_completion=False)


@app.command("list")
def list_tools(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False
) -> None:
    """The tools that the settings declare, and whether the model may call each."""
    shell = shell_of(context)
    given = shell.settings.tools
    if as_json:
        print_json([_tool_json(one) for one in given])
    elif given:
        shell.table(("name", "kind", "offered", "description"), [_row(one, shell) for one in given])
    else:
        shell.warn("tools_none")


@app.command("try")
def try_tool(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the tool.")],
    arguments: Annotated[str, typer.Argument(help='What to ask it, as JSON: {"value": "latte"}.')] = "{}",
) -> None:
    """Call a tool as the model would, and print what it says. A web hook is called for real."""
    shell = shell_of(context)
    found = next((one for one in shell.settings.tools if one.name == name), None)
    if found is None:
        raise Misuse(f"there is no tool {name!r}; 'rejoinder tools list' names them")
    said = asyncio.run(_call(found, _arguments(arguments)))
    if said:
        typer.echo(plain(said))
    else:
        shell.warn("tools_nothing")


async def _call(given: ToolSettings, arguments: dict[str, Any]) -> str:
    tool = make_tool(given, utc_now)
    if wrong := problem(arguments, tool.schema):
        raise Misuse(wrong)
    try:
        return await tool.call(arguments)
    except ToolError as error:
        raise Failure(str(error)) from error


def _arguments(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Misuse(
            f'the arguments are no JSON ({error}); write them as \'{{"value": "latte"}}\''
        ) from error
    if not isinstance(found, dict):
        raise Misuse('the arguments must be a JSON object, such as \'{"value": "latte"}\'')
    return found


def _tool_json(given: ToolSettings) -> dict[str, Any]:
    """Without a secret: that is a reference in the settings, too."""
    return {**given.model_dump(mode="json"), "offered": is_offered(given)}


def _row(given: ToolSettings, shell: Shell) -> tuple[str, ...]:
    offered = shell.say("yes" if is_offered(given) else "no_not_reads_only")
    return given.name, given.kind, offered, describe(given.description)

"""From the settings to the tools."""

from collections.abc import Callable, Sequence
from datetime import datetime

from bot.settings import resolve
from bot.tools.base import Tool, describe
from bot.tools.calculator import Calculator
from bot.tools.hours import OpeningHours
from bot.tools.settings import CalculatorSettings, HoursSettings, TableSettings, ToolSettings, WebHookSettings
from bot.tools.table import Table
from bot.tools.web_hook import WebHook

Clock = Callable[[], datetime]


def make_tools(settings: Sequence[ToolSettings], clock: Clock) -> tuple[Tool, ...]:
    """Those that the model may call by itself, in their order. Raises SettingsError for a secret that is not there."""
    return tuple(make_tool(one, clock) for one in settings if is_offered(one))


def is_offered(given: ToolSettings) -> bool:
    """Whether the model is told of it: a web hook only if the owner says that it changes nothing."""
    return not isinstance(given, WebHookSettings) or given.reads_only


def make_tool(given: ToolSettings, clock: Clock) -> Tool:
    """Raises SettingsError."""
    description = describe(given.description)
    match given:
        case TableSettings():
            return Table(given.name, description, file=given.file, columns=given.columns)
        case CalculatorSettings():
            return Calculator(given.name, description)
        case HoursSettings():
            return OpeningHours(
                given.name,
                description,
                time_zone=given.time_zone,
                week={day: tuple(spans) for day, spans in given.week.items()},
                special=given.special,
                clock=clock,
            )
        case WebHookSettings():
            return WebHook(
                given.name,
                description,
                url=given.url,
                parameters=given.parameters,
                timeout_s=given.timeout_s,
                headers={given.header: resolve(given.secret)} if given.secret else {},
            )

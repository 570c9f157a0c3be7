"""What `doctor` says of the tools: each is looked at, none with an effect is called."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.settings import SettingsError
from bot.tools.base import Tool, ToolError
from bot.tools.build import is_offered, make_tool
from bot.tools.settings import ToolSettings
from bot.tools.table import Table


@dataclass(frozen=True, slots=True)
class ToolHealth:
    """One tool's state, in both languages; `level` as doctor's."""

    name: str
    level: Literal["ok", "warning", "error"]
    english: str
    chinese: str


def examined(settings: Sequence[ToolSettings], clock: Callable[[], datetime]) -> Iterator[ToolHealth]:
    """One for each tool. A table is read; a web hook is not called."""
    for given in settings:
        try:
            tool = make_tool(given, clock)
            english, chinese = _told(tool)
        except (ToolError, SettingsError) as error:
            yield ToolHealth(given.name, "error", str(error), str(error))
            continue
        if is_offered(given):
            yield ToolHealth(given.name, "ok", f"{given.kind}{english}", f"{given.kind}{chinese}")
        else:
            yield ToolHealth(
                given.name,
                "warning",
                "the model is not offered it; if a call changes nothing, write reads_only = true",
                "不会提供给模型；若调用不会更改任何内容，请写 reads_only = true",
            )


def _told(tool: Tool) -> tuple[str, str]:
    """What is worth telling beside the kind. Raises ToolError."""
    if not isinstance(tool, Table):
        return "", ""
    sheet = tool.load()
    columns = ", ".join(sheet.columns)
    return f": {len(sheet.rows)} rows with {columns}", f"：{len(sheet.rows)} 行，列：{columns}"

"""What is told of an installation."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    part: str
    english: str
    """What was found and, unless all is well, the cure."""
    chinese: str = ""
    """The same; empty where a lower layer told it, in English only."""

    def message(self, language: str) -> str:
        return self.chinese if language == "zh" and self.chinese else self.english

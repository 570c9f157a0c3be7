"""Refusals in the reader's language."""

from typing import Any

from bot.settings import Language
from bot.web.problems import Problem
from bot.web.words import WORDS


def refusal(language: Language, status: int, code: str, key: str, **values: Any) -> Problem:
    """A Problem whose line is the word `key`, filled with `values`."""
    return Problem(status, code, WORDS[language][key].format(**values))

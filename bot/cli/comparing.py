"""What a model writes with and without the documents, side by side."""

from typing import Any

import typer

from bot.answer import Answer
from bot.checks import Finding
from bot.cli.shell import Shell
from bot.generator import Completion
from bot.plain import plain

Bare = tuple[Completion, tuple[Finding, ...]]
"""A reply without documents, and what they don't bear out of it."""


def bare_json(bare: Bare) -> dict[str, Any]:
    completion, findings = bare
    return {
        "reply": completion.text,
        "findings": [{"code": finding.code.value, "text": finding.text} for finding in findings],
    }


def print_comparison(shell: Shell, answer: Answer, bare: Bare) -> None:
    completion, findings = bare
    shell.table(("with_documents", "without_documents"), [(plain(answer.text), plain(completion.text))])
    for finding in findings:
        shell.tell("ask_without", message=plain(finding.message(shell.language)))
    typer.echo()

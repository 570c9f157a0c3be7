"""What a model writes with and without the documents, side by side."""

from typing import Any

import typer

from bot.cli.shell import Shell
from bot.plain import plain
from bot.question import Answer, Bare


def bare_json(bare: Bare) -> dict[str, Any]:
    return {
        "reply": bare.completion.text,
        "findings": [{"code": finding.code.value, "text": finding.text} for finding in bare.findings],
    }


def print_comparison(shell: Shell, answer: Answer, bare: Bare) -> None:
    shell.table(("with_documents", "without_documents"), [(plain(answer.text), plain(bare.completion.text))])
    for finding in bare.findings:
        shell.tell("ask_without", message=plain(finding.message(shell.language)))
    typer.echo()

"""`--translate`: comments in the reader's language, translated by the model that is set up."""

import asyncio
from collections.abc import Sequence

import typer

from bot.building.model import make_writer
from bot.cli.errors import Misuse
from bot.cli.shell import Shell
from bot.generator import GeneratorError
from bot.models import Comment
from bot.plain import plain
from bot.settings import Language
from bot.store.ledger import Ledger
from bot.translate import Translator, needs_translation
from bot.writer import TextRefused

AT_ONCE = 4
"""How many comments are translated at the same time: the service writes replies on the same server."""


def translation_language(shell: Shell, asked: str | None) -> Language | None:
    """None where none was asked for. Raises Misuse for an unknown language, and where no model is set up."""
    if asked is None:
        return None
    if asked not in ("en", "zh"):
        raise Misuse(f"--translate {asked!r} is not known; use en or zh")
    if shell.settings.generator.kind == "extractive":
        raise Misuse(
            'there is no model to translate with; set generator.kind = "vllm" and its address, or leave --translate out'
        )
    return "en" if asked == "en" else "zh"


def translate_all(
    shell: Shell, ledger: Ledger, comments: Sequence[Comment], language: Language | None
) -> bool:
    """Puts the translations into `comments` and the ledger; False where one failed, which is told on stderr."""
    wanted = [one for one in comments if language is not None and needs_translation(one, language)]
    if not wanted or language is None:
        return True
    return asyncio.run(_translate(shell, ledger, wanted, language))


async def _translate(shell: Shell, ledger: Ledger, comments: Sequence[Comment], language: Language) -> bool:
    writer = make_writer(shell.settings)
    if writer is None:
        return False
    translator, room = Translator(ledger, writer), asyncio.Semaphore(AT_ONCE)
    errors: list[GeneratorError] = []

    async def one(comment: Comment) -> None:
        async with room:
            # A server that is away would be waited for once for every comment.
            if not all(isinstance(error, TextRefused) for error in errors):
                return
            try:
                text = await translator.translated(comment.id or 0, language)
            except GeneratorError as error:
                errors.append(error)
                typer.echo(f"error: comment {comment.id}: {plain(str(error), one_line=True)}", err=True)
            else:
                comment.translations = {**comment.translations, language: text}

    try:
        await asyncio.gather(*map(one, comments))
    finally:
        await writer.aclose()
    return not errors

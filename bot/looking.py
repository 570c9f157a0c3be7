"""Which of the images that a comment comes with count, and what becomes of them."""

from collections.abc import Sequence
from typing import Literal

from bot.generator import Completion, Generator
from bot.pictures import Look, Named, Pictures, named, overlooked
from bot.question import Question


class Looking:
    """Shows the model the images that count, where it can see."""

    def __init__(
        self,
        generator: Generator,
        pictures: Pictures | None = None,
        post_pictures: Literal["review", "ignore"] = "review",
    ) -> None:
        self._generator = generator
        self._pictures = pictures if pictures is not None else Pictures()
        self._post_pictures = post_pictures

    def wanted(self, question: Question, given: Completion | None) -> list[Named]:
        """The images that count: not the post's where the owner said so, or wrote the answer (`given`) word for
        word."""
        of_post = () if self._post_pictures == "ignore" or given is not None else question.post_pictures
        return named(question.pictures, of_post)

    async def look(self, wanted: Sequence[Named], given: Completion | None) -> list[Look]:
        """One for each of `wanted`. Raises nothing."""
        if not wanted:
            return []
        if given is not None:
            return overlooked(wanted, "the answer was written beforehand")
        if not await self._generator.sees_pictures():
            return overlooked(wanted, "the model cannot see")
        return await self._pictures.look(wanted)


def others(question: Question, wanted: Sequence[Named]) -> list[Look]:
    """The images that don't count, unseen."""
    rest = [one for one in named(question.pictures, question.post_pictures) if one not in wanted]
    return overlooked(rest, "not asked for")

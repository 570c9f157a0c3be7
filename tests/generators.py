"""What the generators of tests have in common."""

from bot.generator import GenerationRequest, GeneratorHealth


class PlainGenerator:
    """All of `bot.generator.Generator` but `generate`: no prompt to fit into, no eyes, any number at once."""

    async def fit(self, request: GenerationRequest) -> GenerationRequest:
        return request

    async def sees_pictures(self) -> bool:
        return False

    @property
    def capacity(self) -> int | None:
        return None

    async def check(self) -> GeneratorHealth:
        return GeneratorHealth(True, "")

    async def aclose(self) -> None:
        return None

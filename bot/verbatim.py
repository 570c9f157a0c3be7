"""Answers that the owner wrote word for word, as in a FAQ: no generator may put them in other words."""

from bot.extractive import LEAST_SUPPORT, choose, lead_in
from bot.generator import Completion, GenerationRequest
from bot.persona import join
from bot.prompt import build_messages, prompt_hash

MODEL = "faq"


def verbatim(request: GenerationRequest, min_support: float) -> Completion | None:
    """The best passage's own answer between greeting and signature; None where that passage holds none.

    `min_support` is the least support (0 to 1) that the passage needs. Where not all fits, the greeting goes first,
    then the signature; the answer is never cut, so that the text may be longer than `request.max_chars`.
    """
    # An owner who asks for no support at all still doesn't want the same answer under every comment.
    chosen = choose(request.passages, request.language, max(min_support, LEAST_SUPPORT))
    if not chosen or not request.passages[chosen[0]].passage.answer:
        return None
    scored = request.passages[chosen[0]]
    return Completion(
        text=_wrapped(request, lead_in(scored, request.language).format(quote=scored.passage.answer)),
        answered=True,
        citations=(chosen[0],),
        model=MODEL,
        voice=None,
        prompt_hash=prompt_hash(build_messages(request)),
    )


def _wrapped(request: GenerationRequest, body: str) -> str:
    persona, language = request.persona, request.language
    greeting, ending = persona.greeting_in(language), persona.ending_in(language)
    tries = (join(pieces) for pieces in ([greeting, body, ending], [body, ending]))
    return next((whole for whole in tries if len(whole) <= request.max_chars), body)

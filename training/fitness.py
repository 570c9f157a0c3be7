"""Whether a night can begin with a base model: what its configuration and its tokenizer tell, before any weights are
read."""

from typing import Any

from training.errors import BadBase
from training.models import Kind, quiet, read_tokenizer, tokenizer_hash


@quiet()
def require_fit(source: str, expected: str | None) -> None:
    """`expected`: the `tokenizer_hash` that the voice to begin with was made with; None: it is not known, or there is
    no such voice. Raises BadBase.
    """
    config, tokenizer = read_tokenizer(source)
    require_servable(source, "seq2seq" if config.is_encoder_decoder else "causal", tokenizer)
    if expected is not None:
        require_same_tokenizer(source, tokenizer, expected)


def require_servable(source: str, kind: Kind, tokenizer: Any) -> None:
    """A night makes a voice for a chat server. Raises BadBase."""
    if kind == "seq2seq":
        raise BadBase(
            f"{source} is an encoder-decoder, which no chat server serves; set training.base to a model that "
            "generator.model serves"
        )
    if not tokenizer.chat_template:
        raise BadBase(
            f"{source} has no chat template, so that prompts here and at the server would differ; put the "
            "chat_template.jinja of its chat version into that folder"
        )


def require_same_tokenizer(source: str, tokenizer: Any, expected: str) -> None:
    """`expected`: the `tokenizer_hash` that an earlier run was made with. Raises BadBase."""
    if tokenizer_hash(tokenizer) != expected:
        raise BadBase(
            f"the tokenizer of {source} is another one than that of the voice to begin with, so that its weights would "
            "read other tokens; restore the old files, or go back to a voice of this tokenizer or to the base model "
            "('rejoinder voices rollback') and start again"
        )

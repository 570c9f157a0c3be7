"""What the loaders' tests share."""

import pytest

from knowledge.loaders import Content, load
from knowledge.records import Loaded, LoadError


def read(data: bytes | str, suffix: str = ".txt", charset: str = "", address: str = "") -> Loaded:
    """What the loader makes of a file with this content."""
    raw = data.encode() if isinstance(data, str) else data
    return load(Content(f"/docs/file{suffix}", raw, suffix, "file", charset, address))


def refusal(data: bytes | str, suffix: str) -> str:
    """The message that a file with this content is refused with; checks that it is one line."""
    with pytest.raises(LoadError) as caught:
        read(data, suffix)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"/docs/file{suffix} ")
    return caught.value.message


def paragraphs(loaded: Loaded) -> list[str]:
    """All paragraphs in order."""
    return [paragraph for section in loaded.sections for paragraph in section.paragraphs]


def answers(loaded: Loaded) -> list[tuple[str, str]]:
    """Questions with their answers."""
    return [(section.paragraphs[0], section.answer) for section in loaded.sections if section.answer]

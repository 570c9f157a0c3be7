"""Which language a text is in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.language import detect

EXAMPLES = [
    ("hello", "en"),
    ("LGTM", "en"),
    ("great vid", "en"),
    ("How do I install this on Windows?", "en"),
    ("can you use LoRA with 8GB? 谢谢", "en"),
    ("what does 加油 mean", "en"),
    ("这个视频讲得真好", "zh"),
    ("怎么安装vLLM server on Linux?", "zh"),
    ("怎么用 Stable Diffusion WebUI Forge", "zh"),
    ("請問這個多少錢", "zh"),
    ("これはどうやって使いますか", "ja"),
    ("東京タワーの高さは何メートル", "ja"),
    ("안녕하세요, 어떻게 설치해요?", "ko"),
    ("Как это установить?", "ru"),
    ("كيف يمكنني تثبيت هذا", "ar"),
    ("ใช้งานอย่างไร", "th"),
    ("¿Cómo instalo esto en mi ordenador?", "es"),
    ("no se como se hace", "es"),
    ("Wie kann ich das installieren?", "de"),
    ("Comment je fais pour installer ça ?", "fr"),
    ("como eu faço para instalar isso?", "pt"),
    ("Come si installa questo?", "it"),
    ("làm thế nào để cài đặt", "vi"),
    ("", "und"),
    ("😀😀!!! 123", "und"),
    ("https://example.com/a/b?c=d", "und"),
    ("@someone https://example.com 好看", "zh"),
]


@pytest.mark.parametrize(("text", "language"), EXAMPLES)
def test_language_of_an_example(text: str, language: str) -> None:
    assert detect(text) == language


@settings(deadline=None)
@given(st.text())
def test_any_text_has_a_language_and_always_the_same(text: str) -> None:
    assert detect(text) == detect(text) != ""


@settings(deadline=None)
@given(st.text(alphabet="的是我有在这怎么安装", min_size=1), st.sampled_from(["😀", "!", " 12 ", "@bob "]))
def test_clutter_does_not_turn_chinese_into_something_else(text: str, clutter: str) -> None:
    assert detect(clutter + text + " " + clutter) == "zh"


def test_a_megabyte_is_judged_by_its_start() -> None:
    assert detect("how do I do this? " * 60_000) == "en"
